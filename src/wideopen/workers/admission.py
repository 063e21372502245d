"""Admission to a bounded number of places: first come, first served, for threads and for asyncio alike.

The service refuses a request beyond its queue with the time after which to try again; the studio shows people their
place in the queue.
"""

import asyncio
import math
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from wideopen.checks import require
from wideopen.errors import WideopenError

_NEWEST_WEIGHT = 0.1  # in the running mean of what one turn takes


class QueueFull(WideopenError):
    """As many wait as may; try again after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


@dataclass(slots=True, eq=False)
class Ticket:
    """One place in the queue; `admitted` is done as soon as its turn has come."""

    admitted: "Future[None]" = field(default_factory=Future)
    began_s: float = 0.0


class Admission:
    """`slots` run at a time and `waiting` more may wait (None = any number)."""

    def __init__(self, slots: int, waiting: int | None = None) -> None:
        require(slots >= 1, f"slots: expected at least 1, found {slots}")
        self.slots = slots
        self._most_waiting = math.inf if waiting is None else waiting
        self._lock = threading.Lock()
        self._queue: list[Ticket] = []
        self._running: set[Ticket] = set()
        self._mean_s = 1.0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """How many run."""
        return len(self._running)

    def retry_after_s(self) -> int:
        """Whole seconds until one of those that are here is probably done."""
        return max(1, math.ceil(self._mean_s * (self.waiting + 1) / self.slots))

    def require_room(self) -> None:
        """Raise QueueFull when no more may wait."""
        if self.waiting + self.running >= self.slots + self._most_waiting:
            seconds = self.retry_after_s()
            raise QueueFull(f"all places in the queue are taken; try again in {seconds} s", seconds)

    def enter(self) -> Ticket:
        """A ticket at the end of the queue. Raises QueueFull. Whoever enters calls `leave`."""
        with self._lock:
            self.require_room()
            ticket = Ticket()
            self._queue.append(ticket)
            self._admit()
        return ticket

    def wait(self, ticket: Ticket, timeout_s: float) -> int:
        """0 as soon as the ticket's turn has come; after the timeout its place in the queue, from 1 on."""
        try:
            ticket.admitted.result(timeout_s)
        except TimeoutError:
            with self._lock:
                return 1 + self._queue.index(ticket) if ticket in self._queue else 0
        return 0

    def leave(self, ticket: Ticket) -> None:
        """Give the turn, or the place in the queue, back. Safe to call twice."""
        with self._lock:
            if ticket in self._running:
                self._running.remove(ticket)
                self._mean_s += _NEWEST_WEIGHT * (time.monotonic() - ticket.began_s - self._mean_s)
            elif ticket in self._queue:
                self._queue.remove(ticket)
            self._admit()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it. Raises QueueFull."""
        ticket = self.enter()
        try:
            await asyncio.wrap_future(ticket.admitted)
            yield
        finally:
            self.leave(ticket)

    def _admit(self) -> None:
        while self._queue and len(self._running) < self.slots:
            ticket = self._queue.pop(0)
            if ticket.admitted.set_running_or_notify_cancel():  # not where its waiter has given up
                ticket.began_s = time.monotonic()
                self._running.add(ticket)
                ticket.admitted.set_result(None)
