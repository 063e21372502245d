"""Clean up a network's matte: specks far from the subject, holes inside it, false gaps, specks along the edge. Ours.

`clean_up` never touches the transition between subject and background: a loose strand is a speck, and the sky between
two curls is a hole, but both lie near the subject's outline. So only specks and holes farther than `BAND` from it are
dropped or filled. A false gap has no transition: its outline follows no edge of the photo.

`without_specks` is for mattes that follow the photo's edges (`matting.edges`). These contain holes, and bits of
background that have the subject's colour: a colour model cannot tell a dark stone from the dark strap beside it. A
feature narrower than about one network pixel and unlike its surroundings does not belong to the subject's outline,
except in hair, which is left alone. So a median over `WIDTH` network pixels replaces values that differ from it by more
than `UNLIKE`.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from wideopen.arrays.maps import resize_map, work_size
from wideopen.checks import F32, U8, Mask

BAND = 0.012  # half width of the transition around an edge, as a fraction of the long side
SPECK = 0.002  # subjects smaller than this share of the photo are dropped
HOLE = 0.0005  # holes smaller than this are filled
LARGEST_GAP = 0.06  # larger gaps are background, whatever their outline
FAINT_OUTLINE = 15  # 8-bit codes within 5x5 pixels
FAINT, SOLID = 0.1, 0.9  # coverage that counts as part of a subject, and as solid


def transition(alpha: F32) -> Mask:
    """Pixels (H, W) around which, within `BAND`, values are neither all above 0.95 nor all below 0.05."""
    window = np.ones((2 * max(1, round(BAND * max(alpha.shape))) + 1,) * 2, np.uint8)
    less, more = (cv2.dilate(part.astype(np.uint8), window) > 0 for part in (alpha <= 0.95, alpha >= 0.05))
    return np.asarray(less & more)


def _drop_small(alpha: F32, inside: NDArray[np.bool_], share: float, value: float) -> F32:
    """Set to `value` the components of `inside` below `share` of all pixels and far from all larger ones."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.int64)
    if count <= 2:
        return alpha
    small = (areas < share * alpha.size) & (areas < areas[1:].max())
    small[0] = False
    if not small.any():
        return alpha
    large = inside & ~small[labels]
    distance = cv2.distanceTransform((~large).astype(np.uint8), cv2.DIST_L2, 5)
    nearest = np.full(count, np.inf)
    np.minimum.at(nearest, labels.ravel(), distance.ravel())
    far = small & (nearest > BAND * max(alpha.shape))
    return np.where(far[labels], np.float32(value), alpha)


def fill_false_gaps(alpha: F32, srgb_u8: U8) -> F32:
    """Fill gaps in the subject whose outline follows no edge of the photo, both (H, W).

    Between an arm and a waist the photo has an edge; a bite out of a black helmet has none. The gaps that the first
    weights left in the 92 validation photos were examined: the lower quartile of the outline's contrast was below
    `FAINT_OUTLINE` only for parts of the subject, apart from specks below 0.1 % of the photo. True gaps of 0.1 to 6 %
    showed 30 or more.
    """
    grey = cv2.cvtColor(np.ascontiguousarray(srgb_u8), cv2.COLOR_RGB2GRAY).reshape(alpha.shape)
    contrast = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)).reshape(alpha.shape)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((alpha < 0.5).astype(np.uint8), connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA]
    window = np.ones((3, 3), np.uint8)
    for label in range(1, count):
        if areas[label] >= LARGEST_GAP * alpha.size or areas[label] == areas[1:].max():
            continue
        gap = (labels == label).astype(np.uint8)
        wide = cv2.dilate(gap, window)
        outline = (wide > 0) & (cv2.erode(gap, window, borderValue=1) == 0)
        if np.percentile(contrast[outline], 25) < FAINT_OUTLINE:
            alpha = np.where(cv2.dilate(wide, window) > 0, np.float32(1), alpha)
    return alpha


def clean_up(alpha: F32, srgb_u8: U8) -> F32:
    """Drop specks far from the subject; fill holes far inside it and gaps that follow no edge of the photo."""
    alpha = _drop_small(alpha, alpha > FAINT, SPECK, 0.0)
    alpha = _drop_small(alpha, alpha < SOLID, HOLE, 1.0)
    return fill_false_gaps(alpha, srgb_u8)


BEHIND = 0.3, 0.5  # of the main part's area and height: smaller parts can be what stands behind it
NEARER = 0.2  # in disparity, than the main part
DISTANCE_PX = 640  # long side at which the parts' distances are compared
HIGHER = 0.1  # of the main part's height, by which such a part ends above the main part's feet


