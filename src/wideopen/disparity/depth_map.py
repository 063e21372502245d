"""What a source of depth gives, whatever it is, and the disparity it stands for.

A phone's own depth, a network's prediction, metres or bare nearness: all are a `DepthMap`, of a resolution of its own.
"""

from typing import Literal, Protocol

import numpy as np

from wideopen.arrays.fill import fill_holes
from wideopen.checks import F32, require
from wideopen.disparity import normalise

Kind = Literal["disparity", "depth_m", "relative_disparity"]
KINDS = ("disparity", "depth_m", "relative_disparity")


class DepthMap(Protocol):
    """A map of depth from somewhere, upright as the photo is shown; any object with these three will do."""

    @property
    def values(self) -> F32:
        """(h, w) float32, at any resolution; NaN where nothing is known."""

    @property
    def kind(self) -> Kind:
        """disparity: 1 / metres; depth_m: metres; relative_disparity: nearest largest, of unknown scale and shift."""

    @property
    def name(self) -> str:
        """Where it comes from, for the report and for errors."""


def to_disparity(depth: DepthMap) -> F32:
    """Disparity (h, w) in [0, 1], 1 = nearest: inverted if need be, stretched between percentiles, holes filled.

    Unknown are NaN, and metres that are not above 0; infinitely far is known. Raises InvalidInput for a map of another
    shape or kind, or one in which nothing is known.
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
