"""JPEG segments: XMP, extended XMP and IPTC; nothing is ever raised."""

from wideopen.files.containers import jpeg

PACKET = b"<x>" + bytes(range(256)) * 4 + b"</x>"
GUID, SEGMENTS = jpeg.extended_xmp_segments(PACKET)


def seeds():
    """The segments that we write."""
    yield b"\xff\xd8" + SEGMENTS + jpeg.iptc_segment(b"\x1c\2\0\0\2\0\4") + b"\xff\xda"


def check(data: bytes) -> None:
    """What is called for every JPEG."""
    sizes = [len(content) for _, content in jpeg.segments(data)]
    assert sum(sizes) <= len(data)
    packet = jpeg.xmp(data)
    assert packet is None or packet in data
    assert jpeg.extended_xmp(data, GUID) in (None, PACKET)
    record = jpeg.iptc({0x0404: data})
    assert record is None or jpeg.iptc_segment(record)[:2] in (b"", b"\xff\xed")
