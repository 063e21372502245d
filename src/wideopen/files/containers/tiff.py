"""TIFF files: the tags of an EXIF block to and from one, and a writer for 8 and 16 bits and floats.

Pillow cannot write 16-bit colour, and tifffile cannot write the EXIF directories. An EXIF block is a
TIFF file without pixels, so it becomes the file's beginning as it is, with all its offsets; a directory
that describes the pixels follows, and one strip of pixels. Reference: TIFF 6.0, sections 2, 4 and 6.
"""

import struct
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wideopen.files.metadata import exif as exif_tools

__all__ = ["encode_tiff", "exif_of_tiff", "iptc_of_tiff"]

_ICC, _XMP, _IPTC, _STRIP_OFFSETS = 34675, 700, 33723, 273
_SHORT, _LONG, _UNDEFINED, _BYTE = 3, 4, 7, 1
# How pixels are stored, not what the photo is: layout, tiles, colour, other pictures, profiles, our own blocks,
# raw data (DNG).
_MOST_BYTES = 2**32 - 2**24  # of pixels: the rest is for what stands before them
_LAYOUT = (*range(254, 260), *range(262, 267), 273, *range(277, 282), 284, *range(288, 294), 297, 301)
_OTHERS = (*range(317, 351), 400, 401, 402, *range(512, 522), *range(529, 533), 32995, 32996, 32997)
_BLOCKS = (_XMP, _IPTC, 33421, 33422, 34377, _ICC, 37724, *range(50706, 52600))
_STRUCTURE = frozenset(_LAYOUT + _OTHERS + _BLOCKS)


def exif_of_tiff(data: bytes) -> bytes | None:
    """Return an EXIF block with what the TIFF file `data` says about its photo, or None."""
    return exif_tools.copied(data, without=_STRUCTURE)


def iptc_of_tiff(stored: bytes) -> bytes | None:
    """Return the IPTC record in the bytes of its tag, whichever way some programs swapped them."""
    if stored[:1] == b"\x1c":
        return stored
    whole = stored[: len(stored) // 4 * 4]
    swapped = np.frombuffer(whole, ">u4").astype("<u4").tobytes()
    return swapped if swapped[:1] == b"\x1c" else None


def encode_tiff(
    codes: NDArray[Any],
    *,
    exif: bytes | None = None,
    icc: bytes | None = None,
    xmp: bytes | None = None,
    iptc: bytes | None = None,
) -> list[bytes | memoryview]:
    """Return the pieces of a TIFF of `codes` (H, W) or (H, W, 3), uint8, uint16 or float32, uncompressed."""
    order: Literal["<", ">"] = exif_tools.byte_order(exif) if exif else "<"
    pixels = np.ascontiguousarray(codes.astype(codes.dtype.newbyteorder(order), copy=False))
    if pixels.nbytes > _MOST_BYTES:
        raise ValueError(f"its offsets reach 4 GB, the pixels are {pixels.nbytes / 2**30:.1f}")
    tags = _layout(pixels, order)
    for tag, kind, block in ((_XMP, _BYTE, xmp), (_IPTC, _UNDEFINED, iptc), (_ICC, _UNDEFINED, icc)):
        if block is not None:
            tags[tag] = (kind, len(block), block)
    head = bytearray(exif_tools.with_tags(exif, tags, without=_STRUCTURE))
    head += bytes(-len(head) % 4)
    exif_tools.set_number(head, _STRIP_OFFSETS, len(head))  # the pixels follow
    return [bytes(head), pixels.data.cast("B")]


def _layout(pixels: NDArray[Any], order: str) -> dict[int, exif_tools.Tag]:
    samples = 1 if pixels.ndim == 2 else pixels.shape[2]
    height, width = pixels.shape[:2]

    def short(*values: int) -> exif_tools.Tag:
        return _SHORT, len(values), struct.pack(f"{order}{len(values)}H", *values)

    def long(value: int) -> exif_tools.Tag:
        return _LONG, 1, struct.pack(order + "I", value)

    return {
        256: long(width),
        257: long(height),
        258: short(*[pixels.itemsize * 8] * samples),
        259: short(1),  # not compressed
        262: short(1 if samples == 1 else 2),  # black is zero, or RGB
        _STRIP_OFFSETS: long(0),
        277: short(samples),
        278: long(height),
        279: long(pixels.nbytes),
        339: short(*[3 if pixels.dtype.kind == "f" else 1] * samples),
    }
