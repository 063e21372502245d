"""TIFF files: the tags of an EXIF block to and from one, and a writer for 8 and 16 bits.

Pillow cannot write 16-bit colour, and tifffile cannot write the EXIF directories; a plain TIFF is a
directory of tags and one strip of pixels, so it is put together here. Reference: TIFF 6.0, sections
2, 4 and 6.
"""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wideopen.io.exif import set_number

__all__ = ["encode_tiff", "exif_of_tiff"]

_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
# What describes the photo, not how its pixels are stored: description, make, model, orientation,
# resolution, software, date, artist, copyright.
_DESCRIPTIVE = (270, 271, 272, 274, 282, 283, 296, 305, 306, 315, 33432)
_ICC, _XMP, _STRIP_OFFSETS = 34675, 700, 273


def _descriptive(exif: Image.Exif) -> Image.Exif:
    """Return the tags of `exif` that describe the photo, with its EXIF and GPS directories."""
    kept = Image.Exif()
    kept.endian = "<"
    for tag in _DESCRIPTIVE:
        if tag in exif:
            kept[tag] = exif[tag]
    for pointer in (_EXIF_IFD, _GPS_IFD):
        directory = exif.get_ifd(pointer)
        if directory:
            kept[pointer] = dict(directory)
    return kept


def exif_of_tiff(data: bytes) -> bytes | None:
    """Return an EXIF block with what the TIFF file `data` says about its photo, or None."""
    exif = Image.Exif()
    exif.load_from_fp(BytesIO(data))
    kept = _descriptive(exif)
    return kept.tobytes() if len(kept) else None


def encode_tiff(
    codes: NDArray[Any], *, exif: bytes | None, icc: bytes | None, xmp: bytes | None
) -> list[bytes | memoryview]:
    """Return the pieces of a TIFF of `codes` (H, W) or (H, W, 3), uint8 or uint16, uncompressed."""
    source = Image.Exif()
    if exif is not None:
        source.load(b"Exif\0\0" + exif)
    tags = _descriptive(source)
    pixels = np.ascontiguousarray(codes.astype(codes.dtype.newbyteorder("<"), copy=False))
    height, width = codes.shape[:2]
    samples = 1 if codes.ndim == 2 else codes.shape[2]
    tags[256], tags[257] = width, height
    tags[258] = (codes.itemsize * 8,) * samples
    tags[259] = 1  # not compressed
    tags[262] = 1 if samples == 1 else 2  # black is zero, or RGB
    tags[277] = samples
    tags[278] = height
    tags[279] = pixels.nbytes
    if icc is not None:
        tags[_ICC] = icc
    if xmp is not None:
        tags[_XMP] = xmp
    tags[_STRIP_OFFSETS] = 0
    head = bytearray(tags.tobytes().removeprefix(b"Exif\0\0"))
    head += bytes(len(head) % 2)
    set_number(head, _STRIP_OFFSETS, len(head))  # the pixels follow
    return [bytes(head), pixels.data.cast("B")]
