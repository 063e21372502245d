"""`wideopen batch`: folders, lists and buckets of photos, in worker processes or on a cluster."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wideopen.batch import BatchSettings
from wideopen.cli import options
from wideopen.cli.options import chosen_lens, made, takes
from wideopen.cli.terminal import warn
from wideopen.errors import InvalidInput, require
from wideopen.settings import MAX_MEGAPIXELS, LensSettings, MapSettings, OutputSettings

if TYPE_CHECKING:
    from wideopen.batch.local import BatchEngine
    from wideopen.batch.manifest import Manifest
    from wideopen.batch.walk import BatchPhoto, Unusable
    from wideopen.session.render_file import Job

_PHONES_MEGAPIXELS = 50.0  # about the largest photos of phones


@takes(BatchSettings, LensSettings, MapSettings, OutputSettings, after="manifest", preset=True)
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
    report: Annotated[
        Path | None, typer.Option(help="Write one line of JSON per photo to this file, as --json prints.")
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            help="File that records finished photos for --resume. Default: in DST, or in the current folder for a URL."
        ),
    ] = None,
    mattes: options.Mattes = None,
    backend: options.Backend = "auto",
    overwrite: options.Overwrite = False,
    max_megapixels: options.MaxMegapixels = MAX_MEGAPIXELS,
    as_json: options.Json = False,
    **chosen: Any,
) -> int:
    """Render many photos on all cores or on a cluster. Results keep the folders; a photo that fails is skipped."""
    from wideopen.batch.run import Batch
    from wideopen.batch.walk import find_photos, watched
    from wideopen.batch.work import require_local_originals
    from wideopen.cli.batch_report import batch_report, stop_on_signals
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
    return 128 + caught[0] if caught else 2 if shown.failed_count else 0


def _lines_of(path: Path | None) -> tuple[str, ...]:
    """The lines of --list that are not empty; names that are not UTF-8 keep their bytes."""
    if path is None:
        return ()
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"--list: {path} cannot be read ({error.strerror})") from error
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
    needed_mb = worker_mb(found, max_megapixels=job.max_megapixels)
    size = pool_size(settings.workers, worker_mb=needed_mb, memory_mb=memory_mb)
    most = round(megapixels_for(memory_mb * SHARE / size.workers), 1)
    if most < min(job.max_megapixels, _PHONES_MEGAPIXELS):
        warn(f"note: memory allows each of {size.workers} workers photos of up to {most:g} megapixels (--workers)")
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
            f"{destination}: expected --resume (continue) or --overwrite (start over), found what an earlier "
            f"batch made of {len(manifest.records)} photos"
        )
    return manifest
