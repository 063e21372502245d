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
    level_of,
    mix,
    node_of,
    radius_at,
    running_sum,
    spread_row,
    tiling,
)
from wideopen.ops.render.types import Optics, Sheet

BLOCK = 32
"""Side in pixels of the blocks for which it is noted what they hold."""


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
def _load_row(surface, y, k, scale, x_first, line):
    """Fill the weighted row (n * C) of plane k; False if the row holds nothing of it.

    Channels: r, g, b, weight, and alpha unless opaque. Pixels outside the photo are 0 in all, weight included.
    """
    rgb, position = surface.rgb[y], surface.position[y]
    s = surface.stretch[y * surface.stretch.shape[0] // surface.position.shape[0]]
    channels = 4 if surface.opaque else 5
    start, stop = max(0, x_first), min(position.size, x_first + line.size // channels)
    plane = np.float32(k)
    while start < stop and abs(position[start] - plane) >= 1:
        start += 1
    if start == stop:
        return False
    line[:] = 0
    for x in range(start, stop):
        w = (np.float32(1) - abs(position[x] - plane)) * scale
        if w <= 0:
            continue
        a = np.float32(1) if surface.opaque else surface.alpha[y, x]
        gain = w * _gain(rgb, x, a, s)
        i = (x - x_first) * channels
        line[i] = rgb[x, 0] * gain
        line[i + 1] = rgb[x, 1] * gain
        line[i + 2] = rgb[x, 2] * gain
        line[i + 3] = w
        if not surface.opaque:
            line[i + 4] = a * w
    return True


@njit(cache=True, fastmath=MATHS)
def _blur_pixels(surface, rows, k, kernel, y0, x0, channels, acc):
    """acc (h, w * C), whose first pixel is (y0, x0), += plane k, blurred with a kernel pixel by pixel."""
    reach = rows.reaches[k]
    shift = reach + 1
    height, width = surface.position.shape
    n = acc.shape[1] // channels + 2 * shift
    line, total = np.empty(n * channels, np.float32), np.empty((n + 2) * channels, np.float32)
    for y in range(max(0, y0 - reach), min(height, y0 + acc.shape[0] + reach)):
        if not _any_within(surface.used[:, :, k], y, y + 1, x0 - reach, min(width, x0 + n)):
            continue
        if _load_row(surface, y, k, rows.scales[kernel], x0 - shift, line):
            running_sum(line, channels, total)
            spread_row(line, total, rows, kernel, y - y0, acc, shift, channels)


@njit(cache=True, fastmath=MATHS)
def _gather_cells(surface, level, slots, y0, x0, channels, cells, filled):
    """cells (P, m, n * C), whose first cell is (y0, x0), <- sums of the weighted pixels of plane k in cells[slots[k]].

    filled (P, m): whether a row of cells holds anything.
    """
    size = 1 << level
    height, width = surface.position.shape
    m, n = cells.shape[1], cells.shape[2] // channels
    for y in range(max(0, y0 * size), min(height, (y0 + m) * size)):
        rgb, position = surface.rgb[y], surface.position[y]
        s = surface.stretch[y * surface.stretch.shape[0] // height]
        row = (y >> level) - y0
        for x in range(max(0, x0 * size), min(width, (x0 + n) * size)):
            k = int(position[x])
            f = position[x] - np.float32(k)
            slot = slots[k]
            i = ((x >> level) - x0) * channels
            a = np.float32(1) if surface.opaque else surface.alpha[y, x]
            for _ in range(2):
                w = np.float32(1) - f
                if slot >= 0 and w > 0:
                    gain = w * _gain(rgb, x, a, s)
                    to = cells[slot, row]
                    to[i] += rgb[x, 0] * gain
                    to[i + 1] += rgb[x, 1] * gain
                    to[i + 2] += rgb[x, 2] * gain
                    to[i + 3] += w
                    if not surface.opaque:
                        to[i + 4] += a * w
                    filled[slot, row] = True
                if f <= 0:
                    break
                slot = slots[k + 1]
                f = np.float32(1) - f


@njit(cache=True, fastmath=MATHS)
def _blur_cells(surface, rows, level, slots, planes, y0, x0, channels, acc):
    """acc (h, w * C), whose first pixel is (y0, x0), += all planes of a coarse level that have a slot."""
    size = 1 << level
    height, width = surface.position.shape
    cell_y0, cell_y1 = max(0, y0 // size - 1), min((height - 1) // size, (y0 + acc.shape[0] - 1) // size + 1) + 1
    cell_x0 = max(0, x0 // size - 1)
    cell_x1 = min((width - 1) // size, (x0 + acc.shape[1] // channels - 1) // size + 1) + 1
    reach = 0
    for k in range(slots.size):
        if slots[k] >= 0:
            reach = max(reach, rows.reaches[k])
    shift = reach + 1
    m, n = cell_y1 - cell_y0 + 2 * reach, cell_x1 - cell_x0 + 2 * shift
    cells, filled = np.zeros((planes, m, n * channels), np.float32), np.zeros((planes, m), np.bool_)
    _gather_cells(surface, level, slots, cell_y0 - reach, cell_x0 - shift, channels, cells, filled)
    blurred = np.zeros((cell_y1 - cell_y0, (cell_x1 - cell_x0) * channels), np.float32)
    line, total = np.empty(n * channels, np.float32), np.empty((n + 2) * channels, np.float32)
    nodes = rows.hats_y.shape[0] * rows.hats_x.shape[0]
    for node in range(nodes):
        hat_y, hat_x, any_hat = node_of(rows, node, cell_y0 * size, cell_y1 * size, cell_x0 * size, cell_x1 * size)
        if not any_hat:
            continue
        at_node = blurred if nodes == 1 else np.zeros_like(blurred)
        for k in range(slots.size):
            kernel = node * slots.size + k
            for y in range(m):
                if slots[k] >= 0 and filled[slots[k], y]:
                    line[:] = cells[slots[k], y] * rows.scales[kernel]
                    running_sum(line, channels, total)
                    spread_row(line, total, rows, kernel, y - reach, at_node, shift, channels)
        if nodes > 1:
            mix(at_node, hat_y, hat_x, size, channels, blurred)
    add_enlarged(blurred, level, cell_y0, cell_x0, y0, x0, channels, acc)


@njit(cache=True)
def _planes_near(surface, rows, level, y0, x0, y1, x1):
    """Number the planes of a level that reach into a tile: (slot of each plane or -1, how many)."""
    slots, planes = np.full(rows.levels.size, -1), 0
    for k in range(slots.size):
        reach = (rows.reaches[k] + 2) << level
        if rows.levels[k] == level and _any_within(
            surface.used[:, :, k], y0 - reach, y1 + reach, x0 - reach, x1 + reach
        ):
            slots[k] = planes
            planes += 1
    return slots, planes


@njit(cache=True)
def _blur_tile(surface, rows, y0, x0, channels, acc):
    """acc (h, w * C) += sum over planes of the blurred, weighted sheet."""
    y1, x1 = y0 + acc.shape[0], x0 + acc.shape[1] // channels
    nodes = rows.hats_y.shape[0] * rows.hats_x.shape[0]
    for level in range(rows.levels.max() + 1):
        slots, planes = _planes_near(surface, rows, level, y0, x0, y1, x1)
        if planes == 0:
            continue
        if level > 0:
            _blur_cells(surface, rows, level, slots, planes, y0, x0, channels, acc)
            continue
        for node in range(nodes):
            hat_y, hat_x, any_hat = node_of(rows, node, y0, y1, x0, x1)
            if not any_hat:
                continue
            at_node = acc if nodes == 1 else np.zeros_like(acc)
            for k in range(slots.size):
                if slots[k] >= 0:
                    _blur_pixels(surface, rows, k, node * slots.size + k, y0, x0, channels, at_node)
            if nodes > 1:
                mix(at_node, hat_y, hat_x, 1, channels, acc)


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


@njit(cache=True, parallel=True)
def _sheet_under(surface, rows, tile_h, tile_w, order, first, last, hidden, seen, out):
    """out (H, W, 3) <- what nearer sheets left, over this one; seen (H, W) how much still shows; both by tiles."""
    height, width = surface.position.shape
    tiles_x = (width + tile_w - 1) // tile_w
    channels = 4 if surface.opaque else 5
    reach = (rows.reaches << rows.levels).max()
    for n in prange(order.size):
        y0, x0 = order[n] // tiles_x * tile_h, order[n] % tiles_x * tile_w
        y1, x1 = min(height, y0 + tile_h), min(width, x0 + tile_w)
        if first:
            out[y0:y1, x0:x1] = 0
            seen[y0:y1, x0:x1] = 1
        if hidden[n]:
            continue
        if _any_within(surface.covered, y0 - reach, y1 + reach, x0 - reach, x1 + reach):
            acc = np.zeros((y1 - y0, (x1 - x0) * channels), np.float32)
            _blur_tile(surface, rows, y0, x0, channels, acc)
            hidden[n] = _lay_under(acc, surface, y0, x0, channels, out[y0:y1, x0:x1], seen[y0:y1, x0:x1])
        if last or hidden[n]:
            for y in range(y0, y1):
                for x in range(x0, x1):
                    for c in range(3):
                        out[y, x, c] = max(out[y, x, c], np.float32(0))


def _surface(sheet: Sheet, optics: Optics) -> tuple[Surface, Rows]:
    ends = np.array([sheet.disparity.min(), sheet.disparity.max()])
    offset = np.float32(optics.focus_disparity) - ends
    far, near = np.sign(offset) * np.maximum(np.abs(offset) - np.float32(optics.focus_range), 0) * optics.radius_px
    radii = thin_lens_planes(float(near), float(far), optics.planes)
    opaque = sheet.alpha is None
    alpha = np.ones((1, 1), np.float32) if sheet.alpha is None else sheet.alpha
    lens = (np.float32(x) for x in (optics.focus_disparity, optics.focus_range, optics.radius_px))
    position, used, covered = _place(sheet.disparity, alpha, opaque, *lens, radii)
    full = np.float32(FULL_GAIN * optics.highlights)
    stretch = full * (np.ones((1, 1), np.float32) if sheet.lamps is None else sheet.lamps)
    levels = [level_of(r) if optics.quality == "fast" else 0 for r in radii]

    def spans_of(k: int, cut: tuple[float, float]) -> Spans:
        return antialiased_spans(optics.aperture, radius_at(levels[k], float(radii[k])), cut)

    rows = flat_rows(spans_of, levels, field_nodes(sheet.disparity.shape, optics.cat_eye))
    return Surface(sheet.rgb, alpha, opaque, position, stretch, used, covered), rows


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
