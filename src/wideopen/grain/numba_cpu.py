"""Putting grain back on all cores, in rows; formulas in `reference`. What a look left as it was is skipped."""

import sys
from collections.abc import Sequence

import numpy as np

from wideopen.arrays.jit import forget_stale_kernels, frozen, in_threads, inner, kernel
from wideopen.checks import F32
from wideopen.color import Encoding
from wideopen.grain import estimate, reference
from wideopen.grain.estimate import Grain
from wideopen.grain.left_by_blur import GrainLayer
from wideopen.grain.reference import DARK, LEAST_LOST, PhotoRows, curve_fits, noise_tile, rows_of, taps_of

ROWS = 64  # that a thread takes at a time


@inner(forceinline=True)
def _along(line, column, share):
    """What lies `share` between a value of a line and the next; unsigned: nothing looks for negative indices."""
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
def _fitted(root, fit, out, width):
    """out (w,) <- one of `reference.curve_fits`, (2, 4), at roots of light (w,)."""
    low, high = fit[0], fit[1]
    a, b, c, d, e, f, g = low[0], low[1], low[2], high[0], high[1], high[2], high[3]
    for x in range(width):
        s = root[x]
        dark, light = a + s * (b + s * c), d + s * (e + s * (f + s * g))
        out[x] = dark if s <= np.float32(DARK) else light


@inner()
def _strengths(mean, strength, lost, amount, width):
    """amount (w,) <- lost (w,) times the strength at three times the mean code (w,)."""
    zero, one, bins = np.float32(0), np.float32(1), np.float32(strength.size) / np.float32(3)
    for x in range(width):
        amount[x] = strength[0]
    for i in range(strength.size - 1):
        step, begin = strength[i + 1] - strength[i], np.float32(i) + np.float32(0.5)
        for x in range(width):
            amount[x] += step * min(max(mean[x] * bins - begin, zero), one)
    for x in range(width):
        amount[x] *= lost[x]


@inner()
def _move(light, code, amount, noise, lost, slope, bend, above, width):
    """light (w,) of one channel <- its codes (w,) moved by grain of this amount (w,)."""
    zero, one, least = np.float32(0), np.float32(1), np.float32(LEAST_LOST)
    for x in range(width):
        v = light[x]
        room = max(code[x] if above else min(code[x], one - code[x]), zero)
        n = min(max(amount[x] * noise[x], -room), room)
        moved = max(v + n * (slope[x] + n * bend[x]), zero)
        bright = v + n * slope[x] * np.sqrt(v) if above else v
        moved = bright if v >= one else moved if above else min(moved, one)
        light[x] = moved if lost[x] >= least and v > zero else v


@inner()
def _move_row(row, strength, noise, y, fits, above, lines):
    """row (w, 3) of light <- its codes moved by the grain lost, lines[0], and row y of noise (3, h, w)."""
    zero, one, width = np.float32(0), np.float32(1), len(row)
    lost, mean, amount, slope, bend = lines[0], lines[1], lines[2], lines[3], lines[4]
    red, green, blue = lines[5], lines[6], lines[7]
    for x in range(width):
        red[x], green[x], blue[x] = row[x, 0], row[x, 1], row[x, 2]
    for x in range(width):
        mean[x] = zero
    for c in range(3):
        light, root, code = lines[5 + c], lines[8 + c], lines[11 + c]
        for x in range(width):
            root[x] = np.sqrt(min(max(light[x], zero), one))
        _fitted(root, fits[c, 0], code, width)
        for x in range(width):
            mean[x] += code[x]
    _strengths(mean, strength, lost, amount, width)
    for c in range(3):
        light, root, code = lines[5 + c], lines[8 + c], lines[11 + c]
        _fitted(root, fits[c, 1], slope, width)
        _fitted(root, fits[c, 2], bend, width)
        _move(light, code, amount, noise[c, y], lost, slope, bend, above, width)
    for x in range(width):
        row[x, 0], row[x, 1], row[x, 2] = red[x], green[x], blue[x]


@kernel()
def _add(first, stop, image, kept, above, strength, noise, fits, light_above):
    """image (n, W, 3) <- `reference.add_grain`, in rows [first, stop); `above` lies row 0 of the photo's."""
    width, side = kept.shape[1], noise.shape[1]
    lines = np.empty((14, side), np.float32)
    lost = lines[0]
    for y in range(first, stop):
        for x0 in range(0, width, side):
            k, most = kept[y, x0 : min(width, x0 + side)], np.float32(0)
            for x in range(k.size):
                lost[x] = np.sqrt(max(np.float32(1) - k[x] * k[x], np.float32(0)))
                most = max(most, lost[x])
            if most >= LEAST_LOST:
                row = image[y, x0 : min(width, x0 + side)]
                _move_row(row, strength, noise, (above + y) % side, fits, light_above, lines)


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
    made_of = frozen(grain.strength), frozen(noise_tile(grain.size_px, grain.colour)), curve_fits(encoding)
    in_threads(_add, len(image), ROWS, image, kept_amplitude(layers, rows), top, *made_of, above)
    return image


forget_stale_kernels(sys.modules[__name__], estimate, reference)
