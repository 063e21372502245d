"""XMP packets: sizes set, stale properties removed, properties read and added; only InvalidInput, from reading."""

from contextlib import suppress

from wideopen.errors import InvalidInput
from wideopen.files.containers import xmp

NAMESPACES = {"wideopen": xmp.OURS}


def seeds():
    """Our own packet, one with what is stale, and one that must not be parsed."""
    ours = xmp.with_description(None, NAMESPACES, {"wideopen:Version": "1"})
    yield ours
    yield ours.replace(b"wideopen:Version", b'xmlns:tiff="t/" tiff:Orientation="6" wideopen:MotionPhoto')
    yield b'<!DOCTYPE x [<!ENTITY a "b">]><x MotionPhoto="&a;"/>'


def check(data: bytes) -> None:
    """What is called for the XMP of every photo."""
    with suppress(InvalidInput):
        xmp.parse_xmp(data)
    after, note = xmp.cleaned(xmp.resized(data, (30, 40)))
    assert (after is None) <= (note is not None)
    if note is not None and after is not None:
        xmp.parse_xmp(after)
        again, _ = xmp.cleaned(after)
        assert again is not None
    xmp.with_description(data, NAMESPACES, {"wideopen:Version": "1"})
