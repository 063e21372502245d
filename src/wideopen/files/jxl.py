"""JPEG XL decoding and encoding by OpenImageIO (the extra jxl), with EXIF and XMP in boxes.

OpenImageIO decodes a picture when it opens it, and opens only named files. So its limit is first one megabyte: it
refuses a larger picture with its size, which is checked before decoding is allowed. Colours follow libjxl: sRGB and
Display P3, with their curve or linear, by number; all others by their ICC profile. The decoder applies the codestream's
orientation; EXIF only repeats it (ISO/IEC 18181-2, 9.5).
"""

import re
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import require
from wideopen.color import DISPLAY_P3, SRGB, Encoding, linear
from wideopen.files.containers.isobmff import boxes
from wideopen.files.decode_pillow import with_metadata
from wideopen.files.raster import Raster, SizeCheck

_LOCK = threading.Lock()  # the library's limit is a global setting
_LIMIT = "limits:imagesize_MB"
_LARGEST_PIXEL = 16  # bytes: RGBA floats
_SIZE = re.compile(r"\b(\d+)x(\d+)\b")  # in the message that refuses a large picture
_SHORTEST = 128  # bytes in the shortest file that the library accepts
_LARGEST_BOX = 16 * 2**20  # of unpacked metadata
_SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"
_CONTAINER = _SIGNATURE + b"\0\0\0\x14ftypjxl \0\0\0\0jxl "
_PRIMARIES = {0: SRGB, 1: SRGB, 12: DISPLAY_P3}  # ITU-T H.273; 0 for a grey picture
_LINEAR, _SRGB, _HDR = 8, 13, {16: "PQ", 18: "HLG"}
_DEPTHS = {np.dtype(np.uint8): 8, np.dtype(np.uint16): 16, np.dtype(np.float32): 32}
_EFFORT = 4  # of 9


def decode_jxl(data: bytes, check_size: SizeCheck) -> Raster:
    """Return the picture of a JPEG XL file; the last one of an animation."""
    with TemporaryDirectory() as folder, _LOCK, _own_limit():
        path = Path(folder) / "photo.jxl"
        path.write_bytes(data.ljust(_SHORTEST, b"\0"))
        file = _opened(path, check_size)
        spec = file.spec()
        codes = file.read_image(spec.format)
        file.close()
    if codes is None:
        raise ValueError("its pixels cannot be decoded")
    encoding, icc = _colours(spec)
    codes = codes.astype(np.float32) if codes.dtype == np.float16 else codes
    depth = _DEPTHS.get(codes.dtype)
    if depth is None or codes.ndim != 3 or codes.shape[2] > 4:
        raise ValueError(f"expected grey or RGB of 8 or 16 bits or floats, found {codes.dtype} {codes.shape}")
    codes = codes[..., 0] if codes.shape[2] == 1 else codes
    damaged = data.startswith(_SIGNATURE) and max(end for _, _, end in boxes(data)) != len(data)
    notes = ("the end of the file is damaged, what stood there is ignored",) if damaged else ()
    raster = Raster(codes=codes, bit_depth=depth, format="JPEG XL", encoding=encoding, icc=icc, notes=notes)
    return replace(with_metadata(raster, *_attached(data)), orientation=None)


def encode_jxl(
    codes: NDArray[Any], *, exif: bytes | None, icc: bytes | None, xmp: bytes | None, quality: int
) -> list[bytes | memoryview]:
    """Return the pieces of a JPEG XL file of `codes` (H, W, 3), uint8 or uint16; quality 100 is lossless.

    Without a profile the codes are sRGB.
    """
    import OpenImageIO

    height, width, channels = codes.shape
    spec = OpenImageIO.ImageSpec(width, height, channels, str(codes.dtype))
    spec.attribute("compression", f"jpegxl:{quality}")
    spec.attribute("jpegxl:effort", _EFFORT)
    spec.attribute("jpegxl:use_boxes", 0)
    if icc is not None:
        spec.attribute("ICCProfile", OpenImageIO.TypeDesc(f"uint8[{len(icc)}]"), np.frombuffer(icc, np.uint8))
    with TemporaryDirectory() as folder:  # the library writes only to named files
        path = Path(folder) / "result.jxl"
        file = OpenImageIO.ImageOutput.create(str(path))
        done = file is not None and file.open(str(path), spec) and file.write_image(codes) and file.close()
        stream = path.read_bytes() if done else b""
    if not stream:
        raise ValueError("no JPEG XL could be made")
    if stream.startswith(_SIGNATURE):
        pieces: list[bytes | memoryview] = [stream]
    else:
        pieces = [_CONTAINER, struct.pack(">I4sQ", 1, b"jxlc", len(stream) + 16), stream]
    if exif is not None:
        pieces += [struct.pack(">I4sI", len(exif) + 12, b"Exif", 0), exif]
    if xmp is not None:
        pieces += [struct.pack(">I4s", len(xmp) + 8, b"xml "), xmp]
    return pieces


@contextmanager
def _own_limit() -> Iterator[None]:
    import OpenImageIO

    before = OpenImageIO.get_int_attribute(_LIMIT)
    try:
        yield
    finally:
        OpenImageIO.attribute(_LIMIT, before)


def _opened(path: Path, check_size: SizeCheck) -> Any:
    """Open and decode the file after checking its size."""
    import OpenImageIO

    plain = OpenImageIO.ImageSpec()
    plain.attribute("oiio:UnassociatedAlpha", 1)
    OpenImageIO.attribute(_LIMIT, 1)
    file = OpenImageIO.ImageInput.open(str(path), plain)
    if file is None:
        error = OpenImageIO.geterror()
        found = _SIZE.search(error)
        if found is None:
            raise ValueError(error)
        width, height = int(found[1]), int(found[2])
        check_size(width, height)
        OpenImageIO.attribute(_LIMIT, width * height * _LARGEST_PIXEL // 2**20 + 1)
        file = OpenImageIO.ImageInput.open(str(path), plain)
    if file is None:
        raise ValueError(OpenImageIO.geterror())
    check_size(file.spec().width, file.spec().height)
    return file


def _colours(spec: Any) -> tuple[Encoding | None, bytes | None]:
    """Return the encoding in the file, or its profile. Refuses HDR."""
    primaries, transfer = (spec.getattribute("CICP") or (2, 2))[:2]
    require(transfer not in _HDR, f"expected a photo of standard range, found HDR ({_HDR.get(transfer)})")
    if primaries in _PRIMARIES and transfer in (_LINEAR, _SRGB):
        known = _PRIMARIES[primaries]
        return (linear(known) if transfer == _LINEAR else known), None
    profile = spec.getattribute("ICCProfile")
    return (SRGB, None) if profile is None else (None, np.asarray(profile, np.uint8).tobytes())


def _attached(data: bytes) -> tuple[bytes | None, bytes | None]:
    """The EXIF (from its TIFF header on) and XMP in a container's boxes."""
    found: dict[bytes, bytes] = {}
    for kind, start, end in boxes(data) if data.startswith(_SIGNATURE) else ():
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
