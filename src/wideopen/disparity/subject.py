"""Where the subject lies in a disparity map."""

import numpy as np

from wideopen.checks import F32


def subject_disparity(disparity: F32, alpha: F32) -> tuple[float, float]:
    """Median disparity of the subject and half of its 5-to-95-percent spread; (nan, nan) for an empty matte."""
    inside = disparity[alpha > 0.9]
    if not inside.size:
        inside = disparity[alpha > 0.5]
    if not inside.size:
        return float("nan"), float("nan")
    low, middle, high = np.percentile(inside, (5, 50, 95))
    return float(middle), float(max(high - middle, middle - low))
