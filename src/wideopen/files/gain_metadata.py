"""Descriptions of gain maps: ISO 21496-1's block of fractions, and `hdrgm:` properties in XMP; both read and written.

Ultra HDR is a JPEG of the standard picture, followed by one of the gain map. The map is described twice, by XMP for
Android and Chrome and by ISO 21496-1 for others; it has the photo's size, so that it is as sharp as the rims of a
blurred light. Reference: ISO 21496-1:2025, annex C (the block; the variant with one common denominator is
libultrahdr's); Ultra HDR Image Format 1.1, "HDR gain map metadata". All numbers are untrusted: a description is checked
when it is made.
"""

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32, require
from wideopen.files.containers import jpeg, xmp
from wideopen.files.containers.xmp import as_list, as_number, as_text
from wideopen.hdr import MOST_STOPS, Channels, GainMap

HDRGM = "http://ns.adobe.com/hdr-gain-map/1.0/"
_SPACE = "{" + HDRGM + "}"
_MULTI, _BASE_COLOURS, _COMMON = 0x80, 0x40, 0x08
_LEAST_GAMMA, _MOST_GAMMA = 0.05, 20.0
_MOST_OFFSET = 1.0
_SAME = 0.01
_DENOMINATOR = 1_000_000
_CHANNELS = ("low", "high", "gamma", "offset_base", "offset_other")  # of `Description`, in the file's order
_CONTAINER = "http://ns.google.com/photos/1.0/container/"
_SPACES = {"hdrgm": HDRGM}
_LEAST_STOPS = 0.125
_QUALITY, _COLOUR_QUALITY = 95, 98  # of maps with one and three channels: gains within 0.5 % on average
_MANY_STOPS, _BEST_QUALITY = 6.0, 100
"""Above so many stops a code is a step of over 1.6 %. Lights of 10 stops: 0.7 % off at quality 100, 2.7 % at 95."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """How a gain map's codes in [0, 1] become gains: low + (high - low) code^(1 / gamma), log2, per channel.

    Gains lead from the darker picture to the brighter one; either can be the base, the file's main picture. Raises
    InvalidInput for absurd numbers.
    """

    low: Channels
    high: Channels
    gamma: Channels
    offset_base: Channels
    offset_other: Channels
    base_stops: float  # headroom of each picture, log2
    other_stops: float
    own_colours: bool = True  # gains are for the base's primaries

    def __post_init__(self) -> None:
        for name, values, least, most in (
            ("minimum", self.low, -MOST_STOPS, MOST_STOPS),
            ("maximum", self.high, -MOST_STOPS, MOST_STOPS),
            ("gamma", self.gamma, _LEAST_GAMMA, _MOST_GAMMA),
            ("offset", self.offset_base + self.offset_other, -_MOST_OFFSET, _MOST_OFFSET),
            ("headroom", (self.base_stops, self.other_stops), 0.0, MOST_STOPS),
        ):
            bad = next((value for value in values if not least <= value <= most), None)  # NaN is bad, too
            require(bad is None, f"gain map: expected a {name} of {least:g} to {most:g}, found {bad}")
        for low, high in zip(self.low, self.high, strict=True):
            require(low <= high, f"gain map: expected a maximum above the minimum, found {low:g} to {high:g}")
        found = f"found {self.base_stops:g} stops for both"
        require(self.base_stops != self.other_stops, f"gain map: expected pictures of two headrooms, {found}")

    @property
    def base_is_hdr(self) -> bool:
        """Whether the file's main picture is the brighter one."""
        return self.base_stops > self.other_stops

    @property
    def headroom(self) -> float:
        """The brightest light of the brighter picture, in units of white."""
        return float(2 ** max(self.base_stops, self.other_stops))

    def agrees_with(self, other: "Description") -> bool:
        """Whether two descriptions of one map agree, up to rounding."""
        mine, theirs = ((*d.low, *d.high, *d.gamma, d.base_stops, d.other_stops) for d in (self, other))
        return max(abs(a - b) for a, b in zip(mine, theirs, strict=True)) <= _SAME

    def gain_map(self, codes: NDArray[Any]) -> GainMap:
        """The map of `codes` (h, w) or (h, w, 3), uint8 or uint16, from the standard picture to the brighter one."""
        top = int(np.iinfo(codes.dtype).max)
        levels = np.arange(top + 1) / top
        per_channel = zip(self.low, self.high, self.gamma, strict=True)
        tables = [(low + (high - low) * levels ** (1 / gamma)).astype(np.float32) for low, high, gamma in per_channel]
        one = codes.ndim == 2 and all(np.array_equal(tables[0], table) for table in tables)
        channels = [codes[..., c] if codes.ndim == 3 else codes for c in range(3)]
        log2: F32 = tables[0][codes] if one else np.stack([t[c] for t, c in zip(tables, channels, strict=True)], axis=2)
        if not self.base_is_hdr:
            return GainMap(log2=log2, offset_sdr=self.offset_base, offset_hdr=self.offset_other)
        return GainMap(log2=log2, offset_sdr=self.offset_other, offset_hdr=self.offset_base)


