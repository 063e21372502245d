"""Google's two ways to write depth as grey levels: RangeLinear and RangeInverse.

Reference: developers.google.com/depthmap-metadata/encoding; Dynamic Depth 1.0, "Depth Data". With n the grey level in
[0, 1], 0 at `near` and 1 at `far`: RangeLinear d = near + n (far - near), RangeInverse
d = far near / (far - n (far - near)). The second is even in 1/d, 1/d = 1/near + n (1/far - 1/near), and is returned as
disparity.
"""

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32, require
from wideopen.errors import InvalidInput
from wideopen.files.inside.parts import Kind
from wideopen.files.inside.pixels import Codes, levels, looked_up

__all__ = ["METRES", "depth_values"]

METRES = {"m": 1.0, "meter": 1.0, "meters": 1.0, "metre": 1.0, "metres": 1.0, "cm": 0.01, "mm": 0.001}
_DIOPTERS = ("diopter", "diopters", "dioptres")


def depth_values(
    codes: Codes, *, style: str | None, near: float | None, far: float | None, units: str | None
) -> tuple[F32, Kind]:
    """Return (values (h, w), their kind) of a grey picture's `codes` (h, w).

    Without units the numbers have a scale of their own, and a relative disparity is returned. Raises InvalidInput for
    an unknown style or unit, and for a range that cannot be one.
    """
    word = (style or "RangeInverse").lower()  # the default of the specification
    require(word in ("rangeinverse", "rangelinear"), f"expected RangeInverse or RangeLinear, found {style!r}")
    if near is None or far is None:
        raise InvalidInput("expected Near and Far, found none")
    unit = (units or "none").lower()
    by_range = _inverse if word == "rangeinverse" else _linear
    n = levels(codes)
    if unit in _DIOPTERS:
        require(near > far >= 0, f"expected Near > Far >= 0 in diopters, found Near {near:g}, Far {far:g}")
        table, kind = by_range(n, near, far), "disparity"
    else:
        require(unit in METRES or unit == "none", f"expected a unit of length, found {units!r}")
        require(0 < near < far, f"expected 0 < Near < Far, found Near {near:g}, Far {far:g}")
        scale = METRES.get(unit, 1.0)
        depth = by_range(n, near * scale, far * scale)
        in_metres = word == "rangelinear" and unit != "none"
        table = depth if in_metres else 1 / depth
        kind = "depth_m" if in_metres else "relative_disparity" if unit == "none" else "disparity"
    return looked_up(codes, table), kind  # type: ignore[return-value]


def _linear(n: NDArray[np.float64], near: float, far: float) -> NDArray[np.float64]:
    require(
        bool(np.isfinite([near, far]).all()), f"expected finite Near and Far for RangeLinear, found {near:g}, {far:g}"
    )
    return near + n * (far - near)


def _inverse(n: NDArray[np.float64], near: float, far: float) -> NDArray[np.float64]:
    require(near > 0 and far > 0, f"expected Near and Far above 0 for RangeInverse, found {near:g}, {far:g}")
    with np.errstate(divide="ignore"):  # an infinite Far is the horizon
        return 1 / (1 / near + n * (1 / far - 1 / near))
