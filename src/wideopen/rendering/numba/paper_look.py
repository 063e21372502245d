"""The paper look on all cores: one blur for each different radius, weighted by what its planes show.

Eq. (5)'s alphas depend on a pixel's own disparity only, so what a plane adds to a pixel is its blurred colour times a
weight made of that disparity. Running sums are float64, because the root 1 / alpha2 would blow the rounding of a bright
neighbour up to visible grain in black. With `quality="fast"` large radii are blurred, and their root is taken, on
coarse levels: see `spans`.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numba import prange

from wideopen.arrays.jit import frozen, inner, kernel
from wideopen.checks import F32
from wideopen.optics import Optics
from wideopen.rendering.aperture import antialiased_spans, barrel, binary_spans
from wideopen.rendering.numba.spans import between, enlarge_x, flat_rows, level_of, radius_at, spread_row
from wideopen.rendering.planes import paper_planes
from wideopen.rendering.reference import paper_radii

TILE_H, TILE_W = 96, 384
"""At most; tiles are of equal size, since a narrow one at the border would blur mostly what it does not show."""
COARSE_RADIUS = 3.0
"""Radii from twice this on are blurred on coarse levels: small, since what shows is a mixture of many planes."""
DIRECT = 13
"""No span of a coarse level is longer; sums of so few are safe in float32, without running sums."""


class Bend(NamedTuple):
    """Constants of Eq. (4)."""

    a1: np.float32
    b1: np.float32
    alpha1: np.float32
    a2: np.float32
    b2: np.float32
    root: np.float32  # 1 / alpha2


@kernel(parallel=True)
def _bend(encoded, bend, out):
    """Eq. (4) before the blur: (a1 I + b1)^alpha1; both (H, W, 3)."""
    for y in prange(encoded.shape[0]):
        for x in range(encoded.shape[1]):
            for c in range(3):
                v = max(bend.a1 * encoded[y, x, c] + bend.b1, np.float32(0))
                out[y, x, c] = (v * v) * (v * v) if bend.alpha1 == 4 else v**bend.alpha1


@kernel(parallel=True)
def _halve(cells, out):
    """Sums of 2 x 2 cells: (H, W, 3) to (ceil(H / 2), ceil(W / 2), 3)."""
    height, width = cells.shape[:2]
    out[:] = 0
    for row in prange(out.shape[0]):
        for y in range(2 * row, min(2 * row + 2, height)):
            for x in range(width):
                for c in range(3):
                    out[row, x // 2, c] += cells[y, x, c]


@inner()
def _weights(disparity, mids, extent, group, y0, x0, out):
    """Eqs. (5)-(9) unrolled: the weight of each radius group (G, h, w), nearest plane first; they sum to 1 or 0."""
    out[:, :, :] = 0
    width = out.shape[2]
    seen, shown = np.empty(width, np.float32), np.empty(width, np.float32)
    for y in range(out.shape[1]):
        d = disparity[y0 + y, x0 : x0 + width]
        seen[:] = 1
        shown[:] = 0
        for k in range(mids.size - 1, -1, -1):
            to, mid = out[group[k], y], mids[k]
            for x in range(width):
                a = np.float32(1)
                if extent > 0:
                    a = max(np.float32(0), a - np.sqrt(abs(d[x] - mid) / extent))
                w = seen[x] * a
                to[x] += w
                shown[x] += w
                seen[x] -= w
        for g in range(out.shape[0]):
            for x in range(width):
                out[g, y, x] = out[g, y, x] / shown[x] if shown[x] > 0 else np.float32(0)


@inner()
def _blur(cells, photo, rows, g, y0, x0, acc):
    """acc (m, n * 4), whose first cell is (y0, x0), += cells (H, W, 3) and their pixels' number, blurred.

    A cell is a square of pixels, less where the photo, of the shape `photo`, ends.
    """
    height, width = cells.shape[:2]
    reach, size = rows.reaches[g], 1 << rows.levels[g]
    start, stop = max(0, x0 - reach), min(width, x0 + acc.shape[1] // 4 + reach)
    line, total = np.empty((stop - start) * 4, acc.dtype), np.empty((4 * reach + stop - start + 5) * 4, acc.dtype)
    numbers = np.empty(acc.shape[1], np.float32)
    for i in range(numbers.size):
        numbers[i] = i // 4
    for y in range(max(0, y0 - reach), min(height, y0 + acc.shape[0] + reach)):
        row, tall = cells[y], min(size, photo[0] - y * size)
        for x in range(start, stop):
            i = (x - start) * 4
            for c in range(3):
                line[i + c] = row[x, c]
            line[i + 3] = tall * min(size, photo[1] - x * size)
        spread_row(line, start - x0, total, reach, rows, rows.barrel, g, DIRECT, y - y0, y0, x0, numbers, 4, acc)


@inner()
def _unbend(plane, bend):
    """Eq. (4) after the blur, in place: ^(1 / alpha2) / a2 + b2."""
    for c in range(3):
        for y in range(plane.shape[1]):
            row = plane[c, y]
            if bend.root == np.float32(0.25):
                for x in range(row.size):
                    row[x] = np.sqrt(np.sqrt(max(row[x], np.float32(0))))
            else:
                for x in range(row.size):
                    row[x] = max(row[x], np.float32(0)) ** bend.root
            for x in range(row.size):
                row[x] = row[x] / bend.a2 + bend.b2


@inner()
def _blurred(cells, photo, rows, g, y0, x0, acc, plane):
    """plane (3, m, n) <- cells blurred with group g's kernel: blurred colour over blurred share, by way of acc."""
    acc[:] = 0
    _blur(cells, photo, rows, g, y0, x0, acc)
    for y in range(plane.shape[1]):
        row = acc[y]
        for x in range(plane.shape[2]):
            one = 1 / row[x * 4 + 3]
            for c in range(3):
                plane[c, y, x] = row[x * 4 + c] * one


