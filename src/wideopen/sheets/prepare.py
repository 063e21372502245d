"""Build the sheets that the thin lens renders from photo, matte and disparity.

There are usually two: the subject, and the background continued under it. There are more where disparity jumps (see
`layers`): what stands in front of the subject, with subject and background continued behind it, and background parts
that stand before a farther one. Sheets are peeled off the photo, nearest first. What remains after each is a complete
photo, so the composited sheets reproduce the photo exactly.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from wideopen.arrays.maps import fill_holes, resize_map, work_size
from wideopen.checks import F32
from wideopen.sheets import Separator, Sheet
from wideopen.sheets.highlights import find_lamps
from wideopen.sheets.layers import Layers, find_layers
from wideopen.sheets.reference import SOLID_FROM
from wideopen.sheets.white import give_own_colour, limit_radiance, measure_white, unclip

WORK_PX = 1280
"""Long side at which colours are estimated and holes are filled; `split` brings both to the photo's size.

What is estimated is smooth: at 12 MP this takes 0.35 s instead of some 3 s. `split` adds the photo's own detail.
"""
PART_PX = 640
"""The same for parts found by depth edges: these have no strands, and each costs as much as the subject."""

NO_LAMPS = np.zeros((1, 1), np.float32)
"""People carry few lamps; with stretching, every glint in a slightly defocused beard became a bead."""


def prepare_sheets(rgb: F32, alpha: F32, disparity: F32, separator: Separator) -> list[Sheet]:
    """Return the sheets, farthest first. rgb (H, W, 3) is linear light; alpha and disparity are (H, W).

    An empty or full matte gives one opaque sheet: the photo with its disparity.
    """
    lamps = find_lamps(rgb)
    if alpha.max() < 0.5 or alpha.min() > 0.5:
        return [Sheet(rgb=rgb, alpha=None, disparity=disparity, lamps=lamps)]
    small = work_size(alpha.shape, WORK_PX)
    small_rgb, small_alpha = resize_map(rgb, small), resize_map(alpha, small)
    white = measure_white(rgb, alpha, small_rgb, small_alpha)
    if white is not None:
        rgb = unclip(rgb, alpha, white)
        small_rgb = resize_map(rgb, small)
    layers = find_layers(small_rgb, small_alpha, resize_map(disparity, small))
    coverages, lamps_of = _at_full_size(layers, alpha), [lamps] * (len(layers.trusted) - 1)
    lamps_of[0 if layers.front is None else 1] = NO_LAMPS
    sheets, image, seen = [], rgb, np.ones(alpha.shape, np.float32)
    for k, coverage in enumerate(coverages):
        size = small if lamps_of[k] is NO_LAMPS else work_size(alpha.shape, PART_PX)
        colour, image_behind = _peel(
            image, coverage, [resize_map(c, size) for c in coverages[k + 1 :]], size, separator
        )
        if white is not None and lamps_of[k] is NO_LAMPS:
            give_own_colour(image, coverage, white, colour, image_behind)
        visible = seen * coverage
        d = _continued(disparity, visible, layers.trusted[k])
        radiant = white is not None and lamps_of[k] is not NO_LAMPS
        sheets.append(Sheet(rgb=colour, alpha=coverage, disparity=d, lamps=lamps_of[k], radiant=radiant))
        image, seen = image_behind, seen - visible
    d = _continued(disparity, seen, layers.trusted[-1])
    farthest = Sheet(rgb=image, alpha=None, disparity=d, lamps=lamps, radiant=white is not None)
    return [farthest, *reversed(sheets)]


def with_radiance(sheets: Sequence[Sheet], strength: float) -> tuple[Sheet, ...]:
    """Sheets for a lens with this highlight strength; below 1, it reduces the measured light above white."""
    return tuple(
        replace(s, rgb=limit_radiance(s.rgb, s.alpha, strength), radiant=False) if s.radiant and strength < 1 else s
        for s in sheets
    )


def _at_full_size(layers: Layers, alpha: F32) -> list[F32]:
    """Coverages (H, W), nearest first; the matte is unchanged wherever nothing hides it."""
    subject, front = alpha, []
    if layers.front is not None:
        front = [resize_map(layers.front, alpha.shape)]
        subject = np.where(front[0] > 0, resize_map(layers.subject, alpha.shape), alpha)
    return [*front, subject, *(resize_map(c, alpha.shape) for c in layers.behind)]


def _peel(
    image: F32, coverage: F32, behind: list[F32], small: tuple[int, int], separator: Separator
) -> tuple[F32, F32]:
    """Return one layer's premultiplied colour (H, W, 3), and the image without it.

    Where the layer hides what lies behind, each of the layers `behind`, (h, w), is continued from itself. Colours are
    estimated at the size `small`.
    """
    small_image, small_coverage = resize_map(image, small), resize_map(coverage, small)
    F, B = separator.estimate_colours(small_image, small_coverage)
    shows = np.clip(1 - small_coverage / np.float32(SOLID_FROM), 0, 1)
    left = np.ones(small, np.float32)
    filled = np.zeros_like(B)
    for c in behind:
        filled += (left * c)[..., None] * separator.continue_colours(B, shows * _pure(left * c))
        left = left * (1 - c)
    filled += left[..., None] * separator.continue_colours(B, shows * _pure(left))
    return separator.split(image, coverage, F, B, filled)


def _pure(share: F32) -> F32:
    """1 where only one layer is visible (share 1), 0 for shares up to 0.95, linear between."""
    pure = share * np.float32(20)
    pure -= 19
    return np.clip(pure, 0, 1, out=pure)


def _continued(disparity: F32, visible: F32, trusted: np.ndarray) -> F32:
    """Disparity (H, W) of a sheet: the photo's where only the sheet is visible, continued elsewhere."""
    sure = _pure(visible)
    small_sure = np.where((resize_map(sure, trusted.shape) > 0.99) & trusted, np.float32(1), np.float32(0))
    if not small_sure.any():
        small_sure = resize_map(sure, trusted.shape)
    filled = resize_map(fill_holes(resize_map(disparity, trusted.shape), small_sure), disparity.shape)
    if not trusted.all():
        sure *= resize_map(trusted.astype(np.float32), disparity.shape)
    sure *= disparity - filled
    sure += filled
    return sure
