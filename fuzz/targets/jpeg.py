"""JPEG segments: XMP, extended XMP and IPTC; only InvalidInput, for a file without a size or pieces that do not fit."""

import hashlib
from contextlib import suppress

from wideopen.errors import InvalidInput
from wideopen.files.containers import jpeg

PACKET = b"<x>" + bytes(range(256)) * 4 + b"</x>"
GUID, SEGMENTS = jpeg.extended_xmp_segments(PACKET)
FRAME = b"\xff\xc0\0\x0b\x08\0\x02\0\x03\x01\x01\x11\0"


def seeds():
    """The segments that we write."""
    yield b"\xff\xd8" + SEGMENTS + jpeg.iptc_segment(b"\x1c\2\0\0\2\0\4") + FRAME + b"\xff\xda"


def check(data: bytes) -> None:
    """What is called for every JPEG."""
    assert sum(len(segment.payload) for segment in jpeg.segments(data)) <= len(data)
    record = jpeg.iptc({0x0404: data})
    assert record is None or jpeg.iptc_segment(record)[:2] in (b"", b"\xff\xed")
    with suppress(InvalidInput):
        head = jpeg.read_head(data)
        assert head.xmp is None or head.xmp in data
        packet = jpeg.extended_xmp(head.extended, GUID)
        assert len(packet) == len(PACKET) or hashlib.md5(packet, usedforsecurity=False).hexdigest().upper() != GUID
