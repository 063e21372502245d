"""JPEG XL to and from codes, by imagecodecs (the extra jxl), with EXIF and XMP in boxes.

The library neither reads nor writes ICC profiles. Read are sRGB and Display P3 as the file itself
names them; written is sRGB, 8 or 16 bits (the caller converts). The decoder applies the codestream's
orientation; EXIF's then only repeats it (ISO/IEC 18181-2, 9.5).
"""

import struct
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.arrays import transfer
from wideopen.checks import require
from wideopen.color import SRGB, SRGB_LINEAR
from wideopen.files.decode_pillow import with_metadata
from wideopen.files.jxl_header import boxes, codestream, read_header, with_srgb_curve
from wideopen.files.raster import Raster, SizeCheck

__all__ = ["decode_jxl", "encode_jxl"]

_LARGEST_BOX = 16 * 2**20  # of unpacked metadata
_EFFORT = 4  # of 9
_LOSSLESS = 100  # the quality at which nothing is lost


def decode_jxl(data: bytes, check_size: SizeCheck) -> Raster:
    """Return the picture of a JPEG XL file; of an animation the first."""
    import imagecodecs

    header = read_header(data)
    check_size(header.width, header.height)
    require(header.note is None or "HDR" not in header.note, f"expected a photo of standard range, but {header.note}")
    codes = np.asarray(imagecodecs.jpegxl_decode(data, index=0))
    notes = () if header.note is None else (f"{header.note}; treated as sRGB",)
    if codes.dtype == np.float16:
        codes = codes.astype(np.float32)
    depth = {np.dtype(np.uint8): 8, np.dtype(np.uint16): 16, np.dtype(np.float32): 32}.get(codes.dtype)
    if depth is None or codes.ndim not in (2, 3):
        raise ValueError(f"expected grey or RGB of 8 or 16 bits or floats, found {codes.dtype} {codes.shape}")
    if codes.ndim == 3 and codes.shape[2] == 1:
        codes = codes[..., 0]
    raster = Raster(codes=codes, bit_depth=depth, format="JPEG XL", encoding=header.encoding or SRGB, notes=notes)
    exif, xmp = _attached(data)
    if codestream(data) and max(end for _, _, end in boxes(data)) != len(data):
        raster = replace(raster, notes=(*notes, "the end of the file is damaged, what stood there is ignored"))
    return replace(with_metadata(raster, exif, xmp), orientation=None)


def _attached(data: bytes) -> tuple[bytes | None, bytes | None]:
    found: dict[bytes, bytes] = {}
    for kind, start, end in boxes(data):
        packed = kind == b"brob"
        name = data[start : start + 4] if packed else kind
        if name in (b"Exif", b"xml "):
            found.setdefault(name, _brotli(data[start + 4 : end]) if packed else data[start:end])
    return found.get(b"Exif", b"")[4:] or None, found.get(b"xml ")


def _brotli(packed: bytes) -> bytes:
    import imagecodecs

    try:
        return bytes(imagecodecs.brotli_decode(packed, out=_LARGEST_BOX))
    except (RuntimeError, ValueError):
        return b""


def encode_jxl(codes: NDArray[Any], *, exif: bytes | None, xmp: bytes | None, quality: int) -> list[bytes | memoryview]:
    """Return the pieces of a JPEG XL file of sRGB `codes` (H, W, 3), uint8 or uint16; 100 is lossless."""
    import imagecodecs

    if quality == _LOSSLESS:
        stream = bytes(imagecodecs.jpegxl_encode(codes, effort=_EFFORT, usecontainer=True, lossless=True))
        stream = stream if codes.dtype == np.uint8 else with_srgb_curve(stream)
    else:
        if codes.dtype != np.uint8:  # the encoder takes them for light, and so they must be
            codes = transfer.encode(transfer.decode(codes, SRGB, bit_depth=16), SRGB_LINEAR, bit_depth=16)
        stream = bytes(imagecodecs.jpegxl_encode(codes, effort=_EFFORT, usecontainer=True, level=quality))
    pieces: list[bytes | memoryview] = [stream]
    if exif is not None:
        pieces += [struct.pack(">I4sI", len(exif) + 12, b"Exif", 0), exif]
    if xmp is not None:
        pieces += [struct.pack(">I4s", len(xmp) + 8, b"xml "), xmp]
    return pieces
