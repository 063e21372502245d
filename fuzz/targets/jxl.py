"""JPEG XL headers and boxes; only ValueError, for what is no JPEG XL."""

import struct

from wideopen.files import jxl_header

NAMED = bytes.fromhex("ff0a8b5a0000a8450200")
CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl "


def seeds():
    """A bare codestream, and containers with one in one box and in two."""
    yield NAMED
    yield CONTAINER + struct.pack(">I4s", 8 + len(NAMED), b"jxlc") + NAMED
    yield CONTAINER + struct.pack(">I4sI", 12 + len(NAMED), b"jxlp", 0) + NAMED + struct.pack(">I4sQ", 1, b"Exif", 20)


def check(data: bytes) -> None:
    """What is called for every JPEG XL."""
    assert all(start <= end <= len(data) for _, start, end in jxl_header.boxes(data))
    try:
        header = jxl_header.read_header(data)
        assert header.width > 0 < header.height
        assert (header.encoding is None) == (header.note is not None)
        changed = jxl_header.with_srgb_curve(data)
        assert len(changed) == len(data)
        assert not jxl_header.read_header(changed).encoding.is_linear
    except ValueError:
        return
