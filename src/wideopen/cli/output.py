"""Where results go."""

from pathlib import Path

from wideopen.checks import require
from wideopen.errors import InvalidInput

WRITABLE = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".heic", ".heif", ".avif")


def require_free(path: Path, *, overwrite: bool) -> None:
    """Refuse, before any work is done, an output that could not be written in the end."""
    require(not path.is_dir(), f"{path}: expected a file to write, found a directory")
    require(path.parent.is_dir(), f"{path}: expected an existing folder, found none at {path.parent}")
    require(overwrite or not path.exists(), f"{path}: exists already; --overwrite replaces it")


def result_paths(photos: list[Path], out: Path | None, *, overwrite: bool) -> list[Path]:
    """One result path per photo: OUT a file for one photo or a folder, or NAME.bokeh.EXT beside each photo.

    Raises InvalidInput for a file OUT with several photos, results that would replace each other or a photo, and
    existing results without `overwrite`.
    """
    folder = out is not None and (out.is_dir() or (len(photos) > 1 and not out.suffix))
    if out is not None and len(photos) > 1:
        require(folder, f"-o: expected a folder for {len(photos)} photos, found {out}")
        _make_folder(out)
    if out is not None and not folder:
        paths = [out]
    else:
        paths = [(out or photo.parent) / _result_name(photo) for photo in photos]
    seen: dict[Path, Path] = {}
    for photo, path in zip(photos, paths, strict=True):
        require(path not in seen, f"{photo} and {seen.get(path)} would both be written to {path}")
        seen[path] = photo
        same = path.exists() and any(other.exists() and path.samefile(other) for other in photos)
        require(not same, f"{path}: is one of the photos; originals are never overwritten")
        require_free(path, overwrite=overwrite)
        suffix = path.suffix.lower()
        require(
            suffix in WRITABLE, f"{path}: expected one of {' '.join(WRITABLE)}, found {path.suffix or 'no extension'}"
        )
    return paths


def _result_name(photo: Path) -> str:
    suffix = photo.suffix if photo.suffix.lower() in WRITABLE else ".png"
    return f"{photo.stem}.bokeh{suffix}"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"-o: cannot make the folder {folder}: {error.strerror}") from error
