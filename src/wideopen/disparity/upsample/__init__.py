"""Guided upsampling of a small map to a photo's size, with its edges aligned to the photo's."""

import cv2
import numpy as np

from wideopen.backends import numba_or_reference, pick
from wideopen.checks import F32, U8, require_map, require_rgb_u8
from wideopen.disparity.upsample.reference import PASSES

BACKENDS = numba_or_reference(__name__)


def upsample(small: F32, guide: U8, *, backend: str = "auto") -> F32:
    """Return `small` (h, w) at the size (H, W) of `guide` (H, W, 3) uint8, display-encoded, along the guide's edges.

    Nothing overshoots: every value is a mean of nearby values of the map. A map larger than the guide is averaged.
    Raises InvalidInput for another shape or type, NaN or infinity.
    """
    d = require_map("small", small)
    require_rgb_u8("guide", guide)
    height, width = guide.shape[:2]
    rows, columns = min(d.shape[0], height), min(d.shape[1], width)
    if (rows, columns) != d.shape:
        d = cv2.resize(d, (columns, rows), interpolation=cv2.INTER_AREA).reshape(rows, columns)
    if (rows, columns) == (height, width):
        return d
    small_guide = cv2.resize(guide, (columns, rows), interpolation=cv2.INTER_AREA).reshape(rows, columns, 3)
    operator = pick(BACKENDS, backend)[1]
    for _ in range(PASSES):
        d = operator.settle(d, small_guide)
    return operator.upsample(d, small_guide, np.ascontiguousarray(guide))
