"""Bounded admission: limits on running and waiting requests; the next one is refused with a time to retry."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from wideopen.checks import require
from wideopen.errors import WideopenError

_NEWEST_WEIGHT = 0.1  # in the running mean of the duration of a turn


class QueueFull(WideopenError):
    """The queue is full; try again after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class Admission:
    """First come, first served: `slots` run at a time and `waiting` more may wait (None = any number)."""

    def __init__(self, slots: int, waiting: int | None = None) -> None:
        require(slots >= 1, f"slots: expected at least 1, found {slots}")
        self.slots = slots
        self.running = 0
        self._most = math.inf if waiting is None else slots + waiting
        self._inside = 0
        self._turns = asyncio.Semaphore(slots)
        self._mean_s = 1.0

    @property
    def waiting(self) -> int:
        """The number of waiting requests."""
        return self._inside - self.running

    def retry_after_s(self) -> int:
        """Estimated whole seconds until a request finishes."""
        return max(1, math.ceil(self._mean_s * (self.waiting + 1) / self.slots))

    def require_room(self) -> None:
        """Raise QueueFull if the queue is full."""
        if self._inside >= self._most:
            seconds = self.retry_after_s()
            raise QueueFull(f"all places in the queue are taken; try again in {seconds} s", seconds)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it. Raises QueueFull."""
        self.require_room()
        self._inside += 1
        try:
            async with self._turns:
                self.running += 1
                begin = asyncio.get_running_loop().time()
                try:
                    yield
                finally:
                    self.running -= 1
                    took = asyncio.get_running_loop().time() - begin
                    self._mean_s += _NEWEST_WEIGHT * (took - self._mean_s)
        finally:
            self._inside -= 1
