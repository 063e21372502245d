"""`wideopen batch`: folders, lists and buckets of photos, in worker processes or on a cluster."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wideopen.cli import options
from wideopen.cli.options import chosen_lens, made, takes
from wideopen.settings import MAX_MEGAPIXELS, LensSettings, MapSettings, OutputSettings

if TYPE_CHECKING:
    from wideopen.batch.local import Engine
    from wideopen.batch.manifest import Manifest
    from wideopen.batch.walk import BatchPhoto, Unusable
    from wideopen.session.render_file import Job

    _MakeEngine = Callable[[list[BatchPhoto | Unusable] | None], tuple[Engine, Job]]

_TIMEOUT_S = 300.0
_LOOK_EVERY_S = 2.0
_PHONES_MEGAPIXELS = 50.0  # about the largest photos of phones


@takes(LensSettings, MapSettings, OutputSettings, after="gpus_per_worker", preset=True)
def batch(
    context: typer.Context,
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="SRC... DST",
            help="Folders, photos, patterns ('in/**/*.jpg') or URLs (s3://bucket/in), then the folder for the results.",
            show_default=False,
        ),
    ],
    listed: Annotated[
        Path | None, typer.Option("--list", help="Read more input paths from a file, one per line; - reads stdin.")
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="Skip file names, or paths below SRC, that match this pattern; may be repeated."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue an earlier run into DST, and redo photos that have changed since."),
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep rendering photos that appear in SRC, until Ctrl-C; implies --resume.")
    ] = False,
    watch_seconds: Annotated[
        float, typer.Option(help="Seconds between two looks into SRC with --watch.")
    ] = _LOOK_EVERY_S,
    workers: Annotated[
        int | None, typer.Option(help="Number of worker processes. Default: as cores and memory allow.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Time limit per photo, in seconds; 0 sets none.")] = _TIMEOUT_S,
    report: Annotated[
        Path | None, typer.Option(help="Write one line of JSON per photo to this file, as --json prints.")
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            help="File that records finished photos for --resume. Default: in DST, or in the current folder for a URL."
        ),
    ] = None,
    engine: Annotated[str, typer.Option(help="Where workers run: local, or ray for a cluster.")] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            help="Address of the Ray cluster: auto, HOST:PORT or ray://... Default: a new one on this machine."
        ),
    ] = None,
    cpus_per_worker: Annotated[float, typer.Option(help="Number of cores per worker on a cluster.")] = 1.0,
    gpus_per_worker: Annotated[
        float, typer.Option(help="Number of GPUs per worker on a cluster; fractions share a GPU.")
    ] = 0.0,
    mattes: options.Mattes = None,
    backend: options.Backend = "auto",
    overwrite: options.Overwrite = False,
    max_megapixels: options.MaxMegapixels = MAX_MEGAPIXELS,
    as_json: options.Json = False,
    **chosen: Any,
) -> int:
    """Render many photos on all cores or on a cluster. Results keep the folders; a photo that fails is skipped."""
    from wideopen.session.open_photo import Given
    from wideopen.session.render_file import Job

    job = Job(
        lens=chosen_lens(context, chosen),
        maps=made(MapSettings, chosen),
        output=made(OutputSettings, chosen),
        given=Given(mattes=mattes),
        backend=backend,
        max_megapixels=max_megapixels,
        overwrite=overwrite,
    )
    work = _Work(
        sources=tuple(places[:-1]),
        destination=places[-1],
        listed=_lines_of(listed),
        exclude=tuple(exclude or ()),
        resume=resume or watch,
        watch_s=watch_seconds if watch else None,
        manifest=manifest,
        report=report,
        as_json=as_json,
    )
    cluster = _Cluster(address=address, cpus=cpus_per_worker, gpus=gpus_per_worker)
    return _run(work, job, _engine_maker(engine, job, workers, timeout or None, cluster, watched=watch))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """The photos of a run, its destination, and its records."""

    sources: tuple[str, ...]
    destination: str
    listed: tuple[str, ...]
    exclude: tuple[str, ...]
    resume: bool
    watch_s: float | None
    manifest: Path | None
    report: Path | None
    as_json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    """Options of the Ray cluster for --engine ray."""

    address: str | None
    cpus: float
    gpus: float


def _lines_of(path: Path | None) -> tuple[str, ...]:
    """The lines of --list that are not empty; names that are not UTF-8 keep their bytes."""
    import os
    import sys

    from wideopen.errors import InvalidInput

    if path is None:
        return ()
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"--list: {path} cannot be read ({error.strerror})") from error
    return tuple(os.fsdecode(line) for line in data.splitlines() if line.strip())


def _engine_maker(
    engine: str, job: "Job", workers: int | None, timeout_s: float | None, cluster: _Cluster, *, watched: bool
) -> "_MakeEngine":
    """Check the options, and return a function that makes the engine for the photos found. Raises InvalidInput."""
    from wideopen.checks import require

    require(engine in ("local", "ray"), f"--engine: expected local or ray, found {engine!r}")
    require(timeout_s is None or timeout_s > 0, f"--timeout: expected 0 or more seconds, found {timeout_s}")
    if engine == "ray":
        from wideopen.batch.ray_engine import RayEngine

        require(not watched, "--watch: expected --engine local, found ray")
        ray_engine = RayEngine(
            job,
            address=cluster.address,
            workers=workers,
            cpus_per_worker=cluster.cpus,
            gpus_per_worker=cluster.gpus,
            timeout_s=timeout_s,
        )
        return lambda _: (ray_engine, job)
    require(cluster.address is None, f"--address: expected --engine ray with it, found {engine}")
    require(cluster.gpus == 0 and cluster.cpus == 1, "--cpus-per-worker, --gpus-per-worker: expected --engine ray")

    return lambda found: _local_engine(found or [], job, workers, timeout_s)


def _local_engine(
    found: "list[BatchPhoto | Unusable]", job: "Job", workers: int | None, timeout_s: float | None
) -> "tuple[Engine, Job]":
    """Workers for these photos, and the job limited to photos that fit the memory of a worker."""
    from dataclasses import replace

    from wideopen.batch.local import LocalEngine, megapixels_for, warm_up_of, worker_mb
    from wideopen.cli.terminal import warn
    from wideopen.workers import Workers, pool_size
    from wideopen.workers.size import SHARE, usable_memory_mb

    memory_mb = usable_memory_mb()
    needed_mb = worker_mb(found, max_megapixels=job.max_megapixels)
    size = pool_size(workers, worker_mb=needed_mb, memory_mb=memory_mb)
    most = round(megapixels_for(memory_mb * SHARE / size.workers), 1)
    if most < min(job.max_megapixels, _PHONES_MEGAPIXELS):
        warn(f"note: memory allows each of {size.workers} workers photos of up to {most:g} megapixels (--workers)")
    engine = LocalEngine(Workers(size, warm_up_of(job)), timeout_s=timeout_s)
    return engine, replace(job, max_megapixels=min(job.max_megapixels, most))


def _run(work: _Work, job: "Job", make_engine: "_MakeEngine") -> int:
    """Find and render the photos; returns the exit code: 0, 2 if a photo failed, or 128 + the number of a signal."""
    from contextlib import ExitStack

    from wideopen.batch.run import Batch
    from wideopen.batch.walk import watched
    from wideopen.batch.work import require_local_originals
    from wideopen.checks import require
    from wideopen.cli.batch_report import batch_report, stop_on_signals

    require(bool(work.sources or work.listed), "batch: expected SRC and DST, found one place only")
    require_local_originals(job, [*work.sources, *work.listed, work.destination])
    look = _look(work)
    if work.watch_s is None:
        found = list(look())
        require(bool(found), f"{' '.join(work.sources)}: expected photos, found none")
        todo: Iterator[BatchPhoto | Unusable | None] = iter(found)
    else:
        require(work.watch_s > 0, f"--watch-seconds: expected more than 0, found {work.watch_s:g}")
        found = None
        todo = watched(look, every_s=work.watch_s)
    with ExitStack() as stack:
        manifest = stack.enter_context(_manifest(work, overwrite=job.overwrite))
        total = None if found is None else len(found)
        report = stack.enter_context(batch_report(work.report, as_json=work.as_json, total=total))
        engine, job = make_engine(found)
        stack.callback(engine.end)
        stop, caught = stack.enter_context(stop_on_signals())
        Batch(job, work.destination, manifest, report).run(todo, engine, stop)
        report.finish(work.destination, interrupted=bool(caught))
    return 128 + caught[0] if caught else 2 if report.failed_count else 0


def _look(work: _Work) -> "Callable[[], Iterator[BatchPhoto | Unusable]]":
    from wideopen.batch.walk import find_photos

    def look() -> "Iterator[BatchPhoto | Unusable]":
        return find_photos(work.sources, work.destination, listed=work.listed, exclude=work.exclude)

    return look


def _manifest(work: _Work, *, overwrite: bool) -> "Manifest":
    """The manifest of DST. Raises InvalidInput if an earlier run left one, without --resume or --overwrite."""
    import hashlib

    from wideopen.batch.manifest import Manifest
    from wideopen.batch.places import file_system, is_url, plain
    from wideopen.checks import require
    from wideopen.errors import InvalidInput

    place = plain(work.destination)
    if is_url(place):
        file_system(place)  # raises for a URL that cannot be opened
    else:
        require(not Path(place).is_file(), f"{place}: expected a folder for the results, found a file")
    path = work.manifest
    if path is None and is_url(place):
        path = Path(f"wideopen-batch-{hashlib.sha256(place.encode()).hexdigest()[:12]}.jsonl")
    manifest = Manifest(path or Path(place) / ".wideopen-batch.jsonl", anew=overwrite and not work.resume)
    if manifest.records and not work.resume:
        manifest.close()
        raise InvalidInput(
            f"{work.destination}: expected --resume (continue) or --overwrite (start over), found what an earlier "
            f"batch made of {len(manifest.records)} photos"
        )
    return manifest
