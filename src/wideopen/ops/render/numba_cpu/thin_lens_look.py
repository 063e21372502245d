"""The thin-lens look on all cores: tiles of the output, sheet by sheet, farthest first.

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
DIRECT = 4
"""Spans of up to so many pixels are summed one by one, which costs no more than the four look-ups."""
STRIP = 8
"""Rows of cells that are taken apart into planes at a time: what they take stays in the cache, whatever the radius."""


class Surface(NamedTuple):
    """A sheet as the kernels take it, and where the lens is focused."""

    rgb: np.ndarray  # (H, W, 3)
    alpha: np.ndarray  # (H, W), or (1, 1) and never read where opaque
    opaque: bool
    disparity: np.ndarray  # (H, W)
    stretch: np.ndarray  # (h, w): `highlights`
    focus: np.float32
    focus_range: np.float32
    radius_px: np.float32
    radii: np.ndarray  # (N,) float32, descending: `planes.thin_lens_planes`
    gaps: np.ndarray  # (N,) float32, one over the distance to the next radius; as good as infinite for the last


class Blocks(NamedTuple):
    """What each block of a sheet holds."""

    used: np.ndarray  # (Y, X, N) bool: pixels on a plane
    covered: np.ndarray  # (Y, X) bool: pixels with any coverage
    clear: np.ndarray  # (Y, X) bool: pixels that are not quite covered


@njit(cache=True, inline="always")
def _radius(surface, y, x):
    """`planes.signed_radius` of a pixel."""
    offset = surface.focus - surface.disparity[y, x]
    r = max(abs(offset) - surface.focus_range, np.float32(0)) * surface.radius_px
    return r if offset >= 0 else -r


@njit(cache=True)
def _position(surface, y, x, k):
    """`planes.plane_position` of a pixel; the search starts at plane k."""
    r = _radius(surface, y, x)
    while k > 0 and surface.radii[k] < r:
        k -= 1
    while k + 2 < surface.radii.size and surface.radii[k + 1] >= r:
        k += 1
    return np.float32(k) + min(max((surface.radii[k] - r) * surface.gaps[k], np.float32(0)), np.float32(1))


@njit(cache=True, parallel=True, fastmath=MATHS)
def _blocks(surface, height, width):
    """Return `Blocks` of a surface, as a tuple."""
    used = np.zeros(((height + BLOCK - 1) // BLOCK, (width + BLOCK - 1) // BLOCK, surface.radii.size), np.bool_)
    covered, clear = np.zeros(used.shape[:2], np.bool_), np.zeros(used.shape[:2], np.bool_)
    for band in prange(used.shape[0]):
        k = 0
        for y in range(band * BLOCK, min(height, (band + 1) * BLOCK)):
            for x in range(width):
                f = (surface.radii[k] - _radius(surface, y, x)) * surface.gaps[k]
                if f < 0 or f >= 1:  # else between the same planes as the pixel before, like most
                    p = _position(surface, y, x, k)
                    k = int(p)
                    f = p - np.float32(k)
                used[band, x // BLOCK, k] = True
                if f > 0:
                    used[band, x // BLOCK, k + 1] = True
                a = np.float32(1) if surface.opaque else surface.alpha[y, x]
                if a > 0:
                    covered[band, x // BLOCK] = True
                if a < 1:
                    clear[band, x // BLOCK] = True
    return used, covered, clear


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
    height, last, k = surface.rgb.shape[0], sharp.size - 1, 0
    for y in range(acc.shape[0]):
        rgb, row = surface.rgb[y0 + y], acc[y]
        s = surface.stretch[(y0 + y) * surface.stretch.shape[0] // height]
        for x in range(x0, x0 + acc.shape[1] // channels):
            f = (surface.radii[k] - _radius(surface, y0 + y, x)) * surface.gaps[k]
            if f < 0 or f >= 1:
                p = _position(surface, y0 + y, x, k)
                k = int(p)
                f = p - np.float32(k)
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
    height, width = surface.rgb.shape[:2]
    stop = min(width, (x0 + cells.shape[2] // channels) * size)
    k = 0
    for y in range(max(0, y0 * size), min(height, (y0 + cells.shape[1]) * size)):
        rgb = surface.rgb[y]
        s = surface.stretch[y * surface.stretch.shape[0] // height]
        row = (y >> level) - y0
        x = max(0, x0 * size)
        while x < stop:
            p = _position(surface, y, x, k)
            k, i = int(p), ((x >> level) - x0) * channels
            near, far = slots[k], slots[min(k + 1, slots.size - 1)]
            end, f = min(stop, ((x >> level) + 1) << level), p - np.float32(k)
            radius, gap = surface.radii[k], surface.gaps[k]
            if near < 0 and far < 0:
                x += 1
                continue
            r0 = g0 = b0 = w0 = a0 = r1 = g1 = b1 = w1 = a1 = np.float32(0)
            while True:
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
                if x == end:
                    break
                f = (radius - _radius(surface, y, x)) * gap
                if f < 0 or f >= 1:
                    break
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
def _blur_tile(surface, used, rows, y0, x0, channels, acc):
    """acc (h, w * C) += sum over planes of the blurred, weighted sheet."""
    height, width = surface.rgb.shape[:2]
    y1, x1 = y0 + acc.shape[0], x0 + acc.shape[1] // channels
    for level in range(rows.levels.max() + 1):
        slots, sharp = np.full(rows.levels.size, -1), np.zeros(rows.levels.size, np.bool_)
        planes = np.int64(0)  # a literal 0 would have numba compile all that it is passed to once more
        for k in range(slots.size):
            reach = (rows.reaches[k] + 2) << level
            if rows.levels[k] != level or not _any_within(
                used[:, :, k], y0 - reach, y1 + reach, x0 - reach, x1 + reach
            ):
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
            if reach > widest and _any_within(used[:, :, k], y0 - reach, y1 + reach, x0 - reach, x1 + reach):
                widest = reach
        hidden[n] |= not _any_within(clear, y0 - widest, y1 + widest, x0 - widest, x1 + widest)


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
    if not hidden and _any_within(covered, y0 - reach, y0 + height + reach, x0 - reach, x0 + width + reach):
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


def _surface(sheet: Sheet, optics: Optics) -> Surface:
    ends = np.array([sheet.disparity.min(), sheet.disparity.max()])
    offset = np.float32(optics.focus_disparity) - ends
    far, near = np.sign(offset) * np.maximum(np.abs(offset) - np.float32(optics.focus_range), 0) * optics.radius_px
    radii = thin_lens_planes(float(near), float(far), optics.planes)
    gaps = np.full_like(radii, 1e30)
    np.divide(1, radii[:-1] - radii[1:], out=gaps[:-1], where=radii[:-1] > radii[1:])
    lamps = np.ones((1, 1), np.float32) if sheet.lamps is None else sheet.lamps
    return Surface(
        rgb=frozen(sheet.rgb),
        alpha=frozen(np.ones((1, 1), np.float32) if sheet.alpha is None else sheet.alpha),
        opaque=sheet.alpha is None,
        disparity=frozen(sheet.disparity),
        stretch=np.float32(FULL_GAIN * optics.highlights) * lamps,
        focus=np.float32(optics.focus_disparity),
        focus_range=np.float32(optics.focus_range),
        radius_px=np.float32(optics.radius_px),
        radii=radii,
        gaps=gaps,
    )


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
        surface = _surface(sheet, optics)
        rows, blocks = _rows(surface.radii, shape, optics), Blocks(*_blocks(surface, height, width))
        parts.append((surface, blocks, rows, hidden.copy()))
        _hide(blocks.used, blocks.clear, rows, width, *tiles, hidden)
    out = np.empty((height, width, 3), np.float32)
    for number, (surface, blocks, rows, behind) in enumerate(reversed(parts)):
        first, last = number == 0, number == len(sheets) - 1
        _sheet_over(surface, blocks.used, blocks.covered, rows, *tiles, first, last, behind, out)
    return out
