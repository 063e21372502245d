"""One running service: its workers, its queue, its scenes, and what happens to a job whose client leaves."""

import asyncio
import logging
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Self

from fastapi import Request
from starlette.requests import ClientDisconnect

from wideopen.errors import WideopenError, WorkerDied, WorkerTimeout
from wideopen.service.config import MEGABYTE, ServeConfig
from wideopen.service.observe import Metrics, add_to_log_line, event
from wideopen.service.problems import Problem, come_again
from wideopen.workers import Admission, Entry, ExpiringStore, PoolSize, WarmUp, Workers, ask_to_stop

_EXPIRE_EVERY_S = 5.0
_START_S = 10
"""After which to ask again while the service is starting; compiling all kernels takes longer, once a machine."""
Facts = dict[str, Any]


class Service:
    """State of one app; an asynchronous context manager, entered while the app lives."""

    def __init__(self, config: ServeConfig) -> None:
        self.config = config
        self.metrics = Metrics()
        self.queue = Admission(config.workers, config.waiting)
        self.ready = False
        self.broken = False
        """No worker can be started any more: whoever watches the service should start it anew."""
        self._uploads = 0
        self._memory_mb: dict[int, float] = {}
        self._afterwards: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Make the folders, start the workers; `ready` is set when the first has loaded models and kernels."""
        self.use(Path(tempfile.mkdtemp(prefix="wideopen-serve-", dir=self.config.folder)))
        warm_up = WarmUp(maps=self.config.maps, looks=("thin-lens", "paper"), backend=self.config.backend)
        size = PoolSize(workers=self.config.workers, threads=self.config.threads)
        self._workers = await asyncio.to_thread(Workers, size, warm_up)
        self._measure()
        self._later(self._become_ready())
        self._expiring = asyncio.create_task(self._expire())
        return self

    def use(self, folder: Path) -> None:
        """Keep uploads and scenes in `folder`."""
        self._folder = folder
        # What `analyze` found, for reports. On disk, not in a worker's memory: work goes to whichever worker is free, a
        # worker may be killed, and a prepared scene of 12 megapixels takes 600 MB. From photo, matte and disparity any
        # worker prepares the same scene again, bit for bit.
        limits = self.config.scenes
        self.scenes: ExpiringStore[Facts] = ExpiringStore(
            folder / "scenes", most=limits.most, most_bytes=limits.most_mb * MEGABYTE, idle_s=limits.idle_s
        )

    async def __aexit__(self, *_: object) -> None:
        """End the workers and remove what lies on disk; whatever should be finished is finished by now."""
        self.ready = False
        self._expiring.cancel()
        await asyncio.to_thread(self._workers.stop)
        for task in list(self._afterwards):
            task.cancel()
        await asyncio.gather(*self._afterwards, return_exceptions=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    @asynccontextmanager
    async def job(self) -> AsyncIterator["Job"]:
        """A folder for one request, removed in the end.

        Raises Problem (503) until the service is ready and when too many bodies are read; QueueFull.
        """
        if not self.ready:
            raise come_again("starting", "models and kernels are being loaded", _START_S)
        if self._uploads >= self.config.uploads:
            raise come_again("busy", "as many bodies as allowed are being read", self.queue.retry_after_s())
        self.queue.require_room()
        job = Job(self, Path(tempfile.mkdtemp(prefix="job-", dir=self._folder)))
        self._uploads += 1
        try:
            yield job
        finally:
            job.upload_done()
            self._later(job.close())

    @contextmanager
    def scene(self, key: str) -> Iterator[Entry[Facts]]:
        """An analysed scene, which stays on disk meanwhile. Raises Problem (404) where it is not there."""
        if key not in self.scenes:
            raise Problem("no-such-scene", "scene: expected the id of one that has not expired, found none of it")
        with self.scenes.using(key) as entry:
            yield entry

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Wait for a worker and run `function` there. Raises as `call`; QueueFull."""
        async with self.queue.turn():
            return await self.call(function, *arguments)

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run `function` in a worker. Cancelling ends it. Raises as the function, or WorkerDied, WorkerTimeout."""
        limit_s = self.config.limits.request_s + self.config.limits.grace_s
        # In a thread: where all workers died, submitting starts others and waits for that.
        future = await asyncio.to_thread(self._workers.submit, function, *arguments, timeout_s=limit_s)
        try:
            finished = await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            self.metrics.worker_deaths.labels("unwanted").inc()
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
        event("ready", workers=self.config.workers)

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(_EXPIRE_EVERY_S)
            self.scenes.expire()

    def _upload_done(self) -> None:
        self._uploads -= 1

    def _measure(self) -> None:
        gauge = self.metrics.gauge
        gauge("queue_waiting", "Requests that wait for a worker.", lambda: self.queue.waiting)
        gauge("queue_running", "Requests that a worker works on.", lambda: self.queue.running)
        gauge("uploads", "Bodies that are being read.", lambda: self._uploads)
        gauge("scenes", "Analysed scenes that are kept.", lambda: len(self.scenes))
        gauge("scenes_bytes", "Of the analysed scenes on disk.", lambda: self.scenes.size)
        gauge("ready", "1 when the workers have loaded their models.", lambda: self.ready)
        gauge("workers_memory_bytes", "Resident, of all workers, each after its last job.", self._workers_bytes)

    def _workers_bytes(self) -> float:
        self._memory_mb = {pid: mb for pid, mb in self._memory_mb.items() if _is_alive(pid)}
        return sum(self._memory_mb.values()) * 2**20


class Job:
    """The folder of one request, and the work done in it."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.folder = folder
        self.is_uploading = True
        self._service = service
        self._work: asyncio.Task[Any] | None = None
        self._running = False

    def upload_done(self) -> None:
        """The body is read; another may be. Safe to call twice."""
        if self.is_uploading:
            self.is_uploading = False
            self._service._upload_done()

    async def run(self, request: Request, function: Callable[..., Facts], *arguments: Any) -> Facts:
        """Wait for a worker and run `function` there.

        Raises as `Service.run`; Problem (504) when it takes too long; ClientDisconnect. Then the work is stopped.
        """
        self._work = asyncio.create_task(self._turn(request, function, arguments))
        gone = asyncio.create_task(_until_gone(request))
        limit_s = self._service.config.limits.request_s
        try:
            await asyncio.wait({self._work, gone}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left = gone.done()
            gone.cancel()
        if self._work.done():
            return self._work.result()
        if left:
            raise ClientDisconnect
        raise Problem("timed-out", f"work: expected it done within {limit_s:g} s, waiting included")

    async def close(self) -> None:
        """Stop the work if it still goes on, wait for its end, remove the folder."""
        if self._work is not None and not self._work.done():
            if self._running:
                ask_to_stop(self.folder)
                await asyncio.wait({self._work}, timeout=self._service.config.limits.grace_s)
            self._work.cancel()
            await asyncio.wait({self._work})
            if not self._work.cancelled():
                self._work.exception()  # looked at: nobody waits for it
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _turn(self, request: Request, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Facts:
        clock = asyncio.get_running_loop().time
        begin = clock()
        async with self._service.queue.turn():
            add_to_log_line(request, waited_s=round(clock() - begin, 4))
            self._running = True
            report: Facts = await self._service.call(function, *arguments)
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
    """Return when the client has left; its body was read to the end before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
