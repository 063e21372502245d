"""Apple's auxiliary pictures: disparity, depth and mattes, told apart and scaled by their own XMP packet.

The properties are not published; what is here was checked against photos of iPhones (HEIC and JPEG). A code c means
FloatMinValue + (FloatMaxValue - FloatMinValue) * (c - IntMinValue) / (IntMaxValue - IntMinValue); disparity is in
1/metre, depth in metres (AVDepthData). A portrait matte in a JPEG calls itself AuxiliaryImageType "depth": only its
AuxiliaryImageSubType says what it is.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import require
from wideopen.files.inside.parts import Kind, Part
from wideopen.files.inside.pixels import Codes, levels, looked_up
from wideopen.files.metadata.xmp_values import as_number, as_text

__all__ = ["auxiliary_kind", "part_of"]

_APDI = "{http://ns.apple.com/pixeldatainfo/1.0/}"
_DEPTH_DATA = "{http://ns.apple.com/depthData/1.0/}"
_MATTE_URN = re.compile(
    r"(?:urn:com:apple:photo:\d{4}:aux:)?(portraiteffects|semantic(hair|skin|teeth|glasses|sky))matte"
)
_DEPTH_URNS = (
    "urn:mpeg:hevc:2015:auxid:2",
    "urn:mpeg:avc:2015:auxid:2",
    "urn:mpeg:mpegb:cicp:systems:auxiliary:depth",
    "depth",
    "disparity",
)


def auxiliary_kind(xmp: Mapping[str, Any], urn: str | None = None) -> str | None:
    """Return the role of an auxiliary picture: "depth", "portrait", a semantic name; None for what is neither.

    `urn` is the type of a HEIC item, `xmp` the picture's own properties.
    """
    names = [as_text(xmp.get(_APDI + "AuxiliaryImageSubType")), urn, as_text(xmp.get(_APDI + "AuxiliaryImageType"))]
    for name in filter(None, names):
        matte = _MATTE_URN.fullmatch(name.lower())
        if matte:
            return matte[2] or "portrait"
        if name.lower() in _DEPTH_URNS:
            return "depth"
    return None


def part_of(role: str, codes: Codes, xmp: Mapping[str, Any], *, container: str) -> Part:
    """Return the part that a picture of `codes` (h, w) is; InvalidInput for a range that cannot be one.

    `container` begins its name: "HEIC auxiliary", "JPEG appended".
    """
    if role != "depth":
        return Part(role=role, name=f"{container} {role} matte", values=looked_up(codes, levels(codes)))
    word = as_text(xmp.get(_APDI + "AuxiliaryImageType"))
    name = f"{container} {'depth' if word == 'depth' else 'disparity'}"
    low, high = (as_number(xmp.get(f"{_APDI}Float{end}Value")) for end in ("Min", "Max"))
    if low is None or high is None:  # disparity without its range still tells near from far; depth does not evenly
        require(word != "depth", "expected the range of its values, found none")
        return Part(role="depth", name=name, values=looked_up(codes, levels(codes)), kind="relative_disparity")
    require(
        bool(np.isfinite([low, high]).all()) and low < high,
        f"expected a range of values, found {low:g} to {high:g}",
    )
    kind: Kind = "depth_m" if word == "depth" else "disparity"
    values = looked_up(codes, low + _share(codes, xmp) * (high - low))
    accuracy = as_text(xmp.get(_DEPTH_DATA + "Accuracy"))
    return Part(role="depth", name=name, values=values, kind=kind, accuracy=accuracy)


def _share(codes: Codes, xmp: Mapping[str, Any]) -> NDArray[np.float64]:
    """How far between the ends of its range every code lies, in [0, 1]."""
    top = int(np.iinfo(codes.dtype).max)
    first, last = (as_number(xmp.get(f"{_APDI}Int{end}Value")) for end in ("Min", "Max"))
    first, last = 0.0 if first is None else first, float(top) if last is None else last
    require(0 <= first < last <= top, f"expected a range of codes within 0 to {top}, found {first:g} to {last:g}")
    return np.clip((levels(codes) * top - first) / (last - first), 0, 1)
