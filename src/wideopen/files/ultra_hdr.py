"""Writing of Ultra HDR: a JPEG of the standard picture, and behind it one of the gain map.

The map is described twice, by XMP for Android and Chrome and by ISO 21496-1 for others; it has the photo's size, so
that it is as sharp as the rims of a blurred light. Reference: Ultra HDR Image Format 1.1; ISO 21496-1:2025, annex C.
"""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32
from wideopen.files.containers import jpeg, xmp
from wideopen.files.gain_metadata import HDRGM, ISO_URN, Description, write_hdrgm, write_iso
from wideopen.hdr.types import MOST_STOPS, GainMap

_CONTAINER = "http://ns.google.com/photos/1.0/container/"
_SPACES = {"hdrgm": HDRGM}
_LEAST_STOPS = 0.125
_QUALITY, _COLOUR_QUALITY = 95, 98
"""Of maps with one and three channels: gains within 0.5 % on average."""
_MANY_STOPS, _BEST_QUALITY = 6.0, 100
"""Above so many stops a code is a step of over 1.6 %. Lights of 10 stops: 0.7 % off at quality 100, 2.7 % at 95."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedMap:
    """A gain map as a JPEG."""

    data: bytes

    @property
    def segments(self) -> bytes:
        """What the main picture's head needs: the version of ISO 21496-1, and the directory of pictures."""
        return jpeg.app2(ISO_URN + struct.pack(">HH", 0, 0)) + jpeg.mpf_segment()

    def described(self, packet: bytes | None) -> bytes:
        """The main picture's XMP with a list of both pictures; only that, if there is no room for both."""
        items = (
            'Item:Semantic="Primary" Item:Mime="image/jpeg"',
            (f'Item:Semantic="GainMap" Item:Mime="image/jpeg" Item:Length="{len(self.data)}"'),
        )
        rows = "".join(f'<rdf:li rdf:parseType="Resource"><Container:Item {item}/></rdf:li>' for item in items)
        listed = f"<Container:Directory><rdf:Seq>{rows}</rdf:Seq></Container:Directory>"
        spaces = {**_SPACES, "Container": _CONTAINER, "Item": f"{_CONTAINER}item/"}
        whole = xmp.with_description(packet, spaces, {"hdrgm:Version": "1.0"}, listed)
        if len(whole) > jpeg.XMP_LIMIT:
            return xmp.with_description(None, spaces, {"hdrgm:Version": "1.0"}, listed)
        return whole


def code_map(gain: GainMap, headroom: float, encode: Callable[..., bytes]) -> CodedMap:
    """Return the JPEG of a map; `headroom` is the photo's, `encode(codes, **Pillow's options)` writes a JPEG."""
    low, high = float(gain.log2.min()), float(gain.log2.max())
    high = max(high, low + 1e-3)
    description = Description(
        low=(low,) * 3,
        high=(high,) * 3,
        gamma=(1.0,) * 3,
        offset_base=gain.offset_sdr,
        offset_other=gain.offset_hdr,
        base_stops=0.0,
        other_stops=min(max(math.log2(headroom), _LEAST_STOPS), MOST_STOPS),
    )
    packet = xmp.with_description(None, _SPACES, write_hdrgm(description))
    block = jpeg.app2(ISO_URN + write_iso(description))
    quality = _QUALITY if gain.log2.ndim == 2 else _COLOUR_QUALITY
    quality = _BEST_QUALITY if high - low > _MANY_STOPS else quality
    codes = _codes(gain.log2, low, high)
    return CodedMap(data=encode(codes, quality=quality, subsampling="4:4:4", xmp=packet, extra=block))


def _codes(log2: F32, low: float, high: float) -> NDArray[Any]:
    """log2 (H, W) or (H, W, 3) as bytes: 0 for `low`, 255 for `high`."""
    import cv2

    scale = 255 / (high - low)
    return np.asarray(cv2.convertScaleAbs(log2, alpha=scale, beta=-low * scale), np.uint8).reshape(log2.shape)
