"""JPEG XL: a whole file to codes and metadata; only the errors that reading turns into one line."""

import struct
from io import BytesIO

import imagecodecs
import numpy as np

from wideopen.checks import require
from wideopen.files.optional import decode_jxl
from wideopen.files.raster import DAMAGE

NAMED = bytes.fromhex("ff0a8b5a0000a8450200")
CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl "


def seeds():
    """Codestreams, bare, in one box and in two, the last with EXIF."""
    stream = imagecodecs.jpegxl_encode(np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3), lossless=True)
    exif = struct.pack(">I4sI", 16 + 12, b"Exif", 0) + b"II*\0\x08\0\0\0" + bytes(8)
    yield NAMED
    yield CONTAINER + struct.pack(">I4s", 8 + len(stream), b"jxlc") + stream + exif
    half = len(stream) // 2
    out = BytesIO()
    for number, part in ((0, stream[:half]), (0x80000001, stream[half:])):
        out.write(struct.pack(">I4sI", 12 + len(part), b"jxlp", number) + part)
    yield CONTAINER + out.getvalue() + struct.pack(">I4sQ", 1, b"Exif", 20)


def check(data: bytes) -> None:
    """What is called for every JPEG XL."""
    try:
        raster = decode_jxl(data, lambda width, height: require(0 < width * height <= 65536, "too large"))
    except DAMAGE:
        return
    assert raster.codes.size > 0
