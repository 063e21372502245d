"""Hole filling: continue the known pixels of an image smoothly into the unknown ones.

Push-pull over a pyramid (Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.4): weighted averages go down to one
pixel, and each level, where it knows too little, takes the rest from the level below.
"""

import cv2
import numpy as np

from wideopen.checks import F32, require_unit_map


def fill_holes(values: F32, weight: F32) -> F32:
    """Return `values` (H, W) or (H, W, C), kept where `weight` (H, W) is 1, continued where it is 0.

    With no weight anywhere the values come back unchanged.
    """
    w = require_unit_map("weight", weight, like=values)
    if not w.any():
        return values
    shaped = values if values.ndim == 3 else values[..., None]
    filled: F32 = _push_pull((shaped * w[..., None]).astype(np.float32), w).reshape(values.shape)
    return filled


def nearest_value(values: F32, known: np.ndarray) -> F32:
    """(H, W): at each pixel the value of the nearest pixel of the mask `known`; all 0 when there is none."""
    unknown = (~known).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(unknown, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    labels = labels.reshape(known.shape)
    of_label = np.zeros(int(labels.max()) + 1, np.float32)
    of_label[labels[known]] = values[known]
    return of_label[labels]


def _push_pull(weighed: F32, w: F32) -> F32:
    """`weighed` is values * w, (H, W, C)."""
    height, width, channels = weighed.shape
    safe = np.maximum(w, np.float32(1e-8))[..., None]
    if max(height, width) == 1 or w.min() >= 1:
        known: F32 = np.divide(weighed, safe, dtype=np.float32)
        return known
    size = (max(1, (width + 1) // 2), max(1, (height + 1) // 2))
    down = cv2.resize(weighed, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], channels)
    down_w = cv2.resize(w, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0])
    # A quarter known is known enough: the weight is raised so that the filling does not fade towards coarser levels.
    full = np.minimum(down_w * 4, np.float32(1))
    coarse = _push_pull(down / np.maximum(down_w, np.float32(1e-8))[..., None] * full[..., None], full)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, channels)
    out: F32 = weighed + (1 - w[..., None]) * smooth
    return out
