"""Depth maps from any source, their conversion to disparity, and the subject's range of disparity.

A phone's depth and a network's prediction, in metres or relative, are a `DepthMap` at its own resolution.
Disparity is (H, W) float32, stretched to [0, 1], 1 = nearest.
"""

from typing import Literal, Protocol

import numpy as np

from wideopen.arrays.maps import fill_holes
from wideopen.checks import F32, require, require_map


def normalise(disparity: F32) -> F32:
    """Stretch any finite map to [0, 1] between its 0.1 and 99.9 percentiles; a constant one becomes 0."""
    d = require_map("disparity", disparity)
    low, high = (np.float32(x) for x in np.percentile(d, (0.1, 99.9)))
    if high <= low:
        low, high = d.min(), d.max()
    return np.zeros_like(d) if high <= low else np.clip((d - low) / (high - low), 0, 1)


def from_depth_m(depth_m: F32) -> F32:
    """Disparity from metric depth in metres: 1 / z, normalised. Infinity is the far end.

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


def aligned(values: F32, like: F32) -> F32:
    """`values` (h, w) with the scale, at least 0, and shift that bring them closest to `like` (h, w)."""
    centred = values - values.mean()
    variance = float((centred * centred).mean())
    scale = 0.0 if variance == 0 else max(0.0, float((centred * like).mean()) / variance)
    return np.asarray(centred * np.float32(scale) + like.mean(), np.float32)


def subject_disparity(disparity: F32, alpha: F32) -> tuple[float, float]:
    """Median disparity of the subject and half of its 5-to-95-percent spread; (nan, nan) for an empty matte."""
    inside = disparity[alpha > 0.9]
    if not inside.size:
        inside = disparity[alpha > 0.5]
    if not inside.size:
        return float("nan"), float("nan")
    low, middle, high = np.percentile(inside, (5, 50, 95))
    return float(middle), float(max(high - middle, middle - low))


Kind = Literal["disparity", "depth_m", "relative_disparity"]
KINDS = ("disparity", "depth_m", "relative_disparity")


class DepthMap(Protocol):
    """A depth map, upright as the photo is shown; any object with these three properties will do."""

    @property
    def values(self) -> F32:
        """(h, w) float32, at any resolution; NaN where nothing is known."""

    @property
    def kind(self) -> Kind:
        """disparity: 1 / metres; depth_m: metres; relative_disparity: largest = nearest, of unknown scale and shift."""

    @property
    def name(self) -> str:
        """Name of the source, for the report and for errors."""


def to_disparity(depth: DepthMap) -> F32:
    """Disparity (h, w) in [0, 1], 1 = nearest: inverted if necessary, stretched between percentiles, holes filled.

    NaN, and metres that are not above 0, are unknown; infinitely far is known. Raises InvalidInput for a map of another
    shape or kind, or one without any known value.
    """
    values = depth.values
    require(
        isinstance(values, np.ndarray) and values.ndim == 2 and values.dtype.kind == "f" and values.size > 0,
        f"{depth.name}: expected a float map (h, w), found {getattr(values, 'dtype', type(values).__name__)} "
        f"{getattr(values, 'shape', '')}",
    )
    require(depth.kind in KINDS, f"{depth.name}: expected one of {', '.join(KINDS)}, found {depth.kind!r}")
    if depth.kind == "depth_m":
        known = values > 0  # NaN is not
        d = np.divide(1, values, out=np.zeros(values.shape, np.float64), where=known)
    else:
        known = np.isfinite(values)
        d = np.where(known, values, 0)
    require(bool(known.any()), f"{depth.name}: expected depth, found no valid value")
    if known.all():
        return normalise(d.astype(np.float32))
    stretched = np.zeros(d.shape, np.float32)
    stretched[known] = normalise(d[known].astype(np.float32)[None])[0]
    return np.clip(fill_holes(stretched, known.astype(np.float32)), 0, 1)
