"""Bounded admission: so many run, so many wait, the next is sent away with the time after which to try again."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from wideopen.service.problems import Problem

_FORGET = 0.1  # weight of the newest in the running mean of what a job takes


class Queue:
    """First come, first served; `workers` run at a time and `waiting` more may wait."""

    def __init__(self, *, workers: int, waiting: int) -> None:
        self.workers = workers
        self._most = workers + waiting
        self._inside = 0
        self._running = 0
        self._turns = asyncio.Semaphore(workers)  # FIFO
        self._mean_s = 1.0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._inside - self._running

    @property
    def running(self) -> int:
        """How many run."""
        return self._running

    def retry_after_s(self) -> int:
        """Whole seconds after which there is probably room: until one of those before is done."""
        return max(1, math.ceil(self._mean_s * (self.waiting + 1) / self.workers))

    def require_room(self) -> None:
        """Raise Problem (503) when the queue is full."""
        if self._inside >= self._most:
            raise busy("all places in the queue are taken", self.retry_after_s())

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a worker and hold it. Raises Problem (503) when the queue is full."""
        self.require_room()
        self._inside += 1
        try:
            async with self._turns:
                self._running += 1
                start = asyncio.get_running_loop().time()
                try:
                    yield
                finally:
                    self._running -= 1
                    took = asyncio.get_running_loop().time() - start
                    self._mean_s += _FORGET * (took - self._mean_s)
        finally:
            self._inside -= 1


def busy(why: str, retry_after_s: int) -> Problem:
    """The answer to one request too many."""
    return Problem("busy", f"{why}; try again in {retry_after_s} s", headers={"Retry-After": str(retry_after_s)})