@inner()
def _plane(cells, photo, rows, g, y0, x0, y1, x1, bend):
    """Return the colour of group g's planes, (3, m, n) float32, in cells [y0, y1) x [x0, x1) of its level."""
    plane = np.empty((3, y1 - y0, x1 - x0), np.float32)
    if rows.reaches[g] == 0 and rows.levels[g] == 0:
        for y in range(y1 - y0):
            for x in range(x1 - x0):
                for c in range(3):
                    plane[c, y, x] = cells[y0 + y, x0 + x, c]
    elif rows.reaches[g] <= DIRECT // 2:
        _blurred(cells, photo, rows, g, y0, x0, np.empty((y1 - y0, (x1 - x0) * 4), np.float32), plane)
    else:
        _blurred(cells, photo, rows, g, y0, x0, np.empty((y1 - y0, (x1 - x0) * 4)), plane)
    _unbend(plane, bend)
    return plane


@inner()
def _add(plane, weight, level, cell_y0, cell_x0, y0, x0, colour):
    """colour (3, h, w) += weight (h, w) * plane (3, m, n), enlarged."""
    height, width = weight.shape
    for c in range(3):
        wide = plane[c] if level == 0 else enlarge_x(plane[c], level, cell_x0, x0, width, 1)
        for y in range(height):
            to, w = colour[c, y], weight[y]
            if level == 0:
                row = wide[y]
                for x in range(width):
                    to[x] += w[x] * row[x]
                continue
            top, bottom, f = between(y0 + y, level, cell_y0, plane.shape[1])
            above, below = wide[top], wide[bottom]
            for x in range(width):
                to[x] += w[x] * (above[x] + f * (below[x] - above[x]))


