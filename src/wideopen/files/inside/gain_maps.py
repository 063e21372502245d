"""Gain maps inside photos: appended to a JPEG (Ultra HDR, ISO 21496-1, Apple), in HEIC and AVIF (`tmap`, Apple).

Apple's maps before iOS 18 hold g in Rec. 709's curve: HDR = SDR (1 + (H - 1) g), with the headroom H in their own XMP
or from two tags of the photo's maker note; reference: "Applying Apple HDR effect to your photos" (developer.apple.com).
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.files.containers import isobmff, tiff
from wideopen.files.containers.jpeg import JpegHead, appended_pictures, read_head
from wideopen.files.containers.xmp import as_number, as_text, parse_xmp
from wideopen.files.decode_pillow import DECODERS, opened, strict_pillow
from wideopen.files.formats import sniff
from wideopen.files.gain_metadata import HDRGM, Description, read_hdrgm, read_iso
from wideopen.files.inside.parts import auxiliary_codes, check_part_size, grey_picture, levels, looked_up
from wideopen.files.raster import grey, guarded, require_aspect, turn
from wideopen.hdr import MOST_STOPS, GainMap

_APPLE = "{http://ns.apple.com/HDRGainMap/1.0/}"
_APPLE_URN = "hdrgainmap"
_LEAST_SIDE = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundGainMap:
    """A gain map in a file, upright, or why it cannot be used."""

    kind: str = ""
    gain: GainMap | None = None
    headroom: float = 1.0
    base_is_hdr: bool = False
    reason: str | None = None  # None: there is no gain map, or it can be used
    note: str | None = None  # about a gain map that is used
    pictures: int = 0  # behind a JPEG, other than the gain map


def find_gain_map(data: bytes, exif: bytes | None) -> FoundGainMap:
    """Return the gain map in the photo file `data`; `exif` is the photo's. Never fails: a bad one has a reason."""
    name = sniff(data[:64])
    try:
        with guarded("damaged or incomplete"):
            if name == "JPEG":
                head = read_head(data)
                pictures, complaints = appended_pictures(data, head)
                return _in_jpeg(head, pictures, complaints, exif)
            if name in ("HEIC", "AVIF"):
                return _in_items(data, name, exif)
    except InvalidInput as error:
        return FoundGainMap(reason=str(error).removeprefix("gain map: "))
    return FoundGainMap()


def _in_jpeg(head: JpegHead, pictures: list[bytes], complaints: list[str], exif: bytes | None) -> FoundGainMap:
    for picture in pictures:
        own = read_head(picture)
        packet, iso = own.xmp, own.gain_map
        if iso is None and not any(name in (packet or b"") for name in (HDRGM.encode(), _APPLE_URN.encode())):
            continue
        require(not complaints, "; ".join(complaints))
        properties = parse_xmp(packet or None)
        stated = read_hdrgm(properties)
        description = read_iso(iso) if iso is not None else stated
        if description is None:
            found = _apple(grey_picture(picture), properties, exif)
        else:
            both = iso is not None and stated is not None
            require(not both or description.agrees_with(stated or description), "its two descriptions differ")
            codes = DECODERS["JPEG"](picture, check_part_size).codes
            found = _described(codes, description, "Ultra HDR" if stated is not None else "ISO 21496-1")
        return _upright(replace(found, pictures=len(pictures) - 1), head.size, head.orientation)
    return FoundGainMap(pictures=len(pictures))


def _in_items(data: bytes, name: str, exif: bytes | None) -> FoundGainMap:
    items = isobmff.parse_items(data)
    mapped = items.gain_map()
    if mapped is not None:
        other, item, block = mapped
        require(block[:1] == b"\0", "gain map: expected version 0 of its description, found another or none")
        description = read_iso(block[1:])
        require(items.turns(item) == items.turns(items.primary), "stored without the rotation of the photo")
        codes = DECODERS[name](isobmff.with_primary(data, item), check_part_size).codes
        found = _described(codes, description, "ISO 21496-1")
        apart = [(items.nclx_of(one) or (0, 0))[0] for one in (items.primary, other)]
        note = found.note if apart[1] not in (0, apart[0]) else None
        with strict_pillow():
            size = opened(name, isobmff.without_gain_map(data)).size[::-1]
        return _upright(replace(found, note=note), size, 1)
    item = next((item for item, urn in items.auxiliary().items() if urn.endswith(_APPLE_URN)), 0)
    if item == 0 or name != "HEIC":
        return FoundGainMap()
    require(items.turns(item) == items.turns(items.primary), "stored without the rotation of the photo")
    with strict_pillow():
        file = opened("HEIC", data)
        codes, size = auxiliary_codes(file, item), file.size[::-1]
    return _upright(_apple(codes, parse_xmp(items.xmp_of(item)), exif), size, 1)


def _described(codes: NDArray[Any], description: Description, kind: str) -> FoundGainMap:
    require(codes.dtype in (np.uint8, np.uint16), f"expected 8 or 16 bits, found {codes.dtype}")
    codes = codes[..., 0] if codes.ndim == 3 and codes.shape[2] == 2 else codes[..., :3] if codes.ndim == 3 else codes
    with suppress(InvalidInput):  # colours: a gain for each channel
        codes = grey(codes, np.iinfo(codes.dtype).max)
    require(min(codes.shape[:2]) >= _LEAST_SIDE, f"expected a picture, found {codes.shape[1]} x {codes.shape[0]}")
    return FoundGainMap(
        kind=kind,
        gain=description.gain_map(codes),
        headroom=description.headroom,
        base_is_hdr=description.base_is_hdr,
        note=None if description.own_colours else "the gain map is for other primaries, and is applied in the photo's",
    )


def _apple(codes: NDArray[Any], properties: Mapping[str, Any], exif: bytes | None) -> FoundGainMap:
    require(min(codes.shape[:2]) >= _LEAST_SIDE, f"expected a picture, found {codes.shape[1]} x {codes.shape[0]}")
    stated = as_text(properties.get(_APPLE + "HDRGainMapHeadroom"))
    headroom = as_number(stated) if stated is not None else apple_headroom(exif)
    if headroom is None:
        raise InvalidInput("expected Apple's headroom in the XMP or the maker note, found none")
    require(1 <= headroom <= 2**MOST_STOPS, f"expected a headroom of 1 to {2**MOST_STOPS:g}, found {headroom:g}")
    v = levels(codes)
    g = np.where(v < 0.081, v / 4.5, ((v + 0.099) / 1.099) ** (1 / 0.45))  # ITU-R BT.709, inverted
    log2 = looked_up(codes, np.log2(1 + (headroom - 1) * g))
    return FoundGainMap(kind="Apple gain map", gain=GainMap(log2=log2), headroom=headroom)


def apple_headroom(exif: bytes | None) -> float | None:
    """Return the headroom in Apple's maker note, at least 1, or None."""
    values = tiff.apple_gain(exif)
    if values is None:
        return None
    first, second = values
    steep, flat = ((-20.0, 1.8), (-0.101, 1.601)) if first < 1 else ((-70.0, 3.0), (-0.303, 2.303))
    slope, start = steep if second <= 0.01 else flat
    return float(2 ** min(max(slope * second + start, 0.0), MOST_STOPS))


def _upright(found: FoundGainMap, size: tuple[int, int], orientation: int) -> FoundGainMap:
    """The map, checked against the photo's size (H, W) before `orientation`, and turned as the photo is displayed."""
    gain = found.gain
    if gain is None:
        return found
    require_aspect(gain.log2.shape[:2], size)
    return replace(found, gain=replace(gain, log2=np.ascontiguousarray(turn(gain.log2, orientation))))
