"""What both looks share: rows of spans, running sums, and the coarse levels of `quality="fast"`.

A row of a shape covers one span, and a span of a row of pixels is the difference of two values of its running sum P
(piecewise linear between pixel edges, so a span may end inside a pixel):
    out[y, x] = sum over rows dy:  P[y - dy](x + 0.5 - left) - P[y - dy](x + 0.5 - right)
That costs about 2 * (2r + 1) look-ups a pixel instead of pi * r^2. Short spans are summed
directly: as fast, and free of the cancellation of a difference (the identity kernel returns its input to the last
bit).

Cat's eyes cut each span by a chord whose ends move evenly along a row (`aperture.Barrel`), or nearly so over `STRETCH`
cells. Between two cells where an end enters the next source pixel all cells read neighbouring sums, as without cut.

Coarse levels (`fast`): a radius of at least 2 * `COARSE_RADIUS` pixels is blurred at half the resolution, of twice
that at a quarter, and so on, so that a blur costs about the same at any radius. Level L sums cells of 2^L x 2^L pixels
and brings the blurred cells back by linear interpolation: both keep the sum, so light is conserved and a flat field
stays flat. Cell and interpolation widen the disk by (2^L)^2 / 4 in variance along each axis, as much as they would a
disk of radius 2^L; the disk is narrowed by that.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wideopen.arrays.jit import inner
from wideopen.rendering.aperture import CHORDS, Barrel, Spans

COARSE_RADIUS = 6.0
MAX_LEVEL = 6
CELLS = 64
STRETCH = 64
"""Most cells over which the ends of a chord are interpolated linearly, if they do not move evenly along the row."""
STRAIGHT = 1 << 20
"""As many, if they do."""
BEND = 0.25
"""How far a chord's distance from the centre of its disk may change over such cells."""


class KernelRows(NamedTuple):
    """The rows of all kernels in flat arrays; kernel k owns rows starts[k] to starts[k + 1].

    Lengths are in the cells of the kernel's level.
    """

    starts: np.ndarray  # (K + 1,) int64
    dys: np.ndarray  # (R,) int64
    firsts: np.ndarray  # (R,) float64, source edges relative to the cell written: see the module's formula
    lasts: np.ndarray  # (R,) float64
    weights: np.ndarray  # (R,) float32
    scales: np.ndarray  # (K,) float32, one over the kernel's area in pixels
    mirrored: np.ndarray  # (K,) bool: only rows dy >= 0 are listed, and -dy has the same span
    reaches: np.ndarray  # (K,) int64, cells that the kernel reaches out
    levels: np.ndarray  # (K,) int64
    radii: np.ndarray  # (K,) float64, signed
    barrel: np.ndarray | None  # (9,): across, middle and squeeze of `aperture.Barrel`; None if nothing cuts the kernels
    shift: np.ndarray  # (2, 3): `aperture.Barrel`


def level_of(radius_px: float, long_side_px: int, coarse_radius: float = COARSE_RADIUS) -> int:
    """The coarse level at which a radius is blurred: coarse_radius to twice that in its cells, the rest at level 0.

    A cell is at most 1 / `CELLS` of the long side, so that small photos stay photos.
    """
    top = min(MAX_LEVEL, np.log2(max(long_side_px / CELLS, 1)))
    return int(np.clip(np.floor(np.log2(max(abs(radius_px), 1e-6) / coarse_radius)), 0, np.floor(top)))


def radius_at(level: int, radius_px: float) -> float:
    """The radius in cells of a level, less what cell and interpolation add; the sign stays."""
    if level == 0:
        return radius_px
    cells = radius_px / 2**level
    return float(np.sign(cells) * np.sqrt(cells * cells - 1))


def _is_mirrored(spans: Spans) -> bool:
    """Whether rows dy and -dy have the same span, for all."""
    if spans.dy[0] != -spans.dy[-1]:  # cut by a cat's eye, a shape may be its own mirror image elsewhere
        return False
    rows = np.stack([np.abs(spans.dy), spans.left, spans.right, spans.weight])
    above, below = (side[:, np.lexsort(side[1::-1])] for side in (rows[:, spans.dy < 0], rows[:, spans.dy > 0]))
    return bool(np.array_equal(above, below))


