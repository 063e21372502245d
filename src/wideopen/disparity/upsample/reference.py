"""Guided upsampling in plain NumPy: sharpen the edges of the small map, then upsample it to the guide's size.

Reference: Kopf, Cohen, Lischinski, Uyttendaele, "Joint Bilateral Upsampling", SIGGRAPH 2007, section 3: a pixel's value
is the weighted mean of the small map's pixels around it. The weight of each is f, by distance, times g, by how similar
the guide is at both places.
Deviations: f is the cubic B-spline, so that without edges in the guide a constant or a slope is reproduced exactly, and
the result is smooth elsewhere, without the steps of a truncated Gaussian; g is 1 / (1 + |dI|^2 / s^2)^2 with |dI| over
three channels, whose long tail still ranks two poor matches; the small guide is the photo averaged, not sampled.

Ours: where the map hardly varies (`varies`), the photo cannot move an edge, and f alone is used.

Ours: `settle`. Networks smear an edge over a few of their own pixels. No value there is right, nor is a mean of such
values. On the small map, a pixel on a slope too steep for a surface takes the mean of the pixels around it that look
similar and lie where the map is flat.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32, U8

LIKENESS = 10.0
"""s: the distance of two colours, in 8-bit codes, at which their weight is a quarter.

On 10 composites with exact depth, blurred as by a network: from 8 to 15 the error varies by a fifth; 30 loses half.
"""
STEEP = 7.7  # slope too steep for a surface: change over the map's long side (0.011 per pixel for a long side of 700)
FLAT = 0.01
"""Range of the map within four pixels up to which it is upsampled without the guide: 2.5 codes of an 8-bit map."""
REACH_PX = 3
PASSES = 2
"""Passes of `settle`. Share of pixels within 10 px of an edge that are off by more than 0.1, for maps blurred by 1.5 of
their pixels: 32 % with no pass, 4 % with one, 3 % with two; with edges also a pixel too wide: 46, 7 and 4 %; for exact
maps: 0.6, 1.3 and 1.6 % (linear interpolation: 39, 47 and 3 %).
"""


def taps(small: int, large: int) -> tuple[NDArray[np.intp], F32]:
    """(indices (large, 4) into the small axis, weights (large, 4)) of the cubic B-spline; the border is replicated."""
    u = (np.arange(large) + 0.5) * (small / large) - 0.5
    base = np.floor(u)
    t = u - base
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=-1) / 6
    index = np.clip(base[:, None].astype(np.intp) + np.arange(-1, 3), 0, small - 1)
    return index, weights.astype(np.float32)


def flatness(small: F32) -> F32:
    """Flatness of the map (h, w), in (0, 1]: a quarter where its slope is `STEEP`."""
    steep = STEEP / max(small.shape)
    dx, dy = (
        cv2.Sobel(small, cv2.CV_32F, *along, scale=1 / 8, borderType=cv2.BORDER_REPLICATE).reshape(small.shape)
        for along in ((1, 0), (0, 1))
    )
    return (1 / (1 + (dx * dx + dy * dy) / np.float32(steep**2)) ** 2).astype(np.float32)


def settle(small: F32, small_guide: U8) -> F32:
    """Return `small` (h, w) with its slopes moved to the edges of `small_guide` (h, w, 3): one pass."""
    flat = flatness(small)
    here: NDArray[Any] = small_guide.astype(np.float64)
    total = np.full(small.shape, 1e-9)
    weighed = 1e-9 * small.astype(np.float64)
    r = REACH_PX
    d, c, there = (np.pad(x, [(r, r), (r, r), (0, 0)][: x.ndim]) for x in (small, flat, here))
    height, width = small.shape
    for j in range(2 * r + 1):
        for i in range(2 * r + 1):
            at = np.s_[j : j + height, i : i + width]
            distance2 = ((here - there[at]) ** 2).sum(axis=2)
            near = (r + 1 - abs(j - r)) * (r + 1 - abs(i - r))
            w = near * c[at] / (1 + distance2 / LIKENESS**2) ** 2  # pixels beyond the border have no weight: c is 0
            total += w
            weighed += w * d[at]
    return (small + (1 - flat) * (weighed / total - small)).astype(np.float32)


def varies(small: F32) -> NDArray[np.bool_]:
    """(h, w): whether the map varies by more than FLAT within the 4x4 taps of a pixel whose second tap this is."""
    window = np.ones((4, 4), np.uint8)
    low, high = (f(small, window, anchor=(1, 1)).reshape(small.shape) for f in (cv2.erode, cv2.dilate))
    return np.asarray(high - low > np.float32(FLAT))


def upsample(small: F32, small_guide: U8, guide: U8) -> F32:
    """Return `small` (h, w) at the size of `guide` (H, W, 3); `small_guide` (h, w, 3): the guide at the map's size."""
    height, width = guide.shape[:2]
    (iy, wy), (ix, wx) = taps(small.shape[0], height), taps(small.shape[1], width)
    guided = varies(small)[np.ix_(iy[:, 1], ix[:, 1])]
    here = guide.astype(np.float64)
    total: NDArray[Any] = np.zeros((height, width))
    weighed: NDArray[Any] = np.zeros((height, width))
    for j in range(4):
        for i in range(4):
            at = np.ix_(iy[:, j], ix[:, i])
            distance2 = ((here - small_guide[at]) ** 2).sum(axis=2) * guided
            w = wy[:, j, None] * wx[None, :, i] / (1 + distance2 / LIKENESS**2) ** 2
            total += w
            weighed += w * small[at]
    return (weighed / total).astype(np.float32)
