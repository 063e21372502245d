"""Writing of linear light to photo files."""

import hashlib
import os
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from wideopen.checks import F32, require, require_rgb, require_unit_map
from wideopen.color import SRGB, SRGB_LINEAR, Encoding, chromaticities, linear
from wideopen.errors import InvalidInput
from wideopen.files import encode
from wideopen.files.atomic import atomic_file, check_target
from wideopen.files.formats import BITS, format_of_extension, readable_path, require_library
from wideopen.files.metadata import exif as exif_tools
from wideopen.files.metadata import xmp as xmp_tools
from wideopen.files.metadata.icc import build_profile
from wideopen.files.refocusable import Keep, in_jpeg, sidecar_of, sidecar_pieces
from wideopen.photo import Photo

__all__ = ["check_format", "check_output", "write"]

_HALF_HOLDS = 10  # bits of display-encoded codes
_THUMBNAIL_PX, _THUMBNAIL_QUALITY = 160, 80


def check_output(
    path: str | os.PathLike[str],
    *,
    like: Photo | None = None,
    quality: int | None = None,
    bits: int | None = None,
    overwrite: bool = False,
    keep: bool = False,
) -> Path:
    """Raise the InvalidInput that `write` would raise, before any work; return the path."""
    file = readable_path(path)
    name = check_format(file, quality=quality, bits=bits)
    check_target(file, source=_source(like), overwrite=overwrite)
    if keep and name != "JPEG":
        check_target(sidecar_of(file), overwrite=overwrite)
    return file


def check_format(file: Path, *, quality: int | None = None, bits: int | None = None) -> str:
    """Return the format of the extension of `file`.

    Raises InvalidInput if it cannot be written, lacks its library, or does not have that quality or bit depth.
    """
    name = format_of_extension(file)
    if quality is not None:
        require(name not in encode.LOSSLESS, f"{file}: {name} is lossless, expected no quality, found {quality}")
        require(1 <= quality <= 100, f"quality: expected 1 to 100, found {quality}")
    if bits is not None:
        known = " or ".join(map(str, BITS[name]))
        require(bits in BITS[name], f"{file}: expected {known} bits in {name}, found {bits}")
    try:
        require_library(name)
    except InvalidInput as error:
        raise InvalidInput(f"{file}: {error}") from error
    return name


def write(
    path: str | os.PathLike[str],
    rgb: F32,
    *,
    like: Photo | None = None,
    quality: int | None = None,
    bits: int | None = None,
    overwrite: bool = False,
    keep: Keep | None = None,
) -> Path:
    """Write linear light `rgb` (H, W, 3) to `path`, in the format of its extension; return the path.

    `like` is the photo that `rgb` was made from: its encoding, EXIF, ICC profile, XMP and IPTC are kept, as are its
    depth if the format has it, and the tables and chroma of a JPEG. Without it the result is sRGB, 8 bits. `quality` is
    1 to 100 for JPEG (if None, as `like`, or 95), WebP, HEIC, AVIF and JPEG XL (100: lossless). `bits` per channel are
    those of `files.formats.BITS`; 32, and OpenEXR's 16, are floats of linear light. `keep` are the maps to store with
    the result so that it can be refocused: see `files.refocusable`.

    Raises InvalidInput if the target exists (unless `overwrite`), is the photo's own file (always), cannot be written,
    has another extension, or needs a missing library. A failure leaves the folder unchanged.
    """
    file = check_output(path, like=like, quality=quality, bits=bits, overwrite=overwrite, keep=keep is not None)
    depth = bits or _depth(format_of_extension(file), like.metadata.bit_depth if like else 8)
    with atomic_file(file, overwrite=overwrite) as out:
        digest = hashlib.sha256()
        for piece in _encoded(file, rgb, like, quality, depth, keep):
            out.write(piece)
            if keep is not None:
                digest.update(piece)
        if keep is not None and format_of_extension(file) != "JPEG":
            maps = sidecar_pieces(keep, original=_source(like), result=file, digest=digest.hexdigest())
            with atomic_file(sidecar_of(file), overwrite=overwrite) as beside:
                beside.writelines(maps)
    return file


