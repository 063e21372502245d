"""Resizing maps and images, always to a size."""

from typing import TypeVar

import cv2

from wideopen.checks import F32, U8

Pixels = TypeVar("Pixels", F32, U8)


def work_size(shape: tuple[int, ...], long_side_px: int) -> tuple[int, int]:
    """(h, w) of the same aspect with at most this long side, at least one pixel."""
    scale = min(1.0, long_side_px / max(shape[:2]))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def resize_map(x: Pixels, size: tuple[int, ...]) -> Pixels:
    """Resize (H, W) or (H, W, C) to a size (h, w): area means downwards, linear upwards; `x` itself if it fits."""
    if x.shape[:2] == tuple(size[:2]):
        return x
    smaller = size[0] * size[1] < x.shape[0] * x.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    resized: Pixels = cv2.resize(x, (size[1], size[0]), interpolation=method).reshape(*size[:2], *x.shape[2:])
    return resized
