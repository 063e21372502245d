"""Guided up-sampling with numba: `reference.settle` and `reference.upsample` in float32, in parallel.

A row of the small map is spread over the photo's columns once, and used by all the photo's rows beside it: for the
guided parts its three channels and its value, for each of the four taps across. The inner loops then run along
contiguous arrays, and the compiler turns them into vector instructions.
"""

import numpy as np

from wideopen.arrays.jit import in_threads, kernel
from wideopen.checks import F32, U8
from wideopen.disparity.upsample import reference
from wideopen.disparity.upsample.reference import flatness, taps, varies

ROWS, COLUMNS = 128, 64  # that a thread takes at a time; that are guided together


@kernel(fastmath=True)
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


@kernel(fastmath=True)
def _upsample(first, stop, small, small_guide, guide, iy, wy, ix, wx, falloff, guided, part_guided, out):
    """`reference.upsample` of the rows from first to stop; guided: `reference.varies`.

    part_guided (h, parts): whether it does anywhere in `COLUMNS` of the photo. The loops over these count from 0, in
    arrays of their own: of slices, and of indices that might be negative, the compiler makes no vector instructions.
    """
    width, parts = out.shape[1], part_guided.shape[1]
    wide, wide_row = np.empty((4, width), np.float32), np.full(4, -1)  # the small rows that are widened
    spread, spread_row = np.empty((parts, 4, 4, 5, COLUMNS), np.float32), np.full((4, parts), -1)
    red, green, blue = np.empty(COLUMNS, np.float32), np.empty(COLUMNS, np.float32), np.empty(COLUMNS, np.float32)
    total, weighed = np.empty(COLUMNS, np.float32), np.empty(COLUMNS, np.float32)
    for y in range(first, stop):
        for j in range(4):
            row, slot = iy[y, j], iy[y, j] % 4  # four neighbours never share one; beyond a border the same row returns
            if wide_row[slot] != row:
                wide_row[slot] = row
                for x in range(width):
                    near = wx[0, x] * small[row, ix[x, 0]] + wx[1, x] * small[row, ix[x, 1]]
                    wide[slot, x] = near + wx[2, x] * small[row, ix[x, 2]] + wx[3, x] * small[row, ix[x, 3]]
        a, b, c, d = iy[y, 0] % 4, iy[y, 1] % 4, iy[y, 2] % 4, iy[y, 3] % 4
        p, q, r, s = wy[y, 0], wy[y, 1], wy[y, 2], wy[y, 3]
        for x in range(width):
            out[y, x] = p * wide[a, x] + q * wide[b, x] + r * wide[c, x] + s * wide[d, x]
        for part in range(parts):
            if not part_guided[iy[y, 1], part]:
                continue
            left, n = part * COLUMNS, min(COLUMNS, width - part * COLUMNS)
            for x in range(n):
                red[x], green[x], blue[x] = guide[y, left + x, 0], guide[y, left + x, 1], guide[y, left + x, 2]
                total[x] = weighed[x] = np.float32(0)
            for j in range(4):
                row, slot, down = iy[y, j], iy[y, j] % 4, wy[y, j]
                if spread_row[slot, part] != row:
                    spread_row[slot, part] = row
                    for i in range(4):
                        for x in range(n):
                            column = ix[left + x, i]
                            spread[part, slot, i, 0, x] = small_guide[row, column, 0]
                            spread[part, slot, i, 1, x] = small_guide[row, column, 1]
                            spread[part, slot, i, 2, x] = small_guide[row, column, 2]
                            spread[part, slot, i, 3, x] = small[row, column]
                            spread[part, slot, i, 4, x] = wx[i, left + x]
                for i in range(4):
                    for x in range(n):
                        dr, dg = red[x] - spread[part, slot, i, 0, x], green[x] - spread[part, slot, i, 1, x]
                        db = blue[x] - spread[part, slot, i, 2, x]
                        fall = np.float32(1) + falloff * (dr * dr + dg * dg + db * db)
                        w = down * spread[part, slot, i, 4, x] / (fall * fall)
                        total[x] += w
                        weighed[x] += w * spread[part, slot, i, 3, x]
            for x in range(n):
                if guided[iy[y, 1], ix[left + x, 1]]:
                    out[y, left + x] = weighed[x] / total[x]


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
    across, guided = np.ascontiguousarray(wx.T), varies(small)  # (4, W), (h, w)
    part_guided = np.logical_or.reduceat(guided[:, ix[:, 1]], np.arange(0, width, COLUMNS), axis=1)
    maps = (small, small_guide, guide)
    in_threads(_upsample, height, ROWS, *maps, iy, wy, ix, across, falloff, guided, part_guided, out)
    return out