def _encoded(
    file: Path, rgb: F32, like: Photo | None, quality: int | None, depth: int, keep: Keep | None
) -> encode.Pieces:
    name = format_of_extension(file)
    codes, attached = _prepared(name, rgb, like, depth)
    if keep is not None:
        require_unit_map("matte to keep", keep.matte, like=codes)
        require_unit_map("disparity to keep", keep.disparity, like=codes)
    if keep is not None and name == "JPEG":
        main, extension = in_jpeg(attached.xmp, keep, original=_source(like), result=file)
        attached = replace(attached, xmp=main, xmp_extension=extension)
    try:
        if name == "JPEG" and like is not None and like.metadata.exif is not None and attached.exif:
            attached = replace(attached, exif=_with_thumbnail(attached.exif, codes))
        return encode.ENCODERS[name](codes, attached, quality)
    except (OSError, RuntimeError, ValueError) as error:
        raise InvalidInput(f"{file}: cannot be written as {name} ({error})") from error


def _source(like: Photo | None) -> Path | None:
    return like.source if like is not None else None


def _depth(name: str, photo_bits: int) -> int:
    """Return the bits to write for a photo of `photo_bits`: no fewer if the format has them."""
    if name == "OpenEXR":  # half floats hold 11 bits of precision
        return 16 if photo_bits <= _HALF_HOLDS else 32
    deeper = [bits for bits in BITS[name] if bits >= photo_bits]
    return deeper[0] if deeper else BITS[name][-1]


def _prepared(name: str, rgb: F32, like: Photo | None, depth: int) -> tuple[NDArray[Any], encode.Attached]:
    """Return the codes to store and the metadata, in colours that the format can describe. Refuses invalid light."""
    encoding = like.encoding if like is not None else SRGB
    codes = _codes(name, rgb, encoding, depth)
    attached = _attached(like, (codes.shape[0], codes.shape[1]), name)
    if name == "OpenEXR":
        return codes, replace(attached, primaries=chromaticities(encoding))
    if depth == 32:
        return codes, replace(
            attached, icc=build_profile(SRGB_LINEAR if encoding.has_srgb_primaries else linear(encoding))
        )
    return codes, attached


def _codes(name: str, rgb: F32, encoding: Encoding, depth: int) -> NDArray[Any]:
    from wideopen.arrays import transfer

    if name == "OpenEXR" or depth == 32:
        from wideopen.files.exr import half

        light = require_rgb("rgb", rgb)
        return half(light) if depth == 16 else light
    return transfer.encode(rgb, encoding, bit_depth=depth)


def _attached(like: Photo | None, size: tuple[int, int], name: str) -> encode.Attached:
    if like is None:
        return encode.Attached()
    kept = like.metadata
    icc = kept.icc
    if icc is None and like.encoding != SRGB:
        icc = build_profile(like.encoding)
    return encode.Attached(
        exif=_exif(kept.exif, size, name),
        icc=icc,
        xmp=kept.xmp and xmp_tools.resized(kept.xmp, size),
        iptc=kept.iptc,
        jpeg=kept.jpeg,
        chroma=kept.chroma,
    )


def _with_thumbnail(exif: bytes, codes: NDArray[Any]) -> bytes:
    """Return `exif` with a thumbnail of the result, 160 pixels long as in cameras, if there is room."""
    import cv2

    height, width = codes.shape[:2]
    scale = min(_THUMBNAIL_PX / max(height, width), 1)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = cv2.resize(codes, size, interpolation=cv2.INTER_AREA)
    (jpeg,) = encode.ENCODERS["JPEG"](small, encode.Attached(), _THUMBNAIL_QUALITY)
    block = exif_tools.with_thumbnail(exif, bytes(jpeg))
    return block if len(block) <= encode.JPEG_EXIF_LIMIT else exif


def _exif(exif: bytes | None, size: tuple[int, int], name: str) -> bytes:
    """Return the photo's EXIF, or a new block, for a result: its size and the software."""
    upright = exif and exif_tools.upright(exif, size)
    signed = exif_tools.signed(upright, f"wideopen {version('wideopen')}")
    too_long = name == "JPEG" and len(signed) > encode.JPEG_EXIF_LIMIT
    return upright if upright and too_long else signed
