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

from wideopen.errors import InvalidInput, WideopenError, WorkerDied, WorkerTimeout
from wideopen.service.log import event, told
from wideopen.service.metrics import Metrics
from wideopen.service.operation import ServeConfig
from wideopen.service.problems import ClientGone, Problem
from wideopen.service.queue import Queue, busy
from wideopen.service.scenes import Scenes
from wideopen.service.work import STOP
from wideopen.workers import PoolSize, WarmUp, Workers

_EXPIRE_EVERY_S = 5.0


class Service:
    """State of one app; an asynchronous context manager, entered while the app lives."""

    def __init__(self, config: ServeConfig) -> None:
        self.config = config
        self.metrics = Metrics()
        self.queue = Queue(workers=config.workers, waiting=config.waiting)
        self.ready = False
        self.broken = False
        """No worker can be started any more: whoever watches us should start us anew."""
        self._uploads = 0
        self._memory_mb: dict[int, float] = {}
        self._afterwards: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Make the folders, start the workers; `ready` is set when the first has loaded its models."""
        self._folder = Path(tempfile.mkdtemp(prefix="wideopen-serve-", dir=self.config.folder))
        self.scenes = Scenes(self._folder / "scenes", self.config.scenes)
        warm_up = WarmUp(maps=self.config.maps, backend=self.config.backend)
        size = PoolSize(workers=self.config.workers, threads=self.config.threads)
        self._workers = await asyncio.to_thread(Workers, size, warm_up)
        self._measure()
        self._later(self._become_ready())
        self._expiring = asyncio.create_task(self._expire())
        return self

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
        """A folder for one request, removed in the end. Raises Problem (503) when there is no room for its work."""
        if self._uploads >= self.config.uploads:
            raise busy("as many bodies as allowed are on their way", self.queue.retry_after_s())
        self.queue.require_room()
        job = Job(self, Path(tempfile.mkdtemp(prefix="job-", dir=self._folder)))
        try:
            yield job
        finally:
            job.upload_done()
            self._later(job.close())

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

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """`call` in turn with all other work. Raises as `call`; Problem (503) when the queue is full."""
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
        self._service = service
        self._work: asyncio.Task[Any] | None = None
        self._uploading = True
        service._uploads += 1

    def upload_done(self) -> None:
        """The body is read; another may be. Safe to call twice."""
        self._service._uploads -= self._uploading
        self._uploading = False

    async def run(self, request: Request, function: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
        """Wait for a worker and run `function` there.

        Raises Problem: 422 for what InvalidInput says, 503 for a full queue, 504 when it takes too long, 500 when
        the worker died; ClientGone. In the last three cases the work is stopped.
        """
        self.upload_done()
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
            raise ClientGone
        raise Problem("timed-out", f"work: expected it done within {limit_s:g} s, waiting included")

    async def close(self) -> None:
        """Stop the work if it still goes on, wait for its end, remove the folder."""
        if self._work is not None and not self._work.done():
            if not self._running:
                self._work.cancel()
            else:
                (self.folder / STOP).touch()
                await asyncio.wait({self._work}, timeout=self._service.config.limits.grace_s)
                self._work.cancel()
            await asyncio.wait({self._work})
            if not self._work.cancelled():
                self._work.exception()  # looked at: nobody waits for it
        shutil.rmtree(self.folder, ignore_errors=True)

    _running = False

    async def _turn(self, request: Request, function: Callable[..., Any], arguments: tuple[Any, ...]) -> dict[str, Any]:
        clock = asyncio.get_running_loop().time
        begin = clock()
        async with self._service.queue.turn():
            told(request, waited_s=round(clock() - begin, 4))
            self._running = True
            with _as_problems():
                done: dict[str, Any] = await self._service.call(function, *arguments)
        for step, seconds in done["seconds"].items():
            self._service.metrics.step_seconds.labels(step).observe(seconds)
        told(request, size=done["size"], seconds_of=done["seconds"])
        return done


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


@contextmanager
def _as_problems() -> Iterator[None]:
    """What a worker raises, as what the client is told; what is no fault of the client's is logged."""
    try:
        yield
    except InvalidInput as error:
        raise Problem("refused", str(error)) from error
    except WorkerTimeout as error:
        raise Problem("timed-out", "work: it did not end in time") from error
    except WorkerDied as error:
        event("worker died", level=logging.ERROR, reason=str(error))
        raise Problem("worker-died", "work: the process that did it died; the service goes on") from error


async def _until_gone(request: Request) -> None:
    """Return when the client has left; its body was read to the end before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
