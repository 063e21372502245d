"""`wideopen matte` and `wideopen depth`: the maps alone, as 16-bit grey PNG (or .npy, .tif)."""

from pathlib import Path
from typing import Annotated, Any

import typer

from wideopen.cli import options
from wideopen.cli.options import made, takes
from wideopen.cli.terminal import steps, warn
from wideopen.matting.inference import MattingSettings
from wideopen.settings import MAX_MEGAPIXELS, MapSettings

Out = Annotated[
    Path, typer.Option("-o", "--out", help="Map to write: .png (16 bits), .tif or .npy.", show_default=False)
]


@takes(MattingSettings, after="out")
def matte(
    photo: options.OnePhoto,
    out: Out,
    overwrite: options.Overwrite = False,
    max_megapixels: options.MaxMegapixels = MAX_MEGAPIXELS,
    **chosen: Any,
) -> None:
    """Write the matte of the subject: white = subject, grey = partly covered."""
    from wideopen.files import read, write_map
    from wideopen.matting.find_matte import emptiness, predict_matte
    from wideopen.photo import srgb_u8
    from wideopen.session import matte_source as mattes
    from wideopen.session.results import check_map

    settings = made(MattingSettings, chosen)
    check_map(out, inputs=[photo], overwrite=overwrite)
    with steps(photo.name) as step:
        step("reading")
        source = read(photo, max_megapixels=max_megapixels)
        step("matte")
        parts = mattes.parts_of(photo, wanted=mattes.looks_inside(settings.matting))
        own = mattes.from_photo(settings.matting, parts, source)
        alpha = predict_matte(srgb_u8(source), settings) if own.matte is None else own.matte
    write_map(out, alpha, overwrite=overwrite)
    for note in (*mattes.notes_of(parts), *own.notes, emptiness(alpha)):
        if note is not None:
            warn(f"note: {note}")
    typer.echo(out)


@takes(MapSettings, after="matte")
def depth(
    photo: options.OnePhoto,
    out: Out,
    matte: options.Matte = None,
    overwrite: options.Overwrite = False,
    max_megapixels: options.MaxMegapixels = MAX_MEGAPIXELS,
    **chosen: Any,
) -> None:
    """Write the disparity map that render uses: white = nearest."""
    from wideopen.files import read, read_matte, write_map
    from wideopen.pipeline import understand
    from wideopen.session import matte_source as mattes
    from wideopen.session.depth_source import Depths
    from wideopen.session.results import check_map

    inputs = [photo] if matte is None else [photo, matte]
    settings = made(MapSettings, chosen)
    depths = Depths(settings.depth, offline=settings.offline)
    check_map(out, inputs=inputs, overwrite=overwrite)
    with steps(settings.depth) as step:
        depths.prepare(step)
    with steps(photo.name) as step:
        step("reading")
        source = read(photo, max_megapixels=max_megapixels)
        wanted = depths.looks_inside or (matte is None and mattes.looks_inside(settings.matting))
        parts = mattes.parts_of(photo, wanted=wanted)
        embedded = depths.embedded(photo, parts, step)
        own = mattes.from_photo(settings.matting, parts, source) if matte is None else mattes.Found()
        alpha = own.matte if matte is None else read_matte(matte, size=source.rgb.shape[:2])
        maps = understand(source, settings, matte=alpha, embedded=embedded, on_step=step)
    write_map(out, maps.disparity, overwrite=overwrite)
    for note in (*maps.notes, *mattes.notes_of(parts), *own.notes):
        warn(f"note: {note}")
    typer.echo(out)
