"""From photo, matte and disparity to the two sheets that the thin lens renders."""

import numpy as np

from wideopen.checks import F32
from wideopen.ops.fill import fill_holes
from wideopen.ops.highlights import find_lamps
from wideopen.ops.render.types import Sheet
from wideopen.ops.resize import resize_map, work_size
from wideopen.ops.sheets import Separator
from wideopen.ops.sheets.reference import continue_background

WORK_PX = 1280
"""Long side at which colours are estimated and holes are filled; `split` brings both to the photo's size.

What is estimated is smooth: at 12 MP, 0.35 s here instead of some 3 s, and the photo's own detail enters in `split`.
"""


NO_LAMPS = np.zeros((1, 1), np.float32)
"""People carry few lamps; stretched, every glint in a beard slightly out of focus became a bead."""


def prepare_sheets(rgb: F32, alpha: F32, disparity: F32, separator: Separator) -> list[Sheet]:
    """Background and subject, farthest first. rgb (H, W, 3) linear light, alpha and disparity (H, W).

    A matte with nothing in it, or nothing outside it, gives one opaque sheet: the photo with its disparity.
    """
    lamps = find_lamps(rgb)
    if alpha.max() < 0.5 or alpha.min() > 0.5:
        return [Sheet(rgb=rgb, alpha=None, disparity=disparity, lamps=lamps)]
    small = work_size(alpha.shape, WORK_PX)
    small_rgb, small_alpha = resize_map(rgb, small), resize_map(alpha, small)
    F, B = separator.estimate_colours(small_rgb, small_alpha)
    filled = continue_background(B, small_alpha)
    subject, background = separator.split(rgb, alpha, F, B, filled)
    return [
        Sheet(rgb=background, alpha=None, disparity=_continued(disparity, 1 - alpha), lamps=lamps),
        Sheet(rgb=subject, alpha=alpha, disparity=_continued(disparity, alpha), lamps=NO_LAMPS),
    ]


def _continued(disparity: F32, coverage: F32) -> F32:
    """Disparity (H, W) of a sheet: the photo's where the sheet alone is seen, continued where it is not."""
    sure = np.clip(coverage * 20 - 19, 0, 1)  # 0 up to 0.95 covered
    small = work_size(disparity.shape, WORK_PX)
    small_sure = np.where(resize_map(sure, small) > 0.99, np.float32(1), np.float32(0))
    if not small_sure.any():
        small_sure = resize_map(sure, small)
    filled = resize_map(fill_holes(resize_map(disparity, small), small_sure), disparity.shape)
    return filled + sure * (disparity - filled)
