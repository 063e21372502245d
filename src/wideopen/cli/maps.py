"""`wideopen matte` and `wideopen depth`: the maps alone, as 16-bit grey PNG (or .npy, .tif)."""

from pathlib import Path
from typing import Annotated

import typer

from wideopen.cli import options
from wideopen.cli.notes import warn
from wideopen.cli.report import steps

Out = Annotated[
    Path, typer.Option("-o", "--out", help="Map to write: .png (16 bit), .tif or .npy.", show_default=False)
]


def matte(
    photo: options.OnePhoto,
    out: Out,
    matting: options.Matting = "auto",
    matting_size: options.MattingSize = None,
    matting_stages: options.MattingStages = None,
    matting_edges: options.MattingEdges = True,
    matting_tiles: options.MattingTiles = False,
    matting_refiner: options.MattingRefiner = None,
    matting_backend: options.MattingBackend = "auto",
    device: options.Device = "auto",
    overwrite: options.Overwrite = False,
    max_megapixels: options.MaxMegapixels = options.MAX_MEGAPIXELS,
) -> None:
    """Write the subject's matte: white = subject, grey = partly covered."""
    from wideopen.files import read, write_map
    from wideopen.matting.find_matte import emptiness, find_matte
    from wideopen.photo import srgb_u8
    from wideopen.session import matte_source as mattes
    from wideopen.session.results import check_map
    from wideopen.session.settings import MapSettings

    settings = MapSettings(
        matting=matting,
        matting_size=matting_size,
        matting_stages=matting_stages,
        matting_edges=matting_edges,
        matting_tiles=matting_tiles,
        matting_refiner=matting_refiner,
        matting_backend=matting_backend,
        device=device,
    )
    check_map(out, inputs=[photo], overwrite=overwrite)
    with steps(photo.name) as step:
        step("reading")
        source = read(photo, max_megapixels=max_megapixels)
        step("matte")
        parts = mattes.parts_of(photo, wanted=mattes.looks_inside(matting))
        own = mattes.from_photo(matting, parts, source)
        alpha = own.matte
        if alpha is None:
            alpha, _ = find_matte(srgb_u8(source), mattes.network(matting), settings.inference, device)
    write_map(out, alpha, overwrite=overwrite)
    for note in (*mattes.notes_of(parts), *own.notes, emptiness(alpha)):
        if note is not None:
            warn(f"note: {note}")
    typer.echo(out)


def depth(
    photo: options.OnePhoto,
    out: Out,
    matte: options.Matte = None,
    depth: options.Depth = "auto",
    offline: options.Offline = False,
    matting: options.Matting = "auto",
    matting_size: options.MattingSize = None,
    matting_stages: options.MattingStages = None,
    matting_edges: options.MattingEdges = True,
    matting_tiles: options.MattingTiles = False,
    matting_refiner: options.MattingRefiner = None,
    matting_backend: options.MattingBackend = "auto",
    device: options.Device = "auto",
    overwrite: options.Overwrite = False,
    max_megapixels: options.MaxMegapixels = options.MAX_MEGAPIXELS,
) -> None:
    """Write the disparity map that render would use: white = nearest."""
    from wideopen.files import read, read_matte, write_map
    from wideopen.pipeline import understand
    from wideopen.session import matte_source as mattes
    from wideopen.session.depth_source import Depths
    from wideopen.session.results import check_map
    from wideopen.session.settings import MapSettings

    inputs = [photo] if matte is None else [photo, matte]
    settings = MapSettings(
        depth=depth,
        offline=offline,
        matting=matting,
        matting_size=matting_size,
        matting_stages=matting_stages,
        matting_edges=matting_edges,
        matting_tiles=matting_tiles,
        matting_refiner=matting_refiner,
        matting_backend=matting_backend,
        device=device,
    )
    depths = Depths(depth, offline=offline)
    check_map(out, inputs=inputs, overwrite=overwrite)
    with steps(depth) as step:
        depths.prepare(step)
    with steps(photo.name) as step:
        step("reading")
        source = read(photo, max_megapixels=max_megapixels)
        wanted = depths.looks_inside or (matte is None and mattes.looks_inside(matting))
        parts = mattes.parts_of(photo, wanted=wanted)
        embedded = depths.embedded(photo, parts, step)
        own = mattes.from_photo(matting, parts, source) if matte is None else mattes.Found()
        alpha = own.matte if matte is None else read_matte(matte, size=source.rgb.shape[:2])
        maps = understand(
            source,
            matte=alpha,
            depth=depths.asked,
            embedded=embedded,
            matting=mattes.network(matting),
            inference=settings.inference,
            device=device,
            on_step=step,
        )
    write_map(out, maps.disparity, overwrite=overwrite)
    for note in (*maps.notes, *mattes.notes_of(parts), *own.notes):
        warn(f"note: {note}")
    typer.echo(out)
