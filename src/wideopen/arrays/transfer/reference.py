"""Transfer, plain: look up the light of a code; count the thresholds below a light."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.arrays.transfer.tables import code_type, light_of_codes, thresholds
from wideopen.checks import F32
from wideopen.color import Encoding


def decode(codes: NDArray[Any], encoding: Encoding, bit_depth: int) -> F32:
    """Return linear light (H, W, 3) float32 of display-encoded `codes` (H, W, 3)."""
    light = light_of_codes(encoding, bit_depth)
    return np.stack([light[c][codes[..., c]] for c in range(3)], axis=-1)


def encode(rgb: F32, encoding: Encoding, bit_depth: int) -> NDArray[Any]:
    """Return the nearest codes (H, W, 3) of linear light `rgb` (H, W, 3); outside [0, 1] clips."""
    limits = thresholds(encoding, bit_depth)
    codes = [np.searchsorted(limits[c], rgb[..., c], side="right") for c in range(3)]
    return np.stack(codes, axis=-1).astype(code_type(bit_depth))
