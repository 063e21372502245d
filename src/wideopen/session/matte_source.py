"""--matting: the matte that a photo's file holds, or the network that predicts one.

`auto` takes the portrait matte inside the photo where there is one: phones make it from more than the finished photo
(depth, several exposures) and it is there at once. A network asked for by name is always used.
"""

from pathlib import Path
from typing import NamedTuple

from wideopen.arrays.maps import resize_map
from wideopen.checks import F32
from wideopen.errors import InvalidInput
from wideopen.files.inside import Embedded, read_embedded
from wideopen.photo import Photo

NETWORK = "mobile"
"""What predicts the matte when `auto` finds none inside the photo."""
INSIDE = ("auto", "embedded")
"""The words after --matting that look inside the photo."""
EMBEDDED = "embedded portrait matte"
_NEARLY_EMPTY = 0.5


class Found(NamedTuple):
    """The matte from a photo's file, if there is a usable one."""

    matte: F32 | None = None  # (H, W) in [0, 1]
    source: str | None = None
    notes: tuple[str, ...] = ()


def parts_of(path: Path, *, wanted: bool) -> Embedded:
    """What is inside the photo at `path`; nothing, without a look, unless `wanted`."""
    return read_embedded(path) if wanted else Embedded()


def notes_of(parts: Embedded) -> tuple[str, ...]:
    """For the user: what is inside the photo and cannot be used."""
    return tuple(f"ignored inside the photo: {line}" for line in parts.ignored)


def network(asked: str) -> str:
    """The network that predicts a matte when the file holds none."""
    return NETWORK if asked in INSIDE else asked


def looks_inside(asked: str) -> bool:
    """Whether the word after --matting makes it worth reading the parts inside the photo."""
    return asked in INSIDE


def from_photo(asked: str, parts: Embedded, photo: Photo) -> Found:
    """The portrait matte of the photo at its size, linearly; nothing where a network is asked for.

    Not along the photo's edges, as disparity is: that would settle soft hair to one side or the other.

    Raises InvalidInput for "embedded" without any.
    """
    if not looks_inside(asked):
        return Found()
    matte = parts.portrait_matte
    if matte is None and asked == "embedded":
        reasons = f" ({'; '.join(parts.ignored)})" if parts.ignored else ""
        wanted = "expected a portrait matte inside the photo's file (--matting embedded)"
        raise InvalidInput(f"{photo.source}: {wanted}, found none{reasons}")
    if matte is None:
        return Found()
    if asked == "auto" and matte.max() < _NEARLY_EMPTY:
        return Found(notes=(f"the {EMBEDDED} is empty; {NETWORK} predicts one",))
    return Found(resize_map(matte, photo.rgb.shape[:2]), EMBEDDED)
