"""Choice of the decoder by the content of a file, from bytes to codes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.files.formats import NAMES, read_bytes, require_library, sniff
from wideopen.files.metadata import exif as exif_tools
from wideopen.files.raster import DAMAGE, Raster, SizeCheck, one_line, turn


def load_raster(path: Path, *, max_megapixels: float, expected: str = "a photo") -> Raster:
    """Return the first picture in the file at `path`, upright.

    The size is checked before decoding. Raises InvalidInput, with one line, if there is no readable picture.
    """
    return raster_in(read_bytes(path, expected=expected), path, max_megapixels=max_megapixels, expected=expected)


def raster_in(data: bytes, path: Path, *, max_megapixels: float, expected: str = "a photo") -> Raster:
    """`load_raster` for the bytes of the file at `path`."""
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


def _decoder(name: str) -> Callable[[bytes, SizeCheck], Raster]:
    from wideopen.files import decode_pillow, decode_tiff, exr, jxl

    others = {
        "TIFF": decode_tiff.decode_tiff,
        "camera raw": decode_tiff.decode_raw,
        "JPEG XL": jxl.decode_jxl,
        "OpenEXR": exr.decode_exr,
    }
    return others.get(name) or decode_pillow.DECODERS[name]


def _upright(raster: Raster) -> Raster:
    number = 1 if raster.orientation is None else raster.orientation
    if not 1 <= number <= 8:
        raster = raster.noted(f"EXIF orientation {number} is not one of 1 to 8, ignored")
        number = 1
    codes = np.ascontiguousarray(turn(raster.codes, number))
    height, width = codes.shape[:2]
    exif = raster.exif and exif_tools.upright(raster.exif, (height, width))
    return replace(raster, codes=codes, orientation=1, exif=exif)
