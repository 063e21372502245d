"""Tasks in worker processes: a task that fails, hangs or kills its worker affects no other.

Built on pebble's ProcessPool, which ends a worker on timeout and replaces a lost one. This module adds threads and
models set up once per worker, workers that end with their parent, memory per task, and a new pool if the old one
breaks.
"""

import asyncio
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from wideopen.errors import WideopenError, WorkerDied, WorkerTimeout, require_packages
from wideopen.memory import keep_freed_memory, memory_of_this_process, return_freed_memory
from wideopen.workers.size import PoolSize

if TYPE_CHECKING:
    from wideopen.settings import MapSettings

T = TypeVar("T")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_FIRST_WARM_UP_S = 180.0  # compiling kernels takes about 20 s; the first worker may have been killed
_MOST_BROKEN = 3  # pools in a row without an answer from any worker


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """Load networks and compile kernels for photos with their own depth and for `looks`; call it in a worker.

    Kernels are compiled once per machine and then cached. Without `needs_matting` the matting network is not loaded,
    because every photo comes with its matte.
    """

    maps: "MapSettings"
    looks: tuple[str, ...] = ("thin-lens",)
    cat_eyes: tuple[float, ...] = (0.0, 0.5)  # strengths; kernels for cat's eyes are compiled apart from the others
    backend: str = "auto"
    needs_matting: bool = True

    def __call__(self) -> None:
        """Load everything. Raises WeightsError, BackendUnavailable, InvalidInput as the first photo would."""
        from wideopen.lens import Lens
        from wideopen.matting.find_matte import REMBG, load_network
        from wideopen.pipeline import render, understand
        from wideopen.session.first_run import run_transfer, small_photo, small_scene

        rgb, matte = small_photo()
        maps = self.maps
        if self.needs_matting and maps.matting != "embedded":
            load_network(maps)  # running ours takes 0.6 s, and the first matte no longer than later ones
            if maps.network.startswith(REMBG):
                understand(rgb, replace(maps, depth="planar"))
        if maps.depth not in ("embedded", "planar"):
            understand(rgb, maps, matte=matte)
        run_transfer()
        scene = small_scene(self.backend)
        for look, focus, cat_eye in product(self.looks, (0.0, 1.0), self.cat_eyes):
            lens = Lens(focus_disparity=focus, max_radius=0.25, look=look, cat_eye=cat_eye, grain=4.0)  # type: ignore[arg-type]
            render(scene, lens, backend=self.backend)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Generic[T]):
    """The value of a task, and the memory its worker used."""

    value: T
    worker: int  # process id
    memory_mb: float  # resident after the task
    peak_mb: float  # peak so far


class Workers:
    """A pool of worker processes; a context manager. May be used from several threads.

    >>> with Workers(PoolSize(workers=2, threads=1), WarmUp()) as workers:       # doctest: +SKIP
    ...     finished = workers.submit(function, argument, timeout_s=60).result()

    Give it at most one more task than there are workers: a task that waits inside the pool can
    only be cancelled by ending the worker that takes it.
    """

    def __init__(self, size: PoolSize, warm_up: Callable[[], None] | None = None, *, at_once: bool = False) -> None:
        """`warm_up` runs in each worker before its first task: in one first, unless `at_once`; it is pickled.

        Workers start with the first task, or with `start`. Raises InvalidInput if pebble is not installed.
        """
        require_packages("a worker process", "batch", "pebble")
        self.size = size
        self._warm_up, self._first = pickle.dumps(warm_up), size.workers if at_once else 1
        self._lock, self._broken, self._stopped = threading.Lock(), 0, False
        self._tasks: set[TaskFuture[Any]] = set()
        self._pool: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def submit(self, function: Callable[..., T], *arguments: Any, timeout_s: float | None = None) -> "TaskFuture[T]":
        """Run `function(*arguments)` in a worker; both are pickled. `timeout_s` counts from when a worker takes it.

        The future's result is `Finished`. It raises the function's error, WorkerTimeout, or WorkerDied, even if workers
        die before they take any task. Cancelling it ends its worker.
        """
        task: TaskFuture[T] = TaskFuture()
        self._run(task, (function, *arguments), timeout_s)
        return task

    async def run(self, function: Callable[..., T], *arguments: Any, timeout_s: float | None = None) -> Finished[T]:
        """`submit` and wait, in a coroutine. Cancelling it ends the worker."""
        # In a thread: if all workers have died, `submit` starts new ones and waits for them.
        task = await asyncio.to_thread(self.submit, function, *arguments, timeout_s=timeout_s)
        return await asyncio.wrap_future(task)

    def _run(self, task: "TaskFuture[T]", arguments: tuple[Any, ...], timeout_s: float | None) -> None:
        try:
            with self._lock:
                self._require_pool()
                self._tasks.add(task)
                task.inner = self._pool.schedule(_measured, args=arguments, timeout=timeout_s)
        except WorkerDied as error:
            task.end(error)
            return
        task.inner.add_done_callback(lambda inner: self._done(task, inner, arguments, timeout_s))

    def _done(
        self, task: "TaskFuture[T]", inner: "Future[Any]", arguments: tuple[Any, ...], timeout_s: float | None
    ) -> None:
        """In one of pebble's threads: pass on a task's outcome, or rerun it if its pool ended before it began."""
        error = CancelledError() if inner.cancelled() else inner.exception()
        if isinstance(error, BrokenProcessPool) and not task.cancelled():
            # In a new thread: replacing a pool waits for its threads, of which this is one.
            threading.Thread(target=self._run, args=(task, arguments, timeout_s), daemon=True).start()
            return
        self._tasks.discard(task)
        self._broken = 0
        task.end(_translated(error, timeout_s), None if error else inner.result())

    def stop(self) -> None:
        """End all workers now and cancel their tasks. Safe to call twice."""
        with self._lock:
            self._stopped = True
            left = list(self._tasks)
        for task in left:
            task.cancel()
        if self._pool is not None:
            _end(self._pool)

    def start(self) -> None:
        """Start the workers, if they are not running. Raises WorkerDied after `stop`."""
        with self._lock:
            self._require_pool()

    def _new_pool(self) -> Any:
        import multiprocessing

        from pebble import ProcessPool

        context = multiprocessing.get_context("spawn")
        own = (self.size.threads, self._warm_up, context.Semaphore(self._first))
        pool = ProcessPool(max_workers=self.size.workers, initializer=_start, initargs=own, context=context)
        with _without_interrupts():
            assert pool.active  # this starts it: its threads and workers inherit the blocked Ctrl-C
        return pool

    def _require_pool(self) -> None:
        """Start pebble's pool, again if it ended because a worker died without a task."""
        if self._stopped:
            raise WorkerDied("the workers are stopped")
        if self._pool is None:
            self._pool = self._new_pool()
        if self._pool.active:
            return
        self._broken += 1
        if self._broken > _MOST_BROKEN:
            raise WorkerDied(f"workers end as soon as they start, {_MOST_BROKEN} times in a row")
        _end(self._pool)
        self._pool = self._new_pool()


