"""Guided up-sampling with numba: `reference.settle` and `reference.upsample` in float32, row by row, in parallel.

A row of the small map is spread over the photo's columns once (its three channels and its value, for each of the four
taps across), and used by all the rows of the photo that lie beside it; the inner loop then runs along contiguous
arrays, and the compiler turns it into vector instructions.
"""

import numba
import numpy as np

import wideopen.arrays.jit  # noqa: F401  (sets the threading layer before compiling)
from wideopen.checks import F32, U8
from wideopen.disparity.upsample import reference
from wideopen.disparity.upsample.reference import flatness, taps

_STRIP = 512  # columns at a time: 4 rows x 4 taps x 4 numbers x 512 x 4 bytes = 128 KB, within a core's cache


@numba.njit(parallel=True, cache=True, fastmath=True, error_model="numpy")
def _settle(small, flat, guide, reach, falloff, out):
    """out = small + (1 - flat) * (sum w d / sum w - small), w = near flat / (1 + falloff |dI|^2)^2."""
    height, width = small.shape
    for y in numba.prange(height):
        for x in range(width):
            slope = np.float32(1) - flat[y, x]
            total, weighed = np.float32(1e-9), np.float32(1e-9) * small[y, x]
            if slope > np.float32(0):
                for v in range(max(0, y - reach), min(height, y + reach + 1)):
                    for u in range(max(0, x - reach), min(width, x + reach + 1)):
                        distance2 = np.float32(0)
                        for k in range(3):
                            step = np.float32(guide[y, x, k]) - np.float32(guide[v, u, k])
                            distance2 += step * step
                        fall = np.float32(1) + falloff * distance2
                        near = np.float32((reach + 1 - abs(v - y)) * (reach + 1 - abs(u - x)))
                        w = near * flat[v, u] / (fall * fall)
                        total += w
                        weighed += w * small[v, u]
            out[y, x] = small[y, x] + slope * (weighed / total - small[y, x])


@numba.njit(parallel=True, cache=True, fastmath=True, error_model="numpy")
def _upsample(small, small_guide, guide, iy, wy, ix, wx, falloff, strip, out):
    """out = sum w d / sum w over 4x4 taps, w = wy wx / (1 + falloff |dI|^2)^2."""
    height, width = out.shape
    strips = (width + strip - 1) // strip
    bands = max(1, (height + 127) // 128)
    for job in numba.prange(bands * strips):
        top, left = (job // strips) * 128, (job % strips) * strip
        n = min(strip, width - left)
        spread = np.empty((4, 4, 4, strip), np.float32)  # slot, tap across, (r, g, b, value), column
        held = np.full(4, -1, np.int64)  # the small row in each slot
        total, weighed = np.empty(strip, np.float32), np.empty(strip, np.float32)
        red, green, blue = np.empty(strip, np.float32), np.empty(strip, np.float32), np.empty(strip, np.float32)
        for y in range(top, min(top + 128, height)):
            for x in range(n):
                red[x], green[x], blue[x] = guide[y, left + x, 0], guide[y, left + x, 1], guide[y, left + x, 2]
                total[x] = 0
                weighed[x] = 0
            for j in range(4):
                row = iy[y, j]
                slot = row % 4  # four neighbours never share one; beyond a border the same row comes again
                if held[slot] != row:
                    held[slot] = row
                    for i in range(4):
                        for x in range(n):
                            column = ix[left + x, i]
                            spread[slot, i, 0, x] = small_guide[row, column, 0]
                            spread[slot, i, 1, x] = small_guide[row, column, 1]
                            spread[slot, i, 2, x] = small_guide[row, column, 2]
                            spread[slot, i, 3, x] = small[row, column]
                for i in range(4):
                    near = spread[slot, i]
                    for x in range(n):
                        dr, dg, db = red[x] - near[0, x], green[x] - near[1, x], blue[x] - near[2, x]
                        fall = np.float32(1) + falloff * (dr * dr + dg * dg + db * db)
                        w = wy[y, j] * wx[i, left + x] / (fall * fall)
                        total[x] += w
                        weighed[x] += w * near[3, x]
            for x in range(n):
                out[y, left + x] = weighed[x] / total[x]


def settle(small: F32, small_guide: U8) -> F32:
    """`reference.settle`, in parallel and in float32."""
    out = np.empty_like(small)
    _settle(small, flatness(small), small_guide, reference.REACH_PX, np.float32(1 / reference.LIKENESS**2), out)
    return out


def upsample(small: F32, small_guide: U8, guide: U8) -> F32:
    """`reference.upsample`, in parallel and in float32."""
    height, width = guide.shape[:2]
    (iy, wy), (ix, wx) = taps(small.shape[0], height), taps(small.shape[1], width)
    out = np.empty((height, width), np.float32)
    falloff = np.float32(1 / reference.LIKENESS**2)
    across = np.ascontiguousarray(wx.T)  # (4, W)
    _upsample(small, small_guide, guide, iy, wy, ix, across, falloff, _STRIP, out)
    return out
