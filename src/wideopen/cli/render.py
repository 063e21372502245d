"""`wideopen render`: one photo or several, from file to file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wideopen.cli import options
from wideopen.cli.report import steps, warn
from wideopen.errors import WideopenError
from wideopen.timing import timed

if TYPE_CHECKING:  # all that needs NumPy is imported inside the functions, so that --help is quick
    from wideopen.checks import F32
    from wideopen.cli.depth import Depths
    from wideopen.lens import Aperture, Focus, Lens
    from wideopen.nets.matting.config import Inference
    from wideopen.photo import Photo
    from wideopen.pipeline import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What is the same for every photo of one command."""

    look: str
    blur: str
    focus: "Focus"
    focus_range: float | None
    planes: int
    aperture: "Aperture"
    cat_eye: float
    highlights: float
    grain: float | None
    quality: str
    matte: Path | None
    mattes: Path | None
    disparity: Path | None
    depth_m: Path | None
    depth: "Depths"
    filter_disparity: bool
    matting: str
    inference: "Inference"
    device: str
    backend: str
    save_matte: Path | None
    save_disparity: Path | None
    output_quality: int | None
    output_bits: int | None
    keep_depth: bool
    max_megapixels: float
    overwrite: bool


def render(
    photos: options.Photos,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Result: a file, or a folder. Default: NAME.bokeh.EXT beside the photo."),
    ] = None,
    look: Annotated[str, typer.Option(help="thin-lens (physical) or paper (its equations as printed).")] = "thin-lens",
    blur: Annotated[
        str, typer.Option(help="Blur radius at disparity difference 1: pixels (40px) or of the long side (2.5%).")
    ] = "2.4%",
    focus: Annotated[
        str, typer.Option(help="subject, X,Y (pixels, as displayed), or d=0.8 (a disparity).")
    ] = "subject",
    focus_range: Annotated[
        float | None,
        typer.Option(help="Disparity half-width that stays sharp. Default: the subject's own, or 0 for a point."),
    ] = None,
    planes: Annotated[int, typer.Option(help="Number of planes, 2 to 256.")] = 32,
    aperture: Annotated[
        str,
        typer.Option(
            help="disk, polygon:6 (sides), polygon:6@15 (degrees) or polygon:6@15~0.4 (sides bulging, 0 to 1)."
        ),
    ] = "disk",
    cat_eye: Annotated[
        float, typer.Option(help="0 to 1: how much the lens's barrel cuts the disks of light towards the corners.")
    ] = 0.0,
    highlights: Annotated[float, typer.Option(help="Radiance given back to clipped lights; 0 = none.")] = 1.0,
    quality: Annotated[str, typer.Option(help="exact, or fast: large radii at a lower resolution.")] = "fast",
    grain: Annotated[
        str, typer.Option(help="Grain put back into what is blurred: auto (as the photo's), off, or 8-bit codes (3.5).")
    ] = "auto",
    matte: options.Matte = None,
    mattes: options.Mattes = None,
    disparity: options.Disparity = None,
    depth_m: options.DepthM = None,
    depth: options.Depth = "auto",
    offline: options.Offline = False,
    filter_disparity: Annotated[
        bool, typer.Option("--filter-disparity/--no-filter-disparity", help="Clean disparity along the matte's edge.")
    ] = True,
    matting: options.Matting = "auto",
    matting_size: options.MattingSize = None,
    matting_stages: options.MattingStages = None,
    matting_tiles: options.MattingTiles = False,
    matting_refiner: options.MattingRefiner = None,
    matting_backend: options.MattingBackend = "auto",
    device: options.Device = "auto",
    backend: options.Backend = "auto",
    save_matte: Annotated[Path | None, typer.Option(help="Also write the matte, 16-bit PNG.")] = None,
    save_disparity: Annotated[Path | None, typer.Option(help="Also write the disparity used, 16-bit PNG.")] = None,
    output_quality: Annotated[
        int | None,
        typer.Option(help="1 to 100, of JPEG, WebP, HEIC, AVIF and JPEG XL. Default for JPEG: as the photo's, or 95."),
    ] = None,
    output_bits: Annotated[
        int | None, typer.Option(help="Bits per channel: 8, 10, 16 or 32 (floats). Default: as the photo's.")
    ] = None,
    keep_depth: Annotated[
        bool, typer.Option("--keep-depth", help="Keep matte and disparity with the result, to focus it again later.")
    ] = False,
    overwrite: options.Overwrite = False,
    max_megapixels: options.MaxMegapixels = options.MAX_MEGAPIXELS,
    as_json: options.Json = False,
) -> int:
    """Render photos as a fast lens wide open would have taken them."""
    from wideopen.checks import require
    from wideopen.cli.depth import Depths
    from wideopen.cli.output import (
        require_bits,
        require_distinct,
        require_map_output,
        require_quality,
        result_paths,
        sidecar_paths,
    )
    from wideopen.lens import Aperture, Focus, parse_grain
    from wideopen.nets.matting.config import Inference

    single = {"--matte": matte, "--disparity": disparity, "--depth-m": depth_m}
    single |= {"--save-matte": save_matte, "--save-disparity": save_disparity}
    for name, value in single.items():
        require(value is None or len(photos) == 1, f"{name}: expected one photo with it, found {len(photos)}")
    require(matte is None or mattes is None, "--matte and --mattes: expected one of them, found both")
    require(mattes is None or mattes.is_dir(), f"--mattes: expected a folder, found {mattes}")
    require(disparity is None or depth_m is None, "--disparity and --depth-m: expected one of them, found both")
    if disparity is not None or depth_m is not None:
        file = "--disparity" if depth_m is None else "--depth-m"
        require(depth == "auto", f"--depth and {file}: expected one of them, found both")
        depth = "planar"  # nothing is looked for
    own = focus_range is None or look != "paper"
    require(
        own, f"--focus-range: expected with --look thin-lens, found {focus_range} (the paper's equations have none)"
    )
    job = _Job(
        look=look,
        blur=blur,
        focus=Focus.parse(focus),
        focus_range=focus_range,
        planes=planes,
        aperture=Aperture.parse(aperture),
        cat_eye=cat_eye,
        highlights=highlights,
        grain=parse_grain(grain),
        quality=quality,
        matte=matte,
        mattes=mattes,
        disparity=disparity,
        depth_m=depth_m,
        depth=Depths(depth, offline=offline),
        filter_disparity=filter_disparity,
        matting=matting,
        inference=Inference(
            size=matting_size,
            stages=matting_stages,
            tiles=matting_tiles,
            refiner=matting_refiner,
            backend=matting_backend,
        ),
        device=device,
        backend=backend,
        save_matte=save_matte,
        save_disparity=save_disparity,
        output_quality=output_quality,
        output_bits=output_bits,
        keep_depth=keep_depth,
        max_megapixels=max_megapixels,
        overwrite=overwrite,
    )
    # Settings are checked before the first photo is opened; the focus is only known with a scene.
    _lens(job, 0.0, 0.0, long_side_px=10**9)
    inputs = [*photos, *(path for path in (matte, disparity, depth_m) if path is not None)]
    paths = result_paths(photos, out, inputs=inputs, overwrite=overwrite)
    require_quality(output_quality, paths)
    require_bits(output_bits, paths)
    saved = [path for path in (save_matte, save_disparity) if path is not None]
    beside = sidecar_paths(paths, inputs=inputs, overwrite=overwrite) if keep_depth else []
    for path in saved:
        require_map_output(path, inputs=inputs, overwrite=overwrite)
    require_distinct([*paths, *saved, *beside])
    job.depth.prepare()
    failures = 0
    for photo, path in zip(photos, paths, strict=True):
        try:
            report = _one(photo, path, job)
        except WideopenError as error:
            warn(f"wideopen: {error}")
            failures += 1
            continue
        _tell(report, as_json=as_json)
    return 2 if failures else 0


