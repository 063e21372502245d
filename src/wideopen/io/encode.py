"""From codes to the bytes of a file, one function per format, with EXIF, ICC and XMP.

All take codes (H, W, 3), uint8, or uint16 where the format holds more than 8 bits, and return the
pieces of the file in order.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wideopen.io import png

__all__ = ["ENCODERS", "LOSSLESS", "Attached", "encode_png"]

LOG = logging.getLogger(__name__)
Pieces: TypeAlias = list[bytes | memoryview]

LOSSLESS = ("PNG", "TIFF")
_DEFAULT_QUALITY = {"JPEG": 95, "WebP": 92, "HEIC": 90, "AVIF": 85}
# A JPEG segment holds 65533 bytes, less the name of what is in it.
_JPEG_EXIF_LIMIT, _JPEG_XMP_LIMIT = 65533 - 6, 65533 - 29
_PNG_LEVEL = 1  # 12 MP: 0.9 s; level 6 takes twice as long for 10 % less
_AVIF_SPEED = 9  # 9 MP portrait: 0.7 s; speed 6 takes 4 s for 0.1 dB and 10 % less
_HEIC_PRESET = "ultrafast"  # of x265; 9 MP: 3.7 s, "fast" 7.4 s for 0.1 dB, no smaller


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """What goes into the file besides the pixels."""

    exif: bytes | None = None  # from its TIFF header on
    icc: bytes | None = None
    xmp: bytes | None = None


def _encode_jpeg(codes: NDArray[Any], attached: Attached, quality: int | None) -> Pieces:
    exif = _fitting("EXIF", attached.exif, _JPEG_EXIF_LIMIT)
    xmp = _fitting("XMP", attached.xmp, _JPEG_XMP_LIMIT)
    return _by_pillow(
        codes,
        "JPEG",
        quality=quality or _DEFAULT_QUALITY["JPEG"],
        subsampling="4:4:4",  # blurred colour edges would show beside a sharp subject
        exif=b"Exif\0\0" + exif if exif else b"",
        icc_profile=attached.icc,
        xmp=xmp,
    )


def _fitting(name: str, block: bytes | None, limit: int) -> bytes | None:
    if block is not None and len(block) > limit:
        LOG.warning("%s of %d bytes left out: JPEG holds at most %d", name, len(block), limit)
        return None
    return block


def _by_pillow(codes: NDArray[Any], name: str, **options: Any) -> Pieces:
    from PIL import Image

    out = BytesIO()
    Image.fromarray(codes).save(out, name, **options)
    return [out.getbuffer()]


def _encode_webp(codes: NDArray[Any], attached: Attached, quality: int | None) -> Pieces:
    return _by_pillow(
        codes,
        "WEBP",
        quality=quality or _DEFAULT_QUALITY["WebP"],
        exif=attached.exif or b"",
        icc_profile=attached.icc or b"",
        xmp=attached.xmp or b"",
    )


def _encode_avif(codes: NDArray[Any], attached: Attached, quality: int | None) -> Pieces:
    return _by_pillow(
        codes,
        "AVIF",
        quality=quality or _DEFAULT_QUALITY["AVIF"],
        subsampling="4:4:4",
        speed=_AVIF_SPEED,
        exif=attached.exif or b"",
        icc_profile=attached.icc or b"",
        xmp=attached.xmp or b"",
    )


def _encode_heic(codes: NDArray[Any], attached: Attached, quality: int | None) -> Pieces:
    import pillow_heif

    height, width = codes.shape[:2]
    mode = "RGB" if codes.dtype == np.uint8 else "RGB;10"
    file = pillow_heif.from_bytes(mode, (width, height), codes.tobytes())
    if attached.icc is not None:
        file.info["icc_profile"] = attached.icc
    out = BytesIO()
    file.save(
        out,
        quality=quality or _DEFAULT_QUALITY["HEIC"],
        bit_depth=8 if mode == "RGB" else 10,
        exif=attached.exif,
        xmp=attached.xmp,
        enc_params={"preset": _HEIC_PRESET},
    )
    return [out.getbuffer()]


def encode_png(codes: NDArray[Any], attached: Attached, _quality: int | None = None) -> Pieces:
    """Return the pieces of a PNG of `codes` (H, W) or (H, W, 3), uint8 or uint16."""
    import cv2

    stored = codes if codes.ndim == 2 else cv2.cvtColor(codes, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".png", stored, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])
    if not done:
        raise ValueError("no PNG could be made")
    chunks = []
    if attached.icc is not None:
        chunks.append(png.icc_chunk(attached.icc))
    if attached.xmp is not None:
        chunks.append(png.xmp_chunk(attached.xmp))
    if attached.exif is not None:
        chunks.append((b"eXIf", attached.exif))
    return png.with_chunks(data.tobytes(), chunks)


def _encode_tiff(codes: NDArray[Any], attached: Attached, _quality: int | None) -> Pieces:
    from wideopen.io import tiff

    return tiff.encode_tiff(codes, exif=attached.exif, icc=attached.icc, xmp=attached.xmp)


ENCODERS: dict[str, Callable[[NDArray[Any], Attached, int | None], Pieces]] = {
    "JPEG": _encode_jpeg,
    "PNG": encode_png,
    "TIFF": _encode_tiff,
    "WebP": _encode_webp,
    "HEIC": _encode_heic,
    "AVIF": _encode_avif,
}
