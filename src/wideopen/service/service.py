"""A running service: its workers, queue and scenes, and the cancellation of jobs whose client disconnects."""

import asyncio
import logging
import math
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Self

from fastapi import Request
from starlette.requests import ClientDisconnect

from wideopen.checks import require
from wideopen.errors import WideopenError, WorkerDied, WorkerTimeout
from wideopen.lens import LOOKS
from wideopen.service import ServeSettings
from wideopen.service.observe import Metrics, add_to_log_line, event
from wideopen.service.problems import Problem, QueueFull, come_again
from wideopen.workers import ExpiringStore, StoreEntry, WarmUp, Workers, ask_to_stop, pool_size

GRACE_S = 5.0  # seconds for a worker to notice that its request was cancelled; then it is killed
_START_S = 10
"""Retry-After in seconds while the service starts; compiling all kernels takes longer, but only once per machine."""
_NEWEST_WEIGHT = 0.1  # in the running mean of the duration of a turn
JobReport = dict[str, Any]


class Admission:
    """First come, first served: `slots` run at a time and `waiting` more may wait (None = any number)."""

    def __init__(self, slots: int, waiting: int | None = None) -> None:
        require(slots >= 1, f"slots: expected at least 1, found {slots}")
        self.slots, self._most = slots, math.inf if waiting is None else slots + waiting
        self.running = self.waiting = 0
        self._turns = asyncio.Semaphore(slots)
        self._mean_s = 1.0

    def retry_after_s(self) -> int:
        """Estimated whole seconds until a request finishes."""
        return max(1, math.ceil(self._mean_s * (self.waiting + 1) / self.slots))

    def require_room(self) -> None:
        """Raise QueueFull if the queue is full."""
        if self.running + self.waiting >= self._most:
            seconds = self.retry_after_s()
            raise QueueFull(f"all places in the queue are taken; try again in {seconds} s", seconds)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it. Raises QueueFull."""
        self.require_room()
        self.waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self.waiting -= 1
        self.running += 1
        begin = asyncio.get_running_loop().time()
        try:
            yield
        finally:
            self.running -= 1
            self._turns.release()
            self._mean_s += _NEWEST_WEIGHT * (asyncio.get_running_loop().time() - begin - self._mean_s)


class Service:
    """The state of one app; an asynchronous context manager that is open as long as the app runs."""

    def __init__(self, settings: ServeSettings) -> None:
        self.settings = settings
        self.size = pool_size(settings.workers)
        self.waiting = 4 * self.size.workers if settings.waiting is None else settings.waiting
        self.queue = Admission(self.size.workers, self.waiting)
        self.metrics = Metrics()
        self.ready = False
        self.broken = False
        """True if workers can no longer be started; the process manager should then restart the service."""
        self.uploads = 0
        self._memory_mb: dict[int, float] = {}
        self._afterwards: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Create the folders and start the workers; `ready` is set once the first has loaded models and kernels."""
        self.use(Path(tempfile.mkdtemp(prefix="wideopen-serve-", dir=self.settings.folder)))
        warm_up = WarmUp(maps=self.settings.maps, looks=LOOKS, backend=self.settings.backend)
        self._workers = Workers(self.size, warm_up)
        self._measure()
        self._later(self._become_ready())
        return self

    def use(self, folder: Path) -> None:
        """Store uploads and scenes in `folder`."""
        self._folder = folder
        # The store holds the results of `analyze`, for reports. They are on disk, not in a worker's memory: any free
        # worker may take the next request, a worker may be killed, and a prepared scene of 12 megapixels takes 600 MB.
        # Any worker can prepare the same scene again from photo, matte and disparity, bit for bit.
        most, most_bytes, idle_s = self.settings.scenes, 1e6 * self.settings.scenes_mb, 60 * self.settings.scene_minutes
        self.scenes: ExpiringStore[JobReport] = ExpiringStore(
            folder / "scenes", most=most, most_bytes=most_bytes, idle_s=idle_s
        )

    async def __aexit__(self, *_: object) -> None:
        """End the workers and remove all files; uvicorn has finished the running requests before."""
        self.ready = False
        await asyncio.to_thread(self._workers.stop)
        for task in list(self._afterwards):
            task.cancel()
        await asyncio.gather(*self._afterwards, return_exceptions=True)
        self.scenes.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @asynccontextmanager
    async def job(self) -> AsyncIterator["RequestJob"]:
        """Yield the job of one request; its folder is removed afterwards.

        Raises Problem (503) while the service starts or too many bodies are being read, QueueFull if the queue is full.
        """
        if not self.ready:
            raise come_again("starting", "models and kernels are being loaded", _START_S)
        if self.uploads >= self.settings.uploads:
            raise come_again("busy", "the largest number of uploads is in progress", self.queue.retry_after_s())
        self.queue.require_room()
        job = RequestJob(self, Path(tempfile.mkdtemp(prefix="job-", dir=self._folder)))
        self.uploads += 1
        try:
            yield job
        finally:
            job.upload_done()
            self._later(job.close())

    @contextmanager
    def scene(self, key: str) -> Iterator[StoreEntry[JobReport]]:
        """Yield an analysed scene and keep it on disk meanwhile. Raises Problem (404) if it does not exist."""
        if key not in self.scenes:
            raise Problem("no-such-scene", "scene: expected the id of a scene that has not expired, found none")
        with self.scenes.using(key) as scene:
            yield scene

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Wait for a worker and run `function` there. Raises what `call` raises, and QueueFull."""
        async with self.queue.turn():
            return await self.call(function, *arguments)

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run `function` in a worker; cancelling stops it. Raises its exceptions, WorkerDied or WorkerTimeout."""
        limit_s = self.settings.request_timeout + GRACE_S
        try:
            finished = await self._workers.run(function, *arguments, timeout_s=limit_s)
        except asyncio.CancelledError:
            self.metrics.worker_deaths.labels("cancelled").inc()
            raise
        except (WorkerDied, WorkerTimeout):
            self.metrics.worker_deaths.labels("died").inc()
            raise
        self._memory_mb[finished.worker] = finished.memory_mb
        return finished.value

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._afterwards.add(task)
        task.add_done_callback(self._afterwards.discard)

    async def _become_ready(self) -> None:
        try:
            await self.call(os.getpid)
        except WideopenError as error:
            self.broken = True
            event("workers cannot start", level=logging.ERROR, reason=str(error))
            return
        self.ready = True
        event("ready", workers=self.size.workers)

    def _measure(self) -> None:
        gauge = self.metrics.gauge
        gauge("queue_waiting", "Requests that wait for a worker.", lambda: self.queue.waiting)
        gauge("queue_running", "Requests that are in a worker.", lambda: self.queue.running)
        gauge("uploads", "Bodies that are being read.", lambda: self.uploads)
        gauge("scenes", "Analysed scenes that are kept.", lambda: len(self.scenes))
        gauge("scenes_bytes", "Bytes of analysed scenes on disk.", lambda: self.scenes.size)
        gauge("ready", "1 when the workers have loaded their models.", lambda: self.ready)
        about = "Resident memory of all workers, each measured after its last job."
        gauge("workers_memory_bytes", about, self._workers_bytes)

    def _workers_bytes(self) -> float:
        self._memory_mb = {pid: mb for pid, mb in self._memory_mb.items() if _is_alive(pid)}
        return sum(self._memory_mb.values()) * 2**20


