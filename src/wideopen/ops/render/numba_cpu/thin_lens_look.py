"""The thin-lens look on all cores: tiles of the output, sheet by sheet from the front.

What bounds the work: a tile looks only at planes that some pixel within reach uses, skips rows that hold none of them,
and skips sheets that nearer ones hide. Running sums live for one row of one tile, so float32 keeps 1e-6 whatever the
photo's width. With `quality="fast"` large radii are blurred on coarse levels: see `spans`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit, prange

from wideopen.checks import F32
from wideopen.ops.aperture import Spans, antialiased_spans, field_nodes
from wideopen.ops.highlights import FULL_GAIN, KNEE, NEWTON_STEPS
from wideopen.ops.planes import thin_lens_planes
from wideopen.ops.render.numba_cpu.spans import (
    MATHS,
    Rows,
    add_enlarged,
    flat_rows,
    frozen,
    level_of,
    mix,
    radius_at,
    reach_of_node,
    running_sum,
    spread_row,
    tiling,
)
from wideopen.ops.render.types import Optics, Sheet

BLOCK = 32
"""Side in pixels of the blocks for which it is noted what they hold."""
DIRECT = 8
"""Spans of up to so many pixels are summed one by one, which costs no more than the four look-ups."""
STRIP = 8
"""Rows of cells that are taken apart into planes at a time: what they take stays in the cache, whatever the radius."""


class Surface(NamedTuple):
    """A sheet as the kernels take it."""

    rgb: np.ndarray  # (H, W, 3)
    alpha: np.ndarray  # (H, W), or (1, 1) and never read where opaque
    opaque: bool
    position: np.ndarray  # (H, W) place among the planes
    stretch: np.ndarray  # (h, w): `highlights`
    used: np.ndarray  # (Y, X, N) bool: which planes each block's pixels lie on
    covered: np.ndarray  # (Y, X) bool: whether a block holds any coverage


@njit(cache=True, parallel=True, fastmath=MATHS)
def _place(disparity, alpha, opaque, focus, focus_range, radius_px, radii):
    """`planes.signed_radius`, then `planes.plane_position` (H, W), and what each block holds; radii descend."""
    height, width = disparity.shape
    position = np.empty((height, width), np.float32)
    used = np.zeros(((height + BLOCK - 1) // BLOCK, (width + BLOCK - 1) // BLOCK, radii.size), np.bool_)
    covered = np.zeros(used.shape[:2], np.bool_)
    for band in prange(used.shape[0]):
        k = 0
        for y in range(band * BLOCK, min(height, (band + 1) * BLOCK)):
            for x in range(width):
                offset = focus - disparity[y, x]
                r = max(abs(offset) - focus_range, np.float32(0)) * radius_px
                if offset < 0:
                    r = -r
                while k > 0 and radii[k] < r:
                    k -= 1
                while k + 2 < radii.size and radii[k + 1] >= r:
                    k += 1
                p = np.float32(k)  # the neighbour's plane is nearly always right, or next to it
                if r < radii[k]:
                    last = radii[min(k + 1, radii.size - 1)]
                    p += min((radii[k] - r) / (radii[k] - last), np.float32(1)) if last < radii[k] else 0
                position[y, x] = p
                first = int(p)
                used[band, x // BLOCK, first] = True
                if p > first:
                    used[band, x // BLOCK, first + 1] = True
                if opaque or alpha[y, x] > 0:
                    covered[band, x // BLOCK] = True
    return position, used, covered


@njit(cache=True)
def _any_within(flags, y0, y1, x0, x1):
    """Whether a flag (Y, X) is set in a block that has pixels in [y0, y1) x [x0, x1)."""
    for y in range(max(0, y0) // BLOCK, min(flags.shape[0], (y1 + BLOCK - 1) // BLOCK)):
        for x in range(max(0, x0) // BLOCK, min(flags.shape[1], (x1 + BLOCK - 1) // BLOCK)):
            if flags[y, x]:
                return True
    return False


@njit(cache=True, inline="always")
def _gain(rgb, x, a, s):
    """`highlights.highlight_gain` of pixel x of a row."""
    level = max(rgb[x, 0], rgb[x, 1], rgb[x, 2])
    if level <= np.float32(KNEE) * a or a <= np.float32(1e-3):
        return np.float32(1)
    t = min((level / a - np.float32(KNEE)) / np.float32(1 - KNEE), np.float32(1))
    return np.float32(1) + s[x * s.size // rgb.shape[0]] * (t * t) * (t * t)


@njit(cache=True, fastmath=MATHS)
def _add_sharp(surface, sharp, y0, x0, channels, acc):
    """acc (h, w * C), whose first pixel is (y0, x0), += the planes k with sharp[k], as they are."""
    height, last = surface.position.shape[0], sharp.size - 1
    for y in range(acc.shape[0]):
        rgb, position, row = surface.rgb[y0 + y], surface.position[y0 + y], acc[y]
        s = surface.stretch[(y0 + y) * surface.stretch.shape[0] // height]
        for x in range(x0, x0 + acc.shape[1] // channels):
            k = int(position[x])
            f = position[x] - np.float32(k)
            w = (np.float32(1) - f if sharp[k] else np.float32(0)) + (f if sharp[min(k + 1, last)] else np.float32(0))
            if w > 0:
                a = np.float32(1) if surface.opaque else surface.alpha[y0 + y, x]
                gain = w * _gain(rgb, x, a, s)
                i = (x - x0) * channels
                _add_cell(row, i, channels, rgb[x, 0] * gain, rgb[x, 1] * gain, rgb[x, 2] * gain, w, a * w)


@njit(cache=True, fastmath=MATHS)
def _gather_cells(surface, level, slots, y0, x0, channels, cells, filled):
    """cells (P, m, n * C), whose first cell is (y0, x0), <- sums of the weighted pixels of plane k in cells[slots[k]].

    filled (P, m): whether a row of cells holds anything. Runs of pixels of one cell between the same two planes are
    summed first: disparity is smooth, so that is most of a cell.
    """
    size, one = 1 << level, np.float32(1)
    height, width = surface.position.shape
    stop = min(width, (x0 + cells.shape[2] // channels) * size)
    for y in range(max(0, y0 * size), min(height, (y0 + cells.shape[1]) * size)):
        rgb, position = surface.rgb[y], surface.position[y]
        s = surface.stretch[y * surface.stretch.shape[0] // height]
        row = (y >> level) - y0
        x = max(0, x0 * size)
        while x < stop:
            k, i = int(position[x]), ((x >> level) - x0) * channels
            near, far = slots[k], slots[min(k + 1, slots.size - 1)]
            end, plane = min(stop, ((x >> level) + 1) << level), np.float32(k)
            if near < 0 and far < 0:
                x += 1
                continue
            r0 = g0 = b0 = w0 = a0 = r1 = g1 = b1 = w1 = a1 = np.float32(0)
            while x < end:
                f = position[x] - plane
                if f < 0 or f >= 1:
                    break
                a = one if surface.opaque else surface.alpha[y, x]
                gain = _gain(rgb, x, a, s)
                r, g, b = rgb[x, 0] * gain, rgb[x, 1] * gain, rgb[x, 2] * gain
                r1 += r * f
                g1 += g * f
                b1 += b * f
                a1 += a * f
                w1 += f
                f = one - f
                r0 += r * f
                g0 += g * f
                b0 += b * f
                a0 += a * f
                w0 += f
                x += 1
            if near >= 0:
                _add_cell(cells[near, row], i, channels, r0, g0, b0, w0, a0)
                filled[near, row] = True
            if far >= 0 and w1 > 0:
                _add_cell(cells[far, row], i, channels, r1, g1, b1, w1, a1)
                filled[far, row] = True


@njit(cache=True, inline="always")
def _add_cell(cells, i, channels, r, g, b, w, a):
    cells[i] += r
    cells[i + 1] += g
    cells[i + 2] += b
    cells[i + 3] += w
    if channels == 5:
        cells[i + 4] += a


@njit(cache=True, fastmath=MATHS)
def _blur_planes(surface, rows, level, node, slots, planes, y0, x0, channels, acc):
    """acc (m, n * C), whose first cell is (y0, x0), += the planes of a level that have a slot, blurred as at a node."""
    last = (surface.position.shape[0] - 1) >> level
    reach = 0
    for k in range(slots.size):
        if slots[k] >= 0:
            reach = max(reach, rows.reaches[k])
    shift = reach + 1
    n = (acc.shape[1] // channels + 2 * shift) * channels
    cells, filled = np.empty((planes, STRIP, n), np.float32), np.empty((planes, STRIP), np.bool_)
    line, total = np.empty(n, np.float32), np.empty(n + 2 * channels, np.float32)
    for top in range(max(0, y0 - reach), min(last + 1, y0 + acc.shape[0] + reach), STRIP):
        cells[:] = 0
        filled[:] = False
        _gather_cells(surface, level, slots, top, x0 - shift, channels, cells, filled)
        for k in range(slots.size):
            kernel = node * slots.size + k
            for y in range(STRIP):
                if slots[k] >= 0 and filled[slots[k], y]:
                    source, scale = cells[slots[k], y], rows.scales[kernel]
                    for i in range(n):
                        line[i] = source[i] * scale
                    if rows.reaches[k] > DIRECT // 2:
                        running_sum(line, channels, total)
                    spread_row(line, total, rows, kernel, DIRECT, top + y - y0, acc, shift, channels)


@njit(cache=True, fastmath=MATHS)
def _blur_field(surface, rows, level, slots, planes, y0, x0, channels, acc):
    """`_blur_planes` with the kernels of all field nodes nearby, mixed."""
    nodes, size = rows.hats_y.shape[0] * rows.hats_x.shape[0], 1 << level
    for node in range(nodes):
        if nodes == 1:
            _blur_planes(surface, rows, level, node, slots, planes, y0, x0, channels, acc)
            continue
        top, bottom, left, right = reach_of_node(rows, node, size, y0, x0, acc.shape[0], acc.shape[1] // channels)
        if top < bottom and left < right:
            part = acc[top:bottom, left * channels : right * channels]
            at_node = np.zeros(part.shape, acc.dtype)
            _blur_planes(surface, rows, level, node, slots, planes, y0 + top, x0 + left, channels, at_node)
            mix(at_node, rows, node, size, y0 + top, x0 + left, channels, part)


@njit(cache=True)
def _blur_tile(surface, rows, y0, x0, channels, acc):
    """acc (h, w * C) += sum over planes of the blurred, weighted sheet."""
    height, width = surface.position.shape
    y1, x1 = y0 + acc.shape[0], x0 + acc.shape[1] // channels
    for level in range(rows.levels.max() + 1):
        slots, sharp = np.full(rows.levels.size, -1), np.zeros(rows.levels.size, np.bool_)
        planes = np.int64(0)  # a literal 0 would have numba compile all that it is passed to once more
        for k in range(slots.size):
            reach = (rows.reaches[k] + 2) << level
            used = surface.used[:, :, k]
            if rows.levels[k] != level or not _any_within(used, y0 - reach, y1 + reach, x0 - reach, x1 + reach):
                continue
            if rows.reaches[k] == 0:
                sharp[k] = True
            else:
                slots[k] = planes
                planes += 1
        if sharp.any():
            _add_sharp(surface, sharp, y0, x0, channels, acc)
        if planes == 0:
            continue
        if level == 0:
            _blur_field(surface, rows, level, slots, planes, y0, x0, channels, acc)
            continue
        top, left = max(0, (y0 >> level) - 1), max(0, (x0 >> level) - 1)
        bottom = min((height - 1) >> level, ((y1 - 1) >> level) + 1) + 1
        right = min((width - 1) >> level, ((x1 - 1) >> level) + 1) + 1
        blurred = np.zeros((bottom - top, (right - left) * channels), np.float32)
        _blur_field(surface, rows, level, slots, planes, top, left, channels, blurred)
        add_enlarged(blurred, level, top, left, y0, x0, channels, acc)


@njit(cache=True, inline="always")
def _compression(level, s):
    """Factor of `highlights.compress_highlights` for a brightest channel `level`."""
    if level <= KNEE:
        return np.float32(1)
    if level > 1 + s:
        return np.float32(1 / (1 + s))
    bound = np.sqrt(np.sqrt((level / KNEE - 1) / s))
    m = min(float(level), 1.0, KNEE + (1 - KNEE) * bound)
    for _ in range(NEWTON_STEPS):
        t = (m - KNEE) / (1 - KNEE)
        m -= (m * (1 + s * t**4) - level) / (1 + s * t**4 + 4 * s * m * t**3 / (1 - KNEE))
    return np.float32(m / level)


@njit(cache=True, fastmath=MATHS)
def _lay_under(acc, surface, y0, x0, channels, out, seen):
    """out (h, w, 3) += seen * colour, seen (h, w) *= 1 - alpha, of the sheet sum blur(w rgba) / sum blur(w).

    Returns whether nothing behind it shows.
    """
    height, width = surface.position.shape
    hidden = True
    for y in range(seen.shape[0]):
        s_row = surface.stretch[(y0 + y) * surface.stretch.shape[0] // height]
        for x in range(seen.shape[1]):
            i = x * channels
            share = acc[y, i + 3]
            if share <= np.float32(1e-12):
                hidden = False
                continue
            scale = np.float32(1) / share
            a = np.float32(1) if surface.opaque else acc[y, i + 4] * scale
            level = max(acc[y, i], acc[y, i + 1], acc[y, i + 2]) * scale
            if level > np.float32(KNEE) * a and a > np.float32(1e-3):
                s = s_row[(x0 + x) * s_row.size // width]
                if s > 0:
                    scale *= _compression(level / a, s)
            scale *= seen[y, x]
            for c in range(3):
                out[y, x, c] += acc[y, i + c] * scale
            seen[y, x] *= max(np.float32(1) - a, np.float32(0))
            hidden &= seen[y, x] == 0
    return hidden


@njit(cache=True, fastmath=MATHS)
def _tile(surface, rows, y0, x0, first, last, hidden, seen, out):
    """One tile of `_sheet_under`, from pixel (y0, x0): out (h, w, 3), seen (h, w). Returns whether all is hidden."""
    channels = 4 if surface.opaque else 5
    height, width = seen.shape
    reach = 0
    for k in range(rows.levels.size):
        reach = max(reach, rows.reaches[k] << rows.levels[k])
    if first:
        out[:] = 0
        seen[:] = 1
    if hidden:
        return True
    if _any_within(surface.covered, y0 - reach, y0 + height + reach, x0 - reach, x0 + width + reach):
        acc = np.zeros((height, width * channels), np.float32)
        _blur_tile(surface, rows, y0, x0, channels, acc)
        hidden = _lay_under(acc, surface, y0, x0, channels, out, seen)
    if last or hidden:
        for y in range(height):
            for x in range(width):
                for c in range(3):
                    out[y, x, c] = max(out[y, x, c], np.float32(0))
    return hidden


@njit(cache=True, parallel=True)
def _sheet_under(surface, rows, tile_h, tile_w, order, first, last, hidden, seen, out):
    """out (H, W, 3) <- what nearer sheets left, over this one; seen (H, W) how much still shows; both by tiles."""
    height, width = surface.position.shape
    tiles_x = (width + tile_w - 1) // tile_w
    for n in prange(order.size):
        y0, x0 = order[n] // tiles_x * tile_h, order[n] % tiles_x * tile_w
        y1, x1 = min(height, y0 + tile_h), min(width, x0 + tile_w)
        hidden[n] = _tile(surface, rows, y0, x0, first, last, hidden[n], seen[y0:y1, x0:x1], out[y0:y1, x0:x1])


def _surface(sheet: Sheet, optics: Optics) -> tuple[Surface, Rows]:
    ends = np.array([sheet.disparity.min(), sheet.disparity.max()])
    offset = np.float32(optics.focus_disparity) - ends
    far, near = np.sign(offset) * np.maximum(np.abs(offset) - np.float32(optics.focus_range), 0) * optics.radius_px
    radii = thin_lens_planes(float(near), float(far), optics.planes)
    opaque = sheet.alpha is None
    alpha = frozen(np.ones((1, 1), np.float32) if sheet.alpha is None else sheet.alpha)
    lens = (np.float32(x) for x in (optics.focus_disparity, optics.focus_range, optics.radius_px))
    position, used, covered = _place(frozen(sheet.disparity), alpha, opaque, *lens, radii)
    full = np.float32(FULL_GAIN * optics.highlights)
    stretch = full * (np.ones((1, 1), np.float32) if sheet.lamps is None else sheet.lamps)
    long_side = max(sheet.disparity.shape)
    levels = [level_of(r, long_side) if optics.quality == "fast" else 0 for r in radii]

    def spans_of(k: int, cut: tuple[float, float]) -> Spans:
        return antialiased_spans(optics.aperture, radius_at(levels[k], float(radii[k])), cut)

    rows = flat_rows(spans_of, levels, field_nodes(sheet.disparity.shape, optics.cat_eye))
    return Surface(frozen(sheet.rgb), alpha, opaque, position, stretch, used, covered), rows


def thin_lens(sheets: Sequence[Sheet], optics: Optics) -> F32:
    """`reference.thin_lens` on all cores."""
    height, width = sheets[0].disparity.shape
    out, seen = np.empty((height, width, 3), np.float32), np.empty((height, width), np.float32)
    tiles = tiling(height, width)
    hidden = np.zeros(tiles.order.size, np.bool_)
    for number, sheet in enumerate(reversed(sheets)):
        surface, rows = _surface(sheet, optics)
        _sheet_under(surface, rows, *tiles, number == 0, number == len(sheets) - 1, hidden, seen, out)
    return out
