"""Starting from what an earlier result keeps: its matte, its disparity, and its sharp original."""

from dataclasses import replace
from pathlib import Path

from wideopen.files import Keep, read
from wideopen.files.refocusable import read_kept
from wideopen.photo import Photo

SOURCE = "kept with the photo"


def read_with_kept(path: Path, *, max_megapixels: float, originals: bool = True) -> tuple[Photo, Keep | None]:
    """Return (the photo to render, the maps kept with it or None); its notes say where both come from.

    The photo is the one at `path`, or the original of a result that keeps its maps, with `originals` on.
    Raises InvalidInput as `files.read`.
    """
    kept = read_kept(path, max_megapixels=max_megapixels, originals=originals)
    photo = read(path if kept is None else kept.photo, max_megapixels=max_megapixels)
    if kept is None:
        return photo, None
    height, width = photo.rgb.shape[:2]
    notes = [*photo.metadata.notes, *kept.notes]
    if kept.photo != path:
        notes.append(f"rendered from the original, {kept.photo}")
    maps = kept.maps if kept.fits((height, width)) else None
    if kept.maps is not None and maps is None:
        rows, columns = kept.maps.matte.shape
        notes.append(f"the maps kept with the photo are {columns} x {rows}, not {width} x {height}: not used")
    return replace(photo, metadata=replace(photo.metadata, notes=tuple(notes))), maps
