"""The conventions of docs/conventions.md, enforced where an array or a setting enters."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.errors import require as require

F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
U8 = NDArray[np.uint8]


def _as_float32(name: str, array: Any, shape_text: str, ndim: int) -> F32:
    is_array, found = isinstance(array, np.ndarray), type(array).__name__
    require(is_array, f"{name}: expected a NumPy array {shape_text}, found {found}")
    is_float = array.dtype in (np.float16, np.float32, np.float64)
    require(is_float, f"{name}: expected floats, found dtype {array.dtype}")
    require(array.ndim == ndim, f"{name}: expected shape {shape_text}, found {array.shape}")
    require(array.size > 0, f"{name}: expected at least one pixel, found shape {array.shape}")
    out = np.ascontiguousarray(array, dtype=np.float32)
    # No copy: min and max propagate NaN, and are infinite if any value is.
    ends = np.array([out.min(), out.max()])
    require(bool(np.isfinite(ends).all()), f"{name}: expected finite values, found NaN or infinity")
    return out


def require_map(name: str, array: Any, *, like: NDArray[Any] | None = None) -> F32:
    """Return `array` as contiguous float32 (H, W); finite, of the height and width of `like`.

    Raises InvalidInput for a wrong type, rank or size, an integer dtype, NaN or infinity.
    """
    out = _as_float32(name, array, "(H, W)", 2)
    if like is not None:
        require(out.shape == like.shape[:2], f"{name}: expected (H, W) {like.shape[:2]}, found {out.shape}")
    return out


def require_unit_map(name: str, array: Any, *, like: NDArray[Any] | None = None) -> F32:
    """`require_map` with every value in [0, 1]; excesses up to 1e-4 are clipped."""
    out = require_map(name, array, like=like)
    low, high = float(out.min()), float(out.max())
    fits = low >= -1e-4 and high <= 1 + 1e-4
    require(fits, f"{name}: expected values in [0, 1], found [{low:g}, {high:g}]")
    return out if low >= 0 and high <= 1 else np.clip(out, 0, 1)


def require_rgb_u8(name: str, array: Any) -> None:
    """Refuse what is not a picture (H, W, 3) uint8. Raises InvalidInput."""
    known = isinstance(array, np.ndarray) and array.dtype == np.uint8 and array.ndim == 3
    found = f"{array.shape} {array.dtype}" if isinstance(array, np.ndarray) else type(array).__name__
    require(known and array.shape[2] == 3 and array.size > 0, f"{name}: expected (H, W, 3) uint8, found {found}")


def require_rgb(name: str, array: Any) -> F32:
    """Return `array` as contiguous float32 (H, W, 3), finite; linear light, values above 1 allowed."""
    out = _as_float32(name, array, "(H, W, 3)", 3)
    require(out.shape[2] == 3, f"{name}: expected shape (H, W, 3), found {out.shape}")
    return out
