"""Heavy jobs, at most so many at once: a queue with places that people can see, and how long a job will take.

`run` is a generator: it tells where a job stands while somebody listens, and gives back what the job made. A job whose
listener has left while it waited is dropped; one that runs is let run to its end, and keeps its slot until then.
"""

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from wideopen.checks import require
from wideopen.session.progress import Steps

__all__ = ["Gate", "Pace", "Told", "run"]

Made = TypeVar("Made")
TOLD_EVERY_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Where a job stands."""

    place: int = 0  # in the queue; 0 = it runs
    step: str = ""
    elapsed_s: float = 0.0
    expected_s: float = 0.0  # for the whole job


class Gate:
    """At most `slots` jobs at once, first come, first served."""

    def __init__(self, slots: int) -> None:
        require(slots >= 1, f"slots: expected at least 1, found {slots}")
        self.slots = slots
        self._changed = threading.Condition()
        self._waiting: list[object] = []
        self._running: set[object] = set()

    def enter(self) -> object:
        """A ticket, at the end of the queue."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
        return ticket

    def wait(self, ticket: object, timeout_s: float) -> int:
        """0 as soon as the ticket's job may run; else, after the timeout, its place in the queue from 1 on."""
        with self._changed:
            self._changed.wait_for(lambda: self._admit(ticket), timeout_s)
            return 0 if ticket in self._running else 1 + self._waiting.index(ticket)

    def leave(self, ticket: object) -> None:
        """Give the slot, or the place, back."""
        with self._changed:
            self._running.discard(ticket)
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            self._changed.notify_all()

    def _admit(self, ticket: object) -> bool:
        if ticket in self._running:
            return True
        if len(self._running) < self.slots and self._waiting[:1] == [ticket]:
            self._running.add(self._waiting.pop(0))
            self._changed.notify_all()
            return True
        return False


@dataclass(slots=True)
class Pace:
    """How long jobs take here: a guess from another machine, corrected by every job that was run."""

    fixed_s: float
    per_megapixel_s: float
    _factor: float = 1.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def expected_s(self, megapixels: float) -> float:
        """Seconds for a photo of this size."""
        return self._factor * (self.fixed_s + self.per_megapixel_s * megapixels)

    def learn(self, megapixels: float, seconds: float) -> None:
        """A job took so long; half of the surprise is believed."""
        with self._lock:
            found = seconds / (self.fixed_s + self.per_megapixel_s * megapixels)
            self._factor += 0.5 * (min(max(found, 0.1), 10.0) - self._factor)


class _Heard(Steps):
    """The last step that a job named."""

    def __init__(self) -> None:
        self.step = "starting"

    def __call__(self, step: str) -> None:
        self.step = step

    def download(self, done: int, total: int) -> None:
        self.step = f"downloading, {done / 1e6:.0f} of {total / 1e6:.0f} MB"


def run(gate: Gate, pace: Pace, megapixels: float, job: Callable[[Steps], Made]) -> Generator[Told, None, Made]:
    """Wait for a slot, run `job` in a thread of its own, and return what it returned. Raises what it raised."""
    ticket = gate.enter()
    started = False
    try:
        while place := gate.wait(ticket, TOLD_EVERY_S):
            yield Told(place=place)
        heard, done = _Heard(), threading.Event()
        made: list[tuple[Any, BaseException | None]] = []
        begin = time.perf_counter()

        def work() -> None:
            try:
                made.append((job(heard), None))
                pace.learn(megapixels, time.perf_counter() - begin)
            except BaseException as error:  # noqa: BLE001  raised again where the job is waited for
                made.append((None, error))
            finally:
                gate.leave(ticket)
                done.set()

        threading.Thread(target=work, name="studio job", daemon=True).start()
        started = True
        expected = pace.expected_s(megapixels)
        while not done.wait(TOLD_EVERY_S):
            yield Told(step=heard.step, elapsed_s=time.perf_counter() - begin, expected_s=expected)
    finally:
        if not started:
            gate.leave(ticket)
    result, error = made[0]
    if error is not None:
        raise error
    value: Made = result
    return value
