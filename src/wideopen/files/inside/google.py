"""Google's depth maps: GDepth in a photo's XMP, and Dynamic Depth after the photo, listed in its XMP.

GDepth (Google Camera's Lens Blur and portraits, Project Tango) is base64 text; reference:
developers.google.com/depthmap-metadata/reference and /encoding. Deviation: values without Units are taken as relative,
though the reference defaults to metres, because the Lens Blur photos without Units have a scale of their own (flowers a
few steps away begin at Near 19). Dynamic Depth (Android's DEPTH_JPEG); reference: Dynamic Depth 1.0
(developer.android.com/training/camera2/Dynamic-depth-v1.0.pdf), "Concatenated File Container", "Container Element",
"Depth Map": items follow the photo's end in the order of the directory. Its first item is the photo, whose padding lies
before the second.

Both store depth as grey levels. With n the level in [0, 1], 0 at `near` and 1 at `far`: RangeLinear d = near + n (far -
near), RangeInverse d = far near / (far - n (far - near)). The second is linear in 1/d, 1/d = 1/near + n (1/far -
1/near), and is returned as disparity.
"""

import binascii
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32, require
from wideopen.disparity.depth_map import Kind
from wideopen.errors import InvalidInput
from wideopen.files.containers.jpeg import image_end
from wideopen.files.containers.xmp import as_dict, as_list, as_number, as_text
from wideopen.files.inside.parts import Codes, Findings, Part, grey_picture, levels, looked_up

GDEPTH = "{http://ns.google.com/photos/1.0/depthmap/}"
_GIMAGE = "{http://ns.google.com/photos/1.0/image/}"
_DD = "{http://ns.google.com/photos/dd/1.0/"
_DEVICE, _CONTAINER, _ITEM = (f"{_DD}{name}/}}" for name in ("device", "container", "item"))
_CAMERA, _DEPTH = (f"{_DD}{name}/}}" for name in ("camera", "depthmap"))
_MOST_ITEMS = 64
_MOST_MAPS = 8  # each must be decoded, and all may refer to one picture
_METRES = {"m": 1.0, "meter": 1.0, "meters": 1.0, "metre": 1.0, "metres": 1.0, "cm": 0.01, "mm": 0.001}
_DIOPTERS = ("diopter", "diopters", "dioptres")


def read_gdepth(xmp: Mapping[str, Any], found: Findings) -> None:
    """Add the depth map in the properties `xmp`, if any."""
    if as_text(xmp.get(_GIMAGE + "Data")):
        found.others.append("GImage: the photo before the phone's own blur; the picture itself is used")
    data = as_text(xmp.get(GDEPTH + "Data"))
    if data is not None:
        _read_map("GDepth", xmp, GDEPTH, data, "Confidence", lambda text: grey_picture(_bytes(text)), found)
    elif any(key.startswith(GDEPTH) for key in xmp):
        found.ignored.append("GDepth: its properties without their data")


def read_dynamic_depth(data: bytes, xmp: Mapping[str, Any], found: Findings) -> None:
    """Add the depth maps that the properties `xmp` list in the JPEG `data`."""
    maps = list(_depth_maps(xmp))
    if len(maps) > _MOST_MAPS:
        line = f"Dynamic Depth: expected at most {_MOST_MAPS} depth maps, found {len(maps)}; the first were read"
        found.ignored.append(line)
    for depth in maps[:_MOST_MAPS]:
        semantic = (as_text(depth.get(_DEPTH + "ItemSemantic")) or "Depth").lower()
        if semantic != "depth":
            found.others.append(f"Dynamic Depth {semantic}: not a depth map")
            continue
        uri = as_text(depth.get(_DEPTH + "DepthURI"))
        _read_map("Dynamic Depth", depth, _DEPTH, uri, "ConfidenceURI", lambda name: _item(data, xmp, name), found)


def _read_map(
    name: str,
    fields: Mapping[str, Any],
    space: str,
    source: str | None,
    confidence: str,
    picture: Callable[[Any], Codes],
    found: Findings,
) -> None:
    """Add the map whose `picture` is at `source`, NaN where the picture at `confidence` is 0."""
    near, far = (as_number(fields.get(space + end)) for end in ("Near", "Far"))
    style, units = (as_text(fields.get(space + word)) for word in ("Format", "Units"))
    try:
        values, kind = _depth_values(picture(source), style=style, near=near, far=far, units=units)
    except InvalidInput as error:
        found.ignored.append(f"{name}: {error}")
        return
    sure = as_text(fields.get(space + confidence))
    if sure is not None:
        try:
            values = _without_confidence(values, picture(sure))
        except InvalidInput as error:
            found.ignored.append(f"{name} confidence: {error}")
    found.parts.append(Part(role="depth", name=name, values=values, kind=kind))


