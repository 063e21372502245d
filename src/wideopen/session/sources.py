"""Maps that come with a photo, kept by an earlier result or stored inside by a phone, and models to download.

`auto` takes the portrait matte inside the photo where there is one: phones make it from more than the finished photo
(depth, several exposures) and it is there at once. A network asked for by name is always used.
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


def matte_inside(matting: str, parts: Embedded, photo: Photo) -> tuple[F32 | None, tuple[str, ...]]:
    """Return (the portrait matte inside the photo, (H, W) in [0, 1], or None where a network is needed; notes).

    It is resized linearly, not along the photo's edges as disparity is: that would settle soft hair to one side or the
    other. Raises InvalidInput for matting "embedded" without any.
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
    """The depth inside the photo at `path`. Raises InvalidInput for depth "embedded" without any."""
    if parts.depth is None and depth == "embedded":
        raise InvalidInput(
            f"{path}: expected depth inside the photo's file (--depth embedded), found none{_reasons(parts)}"
        )
    return parts.depth if depth in INSIDE else None


def _reasons(parts: Embedded) -> str:
    return f" ({'; '.join(parts.ignored)})" if parts.ignored else ""


_tried: set[str] = set()
"""Models that this process tried to download: where there is no network, every photo would wait for it again."""


def fetch_named_model(maps: MapSettings, step: Steps) -> None:
    """Have the weights of a depth model asked for by name on disk, before any photo is opened. Raises WeightsError."""
    if maps.depth not in WORDS:
        _fetch(maps.depth, step, offline=maps.offline)


def fetch_default_model(step: Steps, *, offline: bool) -> None:
    """Have the default depth model on disk if that is possible; one line says why not, once a process."""
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
