"""`wideopen batch`: folders, lists and buckets of photos, in worker processes or on a cluster."""

import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from wideopen.batch import BatchSettings
from wideopen.cli import options
from wideopen.cli.options import job_of, made, takes
from wideopen.cli.terminal import warn
from wideopen.errors import InvalidInput, require, system_errors
from wideopen.settings import MAX_MEGAPIXELS, LensSettings, MapSettings, OutputSettings

if TYPE_CHECKING:
    from rich.progress import Progress

    from wideopen.batch.local import BatchEngine, Stop
    from wideopen.batch.manifest import Manifest
    from wideopen.batch.walk import BatchPhoto, Unusable
    from wideopen.session.open_photo import Job

_PHONES_MEGAPIXELS = 50.0  # about the largest photos of phones
_LINE_EVERY_S = 30.0  # progress where stderr is not a terminal


@takes(BatchSettings, LensSettings, MapSettings, OutputSettings, after="manifest", preset=True)
def batch(
    context: typer.Context,
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="SRC... DST",
            help="Folders, photos, patterns ('in/**/*.jpg') or URLs (s3://bucket/in), followed by the results folder.",
        ),
    ],
    listed: Annotated[Path | None, "--list", "Read more input paths from a file, one per line; - reads stdin."] = None,
    exclude: Annotated[
        list[str] | None, "Skip file names, or paths below SRC, that match this pattern; may be repeated."
    ] = None,
    report: Annotated[Path | None, "Also append the output of --json to this file."] = None,
    manifest: Annotated[
        Path | None,
        "File that records finished photos for --resume. Default: in DST, or in the current folder if DST is a URL.",
    ] = None,
    mattes: options.Mattes = None,
    matte_hints: options.MatteHints = None,
    backend: options.Backend = "auto",
    overwrite: options.Overwrite = False,
    max_megapixels: options.MaxMegapixels = MAX_MEGAPIXELS,
    as_json: options.Json = False,
    **chosen: Any,
) -> int:
    """Render many photos on all cores or on a cluster. DST gets SRC's subfolders; photos that fail are skipped."""
    from wideopen.batch.batch import Batch
    from wideopen.batch.walk import find_photos, watched
    from wideopen.batch.work import require_local_originals
    from wideopen.session.open_photo import Given

    limits: dict[str, Any] = {"backend": backend, "max_megapixels": max_megapixels, "overwrite": overwrite}
    job = job_of(context, chosen, given=Given(mattes=mattes, matte_hints=matte_hints), **limits)
    settings = made(BatchSettings, chosen)
    *sources, destination = places
    names = _lines_of(listed)
    require(bool(sources or names), "batch: expected SRC and DST, found one place only")
    require_local_originals(job, [*sources, *names, destination])

    def look() -> "Iterator[BatchPhoto | Unusable]":
        return find_photos(sources, destination, listed=names, exclude=exclude or ())

    found = None if settings.watch else list(look())
    require(found is None or bool(found), f"{' '.join(sources)}: expected photos, found none")
    with ExitStack() as stack:
        resume = settings.resume or settings.watch
        records = stack.enter_context(_manifest(destination, manifest, resume=resume, overwrite=overwrite))
        total = None if found is None else len(found)
        shown = stack.enter_context(batch_report(report, as_json=as_json, total=total))
        engine, job = _engine(found or [], job, settings)
        stack.callback(engine.end)
        stop, caught = stack.enter_context(stop_on_signals())
        photos = watched(look, every_s=settings.watch_seconds) if found is None else iter(found)
        Batch(job, destination, records, shown).run(photos, engine, stop)
        shown.finish(destination, interrupted=bool(caught))
    return 128 + caught[0] if caught else 2 if shown.counts["failed"] else 0


def _lines_of(path: Path | None) -> tuple[str, ...]:
    """The lines of --list that are not empty; names that are not UTF-8 keep their bytes."""
    with system_errors(f"--list: {path} cannot be read"):
        data = b"" if path is None else sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    return tuple(os.fsdecode(line) for line in data.splitlines() if line.strip())


def _engine(found: "list[BatchPhoto | Unusable]", job: "Job", settings: BatchSettings) -> "tuple[BatchEngine, Job]":
    """The engine for these photos, and the job, limited to photos that fit the memory of a worker."""
    if settings.engine == "ray":
        from wideopen.batch.ray_engine import RayEngine

        return RayEngine(job, settings), job
    from wideopen.batch.local import LocalEngine, megapixels_for, warm_up_of, worker_mb
    from wideopen.workers import Workers, pool_size
    from wideopen.workers.size import SHARE, usable_memory_mb

    memory_mb = usable_memory_mb()
    needed_mb = worker_mb(found, job.lens.look, max_megapixels=job.max_megapixels)
    size = pool_size(settings.workers, worker_mb=needed_mb, memory_mb=memory_mb)
    most = round(megapixels_for(memory_mb * SHARE / size.workers, job.lens.look), 1)
    if most < min(job.max_megapixels, _PHONES_MEGAPIXELS):
        warn(f"note: memory limits {size.workers} workers to photos of {most:g} megapixels (--workers)")
    engine = LocalEngine(Workers(size, warm_up_of(job)), timeout_s=settings.timeout_s)
    return engine, replace(job, max_megapixels=min(job.max_megapixels, most))


