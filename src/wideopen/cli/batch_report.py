"""The output of `wideopen batch`: a progress bar on a terminal, otherwise occasional lines; and JSON."""

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import typer

from wideopen.batch.local import Stop
from wideopen.cli.terminal import warn
from wideopen.errors import InvalidInput

if TYPE_CHECKING:
    from rich.progress import Progress

_LINE_EVERY_S = 30.0


class BatchReport:
    """A `batch.run.Listener` that counts, prints and writes the results of a batch."""

    def __init__(self, total: int | None, files: list[TextIO], bar: "Progress | None", *, as_json: bool) -> None:
        """`total` photos, if known; `files` receive a line of JSON per photo; `as_json`: stdout is JSON only."""
        self.done_count = self.skipped_count = self.failed_count = 0
        self._adopted = self._noted = 0
        self._peaks_mb: dict[int, float] = {}  # by worker
        self._total = total
        self._files = files
        self._bar = bar
        self._task = None if bar is None else bar.add_task("starting workers", total=total)
        self._as_json = as_json
        self._started = self._last_line = time.monotonic()
        self._first = self._last = 0.0  # times of the first and last results

    def done(self, report: dict[str, Any]) -> None:
        """As in `run.Listener`."""
        self._last = time.monotonic()
        self._first = self._first or self._last
        self.done_count += 1
        self._adopted += bool(report.get("adopted"))
        self._noted += bool(report.get("notes"))
        if "worker" in report:
            worker = report["worker"]
            self._peaks_mb[worker] = max(self._peaks_mb.get(worker, 0.0), report["peak_mb"])
        self._write({"status": "done", **report})

    def skipped(self, photo: str, out: str) -> None:
        """As in `run.Listener`."""
        self.skipped_count += 1
        self._write({"status": "skipped", "photo": photo, "out": out})

    def failed(self, photo: str, reason: str) -> None:
        """As in `run.Listener`; prints one line on stderr."""
        self.failed_count += 1
        self._write({"status": "failed", "photo": photo, "reason": reason})
        warn(f"wideopen: {reason}")

    def tick(self) -> None:
        """As in `run.Listener`."""
        if self._bar is not None and self._task is not None:
            seen = self.done_count + self.skipped_count + self.failed_count
            self._bar.update(self._task, completed=seen, description=self._words())
        elif time.monotonic() - self._last_line >= _LINE_EVERY_S:
            self._last_line = time.monotonic()
            warn(self._words())

    def finish(self, destination: str, *, interrupted: bool) -> None:
        """Print the summary."""
        seconds, rate = time.monotonic() - self._started, self.rate
        peak_mb = max(self._peaks_mb.values(), default=None)
        summary: dict[str, Any] = {"done": self.done_count, "adopted": self._adopted, "skipped": self.skipped_count}
        summary |= {"failed": self.failed_count, "seconds": round(seconds, 3)}
        summary |= {"per_second": None if rate is None else round(rate, 3)}
        self._write({"status": "summary", **summary, "workers": len(self._peaks_mb), "peak_mb": peak_mb})
        if self._as_json:
            return
        each = "" if rate is None else f", {rate:.2f} a second"
        photos = f"{self.done_count} photo{'' if self.done_count == 1 else 's'}"
        parts = [f"{photos} in {seconds:.1f} s{each}, into {destination}"]
        parts += [f"{self.skipped_count} done before"] if self.skipped_count else []
        parts += [f"{self.failed_count} failed"] if self.failed_count else []
        parts += [f"{self._noted} with notes (--report has them)"] if self._noted else []
        parts += [] if peak_mb is None else [f"{len(self._peaks_mb)} workers, each with at most {peak_mb:.0f} MB"]
        typer.echo("; ".join(parts))
        if interrupted:
            warn("wideopen: interrupted; --resume does the rest")

    @property
    def rate(self) -> float | None:
        """Results per second since the first one, which leaves out the workers' start; None until there are two."""
        return None if self._last <= self._first else (self.done_count - 1) / (self._last - self._first)

    def _words(self) -> str:
        """One line with photos done and failed, rate and time left."""
        seen = self.done_count + self.skipped_count
        if not seen and not self.failed_count:
            return "starting workers (first run only: compiling the kernels adds some 25 s)"
        words = [f"{seen}{'' if self._total is None else f' of {self._total}'} done"]
        words += [f"{self.failed_count} failed"] if self.failed_count else []
        if self.rate is not None:
            words.append(f"{self.rate:.2f} a second")
            if self._total is not None:
                left = max(0, self._total - seen - self.failed_count)
                words.append(f"{timedelta(seconds=round(left / self.rate))} left")
        return ", ".join(words)

    def _write(self, values: dict[str, Any]) -> None:
        for file in self._files:
            file.write(json.dumps(values) + "\n")
            file.flush()


@contextmanager
def batch_report(file: Path | None, *, as_json: bool, total: int | None) -> Iterator[BatchReport]:
    """Yield the report of a batch, which appends to `file`. Raises InvalidInput if it cannot be written."""
    with ExitStack() as stack:
        files: list[TextIO] = [sys.stdout] if as_json else []
        if file is not None:
            try:
                files.append(stack.enter_context(file.open("a", encoding="ascii")))
            except OSError as error:
                raise InvalidInput(f"--report: {file} cannot be written ({error.strerror})") from error
        bar = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

            columns = (SpinnerColumn(), BarColumn(bar_width=30), TextColumn("{task.description}"))
            console = Console(stderr=True)
            bar = stack.enter_context(Progress(*columns, console=console, transient=True, redirect_stderr=True))
        yield BatchReport(total, files, bar, as_json=as_json)


@contextmanager
def stop_on_signals() -> Iterator[tuple[Stop, list[int]]]:
    """Yield a `Stop` that SIGINT and SIGTERM trigger, and the list of signals received.

    The first signal ends the run after the current photos, the second at once; a third raises KeyboardInterrupt
    wherever the program waits.
    """
    stop = Stop()
    caught: list[int] = []

    def ask(number: int, _: object) -> None:
        if not caught:
            warn("wideopen: finishing the photos in progress; interrupt again to stop at once")
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
