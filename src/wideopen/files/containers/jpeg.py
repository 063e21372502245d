"""JPEG segments: how the picture was coded, IPTC, and XMP in one piece or in several.

Reference: ITU-T T.81, B.1 (markers); Adobe XMP part 3, 1.1.3 (extended XMP); IPTC-IIM 4.2 in
Photoshop's resource 0x0404 (Adobe Photoshop File Formats, "Image Resource Section").
The pixels are left to others. Segments are untrusted: what does not fit is left out, never raised.
"""

import hashlib
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wideopen.photo import JpegCoding

if TYPE_CHECKING:
    from PIL.JpegImagePlugin import JpegImageFile

__all__ = ["LARGEST", "coding", "extended_xmp", "extended_xmp_segments", "iptc", "iptc_segment", "segments", "xmp"]

LARGEST = 65533  # bytes in a segment behind its length
_APP1, _APP13 = 0xE1, 0xED
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
_GUID = 32
_PART = 65400  # bytes of extended XMP in a segment, as others cut it
_LONGEST = 256 * 2**20  # of an extended packet
_PHOTOSHOP, _IPTC = b"Photoshop 3.0\0", 0x0404
_CHROMA = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


def coding(image: "JpegImageFile") -> JpegCoding | None:
    """Return how the picture was coded, for a copy coded alike; None when its tables are odd."""
    from PIL.JpegImagePlugin import get_sampling

    tables = tuple(tuple(table) for _, table in sorted(image.quantization.items()))
    usable = tables and all(len(table) == 64 and all(0 < step < 256 for step in table) for table in tables)
    if not usable or sorted(image.quantization) != list(range(len(tables))):
        return None
    return JpegCoding(
        tables=tables,
        chroma=_CHROMA.get(get_sampling(image), "4:4:4") if image.layers == 3 else "4:4:4",
        progressive="progressive" in image.info,
    )


def segments(data: bytes) -> Iterator[tuple[int, memoryview]]:
    """Yield (marker, content) of the segments before the pixels."""
    view, at = memoryview(data), 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in (0xDA, 0xD9):
            return
        (length,) = struct.unpack_from(">H", data, at + 2)
        if length < 2 or at + 2 + length > len(data):
            return
        yield marker, view[at + 4 : at + 2 + length]
        at += 2 + length


def _named(data: bytes, marker: int, name: bytes) -> Iterator[memoryview]:
    for found, content in segments(data):
        if found == marker and content[: len(name)] == name:
            yield content[len(name) :]


def xmp(data: bytes) -> bytes | None:
    """Return the XMP packet of a JPEG file, without what it extends it with."""
    return next((bytes(content) for content in _named(data, _APP1, _XMP)), None)


def extended_xmp(data: bytes, guid: str) -> bytes | None:
    """Return the extended packet called `guid`; None unless all of it is there and its digest is right."""
    parts, total = {}, None
    for content in _named(data, _APP1, _EXTENDED):
        if len(content) < _GUID + 8 or bytes(content[:_GUID]) != guid.encode():
            continue
        total, offset = struct.unpack_from(">II", content, _GUID)
        parts[offset] = content[_GUID + 8 :]
    if total is None or total > _LONGEST or total != sum(map(len, parts.values())):
        return None
    packet = b"".join(parts[offset] for offset in sorted(parts))
    digest = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper()
    return packet if digest == guid.upper() else None


def extended_xmp_segments(packet: bytes) -> tuple[str, bytes]:
    """Return (the name by which the main packet refers to `packet`, the segments that hold it)."""
    guid = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper()
    pieces = []
    for offset in range(0, len(packet), _PART):
        part = packet[offset : offset + _PART]
        pieces.append(_segment(_APP1, _EXTENDED + guid.encode() + struct.pack(">II", len(packet), offset) + part))
    return guid, b"".join(pieces)


def iptc(resources: object) -> bytes | None:
    """Return the IPTC record among Photoshop's resources, as Pillow lists them."""
    record = resources.get(_IPTC) if isinstance(resources, dict) else None
    return record if isinstance(record, bytes) and record[:1] == b"\x1c" else None


def iptc_segment(record: bytes | None) -> bytes:
    """Return the segment that holds an IPTC record; nothing without one, or for one that is too long."""
    if record is None or len(record) > LARGEST - 64:
        return b""
    resource = b"8BIM" + struct.pack(">HHI", _IPTC, 0, len(record)) + record + bytes(len(record) % 2)
    return _segment(_APP13, _PHOTOSHOP + resource)


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
