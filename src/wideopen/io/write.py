"""From linear light to a photo file."""

import os
from pathlib import Path

from wideopen.checks import F32, require, require_rgb
from wideopen.color import SRGB
from wideopen.errors import InvalidInput
from wideopen.io import encode
from wideopen.io import exif as exif_tools
from wideopen.io.atomic import atomic_file, check_target
from wideopen.io.formats import format_of_extension, readable_path
from wideopen.io.icc import build_profile
from wideopen.photo import Photo

__all__ = ["check_output", "write"]

_DEEP_BITS = {"PNG": 16, "TIFF": 16, "HEIC": 10}  # what a format holds when the photo had over 8


def check_output(
    path: str | os.PathLike[str],
    *,
    like: Photo | None = None,
    quality: int | None = None,
    overwrite: bool = False,
) -> Path:
    """Raise the InvalidInput that `write` would, before the work; return the path."""
    file = readable_path(path)
    name = format_of_extension(file)
    if quality is not None:
        require(name not in encode.LOSSLESS, f"{file}: {name} is lossless, expected no quality")
        require(1 <= quality <= 100, f"quality: expected 1 to 100, found {quality}")
    check_target(file, source=like.source if like else None, overwrite=overwrite)
    return file


def write(
    path: str | os.PathLike[str],
    rgb: F32,
    *,
    like: Photo | None = None,
    quality: int | None = None,
    overwrite: bool = False,
) -> Path:
    """Write linear light `rgb` (H, W, 3) to `path`, in the format of its extension; return the path.

    `like` is the photo that `rgb` was made from: its encoding, EXIF, ICC profile and XMP are kept,
    and its depth where the format has it (PNG and TIFF 16 bits, HEIC 10). Without it: sRGB, 8 bits.
    `quality` is 1 to 100 for JPEG (95 when None), WebP, HEIC and AVIF.
    Raises InvalidInput when the target exists (unless `overwrite`), is the photo's own file (always),
    cannot be written, or has another extension. A failure leaves the folder as it was.
    """
    file = check_output(path, like=like, quality=quality, overwrite=overwrite)
    light = require_rgb("rgb", rgb)
    photo = like or Photo(rgb=light)
    with atomic_file(file, overwrite=overwrite) as out:
        for piece in _encoded(file, light, photo, quality):
            out.write(piece)
    return file


def _encoded(file: Path, light: F32, photo: Photo, quality: int | None) -> encode.Pieces:
    from wideopen.ops import transfer

    name = format_of_extension(file)
    depth = _DEEP_BITS.get(name, 8) if photo.metadata.bit_depth > 8 else 8
    codes = transfer.encode(light, photo.encoding, bit_depth=depth)
    try:
        return encode.ENCODERS[name](codes, _attached(photo, light.shape[:2]), quality)
    except (OSError, RuntimeError, ValueError) as error:
        raise InvalidInput(f"{file}: cannot be written as {name} ({error})") from error


def _attached(photo: Photo, size: tuple[int, ...]) -> encode.Attached:
    kept = photo.metadata
    icc = kept.icc
    if icc is None and photo.encoding != SRGB:
        icc = build_profile(photo.encoding)
    exif = kept.exif and exif_tools.upright(kept.exif, (size[0], size[1]))
    return encode.Attached(exif=exif, icc=icc, xmp=kept.xmp)
