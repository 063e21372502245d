"""The engine of one machine: worker processes, each with the models loaded once."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass
from typing import Any, Protocol

from wideopen.batch.work import Task, do
from wideopen.errors import WideopenError, WorkerDied, WorkerTimeout
from wideopen.session.render_file import Job
from wideopen.workers import Finished, WarmUp, Workers

_TICK_S = 0.2
Work = Callable[[Task], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a task ended: a report, or the reason why there is none."""

    task: Task
    report: dict[str, Any] | None = None
    reason: str = ""
    lost: bool = False  # with its worker: it may have ended anywhere
    interrupted: bool = False  # given up because the batch ends; neither done nor failed


class Stop:
    """Whether a batch shall end: `soon`, after the photos that are in work, or `now`. Set by signals and threads."""

    def __init__(self) -> None:
        self.soon = threading.Event()
        self.now = threading.Event()

    def ask(self) -> None:
        """Ask once to end soon, twice to end now."""
        (self.now if self.soon.is_set() else self.soon).set()


class Engine(Protocol):
    """What does tasks, in its own order."""

    def outcomes(self, tasks: Iterator[Task | None], stop: Stop) -> Iterator[Outcome | None]:
        """Take tasks as there is room for them and yield how each ended; None for nothing new.

        A task None means that there is nothing to do now, but may be later.
        """

    def end(self) -> None:
        """End at once whatever still runs."""


class LocalEngine:
    """Worker processes on this machine."""

    def __init__(self, workers: Workers, *, timeout_s: float | None, work: Work = do) -> None:
        """`work` does a task in a worker; it is pickled."""
        self._workers = workers
        self._timeout_s = timeout_s
        self._work = work

    def outcomes(self, tasks: Iterator[Task | None], stop: Stop) -> Iterator[Outcome | None]:
        """As `Engine`. One task more than there are workers is under way, so that none of them waits."""
        running: dict[Future[Finished[dict[str, Any]]], Task] = {}
        more = True
        while True:
            more = more and not stop.soon.is_set()
            while more and len(running) <= self._workers.size.workers:
                try:
                    task = next(tasks)
                except StopIteration:
                    more = False
                    break
                if task is None:
                    break
                running[self._workers.submit(self._work, task, timeout_s=self._timeout_s)] = task
                more = not stop.soon.is_set()
            if not running and not more:
                return
            if stop.now.is_set():
                self._workers.stop()  # cancels what runs
            if running:
                for future in wait(running, timeout=_TICK_S, return_when=FIRST_COMPLETED).done:
                    yield outcome_of(running.pop(future), future)
            else:
                stop.soon.wait(_TICK_S)
            yield None

    def end(self) -> None:
        """As `Engine`."""
        self._workers.stop()


def warm_up_of(job: Job) -> WarmUp:
    """What a worker does before its first photo."""
    return WarmUp(maps=job.maps, looks=(job.lens.look,), backend=job.backend, needs_matting=job.given.mattes is None)


def outcome_of(task: Task, future: "Future[Finished[dict[str, Any]]]") -> Outcome:
    """How a task that is over ended."""
    try:
        done = future.result()
    except CancelledError:
        return Outcome(task=task, interrupted=True)
    except (WorkerDied, WorkerTimeout) as error:
        return Outcome(task=task, reason=f"{task.photo}: {error}", lost=True)
    except WideopenError as error:
        return Outcome(task=task, reason=str(error))
    except Exception as error:  # noqa: BLE001  whatever a photo does to us, the batch goes on
        return Outcome(task=task, reason=f"{task.photo}: a bug of ours: {type(error).__name__}: {error}")
    measured = {"worker": done.worker, "memory_mb": done.memory_mb, "peak_mb": done.peak_mb}
    return Outcome(task=task, report=done.value | measured)