def flat_rows(
    spans: Sequence[Spans], radii: Sequence[float], levels: Sequence[int], barrel: Barrel | None
) -> KernelRows:
    """Spans of all kernels, as source intervals; radii: signed, in cells of the kernels' levels."""
    counts = np.array([s.dy.size for s in spans])
    starts = np.cumsum(counts) - counts  # of each kernel's rows, all of them
    dys = np.concatenate([s.dy for s in spans]).astype(np.int64)
    left, right = (np.concatenate(x).astype(np.float64) for x in ([s.left for s in spans], [s.right for s in spans]))
    weights = np.concatenate([s.weight for s in spans])
    areas = np.add.reduceat(weights * (right - left), starts) * 4.0 ** np.array(levels)
    reaches = np.maximum.reduceat(np.maximum(np.abs(dys), np.ceil(np.maximum(right, -left) - 0.5)), starts)
    mirrored = np.array([barrel is None and _is_mirrored(s) for s in spans])
    listed = (dys >= 0) | ~np.repeat(mirrored, counts)
    cut, shift = None, np.zeros((2, 3))
    if barrel is not None:
        cut, shift = np.concatenate([barrel.across, barrel.middle, [barrel.squeeze]]), barrel.shift
    return KernelRows(
        starts=np.concatenate([[0], np.cumsum(np.add.reduceat(listed.astype(np.int64), starts))]),
        dys=dys[listed],
        firsts=0.5 - right[listed],
        lasts=0.5 - left[listed],
        weights=weights[listed],
        scales=(1 / areas).astype(np.float32),
        mirrored=mirrored,
        reaches=reaches.astype(np.int64),
        levels=np.array(levels, np.int64),
        radii=np.array(radii, np.float64),
        barrel=cut,
        shift=shift,
    )


class Tiling(NamedTuple):
    """The output cut into tiles."""

    height: int
    width: int
    order: np.ndarray  # (T,) a fixed shuffle: threads take equal runs of it, and heavy tiles lie side by side


