"""GDepth: a depth map as base64 text in a photo's XMP (Google Camera's Lens Blur and portraits, Project Tango).

Reference: developers.google.com/depthmap-metadata/reference. Deviation: without Units the values are taken as relative,
though the reference defaults to metres: the Lens Blur photos that leave it out have a scale of their own (flowers a few
steps away begin at Near 19).
"""

import binascii
from collections.abc import Mapping
from typing import Any

import numpy as np

from wideopen.checks import F32, require
from wideopen.errors import InvalidInput
from wideopen.files.inside.parts import Findings, Part
from wideopen.files.inside.pixels import Codes, grey_picture
from wideopen.files.inside.ranges import depth_values
from wideopen.files.metadata.xmp_values import as_number, as_text

__all__ = ["read_gdepth", "without_confidence"]

_GDEPTH = "{http://ns.google.com/photos/1.0/depthmap/}"
_GIMAGE = "{http://ns.google.com/photos/1.0/image/}"


def read_gdepth(xmp: Mapping[str, Any]) -> Findings:
    """Return the depth map in the properties `xmp`, if there is one."""
    others: tuple[str, ...] = ()
    if as_text(xmp.get(_GIMAGE + "Data")):
        others = ("GImage: the photo before the phone's own blur; the picture itself is used",)
    data = as_text(xmp.get(_GDEPTH + "Data"))
    if data is None:
        lost = any(key.startswith(_GDEPTH) for key in xmp)
        return Findings(others=others, ignored=("GDepth: its properties without their data",) if lost else ())
    try:
        values, kind = depth_values(
            grey_picture(_bytes(data)),
            style=as_text(xmp.get(_GDEPTH + "Format")),
            near=as_number(xmp.get(_GDEPTH + "Near")),
            far=as_number(xmp.get(_GDEPTH + "Far")),
            units=as_text(xmp.get(_GDEPTH + "Units")),
        )
    except InvalidInput as error:
        return Findings(others=others, ignored=(f"GDepth: {error}",))
    ignored: tuple[str, ...] = ()
    confidence = as_text(xmp.get(_GDEPTH + "Confidence"))
    if confidence is not None:
        try:
            values = without_confidence(values, grey_picture(_bytes(confidence)))
        except InvalidInput as error:
            ignored = (f"GDepth confidence: {error}",)
    part = Part(role="depth", name="GDepth", values=values, kind=kind)
    return Findings(parts=(part,), ignored=ignored, others=others)


def without_confidence(values: F32, confidence: Codes) -> F32:
    """Return `values` (h, w), NaN where the codes `confidence` (h, w) are 0; InvalidInput for another size."""
    require(
        confidence.shape == values.shape,
        f"expected the size of the depth, {values.shape[::-1]}, found {confidence.shape[::-1]}",
    )
    nothing = confidence == 0
    require(not nothing.all(), "expected some confidence somewhere, found none")
    return np.where(nothing, np.float32(np.nan), values)


def _bytes(text: str) -> bytes:
    """Base64 to bytes; some writers break lines, and some leave out the padding."""
    bare = "".join(text.split()).rstrip("=")
    try:
        return binascii.a2b_base64(bare + "=" * (-len(bare) % 4))
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"expected base64 text, found {error}") from error
