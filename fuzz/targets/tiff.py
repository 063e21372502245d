"""TIFF: a whole file to codes and metadata, and its EXIF and IPTC; only the errors that reading turns into one line."""

from io import BytesIO

import numpy as np
from PIL import Image

from wideopen.checks import require
from wideopen.files.containers import tiff
from wideopen.files.decode_tiff import decode_tiff
from wideopen.files.raster import DAMAGE
from wideopen.photo import Metadata


def seeds():
    """8 and 16 bits and floats, compressed or not, with all that can be attached."""
    codes = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    block = tiff.with_tags(None, {tiff.ORIENTATION: (3, 1, b"\6\0")})
    attached = Metadata(exif=block, icc=b"profile", xmp=b"<x/>", iptc=b"\x1c\2")
    for kind in (np.uint8, np.uint16, np.float32):
        yield b"".join(tiff.encode_tiff(codes.astype(kind), attached))
    for compression in ("tiff_lzw", "jpeg", "packbits", "tiff_adobe_deflate"):
        out = BytesIO()
        Image.fromarray(codes).save(out, "TIFF", compression=compression)
        yield out.getvalue()


def check(data: bytes) -> None:
    """What is called for every TIFF."""
    tiff.iptc_of_tiff(data)
    try:
        decode_tiff(data, lambda width, height: require(width * height <= 65536, "too large"))
    except DAMAGE:
        return
