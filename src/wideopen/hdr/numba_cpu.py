"""The per-pixel work of `standard`, in numba. L is log2, (h, w) or (h, w, 3), of light (h, w, 3)."""

import numpy as np

from wideopen.arrays.jit import frozen, kernel
from wideopen.checks import F32, U8
from wideopen.hdr import MOST_STOPS


def find_gains(light: F32, curve: F32, stops: F32, first: int, shift: int, apart: F32, kept: U8, log2: F32) -> None:
    """Blend the photo's own log2, by kept (h, w) / 255, with L of a result by the curve and `apart`, in place.

    L leaves no channel above 1 in the standard picture. The curve holds L, and `stops` the log2 of light, for steps of
    light: a float's bits without the last `shift`, counted from `first`.
    """
    bits = _pixels(light).view(np.int32)  # sorts like floats
    _find_gains(bits, curve, stops, first, shift, _pixels(apart), kept.ravel(), _pixels(log2))


def compare(rgb: F32, photo: F32, same_to: float, same: U8, lively: U8) -> None:
    """same (h, w) <- 255 where a result is the photo; lively <- 1 where the photo differs from the pixel before."""
    _compare(frozen(rgb), frozen(photo), np.float32(same_to), same, lively)


def _pixels(x: F32) -> F32:
    """(n, 1 or 3)."""
    return x.reshape(-1, 1 if x.ndim == 2 else 3)


@kernel()
def _find_gains(bits, curve, stops, first, shift, apart, kept, log2):
    for p in range(len(bits)):
        brightest = max(bits[p, 0], bits[p, 1], bits[p, 2])
        at = min(max((brightest >> shift) - first, 0), len(curve) - 2)
        share = np.float32(kept[p]) * np.float32(1 / 255)
        for c in range(log2.shape[1]):
            found = max(curve[at] + apart[p, c], stops[at + 1])
            found += share * (log2[p, c] - found)
            log2[p, c] = min(max(found, np.float32(-MOST_STOPS)), np.float32(MOST_STOPS))


@kernel()
def _compare(rgb, photo, same_to, same, lively):
    for y in range(rgb.shape[0]):
        before = np.float32(0)
        for x in range(rgb.shape[1]):
            r, g, b = photo[y, x, 0], photo[y, x, 1], photo[y, x, 2]
            level = max(r, g, b)
            change = max(abs(rgb[y, x, 0] - r), abs(rgb[y, x, 1] - g), abs(rgb[y, x, 2] - b))
            limit = level * same_to + np.float32(1e-5)
            same[y, x] = 255 * (change <= limit)
            lively[y, x] = x > 0 and abs(level - before) > 2 * limit
            before = level