def without_bystanders(alpha: F32) -> F32:
    """`alpha` (h, w) without the parts that stand behind a main part whose feet are in the photo.

    On common ground, a part that ends higher in the photo is farther away. Of the teacher's mattes of 576 training
    photos of people, 15 lose more than 1 % of the photo: passers-by, except for horses and a crew on deck. If the
    photo's lower edge cuts off the main part, it shows no feet, and nothing is dropped.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats((alpha > 0.5).astype(np.uint8), connectivity=8)
    areas, heights = stats[1:, cv2.CC_STAT_AREA], stats[1:, cv2.CC_STAT_HEIGHT]
    feet = stats[1:, cv2.CC_STAT_TOP] + heights
    main = int(areas.argmax()) if count > 2 else 0
    if count <= 2 or feet[main] >= alpha.shape[0]:
        return alpha
    small = (areas < BEHIND[0] * areas[main]) & (heights < BEHIND[1] * heights[main])
    behind = small & (feet < feet[main] - HIGHER * heights[main])
    return np.where(_with_veil(labels, 1 + np.flatnonzero(behind)), np.float32(0), alpha)


def without_nearer_parts(alpha: F32, disparity: F32) -> F32:
    """`alpha` (H, W) without small parts that are much nearer than the main one: the subject stands behind them.

    If part of a blanket in front of a dog is taken for the dog, it would lie on the dog's sheet and leave a hole in its
    own.
    disparity (H, W): from another source than the matte.
    """
    size = work_size(alpha.shape, DISTANCE_PX)
    d = resize_map(disparity, size)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((resize_map(alpha, size) > 0.5).astype(np.uint8))
    areas = stats[1:, cv2.CC_STAT_AREA]
    if count <= 2:
        return alpha
    middles = np.array([np.median(d[labels == k]) for k in range(1, count)])
    main = int(areas.argmax())
    nearer = (areas < BEHIND[0] * areas[main]) & (middles > middles[main] + NEARER)
    if not nearer.any():
        return alpha
    dropped = _with_veil(labels, 1 + np.flatnonzero(nearer)).astype(np.uint8)
    dropped = cv2.resize(dropped, alpha.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return np.where(dropped > 0, np.float32(0), alpha)


def _with_veil(labels: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Bool (h, w): these labelled parts, with the surroundings that belong to no part."""
    chosen = np.isin(labels, parts)
    window = np.ones((2 * max(1, round(BAND * max(labels.shape))) + 1,) * 2, np.uint8)
    around = cv2.dilate(chosen.astype(np.uint8), window) > 0
    return around & (chosen | (labels == 0))


RAGGED = 22.0
"""Outline over the root of the area, times undecided pixels per pixel of the subject: a hiker 11, a torn tree 240."""
FRAMED = 2.5  # shares of the upper, left and right edge that the subject touches, added: a crowd or a face at most 1.9


def shows_subject(alpha: F32) -> bool:
    """Whether a network's matte (h, w) shows a subject, rather than scraps or an entire texture.

    The network was trained on scenes without a subject too, but still finds some in patterns, trees and print. The
    limits were chosen on 200 validation photos; on 70 others, of people, they reject nothing above 0.2 % of the photo.
    """
    inside = alpha > 0.5
    area = float(inside.sum())
    if not area:
        return False
    outline = float(cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).sum())
    undecided = float(((alpha > FAINT) & (alpha < SOLID)).sum())
    edges = float(inside[0].mean() + inside[:, 0].mean() + inside[:, -1].mean())
    return undecided / area * outline / np.sqrt(area) < RAGGED and edges < FRAMED


WIDTH = 2.6  # side of the median's window, in network pixels
UNLIKE = (12, 28)
"""Differences from the median, in 1/255: up to the first nothing changes; from the second the median replaces."""
TILE_PX = 128


def without_specks(matte: F32, firm: F32, unit_px: float) -> F32:
    """Remove specks from `matte` (H, W) in [0, 1] where `firm` (h, w), in [0, 1], indicates that there is no hair.

    The matte is changed in place. `unit_px`: pixels of `matte` per network pixel. The cost is proportional
    to the area of the firm transition.
    """
    height, width = matte.shape
    radius = int(WIDTH / 2 * unit_px)
    if radius < 1:
        return matte
    down, right = firm.shape[0] / height, firm.shape[1] / width

    def change(tile: tuple[int, int]) -> tuple[tuple[slice, slice], F32] | None:
        top, left = tile
        y1, x1 = min(top + TILE_PX, height), min(left + TILE_PX, width)
        rows = slice(max(int(top * down) - 1, 0), int(np.ceil(y1 * down)) + 1)
        columns = slice(max(int(left * right) - 1, 0), int(np.ceil(x1 * right)) + 1)
        if firm[rows, columns].max() <= 0:
            return None
        share = _window(firm, (top, y1), (left, x1), down, right)
        return np.s_[top:y1, left:x1], share * _change(matte, (top, y1), (left, x1), radius)

    with ThreadPoolExecutor() as threads:
        changes = list(threads.map(change, product(range(0, height, TILE_PX), range(0, width, TILE_PX))))
    for place, by in filter(None, changes):  # only now: a tile looks at its neighbours
        matte[place] += by
    return matte


def _change(matte: F32, ys: tuple[int, int], xs: tuple[int, int], radius: int) -> F32:
    """The change that the median makes to a tile, times the confidence that it is a speck."""
    y0, x0 = max(ys[0] - radius, 0), max(xs[0] - radius, 0)
    seen = matte[y0 : ys[1] + radius, x0 : xs[1] + radius]
    median = cv2.medianBlur(np.round(seen * 255).astype(np.uint8), 2 * radius + 1)
    tile = np.s_[ys[0] - y0 : ys[1] - y0, xs[0] - x0 : xs[1] - x0]
    change = median[tile].astype(np.float32) / 255 - seen[tile]
    low, high = UNLIKE
    sure = np.clip((np.abs(change) * 255 - low) / (high - low), 0, 1)
    return np.asarray(sure * change, np.float32)


def _window(x: F32, ys: tuple[int, int], xs: tuple[int, int], down: float, right: float) -> F32:
    """The tile of `x` (h, w), enlarged linearly to the matte's size with aligned pixel centres."""
    u = (np.arange(*xs, dtype=np.float32) + 0.5) * right - 0.5
    v = (np.arange(*ys, dtype=np.float32) + 0.5) * down - 0.5
    grid = np.meshgrid(u, v)
    return np.asarray(cv2.remap(x, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)
