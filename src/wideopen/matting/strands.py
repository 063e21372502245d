"""Strands of hair from a large photo's own pixels: the matte in hair from the line between two local colours. Ours.

The network sees hair as a veil, and following the photo's edges (`matting.edges`) turns it into strands only faintly: a
linear model over a wide window cannot be steep. Here the veil is only the weight for averaging the colours F of the
subject and B of the background around each pixel; the matte is then the position of the pixel's colour I between them,
alpha = (I - B) . (F - B) / |F - B|^2, as in the compositing equation. Where the two colours are close, the matte stays.

Strands must be wider than a pixel, so photos of less than `RESOLVED` pixels per network pixel are left alone. Where the
network hesitates about something other than hair, the colours decide too, often wrongly (docs/mattes.md).
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import cv2
import numpy as np

from wideopen.checks import F32, U8

RESOLVED = (2.0, 3.0)  # photo pixels per network pixel: nothing is done up to the first, all from the second
WIDTH = 2.0  # standard deviation of the window that colours are averaged in, in network pixels
CLOSE = 0.03  # squared distance of the two colours, channels in [0, 1], at which the matte changes by half
BOTH = 0.02  # least squared share of either side in the window
ROUNDS = 2
TILE_PX = 256


def draw_strands(matte: F32, srgb_u8: U8, hair: F32, unit_px: float) -> F32:
    """Return `matte` (H, W) in [0, 1] with the strands of the photo (H, W, 3), display-encoded.

    hair: (h, w) in [0, 1], where and how much the matte may change. unit_px: photo pixels per network pixel. The cost
    is proportional to the area of the hair.
    """
    strength = np.float32(np.clip((unit_px - RESOLVED[0]) / (RESOLVED[1] - RESOLVED[0]), 0, 1))
    if strength == 0 or not hair.any():
        return matte
    height, width = matte.shape
    share = strength * cv2.resize(hair, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width)
    out, reach = matte.copy(), round(3 * ROUNDS * WIDTH * unit_px)

    def draw(tile: tuple[int, int]) -> None:
        top, left = tile
        here = np.s_[top : top + TILE_PX, left : left + TILE_PX]
        if share[here].max() <= 0:
            return
        y, x = max(top - reach, 0), max(left - reach, 0)
        seen = np.s_[y : top + TILE_PX + reach, x : left + TILE_PX + reach]
        colours = np.asarray(srgb_u8[seen] / np.float32(255), np.float32)
        drawn = _between_colours(matte[seen], colours, WIDTH * unit_px)
        change = drawn[top - y :, left - x :][: out[here].shape[0], : out[here].shape[1]] - matte[here]
        out[here] += share[here] * change

    with ThreadPoolExecutor() as threads:
        list(threads.map(draw, product(range(0, height, TILE_PX), range(0, width, TILE_PX))))
    return out


def _between_colours(alpha: F32, I: F32, sigma_px: float) -> F32:
    """alpha (h, w) from colours (h, w, 3), `ROUNDS` times."""
    for _ in range(ROUNDS):
        subject, rest = alpha**2, (1 - alpha) ** 2
        some, other = _mean(subject, sigma_px), _mean(rest, sigma_px)
        F = _mean(I * subject[..., None], sigma_px) / (some[..., None] + 1e-4)
        B = _mean(I * rest[..., None], sigma_px) / (other[..., None] + 1e-4)
        line = F - B
        squared = np.square(line).sum(-1)
        drawn = np.clip(((I - B) * line).sum(-1) / (squared + 1e-5), 0, 1)
        sure = squared / (squared + CLOSE) * np.clip(np.minimum(some, other) / BOTH, 0, 1)
        alpha = alpha + sure * (drawn - alpha)
    return alpha.astype(np.float32)


def _mean(x: F32, sigma_px: float) -> F32:
    """Gaussian means, made at a resolution at which a standard deviation is about four pixels."""
    height, width = x.shape[:2]
    step = max(1, int(sigma_px / 4))
    small = cv2.resize(x, (max(1, width // step), max(1, height // step)), interpolation=cv2.INTER_AREA)
    means = cv2.GaussianBlur(small, (0, 0), sigma_px / step)
    return np.asarray(cv2.resize(means, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