def _without_confidence(values: F32, confidence: Codes) -> F32:
    """Return `values` (h, w), NaN where the codes `confidence` (h, w) are 0; InvalidInput if the sizes differ."""
    found = f"found {confidence.shape[::-1]}"
    require(confidence.shape == values.shape, f"expected the size of the depth, {values.shape[::-1]}, {found}")
    nothing = confidence == 0
    require(not nothing.all(), "expected some confidence somewhere, found none")
    return np.where(nothing, np.float32(np.nan), values)


def _bytes(text: str) -> bytes:
    """Decode base64; some writers insert line breaks, and some leave out the padding."""
    bare = "".join(text.split()).rstrip("=")
    try:
        return binascii.a2b_base64(bare + "=" * (-len(bare) % 4))
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"expected base64 text, found {error}") from error


def _depth_maps(xmp: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the depth map of every camera; some files nest the lists in an extra element."""
    for camera in as_list(xmp.get(_DEVICE + "Cameras")):
        fields = as_dict(camera)
        depth = as_dict(fields.get(_DEVICE + "Camera", fields)).get(_CAMERA + "DepthMap")
        if isinstance(depth, dict):
            yield depth


def _places(data: bytes, xmp: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Return the position of each named item: (first byte, one past the last)."""
    container = as_dict(xmp.get(_DEVICE + "Container"))
    listed = as_list(container.get(_CONTAINER + "Directory", xmp.get(_CONTAINER + "Directory")))
    items = [as_dict(as_dict(item).get(_CONTAINER + "Item", item)) for item in listed]
    require(2 <= len(items) <= _MOST_ITEMS, f"expected a directory of 2 to {_MOST_ITEMS} items, found {len(items)}")
    end = image_end(data)
    require(end is not None, "expected items after the photo, found no end of the photo")
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


def _item(data: bytes, xmp: Mapping[str, Any], uri: str | None) -> Codes:
    places = _places(data, xmp)
    require(uri in places, f"expected an item {uri!r} in the directory, found none")
    start, end = places[uri or ""]
    require(start < end <= len(data), f"expected an item of {end - start} bytes, found {max(len(data) - start, 0)}")
    return grey_picture(data[start:end])


def _depth_values(
    codes: Codes, *, style: str | None, near: float | None, far: float | None, units: str | None
) -> tuple[F32, Kind]:
    """Return (values (h, w), their kind) of a grey picture's `codes` (h, w).

    Without units the scale is unknown, and the result is a relative disparity. Raises InvalidInput for an unknown style
    or unit, and for an impossible range.
    """
    word = (style or "RangeInverse").lower()  # the default of the specification
    require(word in ("rangeinverse", "rangelinear"), f"expected RangeInverse or RangeLinear, found {style!r}")
    if near is None or far is None:
        raise InvalidInput("expected Near and Far, found none")
    unit = (units or "none").lower()
    by_range = _inverse if word == "rangeinverse" else _linear
    n = levels(codes)
    if unit in _DIOPTERS:
        require(near > far >= 0, f"expected Near > Far >= 0 in diopters, found Near {near:g}, Far {far:g}")
        return looked_up(codes, by_range(n, near, far)), "disparity"
    require(unit in _METRES or unit == "none", f"expected a unit of length, found {units!r}")
    require(0 < near < far, f"expected 0 < Near < Far, found Near {near:g}, Far {far:g}")
    scale = _METRES.get(unit, 1.0)
    depth = by_range(n, near * scale, far * scale)
    if word == "rangelinear" and unit != "none":
        return looked_up(codes, depth), "depth_m"
    return looked_up(codes, 1 / depth), "relative_disparity" if unit == "none" else "disparity"


def _linear(n: NDArray[np.float64], near: float, far: float) -> NDArray[np.float64]:
    finite = bool(np.isfinite([near, far]).all())
    require(finite, f"expected finite Near and Far for RangeLinear, found {near:g}, {far:g}")
    return near + n * (far - near)


def _inverse(n: NDArray[np.float64], near: float, far: float) -> NDArray[np.float64]:
    require(near > 0 and far > 0, f"expected Near and Far above 0 for RangeInverse, found {near:g}, {far:g}")
    with np.errstate(divide="ignore"):  # an infinite Far is the horizon
        return 1 / (1 / near + n * (1 / far - 1 / near))
