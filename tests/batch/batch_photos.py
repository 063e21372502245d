"""Tiny photos and mattes, as the bytes of files."""

import io

import cv2
import numpy as np
from PIL import Image


def photo_bytes(kind, seed, width=64, height=48):
    """A picture of noise with a bright disk, as a file of `kind`."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(30, 120, (height, width, 3)).astype(np.uint8)
    cv2.circle(pixels, (width // 2, height // 2), height // 4, (200, 160, 140), -1)
    out = io.BytesIO()
    if kind == "HEIC":
        import pillow_heif

        pillow_heif.from_pillow(Image.fromarray(pixels)).save(out, quality=90)
    else:
        Image.fromarray(pixels).save(out, {"WebP": "WEBP"}.get(kind, kind))
    return out.getvalue()


def matte_bytes(width=64, height=48):
    matte = np.zeros((height, width), np.uint8)
    cv2.circle(matte, (width // 2, height // 2), height // 4, 255, -1)
    return cv2.imencode(".png", matte)[1].tobytes()
