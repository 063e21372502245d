"""Encoders from codes to the bytes of a file, one function per format, with EXIF, ICC, XMP and IPTC.

All take codes (H, W, 3): uint8, uint16 if the format holds more than 8 bits, or float32 linear light if it holds
floats. They return the pieces of the file in order.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wideopen.files.containers import jpeg, png, tiff
from wideopen.files.metadata.exif import ORIENTATION
from wideopen.photo import JpegCoding, Metadata

LOG = logging.getLogger(__name__)
Pieces: TypeAlias = list[bytes | memoryview]

LOSSLESS = ("PNG", "TIFF", "OpenEXR")
_DEFAULT_QUALITY = {"JPEG": 95, "WebP": 92, "HEIC": 90, "AVIF": 85, "JPEG XL": 92}
# Capacity of a JPEG segment without the identifier of its content.
JPEG_EXIF_LIMIT, JPEG_XMP_LIMIT = jpeg.LARGEST - 6, jpeg.LARGEST - 29
_PNG_LEVEL = 1  # 12 MP: 0.9 s; level 6 takes twice as long for 10 % less
_AVIF_SPEED = 9  # 9 MP portrait: 0.7 s; speed 6 takes 4 s for 0.1 dB and 10 % less
_HEIC_PRESET = "ultrafast"  # of x265; 9 MP: 3.7 s, "fast" 7.4 s for 0.1 dB, no smaller


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached(Metadata):
    """The metadata of the file; `jpeg` and `chroma` are the original's."""

    xmp_extension: bytes | None = None  # a second packet that `xmp` refers to; JPEG only
    primaries: tuple[float, ...] | None = None  # CIE xy of R, G, B and white, for OpenEXR


def _encode_jpeg(codes: NDArray[Any], attached: Attached, quality: int | None) -> Pieces:
    exif = _fitting("EXIF", attached.exif, JPEG_EXIF_LIMIT)
    xmp = _fitting("XMP", attached.xmp, JPEG_XMP_LIMIT)
    extra = jpeg.iptc_segment(attached.iptc)
    if attached.xmp_extension is not None:
        extra += jpeg.extended_xmp_segments(attached.xmp_extension)[1]
    blocks = {"exif": b"Exif\0\0" + exif if exif else b"", "icc_profile": attached.icc, "xmp": xmp, "extra": extra}
    coding = _jpeg_coding(attached.jpeg, quality)
    try:
        return _by_pillow(codes, "JPEG", **blocks, **coding)
    except OSError:  # Pillow's buffer for progressive files is too small for a noisy one
        if not coding.get("progressive"):
            raise
        return _by_pillow(codes, "JPEG", **blocks, **coding | {"progressive": False})


def _jpeg_coding(original: JpegCoding | None, quality: int | None) -> dict[str, Any]:
    """The original's tables, chroma and coding order; a given `quality` replaces the tables."""
    if original is None:  # full chroma: subsampled colour edges would show beside a sharp subject
        return {"quality": quality or _DEFAULT_QUALITY["JPEG"], "subsampling": "4:4:4"}
    kept = {"subsampling": original.chroma, "progressive": original.progressive}
    if quality is not None:
        return {"quality": quality, **kept}
    return {"qtables": [list(table) for table in original.tables], **kept}


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
    if codes.dtype != np.uint8:
        return _encode_deep_avif(codes, attached, quality)
    return _by_pillow(
        codes,
        "AVIF",
        quality=quality or _DEFAULT_QUALITY["AVIF"],
        subsampling="4:4:4",
        speed=_AVIF_SPEED,
        # Pillow rewrites EXIF that has an orientation, which breaks makers' notes; upright is the default.
        exif=tiff.with_tags(attached.exif, {}, without=[ORIENTATION]) if attached.exif else b"",
        icc_profile=attached.icc or b"",
        xmp=attached.xmp or b"",
    )


def _encode_deep_avif(codes: NDArray[Any], attached: Attached, quality: int | None) -> Pieces:
    """10 bits, by OpenCV: Pillow writes 8. Chroma is 4:2:0."""
    import cv2

    settings = {
        cv2.IMWRITE_AVIF_QUALITY: quality or _DEFAULT_QUALITY["AVIF"],
        cv2.IMWRITE_AVIF_DEPTH: 10,
        cv2.IMWRITE_AVIF_SPEED: _AVIF_SPEED,
    }
    blocks = {
        cv2.IMAGE_METADATA_EXIF: attached.exif,
        cv2.IMAGE_METADATA_XMP: attached.xmp,
        cv2.IMAGE_METADATA_ICCP: attached.icc,
    }
    held = {kind: np.frombuffer(block, np.uint8) for kind, block in blocks.items() if block}
    done, data = cv2.imencodeWithMetadata(
        ".avif",
        cv2.cvtColor(codes, cv2.COLOR_RGB2BGR),
        list(held),
        list(held.values()),
        [number for pair in settings.items() for number in pair],
    )
    if not done:
        raise ValueError("no AVIF could be made")
    return [data.data]


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
        chroma=(attached.chroma or "4:2:0").replace(":", ""),
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
    return tiff.encode_tiff(codes, exif=attached.exif, icc=attached.icc, xmp=attached.xmp, iptc=attached.iptc)


def _encode_jxl(codes: NDArray[Any], attached: Attached, quality: int | None) -> Pieces:
    from wideopen.files.jxl import encode_jxl

    quality = quality or _DEFAULT_QUALITY["JPEG XL"]
    return encode_jxl(codes, exif=attached.exif, icc=attached.icc, xmp=attached.xmp, quality=quality)


def _encode_exr(codes: NDArray[Any], attached: Attached, _quality: int | None) -> Pieces:
    from wideopen.files.exr import encode_exr

    return encode_exr(codes, primaries=attached.primaries)


ENCODERS: dict[str, Callable[[NDArray[Any], Attached, int | None], Pieces]] = {
    "JPEG": _encode_jpeg,
    "PNG": encode_png,
    "TIFF": _encode_tiff,
    "WebP": _encode_webp,
    "HEIC": _encode_heic,
    "AVIF": _encode_avif,
    "JPEG XL": _encode_jxl,
    "OpenEXR": _encode_exr,
}
