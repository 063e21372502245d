"""Reference transfer: decoding looks up a code's light; encoding counts the thresholds below a light.

Both implementations share these tables, so they cannot disagree. Code k of `bit_depth` bits stands for the light
`curve(k / max)`. Light x is encoded as the nearest code *on the encoded scale*. Curves increase, so that is the number
of thresholds `curve((k - 0.5) / max)`, k = 1 .. max, that are <= x; no inverse curve has to be rounded.
Thresholds are kept within (code k - 1, code k]: a profile's two curve pieces may not meet exactly, and at 16 bits half
a step is less than the gap. So a decoded code is always encoded as itself.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32, require
from wideopen.color import Curve, Encoding

BIT_DEPTHS = (8, 10, 12, 16)


def code_type(bit_depth: int) -> type[np.uint8] | type[np.uint16]:
    """Return the integer type that holds codes of `bit_depth` bits."""
    require(bit_depth in BIT_DEPTHS, f"bit_depth: expected one of {BIT_DEPTHS}, found {bit_depth}")
    return np.uint8 if bit_depth == 8 else np.uint16


@lru_cache(maxsize=32)
def _curve_light(curve: Curve, bit_depth: int) -> F32:
    levels = np.arange(2**bit_depth) / (2**bit_depth - 1)
    return np.clip(curve.decode(levels), 0, 1).astype(np.float32)


@lru_cache(maxsize=32)
def _curve_thresholds(curve: Curve, bit_depth: int) -> F32:
    light = _curve_light(curve, bit_depth)
    halves = (np.arange(1, 2**bit_depth) - 0.5) / (2**bit_depth - 1)
    exact = curve.decode(halves)
    # Light is float32: x >= exact is the same as x >= the first float32 not below exact.
    rounded = exact.astype(np.float32)
    rounded = np.where(rounded < exact, np.nextafter(rounded, np.float32(np.inf)), rounded)
    return np.clip(rounded, np.nextafter(light[:-1], np.float32(np.inf)), light[1:])


def _per_channel(rows: list[F32]) -> F32:
    table = np.stack(rows)
    table.flags.writeable = False
    return table


@lru_cache(maxsize=32)
def light_of_codes(encoding: Encoding, bit_depth: int) -> F32:
    """Return (3, 2**bit_depth) float32: linear light in [0, 1] of each code, per channel."""
    return _per_channel([_curve_light(curve, bit_depth) for curve in encoding.curves])


@lru_cache(maxsize=32)
def thresholds(encoding: Encoding, bit_depth: int) -> F32:
    """Return (3, 2**bit_depth - 1) float32: the least light of code 1, 2, ..., per channel."""
    return _per_channel([_curve_thresholds(curve, bit_depth) for curve in encoding.curves])


def is_invertible(encoding: Encoding, bit_depth: int = 16) -> bool:
    """Whether every code of `bit_depth` bits stands for more light than the code below it."""
    light: NDArray[np.float32] = light_of_codes(encoding, bit_depth)
    return bool((np.diff(light, axis=1) > 0).all())


def decode(codes: NDArray[Any], encoding: Encoding, bit_depth: int) -> F32:
    """Return linear light (H, W, 3) float32 of display-encoded `codes` (H, W, 3)."""
    light = light_of_codes(encoding, bit_depth)
    return np.stack([light[c][codes[..., c]] for c in range(3)], axis=-1)


def encode(rgb: F32, encoding: Encoding, bit_depth: int) -> NDArray[Any]:
    """Return the nearest codes (H, W, 3) of linear light `rgb` (H, W, 3); outside [0, 1] clips."""
    limits = thresholds(encoding, bit_depth)
    codes = [np.searchsorted(limits[c], rgb[..., c], side="right") for c in range(3)]
    return np.stack(codes, axis=-1).astype(code_type(bit_depth))
