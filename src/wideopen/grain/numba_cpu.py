"""Putting grain back on all cores: tiles, each making its own noise; formulas in `reference`.

No plane of noise is kept. Tiles in which a look left everything as it was are skipped before any noise is made.
"""

import sys
from collections.abc import Sequence

import numpy as np

from wideopen.arrays.jit import forget_stale_kernels, frozen, in_threads, inner, kernel
from wideopen.checks import F32
from wideopen.color import Encoding
from wideopen.grain import estimate, reference
from wideopen.grain.estimate import CURVE, Grain, curve_tables, taps
from wideopen.grain.left_by_blur import GrainLayer
from wideopen.grain.reference import FIELDS, LEAST_LOST, NORMAL_BITS, PhotoRows, normal_table, rows_of, taps_of

TILE_H, TILE_W = 64, 512


@inner(forceinline=True)
def _look_up(table, position):
    """`reference.look_up`; unsigned, so that nothing looks for negative indices. `table` repeats its last value."""
    index = np.uintp(np.int32(position))
    return table[index] + (position - np.float32(np.int32(position))) * (table[index + np.uintp(1)] - table[index])


@inner(forceinline=True)
def _along(line, column, share):
    """What lies `share` between a value of a line and the next; unsigned, as in `_look_up`."""
    return line[column] + share * (line[column + np.uintp(1)] - line[column])


@inner()
def _row_of(x, row, down, line):
    """line (w + 1,) <- what lies `down` between a row of x (h, w) and the next, the last value repeated."""
    top, bottom = x[row], x[min(row + 1, x.shape[0] - 1)]
    for i in range(top.size):
        line[i] = top[i] + down * (bottom[i] - top[i])
    line[top.size] = line[top.size - 1]


@kernel()
def _cover(first, stop, out, left, coverage, kept):
    """One layer of `reference.kept_amplitude` in rows [first, stop): out (n, W) += coverage * (kept - out).

    coverage, kept: a map, and the places of out's pixels in it: rows, shares of the next, columns, shares of the next.
    """
    (a, a_rows, a_down, a_columns, a_right), (b, b_rows, b_down, b_columns, b_right) = coverage, kept
    start = np.uintp(left)
    a_line, b_line = np.empty(a.shape[1] + 1, np.float32), np.empty(b.shape[1] + 1, np.float32)
    for y in range(first, stop):
        _row_of(a, a_rows[y], a_down[y], a_line)
        _row_of(b, b_rows[y], b_down[y], b_line)
        row = out[y]
        for x in range(np.uintp(a_columns.size)):
            share = _along(a_line, a_columns[x], a_right[x])
            row[start + x] += share * (_along(b_line, b_columns[x], b_right[x]) - row[start + x])


@inner()
def _white(line, first, seed, normal):
    """line (n,) <- `reference.white_noise` from index `first` of the photo on."""
    for i in range(line.size):
        h = np.uint32(first + i + seed)
        h = np.uint32(h ^ (h >> np.uint32(16)))  # numba widens products and shifts of 32 bits
        h = np.uint32(h * np.uint32(0x7FEB352D))
        h = np.uint32(h ^ (h >> np.uint32(15)))
        h = np.uint32(h * np.uint32(0x846CA68B))
        h = np.uint32(h ^ (h >> np.uint32(16)))
        line[i] = normal[np.uintp(h >> np.uint32(32 - NORMAL_BITS))]


@inner()
def _fill_noise(out, seed, weights, y0, x0, height, width, normal):
    """out (h, w) <- `reference.noise` of the tile at (y0, x0)."""
    h, w = out.shape
    reach = weights.size // 2
    line = np.empty(w + 2 * reach, np.float32)
    smooth = np.empty(w, np.float32)
    out[:] = 0
    for j in range(h + 2 * reach):
        row = np.int64((y0 + j - reach) % height) * width
        at = 0
        while at < line.size:  # in pieces, wrapped around at the photo's border
            x = (x0 - reach + at) % width
            piece = min(line.size - at, width - x)
            _white(line[at : at + piece], row + x, seed, normal)
            at += piece
        smooth[:] = 0
        for k in range(2 * reach + 1):
            weight, source = weights[k], line[k : k + w]
            for i in range(w):
                smooth[i] += weight * source[i]
        for k in range(max(0, j - h + 1), min(2 * reach, j) + 1):
            weight, target = weights[k], out[j - k]
            for i in range(w):
                target[i] += weight * smooth[i]


@inner()
def _move_above(light, lost, amount, noise, common, first, second, decode, e):
    """light (w,) of one channel, also above white, <- its codes e (w,) moved by grain of this amount (w,)."""
    zero, one, curve = np.float32(0), np.float32(1), np.float32(CURVE)
    slope = curve * (decode[CURVE] - decode[CURVE - 1])
    for x in range(light.size):
        n = max(amount[x] * (common * noise[0, x] + first * noise[1, x] + second * noise[2, x]), -e[x])
        n, code = min(n, e[x]), e[x]
        if e[x] > zero and lost[x] >= np.float32(LEAST_LOST):
            if light[x] > one:
                light[x] += n * slope * np.sqrt(light[x])
            else:
                light[x] = _look_up(decode, min(code + n, one) * curve) + max(code + n - one, zero) * slope


