"""Specks that following the edges leaves beside a firm outline: bits of ground whose colour the subject has, and holes.

A colour model cannot tell a dark stone beside a dark strap from the strap. What is narrower than about the network's
pixel and unlike all around it is none of the subject's outline, except in hair, which is left alone; so a median over
`WIDTH` of the network's pixels replaces what differs from it by more than `UNLIKE`.
"""

import cv2
import numpy as np

from wideopen.checks import F32

WIDTH = 2.6
"""Side of the median's window, in the network's pixels."""
UNLIKE = (12, 28)
"""Differences from the median, in 1/255: up to the first nothing changes, from the second on the median is taken."""
TILE_PX = 256


def without_specks(matte: F32, firm: F32, unit_px: float) -> F32:
    """`matte` (H, W) in [0, 1] without specks where `firm` (h, w), in [0, 1], says that no hair is.

    `unit_px`: pixels of `matte` in one of the network's. Its cost follows the area of what is firm transition.
    """
    height, width = matte.shape
    radius = int(WIDTH / 2 * unit_px)
    if radius < 1:
        return matte
    out = matte.copy()
    down, right = firm.shape[0] / height, firm.shape[1] / width
    for top in range(0, height, TILE_PX):
        for left in range(0, width, TILE_PX):
            y1, x1 = min(top + TILE_PX, height), min(left + TILE_PX, width)
            rows = slice(max(int(top * down) - 1, 0), int(np.ceil(y1 * down)) + 1)
            columns = slice(max(int(left * right) - 1, 0), int(np.ceil(x1 * right)) + 1)
            if firm[rows, columns].max() <= 0:
                continue
            share = _window(firm, (top, y1), (left, x1), down, right)
            out[top:y1, left:x1] += share * _change(matte, (top, y1), (left, x1), radius)
    return out


def _change(matte: F32, ys: tuple[int, int], xs: tuple[int, int], radius: int) -> F32:
    """What the median adds to a tile, times how sure it is that this is a speck."""
    y0, x0 = max(ys[0] - radius, 0), max(xs[0] - radius, 0)
    seen = matte[y0 : ys[1] + radius, x0 : xs[1] + radius]
    median = cv2.medianBlur(np.round(seen * 255).astype(np.uint8), 2 * radius + 1)
    tile = np.s_[ys[0] - y0 : ys[1] - y0, xs[0] - x0 : xs[1] - x0]
    change = median[tile].astype(np.float32) / 255 - seen[tile]
    low, high = UNLIKE
    sure = np.clip((np.abs(change) * 255 - low) / (high - low), 0, 1)
    return np.asarray(sure * change, np.float32)


def _window(x: F32, ys: tuple[int, int], xs: tuple[int, int], down: float, right: float) -> F32:
    """The tile of `x` (h, w), enlarged linearly to the matte's size; pixels' centres meet."""
    u = (np.arange(*xs, dtype=np.float32) + 0.5) * right - 0.5
    v = (np.arange(*ys, dtype=np.float32) + 0.5) * down - 0.5
    grid = np.meshgrid(u, v)
    return np.asarray(cv2.remap(x, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)
