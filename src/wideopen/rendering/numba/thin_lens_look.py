"""The thin-lens look on all cores: tiles of the output, sheet by sheet, farthest first.

What bounds the work: a tile looks only at planes that some pixel within reach uses, skips rows that hold none of them,
and skips sheets that nearer ones hide. Running sums live for one row of one tile, so float32 keeps 1e-6 whatever the
photo's width. With `quality="fast"` large radii are blurred on coarse levels: see `spans`.
"""

from collections.abc import Sequence

import numpy as np
from numba import njit, prange

from wideopen.checks import F32
from wideopen.optics import Optics
from wideopen.rendering.aperture import Spans, antialiased_spans, field_nodes
from wideopen.rendering.numba.pixels import add_sharp, any_within, find_blocks, gather_cells, surface_of
from wideopen.rendering.numba.spans import (
    MATHS,
    Rows,
    add_enlarged,
    flat_rows,
    level_of,
    mix,
    radius_at,
    reach_of_node,
    running_sum,
    spread_row,
    tiling,
)
from wideopen.sheets import Sheet
from wideopen.sheets.highlights import KNEE, NEWTON_STEPS

DIRECT = 4
"""Spans of up to so many pixels are summed one by one, which costs no more than the four look-ups."""
STRIP = 8
"""Rows of cells that are taken apart into planes at a time: what they take stays in the cache, whatever the radius."""


@njit(cache=True, fastmath=MATHS)
def _blur_planes(surface, rows, level, node, slots, planes, y0, x0, channels, acc):
    """acc (m, n * C), whose first cell is (y0, x0), += the planes of a level that have a slot, blurred as at a node."""
    last = (surface.rgb.shape[0] - 1) >> level
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
        gather_cells(surface, level, slots, top, x0 - shift, channels, cells, filled)
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
def _blur_tile(surface, used, rows, y0, x0, channels, acc):
    """acc (h, w * C) += sum over planes of the blurred, weighted sheet."""
    height, width = surface.rgb.shape[:2]
    y1, x1 = y0 + acc.shape[0], x0 + acc.shape[1] // channels
    for level in range(rows.levels.max() + 1):
        slots, sharp = np.full(rows.levels.size, -1), np.zeros(rows.levels.size, np.bool_)
        planes = np.int64(0)  # a literal 0 would have numba compile all that it is passed to once more
        for k in range(slots.size):
            reach = (rows.reaches[k] + 2) << level
            if rows.levels[k] != level or not any_within(used[:, :, k], y0 - reach, y1 + reach, x0 - reach, x1 + reach):
                continue
            if rows.reaches[k] == 0:
                sharp[k] = True
            else:
                slots[k] = planes
                planes += 1
        if sharp.any():
            add_sharp(surface, sharp, y0, x0, channels, acc)
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
def _lay_over(acc, surface, y0, x0, channels, out):
    """out (h, w, 3) <- the sheet sum blur(w rgba) / sum blur(w), over what was there."""
    height, width = surface.rgb.shape[:2]
    for y in range(out.shape[0]):
        s_row = surface.stretch[(y0 + y) * surface.stretch.shape[0] // height]
        for x in range(out.shape[1]):
            i = x * channels
            share = acc[y, i + 3]
            if share <= np.float32(1e-12):
                continue
            scale = np.float32(1) / share
            a = np.float32(1) if surface.opaque else acc[y, i + 4] * scale
            level = max(acc[y, i], acc[y, i + 1], acc[y, i + 2]) * scale
            if level > np.float32(KNEE) * a and a > np.float32(1e-3):
                s = s_row[(x0 + x) * s_row.size // width]
                if s > 0:
                    scale *= _compression(level / a, s)
            behind = np.float32(1) - a
            for c in range(3):
                out[y, x, c] = acc[y, i + c] * scale + behind * out[y, x, c]


@njit(cache=True)
def _hide(used, clear, rows, width, tile_h, tile_w, order, hidden):
    """Set hidden (T,) for the tiles that a sheet covers so well that nothing behind it shows."""
    tiles_x = (width + tile_w - 1) // tile_w
    for n in range(order.size):
        y0, x0 = order[n] // tiles_x * tile_h, order[n] % tiles_x * tile_w
        y1, x1 = y0 + tile_h, x0 + tile_w
        widest = 0
        for k in range(rows.levels.size):
            reach = (rows.reaches[k] + 2) << rows.levels[k] if rows.reaches[k] > 0 else 0
            if reach > widest and any_within(used[:, :, k], y0 - reach, y1 + reach, x0 - reach, x1 + reach):
                widest = reach
        hidden[n] |= not any_within(clear, y0 - widest, y1 + widest, x0 - widest, x1 + widest)


@njit(cache=True, fastmath=MATHS)
def _tile(surface, used, covered, rows, y0, x0, first, last, hidden, out):
    """One tile of `_sheet_over`, out (h, w, 3) from pixel (y0, x0) on."""
    channels = 4 if surface.opaque else 5
    height, width = out.shape[:2]
    reach = 0
    for k in range(rows.levels.size):
        reach = max(reach, (rows.reaches[k] + 2) << rows.levels[k])
    if first:
        out[:] = 0
    if not hidden and any_within(covered, y0 - reach, y0 + height + reach, x0 - reach, x0 + width + reach):
        acc = np.zeros((height, width * channels), np.float32)
        _blur_tile(surface, used, rows, y0, x0, channels, acc)
        _lay_over(acc, surface, y0, x0, channels, out)
    if last:
        for y in range(height):
            for x in range(width):
                for c in range(3):
                    out[y, x, c] = max(out[y, x, c], np.float32(0))


@njit(cache=True, parallel=True)
def _sheet_over(surface, used, covered, rows, tile_h, tile_w, order, first, last, hidden, out):
    """out (H, W, 3) <- the blurred sheet over out, tile by tile; those that are hidden are left out."""
    height, width = out.shape[:2]
    tiles_x = (width + tile_w - 1) // tile_w
    for n in prange(order.size):
        y0, x0 = order[n] // tiles_x * tile_h, order[n] % tiles_x * tile_w
        y1, x1 = min(height, y0 + tile_h), min(width, x0 + tile_w)
        _tile(surface, used, covered, rows, y0, x0, first, last, hidden[n], out[y0:y1, x0:x1])


def _rows(radii: F32, shape: tuple[int, int], optics: Optics) -> Rows:
    levels = [level_of(r, max(shape)) if optics.quality == "fast" else 0 for r in radii]

    def spans_of(k: int, cut: tuple[float, float]) -> Spans:
        return antialiased_spans(optics.aperture, radius_at(levels[k], float(radii[k])), cut)

    return flat_rows(spans_of, levels, field_nodes(shape, optics.cat_eye))


def thin_lens(sheets: Sequence[Sheet], optics: Optics) -> F32:
    """`reference.thin_lens` on all cores."""
    height, width = shape = sheets[0].disparity.shape
    tiles = tiling(height, width)
    parts, hidden = [], np.zeros(tiles.order.size, np.bool_)
    for sheet in reversed(sheets):
        surface = surface_of(sheet, optics)
        rows, blocks = _rows(surface.radii, shape, optics), find_blocks(surface)
        parts.append((surface, blocks, rows, hidden.copy()))
        _hide(blocks.used, blocks.clear, rows, width, *tiles, hidden)
    out = np.empty((height, width, 3), np.float32)
    for number, (surface, blocks, rows, behind) in enumerate(reversed(parts)):
        first, last = number == 0, number == len(sheets) - 1
        _sheet_over(surface, blocks.used, blocks.covered, rows, *tiles, first, last, behind, out)
    return out
