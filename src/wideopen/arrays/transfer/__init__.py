"""Exact conversion between display-encoded integers and linear light, for any `Encoding`.

`encode(decode(codes))` returns `codes` at 8, 10, 12 and 16 bits: untouched pixels stay untouched.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wideopen.arrays.transfer.reference import code_type, light_of_codes
from wideopen.backends import numba_or_reference, pick
from wideopen.checks import F32, require, require_rgb
from wideopen.color import Encoding

BACKENDS = numba_or_reference(__name__)


def decode(codes: NDArray[Any], encoding: Encoding, *, bit_depth: int, backend: str = "auto") -> F32:
    """Return (H, W, 3) float32 linear light in [0, 1] for display-encoded `codes`.

    `codes` is (H, W, 3): uint8 for 8 bits, uint16 below 2**bit_depth for 10, 12 and 16 bits.
    Raises InvalidInput for a wrong shape, type or depth.
    """
    kind = np.dtype(code_type(bit_depth))
    require(codes.ndim == 3 and codes.shape[2] == 3, f"codes: expected shape (H, W, 3), found {codes.shape}")
    require(codes.dtype == kind, f"codes: expected {kind} for {bit_depth} bits, found {codes.dtype}")
    if bit_depth in (10, 12):
        top = int(codes.max(initial=0))
        require(top < 2**bit_depth, f"codes: expected values below {2**bit_depth}, found {top}")
    if bit_depth == 8 and backend == "auto" and codes.size:  # as fast as numba, which need not be loaded yet
        table = np.ascontiguousarray(light_of_codes(encoding, 8).T)[None]  # (1, 256, 3)
        return cv2.LUT(codes, table)
    return pick(BACKENDS, backend)[1].decode(codes, encoding, bit_depth)


def encode(rgb: F32, encoding: Encoding, *, bit_depth: int, backend: str = "auto") -> NDArray[Any]:
    """Return the display-encoded codes (H, W, 3), uint8 or uint16, nearest to linear light `rgb`.

    Light outside [0, 1] clips. Raises InvalidInput for a wrong shape, type or depth, NaN or infinity.
    """
    code_type(bit_depth)
    light = require_rgb("rgb", rgb)
    return pick(BACKENDS, backend)[1].encode(light, encoding, bit_depth)
