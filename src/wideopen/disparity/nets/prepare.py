"""From a photo to what a depth network takes: size, borders, colours. NumPy only.

Our own, rather than transformers' image processors: one code for all four, and theirs of Depth Pro needs torchvision.
Deviations: photos are averaged down (theirs: cubic with or without antialiasing, bilinear for Depth Pro) and never
become longer than three times the size asked for; ZoeDepth's mirrored border has whole pixels of the network's size.
"""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from wideopen.checks import F32, U8
from wideopen.disparity.nets.rows import INPUTS, Input
from wideopen.errors import WeightsError

LONGEST = 3
"""Times the size asked for: a panorama in full would need memory without bound."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What goes in, and which part of what comes out is the photo."""

    pixels: F32  # (3, h, w), normalised
    border: tuple[int, int]  # (rows, columns) to be cut off on each side of the output, in pixels of h x w


def input_of(architecture: str, preprocessor: dict[str, Any], name: str) -> Input:
    """How a model wants its photo: its architecture's way, but for what its folder says. Raises WeightsError."""
    ours = INPUTS[architecture]
    try:
        size = preprocessor.get("size", ours.size)
        if isinstance(size, dict):
            size = (size["height"], size["width"])
        elif isinstance(size, int):
            size = (size, size)
        wanted = replace(
            ours,
            size=(int(size[0]), int(size[1])),
            keep_aspect=bool(preprocessor.get("keep_aspect_ratio", ours.keep_aspect)),
            multiple=int(preprocessor.get("ensure_multiple_of", ours.multiple)),
            mean=_three(preprocessor.get("image_mean", ours.mean)),
            std=_three(preprocessor.get("image_std", ours.std)),
            padded=ours.padded and bool(preprocessor.get("do_pad", True)),
        )
        sound = min(*wanted.size, wanted.multiple) >= 1 and max(wanted.size) <= 4096
        sound = sound and min(wanted.std) > 0
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise WeightsError(f"depth model {name}: preprocessor_config.json is not understood ({error!r})") from error
    if not sound:
        raise WeightsError(f"depth model {name}: preprocessor_config.json asks for no sound input, found {wanted}")
    return wanted


def _three(numbers: Any) -> tuple[float, float, float]:
    red, green, blue = numbers
    return float(red), float(green), float(blue)


def network_size(height: int, width: int, wanted: Input) -> tuple[int, int]:
    """(h, w) of the network's input: as wanted, or with the photo's aspect, scaled as little as possible."""
    if not wanted.keep_aspect:
        return wanted.size
    scale = min((wanted.size[0] / height, wanted.size[1] / width), key=lambda x: abs(1 - x))
    scale = min(scale, LONGEST * max(wanted.size) / max(height, width))
    rows, columns = (max(1, round(side * scale / wanted.multiple)) * wanted.multiple for side in (height, width))
    return rows, columns


def border_of(size: int, photo: int) -> int:
    """Pixels of a side of `size` that are mirrored border at each end: ZoeDepth's 3 sqrt(photo / 2), brought to it."""
    pad = int(3 * np.sqrt(photo / 2))
    return min(round(size * pad / (photo + 2 * pad)), (size - 1) // 2)


def prepare(srgb_u8: U8, wanted: Input) -> Prepared:
    """What the network takes of a photo (H, W, 3)."""
    height, width = srgb_u8.shape[:2]
    rows, columns = network_size(height, width, wanted)
    top = border_of(rows, height) if wanted.padded else 0
    left = border_of(columns, width) if wanted.padded else 0
    inner = (columns - 2 * left, rows - 2 * top)
    smaller = inner[0] * inner[1] < width * height
    small = cv2.resize(srgb_u8, inner, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    if top or left:
        small = cv2.copyMakeBorder(small, top, top, left, left, cv2.BORDER_REFLECT_101)
    mean, std = np.array(wanted.mean, np.float32), np.array(wanted.std, np.float32)
    pixels = (small.reshape(rows, columns, 3).astype(np.float32) / 255 - mean) / std
    return Prepared(np.ascontiguousarray(pixels.transpose(2, 0, 1)), (top, left))


def cut_border(values: F32, prepared: Prepared) -> F32:
    """The photo's part of an output (h, w), at any resolution, of a network that took `prepared`."""
    rows, columns = prepared.pixels.shape[1:]
    top, left = (
        round(border * out / size)
        for border, out, size in zip(prepared.border, values.shape, (rows, columns), strict=True)
    )
    return values[top : values.shape[0] - top, left : values.shape[1] - left]
