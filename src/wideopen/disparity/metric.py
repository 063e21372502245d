"""Disparity from metric depth, and any map stretched to [0, 1], 1 = nearest. Maps are (H, W) float32."""

import numpy as np

from wideopen.checks import F32, require, require_map


def normalise(disparity: F32) -> F32:
    """Stretch any finite map to [0, 1] between its 0.1 and 99.9 percentiles; a constant one becomes 0."""
    d = require_map("disparity", disparity)
    low, high = (np.float32(x) for x in np.percentile(d, (0.1, 99.9)))
    if high <= low:
        low, high = d.min(), d.max()
    return np.zeros_like(d) if high <= low else np.clip((d - low) / (high - low), 0, 1)


def from_depth_m(depth_m: F32) -> F32:
    """Disparity from metric depth in metres: 1 / z, normalised. Infinity means the far end.

    Raises InvalidInput for NaN and for depths that are not above 0.
    """
    require(
        isinstance(depth_m, np.ndarray) and depth_m.ndim == 2 and depth_m.dtype.kind == "f",
        f"depth_m: expected a float array (H, W) in metres, found {getattr(depth_m, 'dtype', type(depth_m))} "
        f"{getattr(depth_m, 'shape', '')}",
    )
    require(not np.isnan(depth_m).any(), "depth_m: expected depth in metres, found NaN")
    require(bool((depth_m > 0).all()), f"depth_m: expected depth above 0 m, found {depth_m.min():g}")
    return normalise((1 / depth_m.astype(np.float64)).astype(np.float32))
