"""EXIF and XMP as bytes: read the orientation, set it to 1, drop the old thumbnail.

EXIF is patched in place, never parsed and rewritten: makers' notes hold absolute offsets that a
rewrite breaks. Reference: CIPA DC-008-2023 (Exif 3.0), 4.5 and 4.6; TIFF 6.0, section 2.
"""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["adobe_rgb_hint", "orientation", "set_number", "strip_prefix", "upright", "upright_xmp"]

_ORIENTATION, _EXIF_IFD, _INTEROP_IFD = 0x0112, 0x8769, 0xA005
_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_COLOR_SPACE, _WIDTH, _HEIGHT, _INTEROP_INDEX = 0xA001, 0xA002, 0xA003, 0x0001
_SHORT, _LONG = 3, 4
# XMP that points at data after or beside the picture, which an edited copy does not carry.
_XMP_ELSEWHERE = (
    b"hdrgm:",
    b"Container:Directory",
    b"MotionPhoto",
    b"MicroVideo",
    b"HasExtendedXMP",
    b"GDepth:",
)


class _Entry(NamedTuple):
    tag: int
    kind: int
    at: int  # where the value, or the offset to it, lies in the bytes


def strip_prefix(exif: bytes | None) -> bytes | None:
    """Return EXIF from its TIFF header on, or None when there is none to be found."""
    body = (exif or b"").removeprefix(b"Exif\0\0")
    return body if body[:4] in (b"II*\0", b"MM\0*") and len(body) >= 14 else None


def _order(exif: bytes | bytearray) -> str:
    return "<" if exif[:2] == b"II" else ">"


def _entries(exif: bytes | bytearray, start: int) -> Iterator[_Entry]:
    """Yield the entries of the directory at `start`; stops where the bytes end."""
    order = _order(exif)
    if start < 8 or start + 2 > len(exif):
        return
    (count,) = struct.unpack_from(order + "H", exif, start)
    for at in range(start + 2, min(start + 2 + 12 * count, len(exif) - 11), 12):
        tag, kind = struct.unpack_from(order + "HH", exif, at)
        yield _Entry(tag, kind, at + 8)


def _number(exif: bytes | bytearray, entry: _Entry) -> int | None:
    code = {_SHORT: "H", _LONG: "I"}.get(entry.kind)
    return None if code is None else int(struct.unpack_from(_order(exif) + code, exif, entry.at)[0])


def _directory(exif: bytes | bytearray, start: int | None) -> dict[int, _Entry]:
    return {} if start is None else {entry.tag: entry for entry in _entries(exif, start)}


def _first(exif: bytes | bytearray) -> int:
    return int(struct.unpack_from(_order(exif) + "I", exif, 4)[0])


def _value(exif: bytes | bytearray, directory: dict[int, _Entry], tag: int) -> int | None:
    return _number(exif, directory[tag]) if tag in directory else None


def orientation(exif: bytes) -> int | None:
    """Return the number in the orientation tag (1 to 8 when valid), None without one."""
    return _value(exif, _directory(exif, _first(exif)), _ORIENTATION)


def adobe_rgb_hint(exif: bytes) -> bool:
    """Whether a camera says Adobe RGB without a profile: uncalibrated and "R03" (DCF 2.0)."""
    sub = _directory(exif, _value(exif, _directory(exif, _first(exif)), _EXIF_IFD))
    interop = _directory(exif, _value(exif, sub, _INTEROP_IFD))
    index = interop.get(_INTEROP_INDEX)
    return _value(exif, sub, _COLOR_SPACE) == 0xFFFF and index is not None and exif[index.at : index.at + 3] == b"R03"


def set_number(exif: bytearray, tag: int, value: int) -> None:
    """Change the number in `tag` of the first directory, in place; nothing without that tag."""
    _set(exif, _directory(exif, _first(exif)), tag, value)


def upright(exif: bytes, size: tuple[int, int]) -> bytes:
    """Return `exif` for a photo turned upright: orientation 1, `size` (H, W), no thumbnail.

    The thumbnail would show the photo as it was; its bytes are zeroed, or cut off at the end.
    """
    out = bytearray(exif)
    set_number(out, _ORIENTATION, 1)
    first = _directory(out, _first(out))
    sub = _directory(out, _value(out, first, _EXIF_IFD))
    _set(out, sub, _HEIGHT, size[0])
    _set(out, sub, _WIDTH, size[1])
    _drop_thumbnail(out)
    return bytes(out)


def _set(exif: bytearray, directory: dict[int, _Entry], tag: int, value: int) -> None:
    entry = directory.get(tag)
    if entry is None or entry.kind not in (_SHORT, _LONG):
        return
    if entry.kind == _SHORT and value < 65536:
        struct.pack_into(_order(exif) + "H", exif, entry.at, value)
    elif entry.kind == _LONG:
        struct.pack_into(_order(exif) + "I", exif, entry.at, value)


def _drop_thumbnail(exif: bytearray) -> None:
    start = _first(exif)
    if start + 2 > len(exif):
        return
    (count,) = struct.unpack_from(_order(exif) + "H", exif, start)
    link = start + 2 + 12 * count
    if link + 4 > len(exif):
        return
    (second,) = struct.unpack_from(_order(exif) + "I", exif, link)
    directory = _directory(exif, second)
    struct.pack_into(_order(exif) + "I", exif, link, 0)
    offset = _value(exif, directory, _THUMBNAIL_OFFSET)
    length = _value(exif, directory, _THUMBNAIL_LENGTH)
    if offset is None or length is None or offset < link + 4 or offset + length > len(exif):
        return
    if offset + length == len(exif):
        del exif[offset:]
    else:
        exif[offset : offset + length] = bytes(length)


def upright_xmp(xmp: bytes) -> tuple[bytes | None, str | None]:
    """Return (`xmp` with its orientation set to 1, None), or (None, why it was dropped)."""
    if any(marker in xmp for marker in _XMP_ELSEWHERE):
        return None, "XMP dropped: it describes a gain map, depth or video that the result lacks"
    attribute = re.sub(rb'(tiff:Orientation\s*=\s*["\'])\d+', rb"\g<1>1", xmp)
    return re.sub(rb"(<tiff:Orientation>)\d+", rb"\g<1>1", attribute), None