@kernel(parallel=True)
def _tiles(pyramid, starts, disparity, mids, extent, group, rows, bend, tile_h, tile_w, order):
    """Eqs. (4) and (6)-(9) per tile: (H, W, 3). Level L of the pyramid (cells, 3) begins at starts[L]."""
    height, width = disparity.shape
    tiles_x = (width + tile_w - 1) // tile_w
    out = np.empty((height, width, 3), np.float32)
    for tile in prange(order.size):
        y0, x0 = order[tile] // tiles_x * tile_h, order[tile] % tiles_x * tile_w
        y1, x1 = min(height, y0 + tile_h), min(width, x0 + tile_w)
        weights = np.empty((rows.levels.size, y1 - y0, x1 - x0), np.float32)
        _weights(disparity, mids, extent, group, y0, x0, weights)
        colour = np.zeros((3, y1 - y0, x1 - x0), np.float32)
        for g in range(rows.levels.size):
            level = rows.levels[g]
            m, n = (height - 1 >> level) + 1, (width - 1 >> level) + 1
            cells = pyramid[starts[level] : starts[level] + m * n].reshape((m, n, 3))
            margin = min(level, 1)
            a0, a1 = max(0, (y0 >> level) - margin), min(m, ((y1 - 1) >> level) + 1 + margin)
            b0, b1 = max(0, (x0 >> level) - margin), min(n, ((x1 - 1) >> level) + 1 + margin)
            plane = _plane(cells, disparity.shape, rows, g, a0, b0, a1, b1, bend)
            _add(plane, weights[g], level, a0, b0, y0, x0, colour)
        for y in range(y0, y1):
            for x in range(x0, x1):
                for c in range(3):
                    out[y, x, c] = colour[c, y - y0, x - x0]
    return out


def _pyramid(encoded: F32, bend: Bend, top: int) -> tuple[F32, np.ndarray]:
    """Bent colour, (cells, 3): the photo's, then sums over 2 x 2, 4 x 4, ... pixels; and where each level begins."""
    height, width = encoded.shape[:2]
    sizes = [(((height - 1) >> level) + 1, ((width - 1) >> level) + 1) for level in range(top + 1)]
    starts = np.cumsum([0] + [m * n for m, n in sizes])
    cells = np.empty((int(starts[-1]), 3), np.float32)
    levels = [cells[a:b].reshape(*size, 3) for a, b, size in zip(starts, starts[1:], sizes, strict=False)]
    _bend(frozen(encoded), bend, levels[0])
    for finer, coarser in pairwise(levels):
        _halve(finer, coarser)
    return cells, starts


def paper(encoded: F32, disparity: F32, optics: Optics) -> F32:
    """`reference.paper` on all cores."""
    p, pupil = optics.constants, optics.pupil
    mids, extent = paper_planes(disparity, optics.planes)
    radii = paper_radii(mids, focus_disparity=optics.focus_disparity, radius_px=optics.radius_px, delta=p.delta)
    different, group = np.unique(radii, return_inverse=True)
    levels = [level_of(r, max(disparity.shape), COARSE_RADIUS) if optics.quality == "fast" else 0 for r in different]

    radii_in_cells = [radius_at(level, float(r)) for r, level in zip(different, levels, strict=True)]
    spans = [
        binary_spans(pupil, int(r)) if level == 0 else antialiased_spans(pupil, r)
        for r, level in zip(radii_in_cells, levels, strict=True)
    ]
    bend = Bend(*(np.float32(v) for v in (p.a1, p.b1, p.alpha1, p.a2, p.b2, 1 / p.alpha2)))
    cells, starts = _pyramid(encoded, bend, max(levels))
    counts = [-(-side // most) for side, most in zip(disparity.shape, (TILE_H, TILE_W), strict=True)]
    tile = [-(-side // count) for side, count in zip(disparity.shape, counts, strict=True)]
    used = [-(-side // length) for side, length in zip(disparity.shape, tile, strict=True)]
    order = np.random.default_rng(0).permutation(used[0] * used[1])
    cut = barrel((disparity.shape[0], disparity.shape[1]), pupil, optics.cat_eye, optics.swirl)
    rows = flat_rows(spans, radii_in_cells, levels, cut)
    settings = mids, np.float32(extent), group.astype(np.int64), rows, bend
    return _tiles(cells, starts, frozen(disparity), *settings, *tile, order)
