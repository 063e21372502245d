"""What the page is told: one dictionary, of which the viewer (static/viewer.js) takes what is there.

Every message has a serial number, so that two alike are two; pictures are JPEG in data URLs, so that they go to one
person and lie nowhere.
"""

import base64
import itertools
from typing import Any

from wideopen.checks import U8
from wideopen.studio.heavy import Told
from wideopen.studio.preview import colour_map, jpeg, matte_u8, original_u8
from wideopen.studio.tabs import Loaded

_SERIALS = itertools.count(1)


def message(**content: Any) -> dict[str, Any]:
    """A message; `error`, `progress` and `download` are done with once they are left out."""
    return {"serial": next(_SERIALS), **content}


def data_url(picture: U8, *, close: bool = False) -> str:
    """A picture for an <img>; `close`: to be looked at pixel by pixel."""
    data = jpeg(picture, 94, full_chroma=True) if close else jpeg(picture)
    return "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")


def of_maps(loaded: Loaded) -> dict[str, str]:
    """The pictures of the maps as they are now."""
    return {
        "matte": data_url(matte_u8(loaded.preview.matte)),
        "disparity": data_url(colour_map(loaded.preview.disparity)),
    }


def of_photo(loaded: Loaded) -> dict[str, Any]:
    """What is shown of a photo that was just opened."""
    height, width = loaded.size
    return {
        "photo": {
            "name": loaded.name,
            "width": width,
            "height": height,
            "preview_width": loaded.preview.size[1],
            "matte": loaded.matte_source,
            "disparity": loaded.disparity_source,
            "notes": list(loaded.notes),
        },
        "pictures": {"original": data_url(original_u8(loaded.preview)), **of_maps(loaded)},
        "strokes": len(loaded.history.strokes),
    }


def of_focus(loaded: Loaded) -> dict[str, Any]:
    """Where the focus is: a point in fractions of the photo, or None for the subject."""
    if "," not in loaded.focus:
        return {"focus": None}
    x, y = (float(part) for part in loaded.focus.split(","))
    return {"focus": {"x": x / loaded.size[1], "y": y / loaded.size[0]}}


def of_progress(told: Told, doing: str) -> dict[str, Any]:
    """A heavy job under way."""
    if told.place:
        text = f"Waiting: {told.place} in the queue"
        return {"progress": {"text": text, "step": doing, "share": 0.0}}
    left = max(told.expected_s - told.elapsed_s, 0)
    text = f"about {left:.0f} s left" if left >= 1 else "almost done"
    share = min(told.elapsed_s / max(told.expected_s, 0.1), 0.97)
    return {"progress": {"text": text, "step": f"{doing}: {told.step}", "share": round(share, 3)}}
