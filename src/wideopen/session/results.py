"""Where results go: everything that could be refused in the end is refused before any work is done."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePath

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.files.encode import LOSSLESS
from wideopen.files.formats import BITS, EXTENSIONS, RAW_EXTENSIONS, format_of_extension, require_library
from wideopen.files.kept import sidecar_of

MAP_EXTENSIONS = (".png", ".tif", ".tiff", ".npy")


def require_map_output(path: Path, *, inputs: Sequence[Path], overwrite: bool) -> None:
    """Refuse a file for a map that could not, or must not, be written in the end."""
    _require_extension(path, MAP_EXTENSIONS)
    _require_free(path, inputs=inputs, overwrite=overwrite)


def require_distinct(paths: Sequence[Path]) -> None:
    """Refuse outputs of one command that would replace each other."""
    seen: set[Path] = set()
    for path in (path.absolute() for path in paths):
        require(path not in seen, f"{path}: expected one result for one file, found two that would be written to it")
        seen.add(path)


def result_paths(photos: list[Path], out: Path | None, *, inputs: Sequence[Path], overwrite: bool) -> list[Path]:
    """One result path per photo: OUT a file for one photo or a folder, or NAME.bokeh.EXT beside each photo.

    An OUT without an extension is a folder, which need not exist yet. Raises InvalidInput for a file OUT with several
    photos, results that would replace each other or one of the `inputs`, and existing results without `overwrite`.
    """
    try:
        a_folder = out is not None and (not out.suffix or (len(photos) > 1 and out.suffix.lower() not in EXTENSIONS))
        to_come = out is not None and a_folder and not out.exists()
        folder = out is None or to_come or out.is_dir()
    except OSError as error:
        raise InvalidInput(f"{out}: cannot be written ({error.strerror})") from error
    if out is None or folder:
        paths = [(out or photo.parent) / result_name(photo) for photo in photos]
    else:
        require(len(photos) == 1, f"-o: expected a folder for {len(photos)} photos, found {out}")
        paths = [out]
    require_distinct(paths)
    for path in paths:
        _require_extension(path, tuple(EXTENSIONS))
        _require_library(path)
        if not to_come:
            _require_free(path, inputs=inputs, overwrite=overwrite)
    return paths


def result_name(photo: PurePath) -> str:
    """What a photo's result is called: NAME.bokeh.EXT, in the photo's format where that can be written."""
    suffix = photo.suffix if photo.suffix.lower() in EXTENSIONS else ".png"
    if photo.suffix.lower() in RAW_EXTENSIONS:
        suffix = ".tif"
    return f"{photo.stem}.bokeh{suffix}"


def require_quality(quality: int | None, paths: Sequence[Path]) -> None:
    """Refuse a quality that is none, or that one of the results' formats does not have."""
    if quality is None:
        return
    require(1 <= quality <= 100, f"--output-quality: expected 1 to 100, found {quality}")
    for path in paths:
        name = format_of_extension(path)
        require(name not in LOSSLESS, f"{path}: {name} is lossless, expected no --output-quality, found {quality}")


def require_bits(bits: int | None, paths: Sequence[Path]) -> None:
    """Refuse bits that one of the results' formats does not have."""
    if bits is None:
        return
    for path in paths:
        name = format_of_extension(path)
        known = " or ".join(map(str, BITS[name]))
        require(bits in BITS[name], f"{path}: expected --output-bits {known} for {name}, found {bits}")


def sidecar_paths(results: Sequence[Path], *, inputs: Sequence[Path], overwrite: bool) -> list[Path]:
    """The files that keep the maps beside results which cannot hold them; refused as results are."""
    paths = [sidecar_of(path) for path in results if format_of_extension(path) != "JPEG"]
    for path in paths:
        if path.parent.is_dir():  # else it is still to be made
            _require_free(path, inputs=inputs, overwrite=overwrite)
    return paths


def make_folder(folder: Path, option: str = "-o") -> None:
    """Make the folder for results that `option` named, unless it is there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"{option}: cannot make the folder {folder} ({error.strerror})") from error


def _require_extension(path: Path, known: Sequence[str]) -> None:
    found = path.suffix or "no extension"
    require(path.suffix.lower() in known, f"{path}: expected one of {' '.join(known)}, found {found}")


def _require_library(path: Path) -> None:
    try:
        require_library(format_of_extension(path))
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from error


def _require_free(path: Path, *, inputs: Sequence[Path], overwrite: bool) -> None:
    try:
        require(not path.is_dir(), f"{path}: expected a file to write, found a folder")
        require(path.parent.is_dir(), f"{path}: expected an existing folder, found no {path.parent}")
        taken = os.path.lexists(path)
        own = next((file for file in inputs if path.exists() and file.exists() and path.samefile(file)), None)
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be written ({error.strerror})") from error
    require(own is None, f"{path}: is the input {own}; originals are never overwritten")
    require(overwrite or not taken, f"{path}: exists already; --overwrite replaces it")
