"""The transition of a matte: where it is neither surely subject nor surely background."""

import cv2
import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32

BAND = 0.012  # half width of the transition around an edge, as a fraction of the long side

Mask = NDArray[np.bool_]


def transition(alpha: F32) -> Mask:
    """Pixels (H, W) within `BAND` of a value that is neither 0 nor 1, nor sure either way."""
    radius = max(1, round(BAND * max(alpha.shape)))
    kernel = np.ones((2 * radius + 1,) * 2, np.uint8)
    sure = (cv2.erode((alpha > 0.95).astype(np.uint8), kernel) > 0) | (
        cv2.erode((alpha < 0.05).astype(np.uint8), kernel) > 0
    )
    return np.asarray(~sure)
