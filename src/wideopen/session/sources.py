"""Maps that an earlier result keeps or that a phone stored in the photo, and downloads of depth models.

`auto` uses the portrait matte inside the photo if there is one: phones make it from more data than the finished photo
(depth, several exposures), and it needs no computing. A network asked for by name is always used.
"""

from dataclasses import replace
from pathlib import Path

from wideopen.arrays.maps import resize_map
from wideopen.checks import F32
from wideopen.disparity.depth_map import DepthMap
from wideopen.disparity.find_disparity import WORDS
from wideopen.errors import InvalidInput, WeightsError
from wideopen.files import Keep, read
from wideopen.files.inside import Embedded
from wideopen.files.refocusable import read_kept
from wideopen.matting.inference import INSIDE, NETWORK
from wideopen.photo import Photo
from wideopen.session.progress import Steps
from wideopen.settings import MapSettings

KEPT = "kept with the photo"
EMBEDDED_MATTE = "embedded portrait matte"
_NEARLY_EMPTY = 0.5


def read_with_kept(path: Path, *, max_megapixels: float, originals: bool = True) -> tuple[Photo, Keep | None]:
    """Return (the photo to render, the maps kept with it or None); its notes name the source of both.

    The photo is the one at `path`, or, if `originals` is on, the original of a result that keeps its maps. Raises
    InvalidInput as `files.read` does.
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


def matte_inside(matting: str, parts: Embedded, photo: Photo) -> tuple[F32 | None, tuple[str, ...]]:
    """Return (the portrait matte inside the photo, (H, W) in [0, 1], or None if a network is needed; notes).

    It is resized linearly, not along the photo's edges as disparity is, which would assign soft hair to one side or the
    other. Raises InvalidInput for matting "embedded" if there is none.
    """
    if matting not in INSIDE:
        return None, ()
    matte = parts.portrait_matte
    if matte is None and matting == "embedded":
        raise InvalidInput(
            f"{photo.source}: expected a portrait matte inside the photo's file (--matting embedded), found none"
            f"{_reasons(parts)}"
        )
    if matte is None:
        return None, ()
    if matting == "auto" and matte.max() < _NEARLY_EMPTY:
        return None, (f"the {EMBEDDED_MATTE} is empty; {NETWORK} predicts one",)
    return resize_map(matte, photo.rgb.shape[:2]), ()


def depth_inside(depth: str, parts: Embedded, path: Path) -> DepthMap | None:
    """The depth inside the photo at `path`. Raises InvalidInput for depth "embedded" if there is none."""
    if parts.depth is None and depth == "embedded":
        raise InvalidInput(
            f"{path}: expected depth inside the photo's file (--depth embedded), found none{_reasons(parts)}"
        )
    return parts.depth if depth in INSIDE else None


def _reasons(parts: Embedded) -> str:
    return f" ({'; '.join(parts.ignored)})" if parts.ignored else ""


_tried: set[str] = set()
"""Models that this process tried to download; without a network connection, every photo would try again."""


def fetch_named_model(maps: MapSettings, step: Steps) -> None:
    """Download the weights of a depth model asked for by name, if they are not on disk. Raises WeightsError."""
    if maps.depth not in WORDS:
        _fetch(maps.depth, step, offline=maps.offline)


def fetch_default_model(step: Steps, *, offline: bool) -> None:
    """Download the default depth model if it is not on disk; if that fails, say why, once per process."""
    from wideopen.disparity.nets.hub import is_offline
    from wideopen.disparity.nets.models import DEFAULT

    if is_offline(offline) or DEFAULT in _tried:
        return
    _tried.add(DEFAULT)
    try:
        _fetch(DEFAULT, step, offline=False)
    except WeightsError as error:
        step.note(f"note: {error}")


def _fetch(model: str, step: Steps, *, offline: bool) -> None:
    from wideopen.disparity.nets.hub import cache_folder, fetch, is_offline, on_disk, resolve

    if on_disk(model):
        return
    if not is_offline(offline):
        step("asking the hub")

    def on_start() -> None:
        step.note(f"note: downloading depth model {resolve(model).describe()}, once, into {cache_folder()}")
        step("downloading")

    fetch(model, offline=offline, on_start=on_start, on_bytes=step.download)
