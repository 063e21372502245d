"""`wideopen matte` and `wideopen depth`: write one map as 16-bit grey PNG (or .npy, .tif)."""

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
    from wideopen.files import write_map
    from wideopen.session.open_photo import find_matte
    from wideopen.session.results import check_map

    settings = made(MapSettings, chosen)
    check_map(out, inputs=[photo], overwrite=overwrite)
    with steps(photo.name) as step:
        alpha, notes = find_matte(photo, settings, max_megapixels=max_megapixels, step=step)
    write_map(out, alpha, overwrite=overwrite)
    for note in notes:
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
    from wideopen.files import write_map
    from wideopen.session.open_photo import Given, fetch_named_model, find_maps
    from wideopen.session.results import check_map

    settings, given = made(MapSettings, chosen), Given(matte=matte)
    check_map(out, inputs=[photo, *given.files], overwrite=overwrite)
    with steps(settings.depth) as step:
        fetch_named_model(settings, step)
    with steps(photo.name) as step:
        maps = find_maps(photo, settings, given=given, max_megapixels=max_megapixels, step=step)
    write_map(out, maps.disparity, overwrite=overwrite)
    for note in maps.notes:
        warn(f"note: {note}")
    typer.echo(out)
