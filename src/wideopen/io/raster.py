"""A picture as its file holds it: integer codes, turned upright, with the metadata as bytes."""

import lzma
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import require
from wideopen.color import Encoding
from wideopen.errors import InvalidInput
from wideopen.io import exif as exif_tools
from wideopen.io.formats import NAMES, read_bytes, require_library, sniff
from wideopen.photo import JpegCoding

__all__ = ["Raster", "SizeCheck", "load_raster"]

SizeCheck = Callable[[int, int], None]
# What decoders raise on damaged data; they are not consistent about it.
DAMAGE = (
    ArithmeticError, AttributeError, EOFError, LookupError, MemoryError,
    OSError, RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error, lzma.LZMAError,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Raster:
    """Codes and metadata of one picture."""

    codes: NDArray[Any]  # (H, W) grey or (H, W, 2, 3 or 4), the last of 2 and 4 alpha
    bit_depth: int  # 8, 10, 12 or 16; 32 for float32 codes
    format: str
    exif: bytes | None = None  # from its TIFF header on
    icc: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    jpeg: JpegCoding | None = None
    chroma: str | None = None
    orientation: int | None = None  # still to be applied; the file's number, valid or not
    cicp: tuple[int, int] | None = None  # ITU-T H.273 (primaries, transfer), where a file has them
    encoding: Encoding | None = None  # where the format says it by itself: OpenEXR, JPEG XL, camera raw
    notes: tuple[str, ...] = field(default=())

    @property
    def top(self) -> float:
        """The code that stands for 1."""
        return 1.0 if self.bit_depth == 32 else 2.0**self.bit_depth - 1

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is alpha."""
        return self.codes.ndim == 3 and self.codes.shape[2] in (2, 4)


def load_raster(path: Path, *, max_megapixels: float, expected: str = "a photo") -> Raster:
    """Return the first picture in the file at `path`, upright.

    The size is checked before anything is decoded. Raises InvalidInput, one line, for whatever is
    no readable picture.
    """
    data = read_bytes(path, expected=expected)
    name = sniff(data[:64])
    if name is None:
        raise InvalidInput(f"{path}: expected {expected} ({NAMES}), found another kind of file")

    def check_size(width: int, height: int) -> None:
        found = f"{width} x {height} pixels ({width * height / 1e6:.3g} megapixels)"
        require(width > 0 and height > 0, f"{path}: expected at least one pixel, found {found}")
        require(
            width * height <= max_megapixels * 1e6,
            f"{path}: expected at most {max_megapixels:g} megapixels (max_megapixels), found {found}",
        )

    try:
        require_library(name)
        raster = _decoder(name)(data, check_size)
    except InvalidInput as error:
        raise error if str(path) in str(error) else InvalidInput(f"{path}: {error}") from error
    except DAMAGE as error:
        raise InvalidInput(f"{path}: damaged or incomplete {name} file ({one_line(error)})") from error
    return _upright(raster)


def one_line(error: BaseException) -> str:
    """What an error says, short and without line breaks."""
    return " ".join(str(error).split())[:120] or type(error).__name__


def _decoder(name: str) -> Callable[[bytes, SizeCheck], Raster]:
    if name == "HEIC":
        from wideopen.io.decode_heif import decode_heif

        return decode_heif
    if name == "TIFF":
        from wideopen.io.decode_tiff import decode_tiff

        return decode_tiff
    if name == "JPEG XL":
        from wideopen.io.jxl import decode_jxl

        return decode_jxl
    if name == "OpenEXR":
        from wideopen.io.exr import decode_exr

        return decode_exr
    if name == "camera raw":
        from wideopen.io.decode_raw import decode_raw

        return decode_raw
    from wideopen.io import decode_pillow

    return decode_pillow.DECODERS[name]


def _upright(raster: Raster) -> Raster:
    number = 1 if raster.orientation is None else raster.orientation
    notes = raster.notes
    if not 1 <= number <= 8:
        notes = (*notes, f"EXIF orientation {number} is not one of 1 to 8, ignored")
        number = 1
    codes = np.ascontiguousarray(turn(raster.codes, number))
    height, width = codes.shape[:2]
    exif = raster.exif and exif_tools.upright(raster.exif, (height, width))
    return replace(raster, codes=codes, orientation=1, exif=exif, notes=notes)


def turn(image: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return a view of `image` (H, W, ...) as it is to be displayed (EXIF orientation 1 to 8)."""
    if orientation >= 5:  # rows and columns change places
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image