@inner()
def _move_row(row, lost, strength, noise, mixture, encode, decode, above, e, amount):
    """row (w, 3) of light <- its codes moved by the grain lost (w,). noise: the fields (3, w); e, amount: scratch."""
    zero, one, width = np.float32(0), np.float32(1), lost.size
    for c in range(3):  # views, taken once: each counts references
        table, code = encode[c], e[c]
        for x in range(width):
            code[x] = _look_up(table, np.sqrt(min(max(row[x, c], zero), one)) * np.float32(CURVE))
    last = np.float32(strength.size - 2)
    for x in range(width):
        middle = (e[0, x] + e[1, x] + e[2, x]) / np.float32(3) * (last + one) - np.float32(0.5)
        amount[x] = lost[x] * _look_up(strength, min(max(middle, zero), last))
    for c in range(3):
        first, second = np.float32(1 - c) * mixture[1], (one if c != 1 else np.float32(-2)) * mixture[2]
        if above:
            _move_above(row[:, c], lost, amount, noise, mixture[0], first, second, decode[c], e[c])
            continue
        table, code, common = decode[c], e[c], mixture[0]
        for x in range(width):
            room = min(code[x], one - code[x])
            n = amount[x] * (common * noise[0, x] + first * noise[1, x] + second * noise[2, x])
            grainy = _look_up(table, (code[x] + min(max(n, -room), room)) * np.float32(CURVE))
            row[x, c] = grainy if room > zero and lost[x] >= np.float32(LEAST_LOST) else row[x, c]


@kernel()
def _add(
    first, stop, image, kept, above, photo, strength, seeds, mixture, weights, normal, encode, decode, light_above
):
    """image (n, W, 3) <- `reference.add_grain`, in rows of tiles [first, stop); `above` lies row 0 of the photo's."""
    height, width = kept.shape
    tiles_x = (width + TILE_W - 1) // TILE_W
    for tile in range(first * tiles_x, stop * tiles_x):
        y0, x0 = tile // tiles_x * TILE_H, tile % tiles_x * TILE_W
        y1, x1 = min(height, y0 + TILE_H), min(width, x0 + TILE_W)
        lost = np.empty((y1 - y0, x1 - x0), np.float32)
        most = np.float32(0)
        for y in range(y1 - y0):
            for x in range(x1 - x0):
                k = kept[y0 + y, x0 + x]
                lost[y, x] = np.sqrt(max(np.float32(1) - k * k, np.float32(0)))
                most = max(most, lost[y, x])
        if most < LEAST_LOST:
            continue
        fields = np.empty((3, y1 - y0, x1 - x0), np.float32)
        for f in range(3):
            if mixture[f] <= 0:
                fields[f] = 0
            else:
                _fill_noise(fields[f], seeds[f], weights, above + y0, x0, photo, width, normal)
        e, amount = np.empty((3, x1 - x0), np.float32), np.empty(x1 - x0, np.float32)
        for y in range(y1 - y0):
            row = image[y0 + y, x0:x1]
            _move_row(row, lost[y], strength, fields[:, y], mixture, encode, decode, light_above, e, amount)


def _closed(table: F32) -> F32:
    """Tables (..., N) with the last value repeated: a position on the end needs no test."""
    return np.concatenate([table, table[..., -1:]], axis=-1)


def kept_amplitude(layers: Sequence[GrainLayer], rows: PhotoRows) -> F32:
    """`reference.kept_amplitude` on all cores."""
    out = np.zeros((rows.count, rows.width), np.float32)
    for layer in layers:
        ys, xs, taps = taps_of(layer, rows)
        maps = [
            (frozen(np.ascontiguousarray(x)), low, down, columns.astype(np.uintp), right)
            for x, ((low, down), (columns, right)) in zip(
                (layer.coverage, layer.kept), (taps[:2], taps[2:]), strict=True
            )
        ]
        in_threads(_cover, ys.stop - ys.start, 64, out[ys], xs.start, *maps)
    return out


def add_grain(
    image: F32,
    layers: Sequence[GrainLayer],
    grain: Grain,
    encoding: Encoding,
    top: int = 0,
    height: int | None = None,
    *,
    above: bool = False,
) -> F32:
    """`reference.add_grain` on all cores."""
    rows = rows_of(image, top, height)
    encode, decode = (_closed(table) for table in curve_tables(encoding))
    mixture = np.sqrt([1 - grain.colour, 1.5 * grain.colour / 2, 1.5 * grain.colour / 6]).astype(np.float32)
    weights, seeds = taps(grain.size_px).astype(np.float32), np.array(FIELDS, np.int64)
    where = image, kept_amplitude(layers, rows), top, rows.height
    made_of = _closed(grain.strength), seeds, mixture, weights, normal_table()
    in_threads(_add, -(-len(image) // TILE_H), 1, *where, *made_of, encode, decode, above)
    return image


forget_stale_kernels(sys.modules[__name__], estimate, reference)