def tiling(height: int, width: int) -> Tiling:
    """Tiles as large as leaves at least some 32: larger ones read less beyond their borders."""
    tile_h, tile_w = next(
        (size for size in ((256, 512), (256, 256), (128, 256)) if height * width >= 32 * size[0] * size[1]), (64, 256)
    )
    count = -(-height // tile_h) * -(-width // tile_w)
    return Tiling(tile_h, tile_w, np.random.default_rng(0).permutation(count))


@inner()
def running_sum(line, pad, channels, total):
    """total (2 * pad + m + 1 cells, flat): the sums up to each edge of a line of m cells, and to `pad` edges beyond.

    For 4 or 5 channels; the sums of a cell stay in registers. They are as precise as `total`.
    """
    zero = total.dtype.type(0)
    r = g = b = w = a = zero
    at = pad * channels
    for i in range(at):
        total[i] = zero
    for i in range(0, line.size, channels):
        total[at], total[at + 1], total[at + 2], total[at + 3] = r, g, b, w
        r, g, b, w = r + line[i], g + line[i + 1], b + line[i + 2], w + line[i + 3]
        if channels == 5:
            total[at + 4] = a
            a += line[i + 4]
        at += channels
    for _ in range(pad + 1):
        total[at], total[at + 1], total[at + 2], total[at + 3] = r, g, b, w
        if channels == 5:
            total[at + 4] = a
        at += channels


@inner(forceinline=True)
def _add_span(line, start, total, pad, first, last, weight, direct, channels, acc, y, twin):
    """acc[y][x] += weight * sum of the line over source edges [x + first, x + last], the same to row twin if >= 0.

    The line's first cell is cell `start` of acc. All are flat, channels interleaved: one long loop a span, which the
    compiler turns into vector code. Cells that the span brings nothing to are left out. Inlined, and
    without views: both would count references to the arrays.
    """
    low, high = int(np.floor(first)), int(np.floor(last))
    cells, stop = acc.shape[1] // channels, start + line.size // channels
    if high - low <= direct:
        for i in range(low, high + 1):
            share = line.dtype.type(min(i + 1.0, last) - max(float(i), first))
            left, right = max(0, start - i), min(cells, stop - i)
            if share > 0 and left < right:
                share *= weight
                source = line[(left + i - start) * channels : (right + i - start) * channels]
                to = acc[y, left * channels : right * channels]
                for x in range(to.size):
                    to[x] += share * source[x]
                if twin >= 0:
                    to = acc[twin, left * channels : right * channels]
                    for x in range(to.size):
                        to[x] += share * source[x]
        return
    left, right = max(0, start - high), min(cells, stop - low)
    if left >= right:
        return
    f, g = total.dtype.type(first - low), total.dtype.type(last - high)
    at, to, row, other = (left - start + pad) * channels, np.uintp(left * channels), np.uintp(y), np.uintp(max(twin, 0))
    a0, a1 = np.uintp(at + low * channels), np.uintp(at + (low + 1) * channels)
    b0, b1 = np.uintp(at + high * channels), np.uintp(at + (high + 1) * channels)
    if twin < 0:
        for x in range(np.uintp((right - left) * channels)):
            before, after = total[a0 + x], total[b0 + x]
            span = (after + g * (total[b1 + x] - after)) - (before + f * (total[a1 + x] - before))
            acc[row, to + x] += weight * span
        return
    for x in range(np.uintp((right - left) * channels)):
        before, after = total[a0 + x], total[b0 + x]
        span = weight * ((after + g * (total[b1 + x] - after)) - (before + f * (total[a1 + x] - before)))
        acc[row, to + x] += span
        acc[other, to + x] += span


@inner()
def _chord(barrel, radius, dy, y, x):
    """`aperture.Barrel.chord` of one row and point, as source edges relative to the cell written."""
    across = barrel[0] * dy + radius * (barrel[1] + barrel[2] * y + barrel[3] * x)
    middle = barrel[4] * dy + radius * (barrel[5] + barrel[6] * y + barrel[7] * x)
    half = 0.0
    for i in range(CHORDS):
        at = across + ((i + 0.5) / CHORDS - 0.5) * barrel[0]
        half += np.sqrt(max(radius * radius - at * at, 0.0))
    half /= CHORDS * barrel[8]
    return 0.5 - middle - half, 0.5 - middle + half


@inner()
def _steady(edge, slope, least):
    """An edge that moves by `slope` a cell, but is at least `least`: (edge, slope, for how many cells that holds).

    While it moves, it also stays in one source pixel; rounding may bring it to the very end of it.
    """
    if edge <= least:
        return least, 0.0, np.floor((least - edge) / slope) + 1 if slope > 0 else np.inf
    room = edge - np.floor(edge)
    room = 1 - room if slope > 0 else min(room, edge - least)
    return edge, slope, np.floor(room / abs(slope)) + 1 if slope != 0 else np.inf


@inner()
def _add_run(line, start, total, pad, first, df, last, dl, weight, direct, numbers, channels, acc):
    """As `_add_span`, with ends that move by df and dl from cell to cell, but not out of their source pixels.

    numbers (of each value): its cell's.
    """
    low, high = int(np.floor(first)), int(np.floor(last))
    if high - low <= direct:
        one = line.dtype.type(1)
        f, g, df, dl = line.dtype.type(first), line.dtype.type(last), line.dtype.type(df), line.dtype.type(dl)
        for i in range(low, high + 1):
            left, right = max(0, start - i), min(acc.size // channels, start + line.size // channels - i)
            if left < right:
                source = line[(left + i - start) * channels : (right + i - start) * channels]
                to, n, edge = acc[left * channels : right * channels], numbers[left * channels :], line.dtype.type(i)
                for x in range(to.size):
                    to[x] += weight * (min(edge + one, g + dl * n[x]) - max(edge, f + df * n[x])) * source[x]
        return
    f, g = total.dtype.type(first - low), total.dtype.type(last - high)
    df, dl = total.dtype.type(df), total.dtype.type(dl)
    at = (pad - start) * channels
    a0 = total[at + low * channels : at + low * channels + acc.size]
    a1 = total[at + (low + 1) * channels : at + (low + 1) * channels + acc.size]
    b0 = total[at + high * channels : at + high * channels + acc.size]
    b1 = total[at + (high + 1) * channels : at + (high + 1) * channels + acc.size]
    for x in range(acc.size):
        n = numbers[x]
        acc[x] += weight * ((b0[x] + (g + dl * n) * (b1[x] - b0[x])) - (a0[x] + (f + df * n) * (a1[x] - a0[x])))


@inner()
def _add_cut_span(line, start, total, pad, rows, s, radius, weight, direct, size, y, x0, numbers, channels, acc):
    """acc (n * C), whose first cell is (y, x0), += the line's sums over row s of a kernel, cut by the barrel."""
    first, last = rows.firsts[s], rows.lasts[s]
    x = max(0, start - int(np.floor(last)))
    right = min(acc.size // channels, start + line.size // channels - int(np.floor(first)))
    bend, dy, at = abs(radius * rows.barrel[3] * size), rows.dys[s], (y + 0.5) * size
    stretch = int(min(max(BEND * min(1.0, abs(radius) / 25) / bend, 1.0), float(STRETCH))) if bend > 0 else STRAIGHT
    base = (x0 + x) // stretch * stretch - x0  # of the photo's columns, so that tiles agree
    f1, l1 = _chord(rows.barrel, radius, dy, at, (x0 + base + 0.5) * size)
    while x < right:
        f0, l0, stop = f1, l1, min(right, base + stretch)
        f1, l1 = _chord(rows.barrel, radius, dy, at, (x0 + base + stretch + 0.5) * size)
        df, dl = (f1 - f0) / stretch, (l1 - l0) / stretch
        while x < stop:
            f, to_f, steady_f = _steady(f0 + (x - base) * df, df, first)
            g, to_g, steady_g = _steady(-l0 - (x - base) * dl, -dl, -last)
            length, growth = -g - f, -to_g - to_f
            cells = min(float(stop - x), steady_f, steady_g)
            if growth != 0 and (growth > 0) == (length <= 0):
                cells = min(cells, np.floor(-length / growth) + 1)
            end = x + max(1, int(cells))
            if length > 0:
                part = acc[x * channels : end * channels]
                _add_run(line, start - x, total, pad, f, to_f, -g, -to_g, weight, direct, numbers, channels, part)
            x = end
        base += stretch


@inner()
def spread_row(line, start, total, reach, rows, barrel, kernel, direct, y, y0, x0, numbers, channels, acc):
    """Add row y of the source to all rows of acc (h, w * C) that the kernel, which sums to 1, takes it to.

    line (m * C): the row's cells from cell `start` of acc on. reach: the kernel's. total: room for 4 * reach + m + 5
    cells. Spans longer than `direct` take the line's running sums. Cell (y0, x0) of the photo is the first of acc;
    numbers (w * C): of each value of a row of acc, its cell's. barrel: that of `rows`, an argument so that numba leaves
    out the code for cut spans if it is None.
    """
    pad = 2 * reach + 2  # as long as any span
    if 2 * reach + 1 > direct:
        running_sum(line, pad, channels, total)
    mirrored = rows.mirrored[kernel]
    size, radius = 1 << rows.levels[kernel], rows.radii[kernel]
    dys, firsts, lasts, weights, scale = rows.dys, rows.firsts, rows.lasts, rows.weights, rows.scales[kernel]
    for s in range(rows.starts[kernel], rows.starts[kernel + 1]):
        to, twin = y + dys[s], y - dys[s]
        if not (mirrored and twin != to and 0 <= twin < acc.shape[0]):
            twin = -1
        if not 0 <= to < acc.shape[0]:
            to, twin = twin, -1
        if to < 0:
            continue
        weight = line.dtype.type(weights[s] * scale)
        if barrel is not None and reach > 0:
            at = size, y0 + to, x0, numbers, channels, acc[to]
            _add_cut_span(line, start, total, pad, rows, s, radius, weight, direct, *at)
            continue
        _add_span(line, start, total, pad, firsts[s], lasts[s], weight, direct, channels, acc, to, twin)


@inner(forceinline=True)
def between(pixel, level, first_cell, cells):
    """The two cells, of `cells` from `first_cell` on, around a pixel's centre, and the share of the second."""
    at = (np.float32(pixel) + np.float32(0.5)) / np.float32(1 << level) - np.float32(0.5) - np.float32(first_cell)
    low = int(np.floor(at))
    return min(max(low, 0), cells - 1), min(max(low + 1, 0), cells - 1), at - np.float32(low)


@inner()
def enlarge_x(cells, level, cell_x0, x0, width, channels):
    """Return (m, width * C) of cells (m, n * C), whose first column is cell_x0: linear between them, from pixel x0."""
    m, n = cells.shape[0], cells.shape[1] // channels
    wide, lefts, rights = (
        np.empty((m, width * channels), np.float32),
        np.empty(width, np.int64),
        np.empty(width, np.int64),
    )
    shares = np.empty(width, np.float32)
    for x in range(width):
        left, right, shares[x] = between(x0 + x, level, cell_x0, n)
        lefts[x], rights[x] = left * channels, right * channels
    for y in range(m):
        line, to, i = cells[y], wide[y], 0
        for x in range(width):
            left, right, f = lefts[x], rights[x], shares[x]
            for c in range(channels):
                to[i + c] = line[left + c] + f * (line[right + c] - line[left + c])
            i += channels
    return wide


@inner()
def add_enlarged(cells, level, cell_y0, cell_x0, y0, x0, channels, acc):
    """acc (h, w * C) from pixel (y0, x0) on += cells (m, n * C) from cell (cell_y0, cell_x0) on, enlarged."""
    wide = enlarge_x(cells, level, cell_x0, x0, acc.shape[1] // channels, channels)
    for y in range(acc.shape[0]):
        top, bottom, f = between(y0 + y, level, cell_y0, cells.shape[0])
        above, below, row = wide[top], wide[bottom], acc[y]
        for x in range(row.size):
            row[x] += above[x] + f * (below[x] - above[x])
