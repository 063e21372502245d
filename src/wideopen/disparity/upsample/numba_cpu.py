"""Guided up-sampling with numba: `reference.settle` and `reference.upsample` in float32, in tiles, in parallel.

A row of the small map is spread over the photo's columns once, and used by all the photo's rows beside it: for the
guided tiles its three channels and its value, for each of the four taps across. The inner loops then run along
contiguous arrays, and the compiler turns them into vector instructions.
"""

import numba
import numpy as np

from wideopen.arrays.jit import in_threads, inner
from wideopen.checks import F32, U8
from wideopen.disparity.upsample import reference
from wideopen.disparity.upsample.reference import flatness, taps, varies

ROWS, COLUMNS = 32, 64  # of a tile


@numba.njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def _settle(top, bottom, small, flat, guide, reach, falloff, out):
    """out = small + (1 - flat) * (sum w d / sum w - small), w = near flat / (1 + falloff |dI|^2)^2."""
    height, width = small.shape
    for y in range(top, bottom):
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


@inner(fastmath=True, error_model="numpy")
def _widened(small, top, bottom, ix, wx):
    """Rows [top, bottom) of the small map, spread over the photo's columns: sum wx d over 4 taps."""
    wide = np.empty((bottom - top, ix.shape[0]), np.float32)
    for y in range(bottom - top):
        row = small[top + y]
        for x in range(ix.shape[0]):
            near = wx[0, x] * row[ix[x, 0]] + wx[1, x] * row[ix[x, 1]]
            wide[y, x] = near + wx[2, x] * row[ix[x, 2]] + wx[3, x] * row[ix[x, 3]]
    return wide


@inner(fastmath=True, error_model="numpy")
def _smooth(wide, first, iy, wy, out):
    """out = sum wy d over 4 taps; `wide` begins with the row `first` of the small map."""
    for y in range(out.shape[0]):
        a, b, c, d = wide[iy[y, 0] - first], wide[iy[y, 1] - first], wide[iy[y, 2] - first], wide[iy[y, 3] - first]
        p, q, r, s = wy[y, 0], wy[y, 1], wy[y, 2], wy[y, 3]
        for x in range(out.shape[1]):
            out[y, x] = p * a[x] + q * b[x] + r * c[x] + s * d[x]


@inner(fastmath=True, error_model="numpy")
def _guided_tile(small, small_guide, guide, iy, wy, ix, wx, falloff, guided, out):
    """out, where guided, = sum w d / sum w over 4x4 taps, w = wy wx / (1 + falloff |dI|^2)^2."""
    height, n = out.shape
    spread = np.empty((4, 4, 4, n), np.float32)  # slot, tap across, (r, g, b, value), column
    held = np.full(4, -1, np.int64)  # the small row in each slot
    total, weighed = np.empty(n, np.float32), np.empty(n, np.float32)
    red, green, blue = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n, np.float32)
    across = wx.copy()  # a part of an array may have strides, so that the compiler would make no vector instructions
    for y in range(height):
        for x in range(n):
            red[x], green[x], blue[x] = guide[y, x, 0], guide[y, x, 1], guide[y, x, 2]
            total[x] = 0
            weighed[x] = 0
        for j in range(4):
            row = iy[y, j]
            slot = row % 4  # four neighbours never share one; beyond a border the same row comes again
            if held[slot] != row:
                held[slot] = row
                for i in range(4):
                    for x in range(n):
                        column = ix[x, i]
                        spread[slot, i, 0, x] = small_guide[row, column, 0]
                        spread[slot, i, 1, x] = small_guide[row, column, 1]
                        spread[slot, i, 2, x] = small_guide[row, column, 2]
                        spread[slot, i, 3, x] = small[row, column]
            down = wy[y, j]
            for i in range(4):
                near = spread[slot, i]
                for x in range(n):
                    dr, dg, db = red[x] - near[0, x], green[x] - near[1, x], blue[x] - near[2, x]
                    fall = np.float32(1) + falloff * (dr * dr + dg * dg + db * db)
                    w = down * across[i, x] / (fall * fall)
                    total[x] += w
                    weighed[x] += w * near[3, x]
        for x in range(n):
            if guided[iy[y, 1], ix[x, 1]]:
                out[y, x] = weighed[x] / total[x]


@numba.njit(cache=True, nogil=True)
def _upsample(first, last, small, small_guide, guide, iy, wy, ix, wx, falloff, guided, out):
    """`reference.upsample` of tile rows from first to last; guided: `reference.varies`."""
    height, width = out.shape
    for top in range(first * ROWS, min(last * ROWS, height), ROWS):
        bottom = min(top + ROWS, height)
        rows, row_weights = iy[top:bottom], wy[top:bottom]
        wide = _widened(small, rows[0, 0], rows[-1, 3] + 1, ix, wx)
        _smooth(wide, rows[0, 0], rows, row_weights, out[top:bottom])
        for left in range(0, width, COLUMNS):
            right = min(left + COLUMNS, width)
            columns = ix[left:right]
            if guided[rows[0, 1] : rows[-1, 1] + 1, columns[0, 1] : columns[-1, 1] + 1].any():
                near, tile = guide[top:bottom, left:right], out[top:bottom, left:right]
                _guided_tile(
                    small, small_guide, near, rows, row_weights, columns, wx[:, left:right], falloff, guided, tile
                )


def settle(small: F32, small_guide: U8) -> F32:
    """`reference.settle`, in parallel and in float32."""
    out = np.empty_like(small)
    falloff = np.float32(1 / reference.LIKENESS**2)
    in_threads(_settle, len(small), 32, small, flatness(small), small_guide, reference.REACH_PX, falloff, out)
    return out


def upsample(small: F32, small_guide: U8, guide: U8) -> F32:
    """`reference.upsample`, in parallel and in float32."""
    height, width = guide.shape[:2]
    (iy, wy), (ix, wx) = taps(small.shape[0], height), taps(small.shape[1], width)
    out = np.empty((height, width), np.float32)
    falloff = np.float32(1 / reference.LIKENESS**2)
    across = np.ascontiguousarray(wx.T)  # (4, W)
    rows = -(-height // ROWS)
    in_threads(_upsample, rows, 4, small, small_guide, guide, iy, wy, ix, across, falloff, varies(small), out)
    return out
