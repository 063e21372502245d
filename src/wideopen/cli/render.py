"""`wideopen render`: one photo or several, from file to file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wideopen.cli import options
from wideopen.cli.chosen import PresetName, lens_settings
from wideopen.cli.notes import warn
from wideopen.cli.report import steps
from wideopen.errors import WideopenError

if TYPE_CHECKING:  # all that needs NumPy is imported inside the functions, so that --help is quick
    from wideopen.session.render_file import Job


def render(
    context: typer.Context,
    photos: options.Photos,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Result: a file, or a folder. Default: NAME.bokeh.EXT beside the photo."),
    ] = None,
    preset: PresetName = None,
    look: options.Look = "thin-lens",
    blur: options.Blur = "2.4%",
    focus: options.Focus = "subject",
    focus_range: options.FocusRange = None,
    planes: options.Planes = 32,
    aperture: options.Aperture = "disk",
    cat_eye: options.CatEye = 0.0,
    highlights: options.Highlights = 1.0,
    quality: options.Quality = "fast",
    grain: options.Grain = "auto",
    matte: options.Matte = None,
    mattes: options.Mattes = None,
    disparity: options.Disparity = None,
    depth_m: options.DepthM = None,
    depth: options.Depth = "auto",
    offline: options.Offline = False,
    filter_disparity: options.FilterDisparity = True,
    matting: options.Matting = "auto",
    matting_size: options.MattingSize = None,
    matting_stages: options.MattingStages = None,
    matting_edges: options.MattingEdges = True,
    matting_tiles: options.MattingTiles = False,
    matting_refiner: options.MattingRefiner = None,
    matting_backend: options.MattingBackend = "auto",
    device: options.Device = "auto",
    backend: options.Backend = "auto",
    save_matte: Annotated[Path | None, typer.Option(help="Also write the matte, 16-bit PNG.")] = None,
    save_disparity: Annotated[Path | None, typer.Option(help="Also write the disparity used, 16-bit PNG.")] = None,
    output_quality: options.OutputQuality = None,
    output_bits: options.OutputBits = None,
    keep_depth: options.KeepDepth = False,
    overwrite: options.Overwrite = False,
    max_megapixels: options.MaxMegapixels = options.MAX_MEGAPIXELS,
    as_json: options.Json = False,
) -> int:
    """Render photos as a fast lens wide open would have taken them."""
    from wideopen.checks import require
    from wideopen.session.open_photo import Given
    from wideopen.session.render_file import Job
    from wideopen.session.results import result_paths
    from wideopen.session.settings import MapSettings, OutputSettings

    single = {"--matte": matte, "--disparity": disparity, "--depth-m": depth_m}
    single |= {"--save-matte": save_matte, "--save-disparity": save_disparity}
    for name, value in single.items():
        require(value is None or len(photos) == 1, f"{name}: expected one photo with it, found {len(photos)}")
    given = Given(matte=matte, mattes=mattes, disparity=disparity, depth_m=depth_m)
    if disparity is not None or depth_m is not None:
        file = "--disparity" if depth_m is None else "--depth-m"
        require(depth == "auto", f"--depth and {file}: expected one of them, found both")
        depth = "planar"  # nothing is looked for
    chosen = {"look": look, "blur": blur, "focus": focus, "focus_range": focus_range, "planes": planes}
    chosen |= {"aperture": aperture, "cat_eye": cat_eye, "highlights": highlights, "grain": grain, "quality": quality}
    job = Job(
        lens=lens_settings(context, preset, chosen),
        maps=MapSettings(
            depth=depth,
            offline=offline,
            filter_disparity=filter_disparity,
            matting=matting,
            matting_size=matting_size,
            matting_stages=matting_stages,
            matting_edges=matting_edges,
            matting_tiles=matting_tiles,
            matting_refiner=matting_refiner,
            matting_backend=matting_backend,
            device=device,
        ),
        output=OutputSettings(output_quality=output_quality, output_bits=output_bits, keep_depth=keep_depth),
        given=given,
        save_matte=save_matte,
        save_disparity=save_disparity,
        backend=backend,
        max_megapixels=max_megapixels,
        overwrite=overwrite,
    )
    paths = result_paths(
        photos,
        out,
        inputs=given.files,
        output=job.output,
        maps=[path for path in (save_matte, save_disparity) if path is not None],
        overwrite=overwrite,
    )
    return _render_all(photos, paths, job, as_json=as_json)


def _render_all(photos: list[Path], paths: list[Path], job: "Job", *, as_json: bool) -> int:
    """Render each photo; one that cannot be is told of, and the others are rendered. Returns the exit code."""
    from wideopen.session.depth_source import Depths
    from wideopen.session.render_file import render_file

    depths = Depths(job.maps.depth, offline=job.maps.offline)
    with steps(job.maps.depth) as step:
        depths.prepare(step)
    failures = 0
    for photo, path in zip(photos, paths, strict=True):
        try:
            with steps(photo.name) as step:
                report = render_file(photo, path, job, depths=depths, step=step)
        except WideopenError as error:
            warn(f"wideopen: {error}")
            failures += 1
            continue
        _tell(report, as_json=as_json)
    return 2 if failures else 0


def _tell(report: dict[str, Any], *, as_json: bool) -> None:
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