def _manifest(destination: str, path: Path | None, *, resume: bool, overwrite: bool) -> "Manifest":
    """The manifest of DST. Raises InvalidInput if an earlier run left one, without --resume or --overwrite."""
    import hashlib

    from wideopen.batch.manifest import Manifest
    from wideopen.batch.places import file_system, is_url, plain

    place = plain(destination)
    if is_url(place):
        file_system(place)  # raises for a URL that cannot be opened
        path = path or Path(f"wideopen-batch-{hashlib.sha256(place.encode()).hexdigest()[:12]}.jsonl")
    else:
        require(not Path(place).is_file(), f"{place}: expected a folder for the results, found a file")
    manifest = Manifest(path or Path(place) / ".wideopen-batch.jsonl", anew=overwrite and not resume)
    if manifest.records and not resume:
        manifest.close()
        raise InvalidInput(
            f"{destination}: expected --resume (continue) or --overwrite (start over), found the results of an "
            f"earlier batch ({len(manifest.records)} photos)"
        )
    return manifest


class BatchReport:
    """Counts, prints and writes the results of a batch."""

    def __init__(self, total: int | None, files: list[TextIO], bar: "Progress | None", *, as_json: bool) -> None:
        """`total` photos, if known; `files` receive a line of JSON per photo; `as_json`: stdout is JSON only."""
        self.counts: Counter[str] = Counter()  # by status
        self._adopted = self._noted = 0
        self._peaks_mb: dict[int, float] = {}  # by worker
        self._total = total
        self._files = files
        self._bar = bar
        self._task = None if bar is None else bar.add_task("starting workers", total=total)
        self._as_json = as_json
        self._started = self._last_line = time.monotonic()
        self._first = self._last = 0.0  # times of the first and last results

    def __call__(self, row: dict[str, Any] | None) -> None:
        """Count and write the outcome of a photo, or refresh the display."""
        if row is not None:
            self._count(row)
            self._write(row)
        elif self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self.counts.total(), description=self._words())
        elif time.monotonic() - self._last_line >= _LINE_EVERY_S:
            self._last_line = time.monotonic()
            warn(self._words())

    def _count(self, row: dict[str, Any]) -> None:
        self.counts[row["status"]] += 1
        if row["status"] == "failed":
            warn(f"wideopen: {row['reason']}")
        if row["status"] != "done":
            return
        self._last = time.monotonic()
        self._first = self._first or self._last
        self._adopted += bool(row.get("adopted"))
        self._noted += bool(row.get("notes"))
        if "worker" in row:
            worker = row["worker"]
            self._peaks_mb[worker] = max(self._peaks_mb.get(worker, 0.0), row["peak_mb"])

    def finish(self, destination: str, *, interrupted: bool) -> None:
        """Print the summary."""
        seconds, rate = time.monotonic() - self._started, self.rate
        peak_mb = max(self._peaks_mb.values(), default=None)
        done, skipped, failed = (self.counts[status] for status in ("done", "skipped", "failed"))
        summary: dict[str, Any] = {"done": done, "adopted": self._adopted, "skipped": skipped, "failed": failed}
        summary |= {"seconds": round(seconds, 3), "per_second": None if rate is None else round(rate, 3)}
        self._write({"status": "summary", **summary, "workers": len(self._peaks_mb), "peak_mb": peak_mb})
        if self._as_json:
            return
        each = "" if rate is None else f", {rate:.2f} a second"
        photos = f"{done} photo{'' if done == 1 else 's'}"
        parts = [f"{photos} in {seconds:.1f} s{each}, into {destination}"]
        parts += [f"{skipped} done before"] if skipped else []
        parts += [f"{failed} failed"] if failed else []
        parts += [f"{self._noted} with notes (--report has them)"] if self._noted else []
        parts += [] if peak_mb is None else [f"{len(self._peaks_mb)} workers, each with at most {peak_mb:.0f} MB"]
        typer.echo("; ".join(parts))
        if interrupted:
            warn("wideopen: interrupted; --resume continues")

    @property
    def rate(self) -> float | None:
        """Results per second since the first one, which leaves out the workers' start; None until there are two."""
        return None if self._last <= self._first else (self.counts["done"] - 1) / (self._last - self._first)

    def _words(self) -> str:
        """One line with photos done and failed, rate and time left."""
        seen, failed = self.counts["done"] + self.counts["skipped"], self.counts["failed"]
        if not seen and not failed:
            return "starting workers (first run only: compiling the kernels adds about 20 s)"
        words = [f"{seen}{'' if self._total is None else f' of {self._total}'} done"]
        words += [f"{failed} failed"] if failed else []
        if self.rate is not None:
            words.append(f"{self.rate:.2f} a second")
            if self._total is not None:
                left = max(0, self._total - seen - failed)
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
            with system_errors(f"--report: {file} cannot be written"):
                files.append(stack.enter_context(file.open("a", encoding="ascii")))
        bar = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

            columns = (SpinnerColumn(), BarColumn(bar_width=30), TextColumn("{task.description}"))
            console = Console(stderr=True)
            bar = stack.enter_context(Progress(*columns, console=console, transient=True, redirect_stderr=True))
        yield BatchReport(total, files, bar, as_json=as_json)


@contextmanager
def stop_on_signals() -> Iterator[tuple["Stop", list[int]]]:
    """Yield a `Stop` that SIGINT and SIGTERM trigger, and the list of signals received.

    The first signal ends the run after the current photos, the second at once; a third raises KeyboardInterrupt
    wherever the program waits.
    """
    from wideopen.batch.local import Stop

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