def _lens(job: _Job, focus: float, focus_range: float, *, long_side_px: int) -> "Lens":
    from wideopen.lens import Lens, Look, Quality, parse_blur

    look: Look = job.look  # type: ignore[assignment]  # Lens refuses other words
    quality: Quality = job.quality  # type: ignore[assignment]
    return Lens(
        focus_disparity=focus,
        focus_range=focus_range if job.focus_range is None else job.focus_range,
        max_radius=parse_blur(job.blur, long_side_px),
        look=look,
        planes=job.planes,
        aperture=job.aperture,
        cat_eye=job.cat_eye,
        highlights=job.highlights,
        grain=job.grain,
        quality=quality,
    )


def _one(photo_path: Path, out: Path, job: _Job) -> dict[str, Any]:
    """Read, analyse, render, write; returns what --json prints."""
    from wideopen.cli import mattes
    from wideopen.ops.render import first_use_compiles
    from wideopen.pipeline import analyze
    from wideopen.pipeline import render as render_scene

    seconds: dict[str, float] = {}
    with steps(photo_path.name) as step, timed(seconds, "total"):
        if first_use_compiles(job.backend, job.look):
            warn("first run: compiling kernels, about 20 seconds, once")
        step("reading")
        with timed(seconds, "read"):
            photo, matte, disparity, kept = _read(photo_path, job)
            depth = job.depth.asked if disparity is None else "planar"  # nothing is looked for
            wanted = (disparity is None and job.depth.looks_inside) or (
                matte is None and mattes.looks_inside(job.matting)
            )
            source = photo.source or photo_path  # the original of a result that keeps its maps
            parts = mattes.parts_of(source, wanted=wanted)
            embedded = job.depth.embedded(source, parts, step) if disparity is None else None
            own = mattes.from_photo(job.matting, parts, photo) if matte is None else mattes.Found()
        scene = analyze(
            photo,
            matte=own.matte if matte is None else matte,
            disparity=disparity,
            depth=depth,
            embedded=embedded,
            filter_disparity=job.filter_disparity and "disparity" not in kept,
            matting=mattes.network(job.matting),
            inference=job.inference,
            device=job.device,
            backend=job.backend,
            on_step=step,
        )
        seconds |= scene.maps.seconds
        focus, focus_range = job.focus.resolve(scene)
        lens = _lens(job, focus, focus_range, long_side_px=max(photo.rgb.shape))
        step("rendering")
        with timed(seconds, "render"):
            image = render_scene(scene, lens, backend=job.backend)
        step("writing")
        with timed(seconds, "write"):
            _write(image, out, photo, scene, job)
    report = _report(photo_path, photo, out, scene, lens, job) | kept | {"seconds": seconds}
    report["matte"] = own.source or report["matte"]
    report["notes"] += [*mattes.notes_of(parts), *own.notes]
    return report


