"""`wideopen render`: render one or several photos from file to file."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from wideopen.cli import options
from wideopen.cli.options import job_of, takes
from wideopen.cli.terminal import steps, warn
from wideopen.errors import WideopenError, require
from wideopen.settings import MAX_MEGAPIXELS, LensSettings, MapSettings, OutputSettings


@takes(LensSettings, MapSettings, OutputSettings, after="out", preset=True)
def render(
    context: typer.Context,
    photos: options.Photos,
    out: Annotated[
        Path | None, "-o", "--out", "Result: a file, or a folder. Default: NAME.bokeh.EXT beside the photo."
    ] = None,
    matte: options.Matte = None,
    matte_hint: options.MatteHint = None,
    mattes: options.Mattes = None,
    matte_hints: options.MatteHints = None,
    disparity: options.Disparity = None,
    depth_m: options.DepthM = None,
    save_matte: Annotated[Path | None, "Also write the matte, as a 16-bit PNG."] = None,
    save_disparity: Annotated[Path | None, "Also write the disparity, as a 16-bit PNG."] = None,
    backend: options.Backend = "auto",
    overwrite: options.Overwrite = False,
    max_megapixels: options.MaxMegapixels = MAX_MEGAPIXELS,
    as_json: options.Json = False,
    **chosen: Any,
) -> int:
    """Render photos as if taken with a fast lens wide open."""
    from wideopen.session.open_photo import Given, fetch_named_model
    from wideopen.session.render_file import render_file
    from wideopen.session.results import result_paths

    files: dict[str, Any] = {"matte": matte, "matte_hint": matte_hint, "disparity": disparity, "depth_m": depth_m}
    saved: dict[str, Any] = {"save_matte": save_matte, "save_disparity": save_disparity}
    for name, value in (files | saved).items():
        flag = f"--{name.replace('_', '-')}"
        require(value is None or len(photos) == 1, f"{flag}: expected a single photo, found {len(photos)}")
        both = value is not None and name in ("disparity", "depth_m") and chosen["depth"] != "auto"
        require(not both, f"--depth and {flag}: expected one of them, found both")
    given = Given(**files, mattes=mattes, matte_hints=matte_hints)
    limits: dict[str, Any] = {"backend": backend, "max_megapixels": max_megapixels, "overwrite": overwrite}
    job = job_of(context, chosen, given=given, **saved, **limits)
    maps = [path for path in saved.values() if path is not None]
    paths = result_paths(photos, out, inputs=job.given.files, output=job.output, maps=maps, overwrite=overwrite)
    with steps(job.maps.depth) as step:
        fetch_named_model(job.maps, step)
    failures = 0
    for photo, path in zip(photos, paths, strict=True):
        try:
            with steps(photo.name) as step:
                report = render_file(photo, path, job, step=step)
        except WideopenError as error:
            warn(f"wideopen: {error}")
            failures += 1
            continue
        _print(report, as_json=as_json)
    return 2 if failures else 0


def _print(report: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report))
        return
    for note in report["notes"]:
        warn(f"note: {note}")
    width, height = report["size"]
    typer.echo(
        f"{report['out']}  {width} x {height}, matte {report['matte']}, disparity {report['disparity']}, "
        f"{report['seconds']['total']:.1f} s"
    )
