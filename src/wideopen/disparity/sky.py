"""Where a photo plainly shows the sky, which a small network puts at uneven distances.

Ours. Sky is blue, or bright and grey, and reaches the upper edge. It is far for the network too, unlike walls and white
backdrops, and far in all its parts, unlike water that comes near.
"""

import cv2
import numpy as np

from wideopen.checks import F32, U8

FAR, NOT_FAR = 0.13, 0.25
"""Highest median of the network's answer, about 1 at near things, in a sky, and in a blue one that fills the photo."""
NEAREST = 0.45  # and its highest 95th percentile
LEAST = 0.02  # share of the photo


def plain_sky(seen: U8, order: F32) -> np.ndarray:
    """(h, w) bool: the sky in a small photo (h, w, 3), sRGB-encoded; order (h, w): the network's raw answer."""
    red, green, blue = np.moveaxis(seen.astype(np.int16), 2, 0)
    bright = seen.max(2).astype(np.int16)
    is_blue = (blue > red + 10) & (blue >= green - 2) & (green > red - 6) & (bright > 70)
    is_grey = (bright > 120) & (bright - seen.min(2) < 0.14 * bright + 4)
    alike = cv2.morphologyEx((is_blue | is_grey).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, parts = cv2.connectedComponents(alike, connectivity=4)
    sky = np.zeros(order.shape, bool)
    for part in np.unique(parts[0][parts[0] > 0]):
        own = parts == part
        limit = NOT_FAR if own.mean() > 0.5 and is_blue[own].mean() > 0.3 else FAR
        middle, near = np.percentile(order[own], (50, 95))
        if own.mean() > LEAST and middle < limit and near < NEAREST:
            sky |= own
    return sky
