"""Counting what happened, and a line of JSON for each photo."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TextIO

Clock = Callable[[], float]


@dataclass(slots=True)
class Counts:
    """How far a batch is. `total` is None while nobody knows how many photos there will be."""

    total: int | None = None
    done: int = 0
    adopted: int = 0  # of those done: finished by a worker that was lost before it could say so
    skipped: int = 0
    failed: int = 0
    clock: Clock = time.monotonic
    started: float = field(init=False)
    _first: float | None = None
    _last: float = 0.0
    peaks_mb: dict[int, float] = field(default_factory=dict)  # by worker

    def __post_init__(self) -> None:
        self.started = self.clock()

    def note_done(self, report: dict[str, Any]) -> None:
        """Count a result."""
        self.done += 1
        self.adopted += bool(report.get("adopted"))
        self._last = self.clock()
        if self._first is None:
            self._first = self._last
        if "worker" in report:
            worker = report["worker"]
            self.peaks_mb[worker] = max(self.peaks_mb.get(worker, 0.0), report["peak_mb"])

    @property
    def seconds(self) -> float:
        """Since the batch was started."""
        return self.clock() - self.started

    @property
    def rate(self) -> float | None:
        """Results a second since the first one, so without the workers' start; None until there are two."""
        if self._first is None or self._last <= self._first:
            return None
        return (self.done - 1) / (self._last - self._first)

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at this rate, if every photo of it is to be done."""
        if self.rate is None or self.total is None:
            return None
        return max(0, self.total - self.done - self.skipped - self.failed) / self.rate

    def summary(self) -> dict[str, Any]:
        """The figures of the whole batch, as JSON values."""
        rate = self.rate
        return {
            "done": self.done,
            "adopted": self.adopted,
            "skipped": self.skipped,
            "failed": self.failed,
            "seconds": round(self.seconds, 3),
            "per_second": None if rate is None else round(rate, 3),
            "workers": len(self.peaks_mb),
            "peak_mb": max(self.peaks_mb.values(), default=None),
        }


class JsonLines:
    """Writes one line per photo, as it happens, and one for the whole at the end."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def done(self, report: dict[str, Any]) -> None:
        """What `wideopen render --json` says, and `status` done."""
        self._line({"status": "done", **report})

    def skipped(self, photo: str, out: str) -> None:
        """`status` skipped."""
        self._line({"status": "skipped", "photo": photo, "out": out})

    def failed(self, photo: str, reason: str) -> None:
        """`status` failed, and why."""
        self._line({"status": "failed", "photo": photo, "reason": reason})

    def summary(self, counts: Counts) -> None:
        """`status` summary."""
        self._line({"status": "summary", **counts.summary()})

    def _line(self, values: dict[str, Any]) -> None:
        self._out.write(json.dumps(values) + "\n")
        self._out.flush()
