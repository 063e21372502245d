"""What samples are composited from: layers of premultiplied colour with coverage, shapes, 8-bit conversions."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wideopen.arrays.maps import resize_map, work_size
from wideopen.checks import F32, U8

Rng = np.random.Generator
FRACTION_BITS = 4  # cv2 draws with a precision of 1/16 pixel


@dataclass(frozen=True, slots=True)
class Layer:
    """An object with coverage: premultiplied colour (H, W, 3) and coverage (H, W), both in [0, 1]."""

    rgb: F32
    alpha: F32


def empty(size: int) -> Layer:
    """Return a layer (size, size) with nothing on it."""
    return Layer(np.zeros((size, size, 3), np.float32), np.zeros((size, size), np.float32))


def over(top: Layer, bottom: Layer) -> Layer:
    """Composite `top` over `bottom`."""
    rest = 1 - top.alpha
    rgb = top.rgb + rest[..., None] * bottom.rgb
    return Layer(rgb.astype(np.float32), (top.alpha + rest * bottom.alpha).astype(np.float32))


def flat(layer: Layer, scene: U8) -> U8:
    """Composite the layer over a scene (H, W, 3)."""
    return to_u8(layer.rgb + (1 - layer.alpha)[..., None] * to_unit(scene))


def to_u8(values: F32) -> U8:
    """Convert [0, 1] to 8 bits."""
    return np.asarray(np.clip(values, 0, 1) * 255 + 0.5, np.uint8)


def to_unit(codes: U8) -> F32:
    """Convert 8 bits to [0, 1]."""
    return codes.astype(np.float32) / np.float32(255)


def shrink_to(image: U8, size: int) -> U8:
    """Shrink `image` to a long side of at most `size` pixels; the aspect ratio is kept."""
    return resize_map(image, work_size(image.shape, size))


def polygon(corners: F32, size: int) -> F32:
    """Return the antialiased coverage (size, size) of a polygon with these corners (N, 2), (x, y) in cv2's pixels."""
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [np.round(corners * 2**FRACTION_BITS).astype(np.int32)], 255, cv2.LINE_AA, FRACTION_BITS)
    return to_unit(mask)


def random_square(rng: Rng, image: U8, side: int) -> U8:
    """Return a random square of `image` (H, W, C), `side` pixels long."""
    y, x = (int(rng.integers(extent - side + 1)) for extent in image.shape[:2])
    return image[y : y + side, x : x + side]


def rotation(angle: float) -> NDArray[np.float64]:
    """Return the 2 x 2 matrix of a rotation by `angle` in radians."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
