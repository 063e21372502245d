"""Large photos: the transition between subject and background refined on tiles of the photo itself.

Beyond the paper, which resizes every photo to 1024x1024. One more stage of the network runs on windows of the photo at
its own resolution, the matte so far being its previous matte, and only where that matte has a transition: the cost
follows the outline's length, not the photo's area. What is far from the transition stays exactly as it is.

No seams: tiles overlap, and are averaged with weights that fall to zero (nearly) towards their inner sides; the refined
matte fades into the matte so far over `SOFT_PX` at the rim of the transition, which is less than half an overlap.

Whether it helps depends on the weights: a network that has only seen whole people makes little of a window
that shows a shoulder. docs/mattes.md has the figures of the shipped ones, for which it is off.
"""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32, U8, require

TILE_PX, OVERLAP_PX = 512, 96
SOFT_PX = 8  # over which refined and unrefined matte fade into each other
SURE = 0.02  # values this close to 0 or 1 are no transition
REACH = 1.5  # the transition is widened by this many of the matte's own pixels: so exact was its outline

Stage = Callable[[U8, int, F32 | None], F32]  # an `Engine`
Box = tuple[int, int, int, int]  # top, bottom, left, right


def transition_of(alpha: F32, reach_px: int) -> NDArray[np.bool_]:
    """(H, W): where the matte is neither 0 nor 1, or steps from one to the other, widened by `reach_px`."""
    window = np.ones((3, 3), np.uint8)
    unsure = (cv2.dilate(alpha, window) > SURE) & (cv2.erode(alpha, window) < 1 - SURE)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach_px + 1,) * 2)
    return np.asarray(cv2.dilate(unsure.astype(np.uint8), kernel) > 0)


def starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin along a side of `length` pixels: evenly, from end to end, overlapping at least as asked.

    >>> starts(1000, 512, 96), starts(300, 512, 96)
    ([0, 244, 488], [0])
    """
    count = 1 if length <= tile else -(-(length - overlap) // (tile - overlap))
    return [round(place) for place in np.linspace(0, max(length - tile, 0), count)]


def boxes(band: NDArray[np.bool_], tile: int = TILE_PX, overlap: int = OVERLAP_PX) -> Iterator[Box]:
    """The tiles of (H, W) whose own share of the plane (to the middle of each overlap) holds some of `band`."""
    require(0 <= 2 * overlap <= tile, f"overlap: expected at most half a tile, {tile // 2}, found {overlap}")
    height, width = band.shape
    for top, bottom, low, high in _rows(height, tile, overlap):
        for left, right, west, east in _rows(width, tile, overlap):
            if band[low:high, west:east].any():
                yield top, bottom, left, right


def _rows(length: int, tile: int, overlap: int) -> list[Box]:
    """(begin, end, own begin, own end) of each tile along one side."""
    begins = starts(length, tile, overlap)
    ends = [min(begin + tile, length) for begin in begins]
    middles = [0, *((a + b) // 2 for a, b in zip(ends[:-1], begins[1:], strict=True)), length]
    return list(zip(begins, ends, middles[:-1], middles[1:], strict=True))


def weights_of(box: Box, shape: tuple[int, ...], overlap: int = OVERLAP_PX) -> F32:
    """(h, w) in (0, 1]: 1 inside, falling linearly over `overlap` to each side that is not the photo's own."""
    top, bottom, left, right = box
    rows = _ramp(bottom - top, top > 0, bottom < shape[0], overlap)
    columns = _ramp(right - left, left > 0, right < shape[1], overlap)
    return np.asarray(rows[:, None] * columns[None, :], np.float32)


def _ramp(length: int, before: bool, after: bool, overlap: int) -> F32:
    near = (np.arange(length, dtype=np.float32) + 0.5) / max(overlap, 1)
    ramp = np.ones(length, np.float32)
    if before:
        ramp = np.minimum(ramp, near)
    return np.minimum(ramp, near[::-1]) if after else ramp


def refine_on_tiles(
    stage: Stage, srgb_u8: U8, alpha: F32, *, scale: float, tile: int = TILE_PX, overlap: int = OVERLAP_PX
) -> F32:
    """`alpha` (H, W), its transition refined by one `stage` on tiles of `srgb_u8` (H, W, 3).

    `scale`: photo pixels per pixel of the matte before it was resized, at least 1.
    """
    band = transition_of(alpha, reach_px=max(1, round(REACH * scale)))
    total, weight = np.zeros_like(alpha), np.zeros_like(alpha)
    for box in boxes(band, tile, overlap):
        top, bottom, left, right = box
        here = np.s_[top:bottom, left:right]
        w = weights_of(box, alpha.shape, overlap)
        total[here] += w * stage(np.ascontiguousarray(srgb_u8[here]), 1, np.ascontiguousarray(alpha[here]))
        weight[here] += w
    side = 2 * (SOFT_PX // 2) + 1
    share = cv2.blur(band.astype(np.float32), (side, side), borderType=cv2.BORDER_REPLICATE)
    share[weight == 0] = 0
    refined = total / np.maximum(weight, np.float32(1e-6))
    return np.asarray(alpha + share * (refined - alpha), np.float32)
