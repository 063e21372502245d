"""Names of results, and checks that refuse outputs that cannot be written before any work begins."""

from collections.abc import Sequence
from pathlib import Path, PurePath

from wideopen.checks import require
from wideopen.errors import system_errors
from wideopen.files.atomic import check_target
from wideopen.files.formats import EXTENSIONS, FORMATS, RAW_EXTENSIONS, format_of_extension
from wideopen.files.maps import MAP_EXTENSIONS
from wideopen.files.refocusable import sidecar_of
from wideopen.files.write import check_format
from wideopen.settings import OutputSettings


def result_name(photo: PurePath, extension: str | None = None) -> str:
    """The name of a photo's result: NAME.bokeh.EXT, with `extension` or, by default, that of the photo.

    >>> result_name(PurePath("a.HEIC")), result_name(PurePath("b.nef")), result_name(PurePath("c.jfif"))
    ('a.bokeh.HEIC', 'b.bokeh.tif', 'c.bokeh.png')
    """
    own = photo.suffix if photo.suffix.lower() in EXTENSIONS else ".png"
    if photo.suffix.lower() in RAW_EXTENSIONS:
        own = ".tif"
    return f"{photo.stem}.bokeh{extension or own}"


def map_names(photo: PurePath) -> tuple[str, str]:
    """The names of a photo's matte and disparity, as PNG."""
    return f"{photo.stem}.matte.png", f"{photo.stem}.disparity.png"


def result_paths(
    photos: Sequence[Path],
    out: Path | None,
    *,
    inputs: Sequence[Path] = (),
    output: OutputSettings | None = None,
    maps: Sequence[Path] = (),
    overwrite: bool = False,
) -> list[Path]:
    """Return one result per photo: OUT is a file for one photo or a folder; the default is NAME.bokeh.EXT beside it.

    An OUT without an extension is a folder, which need not exist yet. `maps` are the files of maps that are also
    written. Raises InvalidInput for what `check_result` or `check_map` refuses, for a file OUT with several photos, and
    for outputs that would replace each other.
    """
    output = output or OutputSettings()
    inputs = [*photos, *inputs]
    with system_errors(f"{out}: cannot be written"):
        is_folder = out is not None and (not out.suffix or (len(photos) > 1 and out.suffix.lower() not in EXTENSIONS))
        new_folder = out is not None and is_folder and not out.exists()
        folder = out is None or new_folder or out.is_dir()
    if out is None or folder:
        paths = [(out or photo.parent) / result_name(photo) for photo in photos]
    else:
        require(len(photos) == 1, f"-o: expected a folder for {len(photos)} photos, found {out}")
        paths = [out]
    require_distinct(paths)
    for path in paths:
        check_result(path, output, inputs=inputs, overwrite=overwrite, new_folder=new_folder)
    for path in maps:
        check_map(path, inputs=inputs, overwrite=overwrite)
    require_distinct([*paths, *maps, *(file for path in paths for file in _sidecars(path, output))])
    return paths


def check_result(
    path: Path, output: OutputSettings, *, inputs: Sequence[Path], overwrite: bool, new_folder: bool = False
) -> None:
    """Refuse a result that cannot or must not be written with the settings `output`. Raises InvalidInput.

    `inputs` are files that are never replaced; with `new_folder`, the folder of `path` is created later.
    """
    check_format(path, quality=output.output_quality, bits=output.output_bits, hdr=output.hdr)
    if not new_folder:
        for file in (path, *_sidecars(path, output)):
            check_target(file, inputs=inputs, overwrite=overwrite)


def check_map(path: Path, *, inputs: Sequence[Path], overwrite: bool) -> None:
    """Refuse a file for a map that cannot or must not be written. Raises InvalidInput."""
    found = path.suffix or "no extension"
    require(found.lower() in MAP_EXTENSIONS, f"{path}: expected one of {' '.join(MAP_EXTENSIONS)}, found {found}")
    check_target(path, inputs=inputs, overwrite=overwrite)


def has_quality(path: PurePath) -> bool:
    """Whether the format of `path` is lossy. Raises InvalidInput for a format that cannot be written."""
    return FORMATS[format_of_extension(Path(path))].quality is not None


def require_distinct(paths: Sequence[Path]) -> None:
    """Refuse outputs of one command that would replace each other."""
    seen: set[Path] = set()
    for path in (path.absolute() for path in paths):
        require(path not in seen, f"{path}: expected one result for one file, found two that would be written to it")
        seen.add(path)


def make_folder(folder: Path, option: str = "-o") -> None:
    """Create the folder for results that `option` named, if it does not exist."""
    with system_errors(f"{option}: cannot make the folder {folder}"):
        folder.mkdir(parents=True, exist_ok=True)


def _sidecars(result: Path, output: OutputSettings) -> tuple[Path, ...]:
    """The file beside a result that keeps the maps, if the result's format cannot hold them."""
    return (sidecar_of(result),) if output.keep_depth and format_of_extension(result) != "JPEG" else ()
