"""Conversion to sRGB by a colour management system, for pictures that are not plain RGB.

These are CMYK, Lab, and RGB whose profile has only lookup tables. The intent is relative colorimetric with black point
compensation, as in photo programs. Pillow converts 8 bits; imagecodecs (the extra jxl), if installed, converts 16. Both
call Little CMS.
"""

from importlib.util import find_spec
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

_INTENT, _FLAGS = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION


def image_to_srgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, str]:
    """Return (`image` as sRGB, a note on the conversion), by its profile or by a plain rule."""
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


def codes_to_srgb(codes: NDArray[Any], bit_depth: int, icc: bytes) -> tuple[NDArray[Any] | None, int]:
    """Return (grey or RGB `codes` as sRGB (H, W, 3), their bits); None if the profile does not fit."""
    top = 2**bit_depth - 1
    if bit_depth > 8 and codes.ndim == 3 and find_spec("imagecodecs"):
        wide = codes if bit_depth == 16 else np.rint(codes * (65535 / top)).astype(np.uint16)
        return _deep_by_profile(wide, icc), 16
    eight = codes if bit_depth == 8 else ((codes.astype(np.uint32) * 255 + top // 2) // top)
    try:
        converted = _by_profile(Image.fromarray(eight.astype(np.uint8)), icc)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None, 8
    return np.asarray(converted), 8


def _deep_by_profile(codes: NDArray[np.uint16], icc: bytes) -> NDArray[np.uint16] | None:
    import imagecodecs

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    try:
        converted: NDArray[np.uint16] = imagecodecs.cms_transform(
            codes, icc, srgb, colorspace="rgb", outcolorspace="rgb", outdtype="uint16",
            intent=int(_INTENT), flags=int(_FLAGS),
        )  # fmt: skip
    except (RuntimeError, ValueError, TypeError):
        return None
    return converted


def _by_profile(image: Image.Image, icc: bytes) -> Image.Image:
    return _convert(image, ImageCms.ImageCmsProfile(BytesIO(icc)))


def _convert(image: Image.Image, profile: Any) -> Image.Image:
    converted = ImageCms.profileToProfile(
        image,
        profile,
        ImageCms.createProfile("sRGB"),
        renderingIntent=_INTENT,
        outputMode="RGB",
        flags=_FLAGS,
    )
    if converted is None:
        raise ValueError("no conversion")
    return converted
