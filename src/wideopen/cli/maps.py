"""`wideopen matte`, `depth` and `extract`: write maps as files that other commands read."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wideopen.cli import options
from wideopen.cli.options import made, takes
from wideopen.cli.terminal import steps, warn
from wideopen.errors import require
from wideopen.matting.inference import MattingSettings
from wideopen.settings import MAX_MEGAPIXELS, MapSettings

if TYPE_CHECKING:
    from wideopen.checks import F32
    from wideopen.files.inside.parts import StoredDepth

Out = Annotated[Path, "-o", "--out", "Map to write: .png (16 bits), .tif or .npy."]


@takes(MattingSettings, after="out")
def matte(
    photo: options.OnePhoto,
    out: Out,
    matte_hint: options.MatteHint = None,
    overwrite: options.Overwrite = False,
    max_megapixels: options.MaxMegapixels = MAX_MEGAPIXELS,
    **chosen: Any,
) -> None:
    """Write the subject's matte. White is subject, grey is partly covered, black is background."""
    from wideopen.files import write_map
    from wideopen.session.open_photo import Given, Job, find_matte
    from wideopen.session.results import check_map

    job = Job(maps=made(MapSettings, chosen), given=Given(matte_hint=matte_hint), max_megapixels=max_megapixels)
    check_map(out, inputs=[photo, *job.given.files], overwrite=overwrite)
    with steps(photo.name) as step:
        alpha, outline, notes = find_matte(photo, job, step)
    write_map(out, alpha, outline=outline, overwrite=overwrite)
    _done(out, notes)


@takes(MapSettings, after="matte")
def depth(
    photo: options.OnePhoto,
    out: Out,
    matte: options.Matte = None,
    matte_hint: options.MatteHint = None,
    overwrite: options.Overwrite = False,
    max_megapixels: options.MaxMegapixels = MAX_MEGAPIXELS,
    **chosen: Any,
) -> None:
    """Write the disparity map that render uses. White is nearest."""
    from wideopen.files import write_map
    from wideopen.session.open_photo import Given, Job, fetch_named_model, find_maps
    from wideopen.session.results import check_map

    given = Given(matte=matte, matte_hint=matte_hint)
    job = Job(maps=made(MapSettings, chosen), given=given, max_megapixels=max_megapixels)
    check_map(out, inputs=[photo, *given.files], overwrite=overwrite)
    with steps(job.maps.depth) as step:
        fetch_named_model(job.maps, step)
    with steps(photo.name) as step:
        maps = find_maps(photo, job, step)
    write_map(out, maps.disparity, overwrite=overwrite)
    _done(out, maps.notes)


def _done(out: Path, notes: Iterable[str]) -> None:
    for note in notes:
        warn(f"note: {note}")
    typer.echo(out)


@takes()
def extract(
    photo: options.OnePhoto,
    folder: Annotated[Path, "-d", "--dir", "Folder for the parts; created if it does not exist."],
    overwrite: options.Overwrite = False,
) -> None:
    """Extract the depth and the mattes stored inside a photo.

    Files: NAME.disparity.png (16 bits, white = nearest, for --disparity), NAME.depth_m.npy (metres as stored, NaN where
    unknown; only if the photo states a unit), NAME.matte.png (for --matte), NAME.hair.png and other mattes.
    """
    import numpy as np

    from wideopen.disparity.depth_map import to_disparity
    from wideopen.files import write_map
    from wideopen.files.atomic import atomic_file
    from wideopen.files.inside import read_embedded
    from wideopen.matting import Outline
    from wideopen.session.results import check_map, make_folder

    parts = read_embedded(photo)
    maps = {} if parts.depth is None else {"disparity": to_disparity(parts.depth)}
    maps |= {} if parts.portrait_matte is None else {"matte": parts.portrait_matte}
    maps |= parts.semantic
    metres = _metres(parts.depth)
    reasons = f" ({'; '.join(parts.ignored)})" if parts.ignored else ""
    require(bool(maps), f"{photo}: expected depth or mattes inside the file, found none{reasons}")
    paths = {name: folder / f"{photo.stem}.{name}.png" for name in maps}
    depth_path = folder / f"{photo.stem}.depth_m.npy"
    if folder.exists():
        for path in [*paths.values(), *([] if metres is None else [depth_path])]:
            check_map(path, inputs=[photo], overwrite=overwrite)
    make_folder(folder, "-d")
    for name, values in maps.items():
        outline = Outline.FOUND if name == "matte" else None
        typer.echo(write_map(paths[name], values, outline=outline, overwrite=overwrite))
    if metres is not None:
        with atomic_file(depth_path, overwrite=overwrite) as out:
            np.save(out, metres, allow_pickle=False)
        typer.echo(depth_path)
    for line in parts.ignored:
        warn(f"note: ignored: {line}")
    if parts.depth is not None and metres is None:
        warn(f"note: {parts.depth.name} has no unit, so no depth in metres is written")
    elif parts.depth is not None and parts.depth.accuracy == "relative":
        warn(f"note: {parts.depth.name}: the phone marks its metres as relative, not exact")


def _metres(depth: "StoredDepth | None") -> "F32 | None":
    """Depth in metres: NaN if unknown, infinite if disparity is not above 0; None if the depth has no unit."""
    import numpy as np

    if depth is None or depth.kind == "relative_disparity":
        return None
    if depth.kind == "depth_m":
        return depth.values
    far = depth.values <= 0
    return np.divide(1, depth.values, out=np.full_like(depth.values, np.inf), where=~far)
