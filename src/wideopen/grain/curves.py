"""Transfer curves as short tables with straight lines between: fractional codes, fast to set up and to look up.

Within 0.005 8-bit codes of the curve from 0.03 codes on. `arrays.transfer` is exact and returns whole codes.
"""

from functools import lru_cache

import numpy as np

from wideopen.arrays.transfer.tables import light_of_codes
from wideopen.checks import F32
from wideopen.color import Encoding

CURVE = 4096
"""Steps of the tables of a transfer curve: over the root of light to encode, over codes to decode."""


@lru_cache(maxsize=8)
def curve_tables(encoding: Encoding) -> tuple[F32, F32]:
    """E, D (3, CURVE + 1): encoded values at light (i / CURVE)^2, light at encoded values i / CURVE."""
    light = light_of_codes(encoding, 16).astype(np.float64)
    steps = np.linspace(0, 1, CURVE + 1)
    codes = np.linspace(0, 1, light.shape[1])
    encode = np.stack([np.interp(steps**2, row, codes) for row in light])
    decode = np.stack([np.interp(steps, codes, row) for row in light])
    return encode.astype(np.float32), decode.astype(np.float32)


def look_up(table: F32, position: F32) -> F32:
    """Linear interpolation in `table` at fractional indices, which must lie within it."""
    index = np.minimum(position.astype(np.int64), len(table) - 2)
    share = position - index.astype(np.float32)
    return table[index] + share * (table[index + 1] - table[index])


def encoded(rgb: F32, encoding: Encoding) -> F32:
    """Display-encoded values of linear light (..., 3), in [0, 1]; light outside [0, 1] clips."""
    encode, _ = curve_tables(encoding)
    root = np.sqrt(np.clip(rgb, 0, 1)) * np.float32(CURVE)
    return np.stack([look_up(encode[c], root[..., c]) for c in range(3)], axis=-1)
