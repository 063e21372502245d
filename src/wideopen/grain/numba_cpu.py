"""Putting grain back on all cores, in rows; formulas in `reference`. What a look left as it was is skipped."""

import sys
from collections.abc import Sequence

import numpy as np

from wideopen.arrays.jit import forget_stale_kernels, frozen, in_threads, inner, kernel
from wideopen.checks import F32
from wideopen.color import Encoding
from wideopen.grain import estimate, reference
from wideopen.grain.estimate import CURVE, Grain, curve_tables
from wideopen.grain.left_by_blur import GrainLayer
from wideopen.grain.reference import LEAST_LOST, PhotoRows, noise_tile, rows_of, taps_of

ROWS = 64  # that a thread takes at a time


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
def _move_above(light, lost, amount, noise, decode, e):
    """light (w,) of one channel, also above white, <- its codes e (w,) moved by grain of this amount (w,)."""
    zero, one, curve = np.float32(0), np.float32(1), np.float32(CURVE)
    slope = curve * (decode[CURVE] - decode[CURVE - 1])
    for x in range(light.size):
        code = e[x]
        n = min(max(amount[x] * noise[x], -code), code)
        if code > zero and lost[x] >= np.float32(LEAST_LOST):
            if light[x] > one:
                light[x] += n * slope * np.sqrt(light[x])
            else:
                light[x] = _look_up(decode, min(code + n, one) * curve) + max(code + n - one, zero) * slope


@inner()
def _move_row(row, lost, strength, noise, y, encode, decode, above, e, amount):
    """row (w, 3) of light <- its codes moved by the grain lost (w,), row y of noise (3, h, w). e, amount: scratch."""
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
        if above:
            _move_above(row[:, c], lost, amount, noise[c, y], decode[c], e[c])
            continue
        table, code, own = decode[c], e[c], noise[c, y]
        for x in range(width):
            room = min(code[x], one - code[x])
            n = amount[x] * own[x]
            grainy = _look_up(table, (code[x] + min(max(n, -room), room)) * np.float32(CURVE))
            row[x, c] = grainy if room > zero and lost[x] >= np.float32(LEAST_LOST) else row[x, c]


@kernel()
def _add(first, stop, image, kept, above, strength, noise, encode, decode, light_above):
    """image (n, W, 3) <- `reference.add_grain`, in rows [first, stop); `above` lies row 0 of the photo's."""
    width, side = kept.shape[1], noise.shape[1]
    lost, e, amount = np.empty(side, np.float32), np.empty((3, side), np.float32), np.empty(side, np.float32)
    for y in range(first, stop):
        for x0 in range(0, width, side):
            count = min(side, width - x0)
            k, most = kept[y, x0 : x0 + count], np.float32(0)
            for x in range(count):
                lost[x] = np.sqrt(max(np.float32(1) - k[x] * k[x], np.float32(0)))
                most = max(most, lost[x])
            if most >= LEAST_LOST:
                row, of_noise = image[y, x0 : x0 + count], (above + y) % side
                _move_row(row, lost[:count], strength, noise, of_noise, encode, decode, light_above, e, amount)


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
        in_threads(_cover, ys.stop - ys.start, ROWS, out[ys], xs.start, *maps)
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
    made_of = _closed(grain.strength), frozen(noise_tile(grain.size_px, grain.colour)), encode, decode
    in_threads(_add, len(image), ROWS, image, kept_amplitude(layers, rows), top, *made_of, above)
    return image


forget_stale_kernels(sys.modules[__name__], estimate, reference)