class TaskFuture(Future[Finished[T]]):
    """The future of a task, which may begin in one pool and finish in the next."""

    inner: "Future[Any] | None" = None

    def cancel(self) -> bool:
        """Cancel the task and end its worker. False if it is already done."""
        given_up = super().cancel()
        if given_up and self.inner is not None:
            self.inner.cancel()
        return given_up

    def end(self, error: BaseException | None, value: Finished[T] | None = None) -> None:
        """Set the outcome, unless the future was cancelled."""
        if self.set_running_or_notify_cancel():
            self.set_exception(error) if value is None else self.set_result(value)


def _translated(error: BaseException | None, timeout_s: float | None) -> BaseException | None:
    """Return the WorkerTimeout or WorkerDied for an error of pebble's; other errors unchanged."""
    from pebble import ProcessExpired

    if isinstance(error, ProcessExpired):
        return WorkerDied(f"its worker process died ({_cause(error.exitcode)})")
    if isinstance(error, TimeoutError) and error.args[:1] == ("Task timeout",):  # pebble's message
        return WorkerTimeout(f"took longer than {timeout_s:g} s")
    return error


def _cause(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    name = next((known.name for known in signal.Signals if known == -code), f"signal {-code}")
    return f"{name}, perhaps because memory ran out" if name == "SIGKILL" else name


def _end(pool: Any) -> None:
    pool.stop()
    with suppress(RuntimeError, OSError):  # a broken pool's pipes may be gone
        pool.join()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block SIGINT in processes started in this block: Ctrl-C reaches every process of a terminal."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_start_error: WideopenError | None = None
"""In a worker: why it could not start. Its tasks raise it, so the user sees one line, not a traceback."""


def _start(threads: int, warm_up: bytes, gate: Any) -> None:
    """Set up a worker. The warm-up is unpickled here, since its modules may import libraries that count threads.

    The first worker closes the gate and warms up alone: its task does not compete with the warm-ups of the others for
    cores, and the others, who then pass the gate together, find the kernels that it compiled.
    """
    global _start_error
    for name in _THREADS:
        os.environ[name] = str(threads)
    keep_freed_memory()
    _end_with_parent()
    function = pickle.loads(warm_up)  # noqa: S301  our own bytes, from our parent
    if function is None:
        return
    is_first = gate.acquire(block=False)
    if not is_first:
        gate.acquire(timeout=_FIRST_WARM_UP_S)
        gate.release()  # also after the time limit, for all who come later
    try:
        function()
    except WideopenError as error:
        _start_error = error
    finally:
        if is_first:
            gate.release()
    _limit_threads(threads)


def _measured(function: Callable[..., T], *arguments: Any) -> Finished[T]:
    """In a worker: run the task and measure the memory."""
    if _start_error is not None:
        raise _start_error
    value = function(*arguments)
    return_freed_memory()
    memory_mb, peak_mb = memory_of_this_process()
    return Finished(value=value, worker=os.getpid(), memory_mb=memory_mb, peak_mb=peak_mb)


def _limit_threads(threads: int) -> None:
    """Limit the libraries whose own setting overrides the environment."""
    import cv2

    cv2.setNumThreads(threads)
    if "numba" in sys.modules:  # imported before the environment was set
        numba: Any = sys.modules["numba"]
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    if "torch" in sys.modules:
        torch: Any = sys.modules["torch"]
        torch.set_num_threads(threads)


def _end_with_parent() -> None:
    """End this process at once when its parent is gone, also in the middle of a photo.

    Otherwise an orphaned worker would finish its photo while another run resumes the work.
    """
    from multiprocessing import connection, parent_process

    parent = parent_process()
    if parent is None:
        return
    sentinel: Any = parent.sentinel

    def wait() -> None:
        connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=wait, name="parent watch", daemon=True).start()
