"""Guided filter: smooth one map along the edges of another, from the pixels that can be trusted.

Reference: He, Sun, Tang, "Guided Image Filtering", IEEE TPAMI 35(6), 2013, section 3: q = mean(a) I + mean(b),
a = cov(I, p) / (var(I) + eps), b = mean(p) - a mean(I). Symbols as there: I guide, p input, q output.
Deviations: a confidence map weighs every mean (0 = not looked at), so values may be continued into pixels that are
known to be wrong; windows are cut at the border, so a constant p returns unchanged in corners too. Maps are float32
(H, W); sums run in float64, since E[I^2] - E[I]^2 cancels in float32.
"""

import cv2
import numpy as np

from wideopen.checks import F32, require, require_map, require_unit_map


def _window_sum(x: np.ndarray, radius_px: int) -> np.ndarray:
    side = 2 * radius_px + 1
    return cv2.boxFilter(x, cv2.CV_64F, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT).reshape(x.shape)


def guided_filter(guide: F32, target: F32, *, radius_px: int, eps: float, confidence: F32 | None = None) -> F32:
    """Return `target` (H, W) smoothed along `guide` (H, W), from pixels weighed by `confidence` (H, W) in [0, 1].

    `eps` is a variance, in squared units of `guide`. Where a window holds no confidence at all, `target` comes back
    as it is.
    Raises InvalidInput for maps of unlike sizes or not finite, a negative radius, eps <= 0.
    """
    require(radius_px >= 0, f"radius_px: expected >= 0, found {radius_px}")
    require(eps > 0, f"eps: expected > 0, found {eps}")
    I = require_map("guide", guide).astype(np.float64)
    p = require_map("target", target, like=guide).astype(np.float64)
    c = (
        np.ones_like(I)
        if confidence is None
        else require_unit_map("confidence", confidence, like=guide).astype(np.float64)
    )
    share = _window_sum(c, radius_px)
    known = share > 1e-6

    def weighed(x: np.ndarray) -> np.ndarray:
        return _window_sum(c * x, radius_px) / np.where(known, share, 1)

    mean_I, mean_p = weighed(I), weighed(p)
    a = (weighed(I * p) - mean_I * mean_p) / (np.maximum(weighed(I * I) - mean_I**2, 0) + eps)
    b = mean_p - a * mean_I
    use = known.astype(np.float64)
    count = np.maximum(_window_sum(use, radius_px), 1)
    q = _window_sum(use * a, radius_px) / count * I + _window_sum(use * b, radius_px) / count
    return np.where(known, q, p).astype(np.float32)