def _read(path: Path, job: _Job) -> "tuple[Photo, F32 | None, F32 | None, dict[str, str]]":
    """Photo, the matte and disparity that were given or kept, and the sources of those that were kept."""
    from wideopen.cli.kept import SOURCE, read_with_kept
    from wideopen.io import read_depth_m, read_disparity, read_matte

    photo, maps = read_with_kept(path, max_megapixels=job.max_megapixels)
    size = photo.rgb.shape[:2]
    given = _matte_of(path, job)
    matte = None if given is None else read_matte(given, size=size)
    disparity = None if job.disparity is None else read_disparity(job.disparity, size=size)
    if job.depth_m is not None:
        disparity = read_depth_m(job.depth_m, size=size)
    kept = {}
    if maps is not None and matte is None and job.matting == "auto":
        matte, kept["matte"] = maps.matte, SOURCE
    if maps is not None and disparity is None and job.depth.asked == "auto":
        disparity, kept["disparity"] = maps.disparity, SOURCE
    return photo, matte, disparity, kept


def _matte_of(photo: Path, job: _Job) -> Path | None:
    """The file of a photo's matte, if mattes are given. Raises InvalidInput for a folder without it."""
    from wideopen.cli.output import MAP_EXTENSIONS
    from wideopen.errors import InvalidInput

    if job.mattes is None:
        return job.matte
    for suffix in MAP_EXTENSIONS:
        file = job.mattes / f"{photo.stem}{suffix}"
        if file.is_file():
            return file
    raise InvalidInput(f"--mattes: expected a matte {job.mattes / photo.stem}.png, found none")


def _write(image: "F32", out: Path, photo: "Photo", scene: "Scene", job: _Job) -> None:
    """The maps asked for, then the result: it is there only if all went well."""
    from wideopen.cli.output import make_folder
    from wideopen.io import Keep, write, write_map

    make_folder(out.parent)
    if job.save_matte is not None:
        write_map(job.save_matte, scene.matte, overwrite=job.overwrite)
    if job.save_disparity is not None:
        write_map(job.save_disparity, scene.disparity, overwrite=job.overwrite)
    keep = Keep(matte=scene.matte, disparity=scene.disparity) if job.keep_depth else None
    how = {"quality": job.output_quality, "bits": job.output_bits}
    write(out, image, like=photo, keep=keep, overwrite=job.overwrite, **how)


def _report(path: Path, photo: "Photo", out: Path, scene: "Scene", lens: "Lens", job: _Job) -> dict[str, Any]:
    height, width = photo.rgb.shape[:2]
    given = _matte_of(path, job)
    return {
        "photo": str(path),
        "out": str(out),
        "size": [width, height],
        "look": lens.look,
        "matte": str(given) if given else scene.maps.matte_source,
        "disparity": str(job.disparity or job.depth_m or scene.maps.disparity_source),
        "filtered": scene.maps.disparity_filtered,
        "focus_disparity": round(lens.focus_disparity, 4),
        "focus_range": round(lens.focus_range, 4) if lens.look == "thin-lens" else 0.0,
        "radius_px": round(lens.max_radius * max(width, height), 2),
        "grain": round(scene.grain.codes if lens.grain is None else lens.grain, 2),
        "backend": _backend_name(job.backend),
        "notes": [*photo.metadata.notes, *scene.maps.notes],
    }


def _backend_name(asked: str) -> str:
    from wideopen.backends import pick
    from wideopen.ops.render import BACKENDS

    return pick(BACKENDS, asked)[0]


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
