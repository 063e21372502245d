"""Conversion to sRGB by a colour management system, for pictures that are not plain RGB.

CMYK, Lab, and RGB whose profile is lookup tables only. 8 bits, relative colorimetric intent with
black point compensation, as photo programs do.
"""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

__all__ = ["codes_to_srgb", "image_to_srgb"]


def image_to_srgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, str]:
    """Return (`image` as sRGB, a note of what was done), by its profile or by a plain rule."""
    if icc is not None:
        try:
            return _by_profile(image, icc), f"{image.mode} converted to sRGB with its own profile"
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            note = f"{image.mode} converted to sRGB without its profile, which is unreadable"
    else:
        note = f"{image.mode} without a profile converted to sRGB by a plain rule"
    if image.mode == "LAB":
        return _convert(image, ImageCms.createProfile("LAB")), note
    return image.convert("RGB"), note


def codes_to_srgb(codes: NDArray[Any], bit_depth: int, icc: bytes) -> NDArray[np.uint8] | None:
    """Return grey or RGB `codes` as sRGB (H, W, 3) uint8, or None when the profile does not fit."""
    top = 2**bit_depth - 1
    eight = codes if bit_depth == 8 else ((codes.astype(np.uint32) * 255 + top // 2) // top)
    try:
        converted = _by_profile(Image.fromarray(eight.astype(np.uint8)), icc)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return np.asarray(converted)


def _by_profile(image: Image.Image, icc: bytes) -> Image.Image:
    return _convert(image, ImageCms.ImageCmsProfile(BytesIO(icc)))


def _convert(image: Image.Image, profile: Any) -> Image.Image:
    converted = ImageCms.profileToProfile(
        image,
        profile,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if converted is None:
        raise ValueError("no conversion")
    return converted
