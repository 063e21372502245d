"""The thin-lens look on all cores: tiles of the output, sheet by sheet, farthest first.

What bounds the work: sheets are made only in blocks whose light reaches one where they show and nearer ones do not hide
them; only the part of a tile in which a sheet shows is rendered, of planes that some pixel within reach uses; a plane's
row is spread from its first pixel to its last; a sheet in focus is laid as it is. Running sums live for one row of one
tile, so float32 keeps 1e-6 of the brightest light in the row, whatever the photo's width.
With `quality="fast"` large radii are blurred on coarse levels (see `spans`), and blocks of which no pixel has a smaller
radius are made at half the photo's size.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from wideopen.arrays.jit import in_threads, inner, kernel
from wideopen.checks import F32, Mask
from wideopen.optics import Optics
from wideopen.rendering.aperture import antialiased_spans, barrel
from wideopen.rendering.numba.pixels import (
    BLOCK,
    FINE,
    Blocks,
    KernelLens,
    Source,
    Whole,
    add_sharp,
    any_within,
    extremes_of,
    find_blocks,
    gather_row,
    lens_of,
    reached,
    reaching,
    shown_part,
    surface_of,
)
from wideopen.rendering.numba.spans import (
    MAX_LEVEL,
    KernelRows,
    add_enlarged,
    flat_rows,
    level_of,
    radius_at,
    spread_row,
    tiling,
)
from wideopen.sheets import Sheet
from wideopen.sheets.photo_sheets import Wanted

Finish = Callable[[F32, int, Sequence[Sheet]], None]
BAND_PX = 1 << 20
"""Pixels of the photo that are rendered at a time, at least."""
BRIGHT = 8.0
"""Light, 1 = white, beyond which a row's running sums are float64: what float32 loses beside a lamp of 1000 would show
as streaks of up to 3 codes in black."""
DIRECT = 4
"""Spans of up to so many pixels are summed one by one, which costs no more than the four look-ups."""


@inner()
def _is_bright(line, channels):
    """Whether a cell of the line (m * C) is brighter than `BRIGHT`."""
    for i in range(0, line.size, channels):
        if max(line[i], line[i + 1], line[i + 2]) > np.float32(BRIGHT) * line[i + 3]:
            return True
    return False


@inner()
def _slots(near, rows, level):
    """(N,): numbers of the planes near (N,) that are blurred at a level, -1 for others; and how many there are."""
    slots, planes = np.empty(near.size, np.int64), np.int64(0)  # a literal 0 would be another type
    for k in range(slots.size):
        slots[k] = -1
        if near[k] and rows.levels[k] == level and rows.reaches[k] > 0:
            slots[k] = planes
            planes += 1
    return slots, planes


@inner()
def _blur_level(surface, half, lens, on_levels, rows, near, level, y0, x0, channels, acc):
    """acc (h, w * C), whose first pixel is (y0, x0), += the planes near (N,) of a level, weighted and blurred.

    half: the surface at half the photo's size.
    """
    slots, planes = _slots(near, rows, level)
    if planes == 0:
        return
    last = (surface.height - 1) >> level
    top, left, to = y0, x0, acc
    if level > 0:  # cells to interpolate between lie beside the tile
        top, left = max(0, (y0 >> level) - 1), max(0, (x0 >> level) - 1)
        bottom = min(last, ((y0 + acc.shape[0] - 1) >> level) + 1) + 1
        right = min((surface.width - 1) >> level, ((x0 + acc.shape[1] // channels - 1) >> level) + 1) + 1
        to = np.zeros((bottom - top, (right - left) * channels), np.float32)
    reach, chosen, reaches = 0, np.empty(planes, np.int64), np.empty(planes, np.int64)
    for k in range(slots.size):
        if slots[k] >= 0:
            chosen[slots[k]], reaches[slots[k]] = k, rows.reaches[k]
            reach = max(reach, rows.reaches[k])
    m, n = to.shape[0], to.shape[1] // channels
    cells, ends = np.zeros((planes, (n + 2 * reach) * channels), np.float32), np.empty((planes, 2), np.int64)
    total = np.empty((n + 6 * reach + 5) * channels, np.float32)
    precise, numbers = np.empty(total.size, np.float64), np.empty(n * channels, np.float32)
    for i in range(numbers.size):
        numbers[i] = i // channels
    target = top, left, numbers, channels, to
    for y in range(max(0, top - reach), min(last + 1, top + m + reach)):
        for p in range(planes):
            ends[p, 0], ends[p, 1] = cells.shape[1], 0
        where = lens, on_levels, level, slots, y, left - reach, channels, cells, ends
        gather_row(surface, 0, *where)
        if level > 0:
            gather_row(half, 1, *where)
        for p in range(planes):
            first, stop, own = ends[p, 0], ends[p, 1], reaches[p]
            if first >= stop:
                continue
            whole = first * channels, stop * channels
            first, stop = max(first, reach - own), min(stop, n + reach + own)  # others are out of reach
            if first < stop and top - own <= y < top + m + own:
                line = cells[p, first * channels : stop * channels]
                if _is_bright(line, channels):
                    spread_row(
                        line, first - reach, precise, own, rows, rows.barrel, chosen[p], DIRECT, y - top, *target
                    )
                else:
                    spread_row(line, first - reach, total, own, rows, rows.barrel, chosen[p], DIRECT, y - top, *target)
            for i in range(*whole):
                cells[p, i] = 0
    if level > 0:
        add_enlarged(to, level, top, left, y0, x0, channels, acc)


@inner()
def _lay_over(acc, opaque, channels, out):
    """out (h, w, 3) <- the sheet sum blur(w rgba) / sum blur(w), over what was there."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            i = x * channels
            share = acc[y, i + 3]
            if share <= np.float32(1e-12):
                continue
            scale = np.float32(1) / share
            behind = np.float32(0) if opaque else np.float32(1) - acc[y, i + 4] * scale
            for c in range(3):
                out[y, x, c] = acc[y, i + c] * scale + behind * out[y, x, c]