def read_iso(block: bytes) -> Description:
    """Return what ISO 21496-1's block says; InvalidInput if it is cut short, of another version or absurd."""
    require(len(block) >= 5, f"gain map: expected ISO 21496-1 metadata, found {len(block)} bytes")
    version, _, flags = struct.unpack_from(">HHB", block)
    require(version == 0, f"gain map: expected version 0 of ISO 21496-1, found {version}")
    count = 3 if flags & _MULTI else 1
    common = bool(flags & _COMMON)
    kinds = ["II", *["iiIii"] * count]  # numerators: headrooms; minimum, maximum, gamma, offsets
    numbers = "".join(kinds) if common else "".join(f"{kind}I" for kind in "".join(kinds))
    layout = struct.Struct(">" + ("I" if common else "") + numbers)
    require(len(block) >= 5 + layout.size, f"gain map: expected {5 + layout.size} bytes, found {len(block)}")
    stored = layout.unpack_from(block, 5)
    pairs = [(n, stored[0]) for n in stored[1:]] if common else list(zip(stored[::2], stored[1::2], strict=True))
    require(all(below > 0 for _, below in pairs), "gain map: expected fractions, found a denominator of 0")
    base, other, *rest = (above / below for above, below in pairs)
    rows = [rest[5 * c : 5 * c + 5] for c in range(count)] * (3 // count)
    channels: dict[str, Any] = dict(zip(_CHANNELS, zip(*rows, strict=True), strict=True))
    return Description(**channels, base_stops=base, other_stops=other, own_colours=bool(flags & _BASE_COLOURS))


def read_hdrgm(properties: Mapping[str, Any]) -> Description | None:
    """Return what the `hdrgm:` properties of a map's XMP say, or None without them; InvalidInput for absurd ones."""
    version = as_text(properties.get(_SPACE + "Version"))
    if version is None:
        return None
    require(version.startswith("1."), f"gain map: expected version 1 of hdrgm, found {version[:20]!r}")

    def numbers(name: str, default: float | None) -> Channels:
        listed = as_list(properties.get(_SPACE + name))
        require(bool(listed) or default is not None, f"gain map: expected hdrgm:{name}, found none")
        found = [as_number(value) for value in listed] or [default]
        require(len(found) in (1, 3), f"gain map: expected 1 or 3 numbers in hdrgm:{name}, found {len(found)}")
        red, green, blue = (math.nan if value is None else value for value in (found * 3)[:3])
        return red, green, blue

    names = ("GainMapMin", 0.0), ("GainMapMax", None), ("Gamma", 1.0)
    low, high, gamma = (numbers(name, default) for name, default in names)
    offsets = [numbers("OffsetSDR", 1 / 64), numbers("OffsetHDR", 1 / 64)]
    stops = [numbers("HDRCapacityMin", 0.0)[0], numbers("HDRCapacityMax", None)[0]]
    if (as_text(properties.get(_SPACE + "BaseRenditionIsHDR")) or "False").lower() == "true":
        offsets, stops = offsets[::-1], stops[::-1]
    channels: dict[str, Any] = dict(zip(_CHANNELS, (low, high, gamma, *offsets), strict=True))
    return Description(**channels, base_stops=stops[0], other_stops=stops[1])


def write_iso(description: Description) -> bytes:
    """Return ISO 21496-1's block of fractions."""
    d = description
    rows = list(zip(*(getattr(d, name) for name in _CHANNELS), strict=True))
    rows = rows[:1] if len(set(rows)) == 1 else rows
    flags = _MULTI * (len(rows) == 3) | _BASE_COLOURS * d.own_colours
    values = (d.base_stops, d.other_stops, *(value for row in rows for value in row))
    fractions = b"".join(struct.pack(">iI", round(value * _DENOMINATOR), _DENOMINATOR) for value in values)
    return struct.pack(">HHB", 0, 0, flags) + fractions


def write_hdrgm(description: Description) -> dict[str, str]:
    """Return the `hdrgm:` properties of a map that is the same for all channels and leads from the standard picture."""
    d = description
    numbers = {
        "GainMapMin": d.low[0],
        "GainMapMax": d.high[0],
        "Gamma": d.gamma[0],
        "OffsetSDR": d.offset_base[0],
        "OffsetHDR": d.offset_other[0],
        "HDRCapacityMin": d.base_stops,
        "HDRCapacityMax": d.other_stops,
    }
    fixed = {"hdrgm:Version": "1.0", "hdrgm:BaseRenditionIsHDR": "False"}
    return fixed | {f"hdrgm:{name}": f"{value:.6f}" for name, value in numbers.items()}


SEGMENTS = jpeg.gain_map_segment(struct.pack(">HH", 0, 0)) + jpeg.mpf_segment()
"""What the main picture's head needs: the version of ISO 21496-1, and the directory of pictures."""


def with_list(packet: bytes | None, coded: bytes) -> bytes:
    """The main picture's XMP with a list of it and the `coded` map; only that, if there is no room for both."""
    lengths = {"Primary": "", "GainMap": f' Item:Length="{len(coded)}"'}
    item = '<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="{}" Item:Mime="image/jpeg"{}/></rdf:li>'
    rows = "".join(item.format(*named) for named in lengths.items())
    listed = f"<Container:Directory><rdf:Seq>{rows}</rdf:Seq></Container:Directory>"
    spaces = {**_SPACES, "Container": _CONTAINER, "Item": f"{_CONTAINER}item/"}
    whole = xmp.with_description(packet, spaces, {"hdrgm:Version": "1.0"}, listed)
    fits = len(whole) <= jpeg.XMP_LIMIT
    return whole if fits else xmp.with_description(None, spaces, {"hdrgm:Version": "1.0"}, listed)


def code_map(gain: GainMap, headroom: float, encode: Callable[..., bytes]) -> bytes:
    """Return the JPEG of a map; `headroom` is the photo's, `encode(codes, **Pillow's options)` writes a JPEG."""
    import cv2

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
    block = jpeg.gain_map_segment(write_iso(description))
    quality = _QUALITY if gain.log2.ndim == 2 else _COLOUR_QUALITY
    quality = _BEST_QUALITY if high - low > _MANY_STOPS else quality
    scale = 255 / (high - low)  # codes are 0 for `low`, 255 for `high`
    codes = np.asarray(cv2.convertScaleAbs(gain.log2, alpha=scale, beta=-low * scale), np.uint8)
    codes = codes.reshape(gain.log2.shape)
    return encode(codes, quality=quality, subsampling="4:4:4", xmp=packet, extra=block)
