"""Bring a network's matte to the photo's size so that its transition follows the photo's edges."""

import numpy as np

from wideopen.arrays.maps import resize_map, work_size
from wideopen.backends import numba_or_reference, pick
from wideopen.checks import F32, U8, require_rgb_u8, require_unit_map
from wideopen.matting.clean import without_specks
from wideopen.matting.edges.reference import DETAIL, transition
from wideopen.matting.strands import draw_strands

BACKENDS = numba_or_reference(__name__)


def follow_edges(matte: F32, guide: U8, *, strands: bool = False, backend: str = "auto") -> F32:
    """Return a network's `matte` (h, w) in [0, 1] at the size (H, W) of `guide` (H, W, 3) uint8, display-encoded.

    Only the transition changes, following the photo's colours. Values that the matte is sure of are linearly
    interpolated. Matte and photo must have the same aspect ratio. A matte larger than the photo is only averaged, since
    the network has already seen all the photo's detail. strands: also draw hair by local colours (`matting.strands`).
    Raises InvalidInput for a wrong shape, type or range; BackendUnavailable.
    """
    alpha = require_unit_map("matte", matte)
    require_rgb_u8("guide", guide)
    operator = pick(BACKENDS, backend)[1]
    large = resize_map(alpha, guide.shape)
    if alpha.shape[0] >= guide.shape[0] or alpha.shape[1] >= guide.shape[1]:
        return large
    work = work_size(guide.shape, round(DETAIL * max(alpha.shape)))
    unit_px = max(work) / max(alpha.shape)
    small_guide = resize_map(guide, work)
    small = resize_map(alpha, work)
    refined: F32 = operator.follow_edges(large, small, small_guide, guide, unit_px=unit_px)
    near, hair = transition(small, unit_px)
    enlarged = max(guide.shape) / max(alpha.shape)
    if strands:
        refined = draw_strands(refined, guide, near * hair, enlarged)
    return without_specks(refined, near * np.minimum(2 * (1 - hair), 1), enlarged)
