"""A picture inside a photo file into codes, and codes into values by a table."""

import struct
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32, require
from wideopen.errors import InvalidInput
from wideopen.files.containers import png
from wideopen.files.decode_pillow import DECODERS
from wideopen.files.formats import sniff

__all__ = ["Codes", "check_part_size", "grey_picture", "guarded", "levels", "looked_up"]

Codes = NDArray[Any]  # uint8 or uint16
F64 = NDArray[np.float64]

MOST_MEGAPIXELS = 64.0  # of a part; phones store at most a quarter of the photo
_GREY_TOLERANCE = 0.02  # of full scale: lossy formats store grey as nearly grey
# What Pillow, OpenCV and libheif raise on damaged data; they are not consistent about it.
_DAMAGE = (
    ArithmeticError, AttributeError, EOFError, LookupError, MemoryError,
    OSError, RuntimeError, SyntaxError, TypeError, ValueError, struct.error,
)  # fmt: skip
T = TypeVar("T")


def check_part_size(width: int, height: int) -> None:
    """Refuse what is too large to be a part, before it is decoded."""
    require(
        0 < width * height <= MOST_MEGAPIXELS * 1e6,
        f"expected at most {MOST_MEGAPIXELS:g} megapixels, found {width} x {height} pixels",
    )


def grey_picture(data: bytes) -> Codes:
    """Return the codes (h, w), uint8 or uint16, of a grey JPEG or PNG.

    Raises InvalidInput for another format, colours, too many pixels, and whatever is damaged or cut short.
    """
    name = sniff(data[:64])
    if name not in ("JPEG", "PNG"):
        raise InvalidInput(f"expected a JPEG or PNG, found {name or 'neither'}")
    decode = _png if name == "PNG" else _jpeg
    return _grey(guarded(lambda: decode(data), f"damaged or incomplete {name}"))


def levels(codes: Codes) -> F64:
    """Return what every code of the type of `codes` means: 0 for the first, 1 for the last."""
    top = int(np.iinfo(codes.dtype).max)
    return np.arange(top + 1, dtype=np.float64) / top


def looked_up(codes: Codes, table: NDArray[Any]) -> F32:
    """Return `table`, one value per code, at `codes` (h, w), as float32. Much faster than computing on every pixel."""
    if codes.dtype == np.uint8:
        import cv2

        return np.asarray(cv2.LUT(np.ascontiguousarray(codes), table.astype(np.float32)), np.float32)
    return np.asarray(table.astype(np.float32)[codes], np.float32)


def guarded(decode: Callable[[], T], complaint: str) -> T:
    """Return what `decode` returns; what decoders raise on damaged data becomes InvalidInput with `complaint`."""
    try:
        return decode()
    except InvalidInput:
        raise
    except _DAMAGE as error:
        detail = " ".join(str(error).split())[:100] or type(error).__name__
        raise InvalidInput(f"{complaint} ({detail})") from error


def _png(data: bytes) -> Codes:
    header = png.read_header(data)
    check_part_size(header.width, header.height)
    png.check_integrity(data)
    import cv2

    # A third less time than Pillow, and no time for the order of channels: all of them are grey.
    codes = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if codes is None:
        raise ValueError("its pixels cannot be decoded")
    return np.asarray(codes)


def _jpeg(data: bytes) -> Codes:
    raster = DECODERS["JPEG"](data, check_part_size)
    return raster.codes


def _grey(codes: Codes) -> Codes:
    if codes.ndim == 3 and codes.shape[2] >= 3:
        import cv2

        red, green, blue = (cv2.extractChannel(codes, channel) for channel in range(3))
        spread = max(cv2.norm(red, green, cv2.NORM_INF), cv2.norm(green, blue, cv2.NORM_INF))
        require(spread <= _GREY_TOLERANCE * np.iinfo(codes.dtype).max, "expected a grey picture, found colours")
        codes = green
    elif codes.ndim == 3:
        codes = codes[..., 0]
    require(codes.dtype in (np.uint8, np.uint16), f"expected 8 or 16 bits, found {codes.dtype}")
    return codes
