"""The segments of a JPEG file, as far as they are sound.

Reference: ITU-T T.81, annex B; CIPA DC-008 (Exif) and DC-007 (multi-picture format); Adobe XMP Part 3, 1.1.3.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from wideopen.errors import InvalidInput
from wideopen.files.metadata import exif as exif_tools

__all__ = ["JpegHead", "Segment", "image_end", "read_head"]

_SOI, _EOI, _SOS, _APP1, _APP2 = 0xD8, 0xD9, 0xDA, 0xE1, 0xE2
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # in a scan: no stuffed byte, restart or filling
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"


@dataclass(frozen=True, slots=True)
class Segment:
    """One marker with what follows it."""

    marker: int
    at: int  # where its payload begins
    payload: bytes


@dataclass(frozen=True, slots=True)
class JpegHead:
    """What stands before a JPEG's pixels."""

    size: tuple[int, int]  # (H, W)
    orientation: int  # 1 to 8; 1 where EXIF names none, or none that exists
    xmp: bytes | None
    extended: tuple[bytes, ...]  # the bodies of extended XMP segments
    mpf: Segment | None


def segments(data: bytes, start: int = 0) -> Iterator[Segment]:
    """Yield the segments of the JPEG that begins at `start`, up to its first scan; stops where they make no sense."""
    at = start + 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # filling
            at += 1
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker in (_EOI, _SOI, 0) or length < 2 or at + 2 + length > len(data):
            return
        yield Segment(marker, at + 4, data[at + 4 : at + 2 + length])
        if marker == _SOS:
            return
        at += 2 + length


def read_head(data: bytes, start: int = 0) -> JpegHead:
    """Return what the JPEG at `start` says before its pixels; InvalidInput when it has no size."""
    size = xmp = mpf = None
    orientation, extended = 1, []
    for segment in segments(data, start):
        body = segment.payload
        if segment.marker in _FRAMES and len(body) >= 5:
            size = size or struct.unpack_from(">HH", body, 1)
        elif segment.marker == _APP1 and body.startswith(b"Exif\0\0"):
            orientation = _orientation(body) or orientation
        elif segment.marker == _APP1 and body.startswith(_XMP):
            xmp = xmp or body[len(_XMP) :]
        elif segment.marker == _APP1 and body.startswith(_EXTENDED):
            extended.append(body[len(_EXTENDED) :])
        elif segment.marker == _APP2 and body.startswith(b"MPF\0"):
            mpf = mpf or segment
    if size is None or 0 in size:
        raise InvalidInput("a JPEG without a size")
    return JpegHead((size[0], size[1]), orientation, xmp, tuple(extended), mpf)


def image_end(data: bytes, start: int = 0) -> int | None:
    """Return where the JPEG that begins at `start` ends, after its end marker; None when it never does."""
    at = start + 2
    while at + 2 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == _EOI:
            return at + 2
        if marker == 0xFF:
            at += 1
            continue
        if at + 4 > len(data):
            return None
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SOS:
            found = _NEXT_MARKER.search(data, at)
            if found is None:
                return None
            at = found.start()
    return None


def _orientation(exif: bytes) -> int | None:
    body = exif_tools.strip_prefix(exif)
    try:
        number = exif_tools.orientation(body) if body else None
    except (struct.error, IndexError):
        return None
    return number if number is not None and 1 <= number <= 8 else None