@inner()
def _lay_sharp(surface, on_levels, y0, x0, out):
    """out (h, w, 3) <- the sheet as it is, over what was there."""
    rows, columns = surface.disparity.shape
    top, left = surface.top - y0, surface.left - x0
    first, stop = max(0, left), min(out.shape[1], left + columns)
    for y in range(max(0, top), min(out.shape[0], top + rows)):
        rgb, to, on_level = surface.rgb[y - top], out[y], on_levels[(y + y0) // BLOCK]
        for x in range(first, stop):
            if on_level[(x + x0) // BLOCK] == 0:
                continue
            behind = np.float32(0) if surface.opaque else np.float32(1) - surface.alpha[y - top, x - left]
            for c in range(3):
                to[x, c] = rgb[x - left, c] + behind * to[x, c]


@inner()
def _planes_near(used, spreads, y0, y1, x0, x1):
    """(N,) bool: the planes that show in [y0, y1) x [x0, x1)."""
    near = np.zeros(spreads.size, np.bool_)
    for k in range(spreads.size):
        near[k] = any_within(used[:, :, k], y0 - spreads[k], y1 + spreads[k], x0 - spreads[k], x1 + spreads[k])
    return near


@inner()
def _widest(near, spreads):
    """The largest of spreads (N,) among the planes near (N,)."""
    widest = 0
    for k in range(spreads.size):
        if near[k]:
            widest = max(widest, spreads[k])
    return widest


@kernel()
def _sheet_over(start, stop, surface, half, plan, tile_h, tile_w, order, first, last, above, out):
    """out (n, W, 3) <- the blurred sheet over out, in tiles [start, stop) of the order, as far as it shows.

    out: rows of the photo from row `above` on, where tiles begin. half: the surface at half the size. plan: a `Plan`.
    """
    tiles_x, channels = (out.shape[1] + tile_w - 1) // tile_w, 4 if surface.opaque else 5
    for n in range(start, stop):
        y0, x0 = order[n] // tiles_x * tile_h - above, order[n] % tiles_x * tile_w
        tile = out[y0 : y0 + tile_h, x0 : x0 + tile_w]
        y0, y1, x1 = y0 + above, y0 + above + tile.shape[0], x0 + tile.shape[1]
        if first:
            tile[:] = 0
        top, bottom, left, right = shown_part(plan.shows, y0, y1, x0, x1)
        if top < bottom and left < right:
            part = tile[top - y0 : bottom - y0, left - x0 : right - x0]
            near = _planes_near(plan.blocks.used, plan.spreads, top, bottom, left, right)
            if _widest(near, plan.spreads) == 0:
                _lay_sharp(surface, plan.blocks.levels, top, left, part)
            else:
                acc = np.zeros((bottom - top, (right - left) * channels), np.float32)
                add_sharp(surface, plan.lens, plan.blocks.levels, near, plan.rows, top, left, channels, acc)
                for level in range(MAX_LEVEL + 1):
                    what = surface, half, plan.lens, plan.blocks.levels, plan.rows, near
                    _blur_level(*what, level, top, left, channels, acc)
                _lay_over(acc, surface.opaque, channels, part)
        if last:
            for y in range(tile.shape[0]):
                for x in range(tile.shape[1]):
                    for c in range(3):
                        tile[y, x, c] = max(tile[y, x, c], np.float32(0))


def _all_over(start: int, stop: int, calls: Sequence[tuple[Any, ...]]) -> None:
    """`_sheet_over` for all sheets, farthest first: no thread waits for another between two sheets."""
    for arguments in calls:
        _sheet_over(start, stop, *arguments)


def _rows(radii: F32, shape: tuple[int, int], optics: Optics) -> KernelRows:
    levels = [level_of(r, max(shape)) if optics.quality == "fast" else 0 for r in radii]
    cells = [radius_at(level, float(r)) for r, level in zip(radii, levels, strict=True)]
    cut = barrel(shape, optics.pupil, optics.cat_eye, optics.swirl)
    spans = [antialiased_spans(optics.pupil, r, cut=cut is not None) for r in cells]
    return flat_rows(spans, cells, levels, cut)


class Plan(NamedTuple):
    """How one sheet is rendered, wherever its pixels are."""

    lens: KernelLens
    blocks: Blocks
    rows: KernelRows
    spreads: np.ndarray  # (N,) how far each plane's pixels show
    shows: np.ndarray  # (Y, X) bool: blocks in which it shows and nearer sheets do not hide it


def _plans(source: Source, optics: Optics) -> list[Plan]:
    """For each sheet, farthest first."""
    plans: list[Plan] = []
    of_sheets = extremes_of(source)
    hidden = np.zeros(of_sheets[0].far.shape, bool)
    for extremes in reversed(of_sheets):
        lens = lens_of(extremes, optics)
        rows = _rows(lens.radii, source.shape, optics)
        spreads = np.where(rows.reaches > 0, (rows.reaches + 2) << rows.levels, 0)
        blocks = find_blocks(lens, extremes, spreads, rows.levels)
        plans.append(Plan(lens, blocks, rows, spreads, reached(extremes.most > 0, blocks.away) & ~hidden))
        hidden |= ~reached(extremes.least < 1, blocks.away)
    return plans[::-1]


def _of_band(plan: Plan, top: int, bottom: int, detailed: Mask) -> Plan:
    """The plan for rows [top, bottom): with `Blocks.levels` only for the blocks that show there, and marked `FINE`."""
    shows = plan.shows.copy()
    shows[: top // BLOCK] = shows[-(-bottom // BLOCK) :] = False
    levels = plan.blocks.levels
    levels = np.where(reaching(shows, plan.blocks.away), levels | np.where((levels & 1 > 0) | detailed, FINE, 0), 0)
    return plan._replace(blocks=plan.blocks._replace(levels=levels.astype(np.uint8)))


def _wanted(plans: Sequence[Sequence[Plan]], covers: Sequence[Mask], *, fine: bool) -> Wanted:
    """Where any of the lenses' plans for a band read the sheets, or the halved ones; and, before it, what covers it."""
    blocks: list[Mask] = []
    behind = np.zeros_like(covers[0])
    for of_sheet, cover in zip(zip(*plans, strict=True), covers, strict=True):
        read = [(p.blocks.levels > 0) & ((p.blocks.levels >= FINE) == fine) for p in of_sheet]
        blocks.append(np.logical_or.reduce([*read, behind & cover]))
        behind |= blocks[-1]
    return Wanted(blocks, BLOCK if fine else BLOCK // 2)


def thin_lens(sheets: Sequence[Sheet], optics: Optics, finish: Finish | None = None, into: F32 | None = None) -> F32:
    """`reference.thin_lens` on all cores, in bands of rows; with fringes each colour through its own lens.

    finish: called with each band of the result, (n, W, 3), which it may change, its first row, and its sheets.
    into: (H, W, 3) for the result; may be the photo that the sheets are made from.
    """
    source: Any = sheets if hasattr(sheets, "rows") else Whole(sheets, copies=into is not None)
    height, width = source.shape
    tiles, lenses = tiling(height, width), optics.by_colour()
    plans = [_plans(source, lens) for lens, _ in lenses]
    covers, detailed = [extremes.most > 0 for extremes in extremes_of(source)], source.detailed(BLOCK)
    reach = max(int(plan.spreads.max()) for of_lens in plans for plan in of_lens)
    band = tiles.height * max(1, -(-max(BAND_PX // width, 2 * reach) // tiles.height))
    row_of_tile = tiles.order // -(-width // tiles.width) * tiles.height
    out = np.empty((height, width, 3), np.float32) if into is None else into
    before, image = 0, out[:0]  # the band above, which is stored once the photo's rows beneath it have been read
    for top in range(0, height, band):
        bottom = min(height, top + band)
        first, last = max(0, top - reach) // BLOCK * BLOCK, min(height, bottom + reach)
        here = [[_of_band(plan, top, bottom, detailed) for plan in of_lens] for of_lens in plans]
        parts = source.rows(first, last, _wanted(here, covers, fine=True))
        halves = source.halved.rows(first // 2, -(-last // 2), _wanted(here, covers, fine=False))
        if into is not None:
            out[before:top] = image
        before, image = top, out[top:bottom] if into is None else np.empty((bottom - top, width, 3), np.float32)
        order = tiles.order[(row_of_tile >= top) & (row_of_tile < bottom)]
        surfaces = [[surface_of(sheet, source.shape) for sheet in both] for both in zip(parts, halves, strict=True)]
        for (_, colours), of_lens in zip(lenses, here, strict=True):
            drawn = image if of_lens is here[0] else np.empty_like(image)
            calls = [
                (*both, plan, tiles.height, tiles.width, order, number == 0, number + 1 == len(parts), top, drawn)
                for number, (both, plan) in enumerate(zip(surfaces, of_lens, strict=True))
            ]
            in_threads(_all_over, order.size, 1, calls)
            if drawn is not image:
                cv2.mixChannels([drawn], [image], [c for colour in colours for c in (colour, colour)])
        if finish is not None:
            finish(image, top, parts)
        del parts, halves, surfaces, calls  # before the next are made
    if into is not None:
        out[before:] = image
    return out
