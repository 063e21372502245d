"""The engine for one machine: worker processes that load the models once, as many as memory allows."""

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
from wideopen.files.decode_pillow import facts_in
from wideopen.files.formats import sniff
from wideopen.session.open_photo import Job
from wideopen.workers import Finished, WarmUp, Workers
from wideopen.workers.size import WORKER_MB, mb_for

_TICK_S = 0.2
_LOOKED_AT = 64
_HEAD = 2**20  # bytes at the start of a file in which its image size is searched
_HEIF_SIZE = re.compile(rb"ispe\0{4}(.{4})(.{4})", re.DOTALL)  # ISO/IEC 23008-12, 6.5.3: width, height
Work = Callable[[Task], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a task ended: with a report, or with the reason for its failure."""

    task: Task
    report: dict[str, Any] | None = None
    reason: str = ""
    lost: bool = False  # its worker died, so it may have stopped at any point
    interrupted: bool = False  # cancelled because the batch ends; neither done nor failed


class Stop:
    """A request to end a batch: `soon`, after the photos in progress, or `now`. Signals and threads set it."""

    def __init__(self) -> None:
        self.soon, self.now = threading.Event(), threading.Event()

    def ask(self) -> None:
        """Request a stop: the first call sets `soon`, the second `now`."""
        (self.now if self.soon.is_set() else self.soon).set()


class BatchEngine(Protocol):
    """Runs tasks, in an order of its choice."""

    def outcomes(self, tasks: Iterator[Task | None], stop: Stop) -> Iterator[Outcome | None]:
        """Take tasks as capacity allows and yield the outcome of each; None means that nothing is new.

        A task of None means that there is no work now, but more may come.
        """

    def end(self) -> None:
        """End all running tasks at once."""


class LocalEngine:
    """Runs tasks in worker processes on this machine."""

    def __init__(self, workers: Workers, *, timeout_s: float | None, work: Work = render_task) -> None:
        """`work` runs a task in a worker; it is pickled."""
        self._workers, self._timeout_s, self._work = workers, timeout_s, work

    def outcomes(self, tasks: Iterator[Task | None], stop: Stop) -> Iterator[Outcome | None]:
        """As `BatchEngine`. One more task than there are workers is submitted, so that no worker is idle."""
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
                self._workers.stop()  # cancels running tasks
            if running:
                for future in wait(running, timeout=_TICK_S, return_when=FIRST_COMPLETED).done:
                    yield outcome_of(running.pop(future), future)
            else:
                stop.soon.wait(_TICK_S)
            yield None

    def end(self) -> None:
        """As `BatchEngine`."""
        self._workers.stop()


def warm_up_of(job: Job) -> WarmUp:
    """What a worker loads before its first photo."""
    lens, needs_matting = job.lens, job.given.mattes is None
    looks, cat_eyes = (lens.look,), (lens.cat_eye,)
    return WarmUp(maps=job.maps, looks=looks, cat_eyes=cat_eyes, backend=job.backend, needs_matting=needs_matting)


def outcome_of(task: Task, future: "Future[Finished[dict[str, Any]]]") -> Outcome:
    """Return the outcome of a task whose future is done."""
    try:
        done = future.result()
    except CancelledError:
        return Outcome(task=task, interrupted=True)
    except (WorkerDied, WorkerTimeout) as error:
        return Outcome(task=task, reason=f"{task.photo}: {error}", lost=True)
    except WideopenError as error:
        return Outcome(task=task, reason=str(error))
    except Exception as error:  # noqa: BLE001  whatever a photo does to us, the batch goes on
        return Outcome(task=task, reason=f"{task.photo}: unexpected error: {type(error).__name__}: {error}")
    measured = {"worker": done.worker, "memory_mb": done.memory_mb, "peak_mb": done.peak_mb}
    return Outcome(task=task, report=done.value | measured)


def worker_mb(found: Sequence[BatchPhoto | Unusable], look: str, *, max_megapixels: float) -> float:
    """Return the memory that a worker needs for the largest of a sample of the photos, in megabytes of 2**20 bytes.

    The sample is spread over all photos. Sizes are read from the files' headers without a decoder, since this runs
    outside the workers. A photo without a size counts as 12 megapixels; one that is too large to be accepted does not
    count.
    """
    photos = [one.photo for one in found if isinstance(one, BatchPhoto) and not is_url(one.photo)]
    some = photos[:: max(1, len(photos) // _LOOKED_AT)][:_LOOKED_AT]
    sizes = [size for size in map(_megapixels, some) if size is not None and size <= max_megapixels]
    return mb_for(max(sizes), look) if sizes else WORKER_MB


def megapixels_for(mb: float, look: str) -> float:
    """Return the size in megapixels of the largest photo that fits `mb` of memory; the inverse of `mb_for`."""
    return max(1.0, (mb - mb_for(0, look)) / (mb_for(1, look) - mb_for(0, look)))


def _megapixels(photo: str) -> float | None:
    try:
        with Path(photo).open("rb") as file:
            head = file.read(_HEAD)
        kind = sniff(head[:64])
        if kind in ("HEIC", "AVIF"):
            areas = [int.from_bytes(w) * int.from_bytes(h) for w, h in _HEIF_SIZE.findall(head)]
            return max(areas) / 1e6 if areas else None
        facts = facts_in(head) if kind in ("JPEG", "PNG") else None  # parsed in Python, without a decoder
    except (OSError, InvalidInput):
        return None
    return None if facts is None else facts.width * facts.height / 1e6
