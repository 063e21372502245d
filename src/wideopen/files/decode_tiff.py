"""The decoder for TIFF files. Pillow decodes at 8 bits, tifffile above, OpenCV the compressions that tifffile lacks.

Most camera raw files are TIFF files that begin with a preview; `optional.decode_raw` develops them.
"""

from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import require
from wideopen.errors import quiet
from wideopen.files.containers.tiff import exif_of_tiff, iptc_of_tiff, orientation
from wideopen.files.decode_pillow import opencv_codes, raster_of_image, strict_pillow
from wideopen.files.formats import require_library
from wideopen.files.optional import decode_raw
from wideopen.files.raster import Raster, SizeCheck, several

LOGGERS = ("tifffile", "PIL.TiffImagePlugin")
_ICC, _XMP, _IPTC, _SUBFILE, _DNG_VERSION = 34675, 700, 33723, 254, 50706
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_ASSOCIATED, _UNASSOCIATED = 1, 2  # kinds of alpha; 0 is an unspecified channel


def decode_tiff(data: bytes, check_size: SizeCheck) -> Raster:
    """Return the first page of a TIFF file; floats as float32."""
    import tifffile

    with strict_pillow(), quiet(*LOGGERS), tifffile.TiffFile(BytesIO(data)) as file:
        page = file.pages[0]
        reduced = page.tags.get(_SUBFILE)
        preview = reduced is not None and isinstance(reduced.value, int) and bool(reduced.value & 1)
        is_raw = preview or _DNG_VERSION in page.tags or data[8:10] == b"CR"
        if not is_raw:
            check_size(page.imagewidth, page.imagelength)
            small = page.bitspersample <= 8
            raster = _small(data, check_size) if small else _deep(data, page)
            tag = page.tags.get(_IPTC)
            record = data[tag.valueoffset : tag.valueoffset + tag.valuebytecount] if tag is not None else b""
            raster = replace(raster, xmp=_tag(page, _XMP), iptc=iptc_of_tiff(record))
            count = len(file.pages)
    if is_raw:
        require_library("camera raw")
        return decode_raw(data, check_size)
    exif = exif_of_tiff(data)
    number = orientation(exif) if exif else None
    turned = small and number in range(1, 9)  # Pillow turns TIFF, and only TIFF, when it loads it
    return raster.noted(*several(count), exif=exif, orientation=None if turned else number)


def _tag(page: Any, code: int) -> bytes | None:
    tag = page.tags.get(code)
    return bytes(tag.value) if tag is not None and isinstance(tag.value, bytes) else None


def _small(data: bytes, check_size: SizeCheck) -> Raster:
    from PIL.TiffImagePlugin import TiffImageFile

    image = TiffImageFile(BytesIO(data))
    check_size(*image.size)  # if a file has two sizes, Pillow may use the other
    image.load()
    return raster_of_image(image, "TIFF")


def _deep(data: bytes, page: Any) -> Raster:
    kind = int(page.photometric)
    known, found = (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB), getattr(page.photometric, "name", kind)
    require(kind in known, f"expected grey or RGB above 8 bits, found {found}")
    kinds = (np.uint16, np.float16, np.float32, np.float64)
    require(page.dtype in kinds, f"expected 8 or 16 bits per channel or floats, found {page.dtype}")
    codes = _pixels(data, page)
    if codes.dtype.kind == "f":
        with np.errstate(over="ignore"):  # values beyond float32 become infinity
            codes = codes.astype(np.float32, copy=False)
    if kind == _WHITE_IS_ZERO and codes.dtype == np.uint16:
        codes = 65535 - codes
    codes, notes = _with_straight_alpha(codes, page)
    depth = 16 if codes.dtype == np.uint16 else 32
    return Raster(codes=codes, bit_depth=depth, format="TIFF", icc=_tag(page, _ICC), notes=notes)


def _pixels(data: bytes, page: Any) -> NDArray[Any]:
    try:
        codes = page.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        return opencv_codes(data)
    if codes.ndim == 3 and page.axes.startswith("S"):  # channels stored one after another
        codes = np.moveaxis(codes, 0, -1)
    return np.asarray(codes)


def _with_straight_alpha(codes: NDArray[Any], page: Any) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return (codes with straight alpha as the last channel if they have alpha, without other channels; notes)."""
    colours = 3 if int(page.photometric) == _RGB else 1
    if codes.ndim == 2 or codes.shape[2] == colours:
        return (codes[..., 0] if codes.ndim == 3 and colours == 1 else codes), ()
    extra = int(page.extrasamples[0]) if page.extrasamples else 0
    if extra not in (_ASSOCIATED, _UNASSOCIATED):
        plain = codes[..., :3] if colours == 3 else codes[..., 0]
        return plain, ("further channels of the TIFF were dropped",)
    colour, alpha = codes[..., :colours], codes[..., colours : colours + 1]
    if extra == _ASSOCIATED and codes.dtype == np.float32:
        colour = colour / np.maximum(alpha, np.float32(1e-6))
    elif extra == _ASSOCIATED:
        straight = colour * (np.float32(65535) / np.maximum(alpha.astype(np.float32), 1))
        colour = np.rint(np.minimum(straight, 65535)).astype(codes.dtype)
    return np.concatenate([colour, alpha], axis=2), ()