class RequestJob:
    """The folder of one request, and the work done in it."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.folder, self._service = folder, service
        self.is_uploading, self._running = True, False
        self._work: asyncio.Task[Any] | None = None

    def upload_done(self) -> None:
        """Mark the body as read, so that another may be read. Safe to call twice."""
        if self.is_uploading:
            self.is_uploading = False
            self._service.uploads -= 1

    async def run(self, request: Request, function: Callable[..., JobReport], *arguments: Any) -> JobReport:
        """Wait for a worker and run `function` there.

        Raises what `Service.run` raises, Problem (504) after the time limit, and ClientDisconnect.
        """
        self._work = asyncio.create_task(self._turn(request, function, arguments))
        gone = asyncio.create_task(_until_gone(request))
        limit_s = self._service.settings.request_timeout
        try:
            done, _ = await asyncio.wait({self._work, gone}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
        if self._work in done:
            return self._work.result()
        if gone in done:
            raise ClientDisconnect
        raise Problem("timed-out", f"work: expected a result within {limit_s:g} s, waiting included, found none")

    async def close(self) -> None:
        """Stop the work if it is still running, wait for its end and remove the folder."""
        if self._work is not None and not self._work.done():
            if self._running:
                ask_to_stop(self.folder)
                await asyncio.wait({self._work}, timeout=GRACE_S)
            self._work.cancel()
            await asyncio.wait({self._work})
            if not self._work.cancelled():
                self._work.exception()  # retrieved, else asyncio logs an exception that was never retrieved
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _turn(self, request: Request, function: Callable[..., Any], arguments: tuple[Any, ...]) -> JobReport:
        clock = asyncio.get_running_loop().time
        begin = clock()
        async with self._service.queue.turn():
            add_to_log_line(request, waited_s=round(clock() - begin, 4))
            self._running = True
            report: JobReport = await self._service.call(function, *arguments)
        for step, seconds in report["seconds"].items():
            self._service.metrics.step_seconds.labels(step).observe(seconds)
        add_to_log_line(request, size=report["size"], seconds_of=report["seconds"])
        return report


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


async def _until_gone(request: Request) -> None:
    """Return when the client has disconnected. The body must have been read completely."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
