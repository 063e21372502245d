"""What `wideopen batch` shows: a bar with rate and time left on a terminal, else a line now and then."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from wideopen.batch.local import Stop
from wideopen.batch.tally import Counts, JsonLines
from wideopen.cli.notes import warn
from wideopen.errors import InvalidInput

if TYPE_CHECKING:
    from rich.progress import Progress

_SAY_EVERY_S = 30.0


class Teller:
    """Counts, prints and writes what happens to the photos of a batch."""

    def __init__(self, counts: Counts, lines: list[JsonLines], bar: "Progress | None", *, quiet: bool) -> None:
        """`quiet`: the summary is not printed, because stdout is for JSON."""
        self.counts = counts
        self._lines = lines
        self._bar = bar
        self._task = None if bar is None else bar.add_task("starting workers", total=counts.total)
        self._quiet = quiet
        self._said = time.monotonic()
        self._noted = 0

    def done(self, report: dict[str, Any]) -> None:
        """As `run.Listener`."""
        self.counts.note_done(report)
        self._noted += bool(report.get("notes"))
        for lines in self._lines:
            lines.done(report)

    def skipped(self, photo: str, out: str) -> None:
        """As `run.Listener`."""
        self.counts.skipped += 1
        for lines in self._lines:
            lines.skipped(photo, out)

    def failed(self, photo: str, reason: str) -> None:
        """As `run.Listener`; one line on stderr."""
        self.counts.failed += 1
        for lines in self._lines:
            lines.failed(photo, reason)
        warn(f"wideopen: {reason}")

    def tick(self) -> None:
        """As `run.Listener`."""
        if self._bar is not None and self._task is not None:
            seen = self.counts.done + self.counts.skipped + self.counts.failed
            self._bar.update(self._task, completed=seen, description=self._words())
        elif time.monotonic() - self._said >= _SAY_EVERY_S:
            self._said = time.monotonic()
            warn(self._words())

    def finish(self, destination: str, *, interrupted: bool) -> None:
        """The summary."""
        for lines in self._lines:
            lines.summary(self.counts)
        if self._quiet:
            return
        counts = self.counts
        rate = "" if counts.rate is None else f", {counts.rate:.2f} a second"
        parts = [
            f"{counts.done} photo{'' if counts.done == 1 else 's'} in {counts.seconds:.1f} s{rate}, into {destination}"
        ]
        parts += [f"{counts.skipped} done before"] if counts.skipped else []
        parts += [f"{counts.failed} failed"] if counts.failed else []
        parts += [f"{self._noted} with notes (--report has them)"] if self._noted else []
        if counts.peaks_mb:
            most = max(counts.peaks_mb.values())
            parts.append(f"{len(counts.peaks_mb)} workers, each with at most {most:.0f} MB")
        typer.echo("; ".join(parts))
        if interrupted:
            warn("wideopen: interrupted; --resume does the rest")

    def _words(self) -> str:
        """One line: how far, how fast, how long still."""
        counts = self.counts
        if not counts.done and not counts.failed and not counts.skipped:
            return "starting workers (the very first run compiles kernels, some 25 s)"
        of = "" if counts.total is None else f" of {counts.total}"
        words = [f"{counts.done + counts.skipped}{of} done"]
        words += [f"{counts.failed} failed"] if counts.failed else []
        words += [] if counts.rate is None else [f"{counts.rate:.2f} a second"]
        words += [] if counts.seconds_left is None else [f"{_clock(counts.seconds_left)} left"]
        return ", ".join(words)


@contextmanager
def teller(report: Path | None, *, as_json: bool, total: int | None) -> Iterator[Teller]:
    """Yield what is told of the photos. `report` is appended to. Raises InvalidInput where it cannot be written."""
    with ExitStack() as stack:
        lines = [JsonLines(sys.stdout)] if as_json else []
        if report is not None:
            try:
                lines.append(JsonLines(stack.enter_context(report.open("a", encoding="ascii"))))
            except OSError as error:
                raise InvalidInput(f"--report: {report} cannot be written ({error.strerror})") from error
        bar = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

            columns = (SpinnerColumn(), BarColumn(bar_width=30), TextColumn("{task.description}"))
            console = Console(stderr=True)
            bar = stack.enter_context(Progress(*columns, console=console, transient=True, redirect_stderr=True))
        yield Teller(Counts(total=total), lines, bar, quiet=as_json)


@contextmanager
def signals_ask() -> Iterator[tuple[Stop, list[int]]]:
    """Yield a `Stop` that SIGINT and SIGTERM ask, and the signals that came: once to end soon, twice to end now.

    A third raises KeyboardInterrupt, wherever the program waits.
    """
    stop = Stop()
    caught: list[int] = []

    def ask(number: int, _: object) -> None:
        if not caught:
            warn("wideopen: ending after the photos in work; again ends at once")
        caught.append(number)
        stop.ask()
        if len(caught) > 2:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop, caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
