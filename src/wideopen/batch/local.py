"""The engine of one machine: worker processes, each with the models loaded once, as many as memory allows."""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from wideopen.batch.places import is_url
from wideopen.batch.walk import BatchPhoto, Unusable
from wideopen.batch.work import Task, render_task
from wideopen.errors import InvalidInput, WideopenError, WorkerDied, WorkerTimeout
from wideopen.files.facts import facts_in
from wideopen.files.formats import sniff
from wideopen.session.render_file import Job
from wideopen.workers import Finished, WarmUp, Workers
from wideopen.workers.size import WORKER_MB

_TICK_S = 0.2
_LOOKED_AT = 64
_HEAD = 2**20  # bytes of a file that say how large its picture is
_HEIF_SIZE = re.compile(rb"ispe\0{4}(.{4})(.{4})", re.DOTALL)  # ISO/IEC 23008-12, 6.5.3: width, height
Work = Callable[[Task], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a task ended: with a report, or the reason why it failed."""

    task: Task
    report: dict[str, Any] | None = None
    reason: str = ""
    lost: bool = False  # with its worker: it may have ended anywhere
    interrupted: bool = False  # given up because the batch ends; neither done nor failed


class Stop:
    """A request to end a batch: `soon`, after the photos in work, or `now`. Set by signals and threads."""

    def __init__(self) -> None:
        self.soon = threading.Event()
        self.now = threading.Event()

    def ask(self) -> None:
        """Ask once to end soon, twice to end now."""
        (self.now if self.soon.is_set() else self.soon).set()


class Engine(Protocol):
    """Does tasks, in its own order."""

    def outcomes(self, tasks: Iterator[Task | None], stop: Stop) -> Iterator[Outcome | None]:
        """Take tasks as there is room for them and yield how each ended; None for nothing new.

        A task None means: nothing to do now, perhaps later.
        """

    def end(self) -> None:
        """End at once all that still runs."""


class LocalEngine:
    """Worker processes on this machine."""

    def __init__(self, workers: Workers, *, timeout_s: float | None, work: Work = render_task) -> None:
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
    """How a task ended whose future is done."""
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


def worker_mb(found: Sequence[BatchPhoto | Unusable], *, max_megapixels: float) -> float:
    """Memory that a worker needs for the largest of some of the photos, spread over all; megabytes of 2**20 bytes.

    Only the sizes in the files' headers are read, without a decoder: this runs outside of the workers. A photo without
    one counts as 12 megapixels, and a photo that will be refused for its size does not count.
    """
    photos = [one.photo for one in found if isinstance(one, BatchPhoto) and not is_url(one.photo)]
    some = photos[:: max(1, len(photos) // _LOOKED_AT)][:_LOOKED_AT]
    sizes = [size for size in map(_megapixels, some) if size is not None and size <= max_megapixels]
    return mb_for(max(sizes)) if sizes else WORKER_MB


def mb_for(megapixels: float) -> float:
    """Peak memory of a worker, by the megapixels of its largest photo (benchmarks/results/batch.json)."""
    return 800 + 86 * megapixels


def megapixels_for(mb: float) -> float:
    """Megapixels of the largest photo that a worker can do within `mb` of memory; the inverse of `mb_for`."""
    return max(1.0, (mb - mb_for(0)) / (mb_for(1) - mb_for(0)))


def _megapixels(photo: str) -> float | None:
    try:
        with Path(photo).open("rb") as file:
            head = file.read(_HEAD)
        kind = sniff(head[:64])
        if kind in ("HEIC", "AVIF"):
            areas = [int.from_bytes(w) * int.from_bytes(h) for w, h in _HEIF_SIZE.findall(head)]
            return max(areas) / 1e6 if areas else None
        facts = facts_in(head) if kind in ("JPEG", "PNG") else None  # read in Python
    except (OSError, InvalidInput):
        return None
    return None if facts is None else facts.width * facts.height / 1e6
