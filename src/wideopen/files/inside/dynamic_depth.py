"""Dynamic Depth: depth pictures appended to the photo, listed in its XMP (Android's DEPTH_JPEG).

Reference: Dynamic Depth 1.0 (developer.android.com/training/camera2/Dynamic-depth-v1.0.pdf), "Concatenated File
Container", "Container Element", "Depth Map". Items follow the photo's end in the order of the directory, whose first is
the photo; its padding lies before the second.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.files.containers.jpeg_segments import image_end
from wideopen.files.inside.gdepth import without_confidence
from wideopen.files.inside.parts import Findings, Part
from wideopen.files.inside.pixels import Codes, grey_picture
from wideopen.files.inside.ranges import depth_values
from wideopen.files.metadata.xmp_values import as_dict, as_list, as_number, as_text

__all__ = ["read_dynamic_depth"]

_DD = "{http://ns.google.com/photos/dd/1.0/"
_DEVICE, _CONTAINER, _ITEM = (f"{_DD}{name}/}}" for name in ("device", "container", "item"))
_CAMERA, _DEPTH = (f"{_DD}{name}/}}" for name in ("camera", "depthmap"))
_MOST_ITEMS = 64
_MOST_MAPS = 8  # each costs a decoding, and all of them may name one picture


def read_dynamic_depth(data: bytes, xmp: Mapping[str, Any]) -> Findings:
    """Return the depth maps that the properties `xmp` list in the JPEG `data`."""
    parts, ignored, others = [], [], []
    maps = list(_depth_maps(xmp))
    if len(maps) > _MOST_MAPS:
        ignored.append(
            f"Dynamic Depth: expected at most {_MOST_MAPS} depth maps, found {len(maps)}; the first were read"
        )
    for depth in maps[:_MOST_MAPS]:
        semantic = (as_text(depth.get(_DEPTH + "ItemSemantic")) or "Depth").lower()
        if semantic != "depth":
            others.append(f"Dynamic Depth {semantic}: not a depth map")
            continue
        try:
            places = _places(data, xmp)
            values, kind = depth_values(
                _picture(data, places, as_text(depth.get(_DEPTH + "DepthURI"))),
                style=as_text(depth.get(_DEPTH + "Format")),
                near=as_number(depth.get(_DEPTH + "Near")),
                far=as_number(depth.get(_DEPTH + "Far")),
                units=as_text(depth.get(_DEPTH + "Units")),
            )
        except InvalidInput as error:
            ignored.append(f"Dynamic Depth: {error}")
            continue
        confidence = as_text(depth.get(_DEPTH + "ConfidenceURI"))
        if confidence is not None:
            try:
                values = without_confidence(values, _picture(data, places, confidence))
            except InvalidInput as error:
                ignored.append(f"Dynamic Depth confidence: {error}")
        parts.append(Part(role="depth", name="Dynamic Depth", values=values, kind=kind))
    return Findings(parts=tuple(parts), ignored=tuple(ignored), others=tuple(others))


def _depth_maps(xmp: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The depth map of every camera; files nest the lists with and without an element for each."""
    for camera in as_list(xmp.get(_DEVICE + "Cameras")):
        fields = as_dict(camera)
        depth = as_dict(fields.get(_DEVICE + "Camera", fields)).get(_CAMERA + "DepthMap")
        if isinstance(depth, dict):
            yield depth


def _places(data: bytes, xmp: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Where each named item lies: (first byte, one behind the last)."""
    container = as_dict(xmp.get(_DEVICE + "Container"))
    directory = as_list(container.get(_CONTAINER + "Directory", xmp.get(_CONTAINER + "Directory")))
    items = [as_dict(as_dict(item).get(_CONTAINER + "Item", item)) for item in directory]
    require(2 <= len(items) <= _MOST_ITEMS, f"expected a directory of 2 to {_MOST_ITEMS} items, found {len(items)}")
    end = image_end(data)
    require(end is not None, "expected items behind the photo, found no end of it")
    at = (end or 0) + _length(items[0], "Padding")
    places = {}
    for item in items[1:]:
        length = _length(item, "Length")
        places[as_text(item.get(_ITEM + "DataURI")) or ""] = (at, at + length)
        at += length + _length(item, "Padding")
    return places


def _length(item: Mapping[str, Any], name: str) -> int:
    number = as_number(item.get(_ITEM + name)) or 0.0
    require(0 <= number < 2**40 and number == int(number), f"expected a length for {name}, found {number:g}")
    return int(number)


def _picture(data: bytes, places: Mapping[str, tuple[int, int]], uri: str | None) -> Codes:
    require(uri in places, f"expected an item {uri!r} in the directory, found none")
    start, end = places[uri or ""]
    require(start < end <= len(data), f"expected an item of {end - start} bytes, found {max(len(data) - start, 0)}")
    return grey_picture(data[start:end])
