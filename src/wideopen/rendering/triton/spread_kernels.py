"""GPU kernels that blur: running sums of the cells of planes, and spans of them.

"Cells" are the squares of size x size pixels of a coarse level, and pixels at level 0. Fields are planar, (C, m, n).
Running sums lie in records of one segment of a row: (plane, row, segment, channel, SEG + 1), from 0 to the segment's
total. No span is longer than a segment, so it crosses at most one boundary:
    span [a, b] = P(b) - P(a),  plus the total of a's segment where b lies in the next
Sums are relative to a segment, so float32 keeps its digits whatever the photo's width; in int64 they are exact.
"""

import triton
import triton.language as tl

from wideopen.rendering import aperture

CHORDS = tl.constexpr(aperture.CHORDS)
SIZES = (
    "height", "width", "planes", "blocks_y", "blocks_x", "tiles_x", "tile_h", "tile_w",
    "stride", "rows", "columns", "segments", "size", "top", "out_rows", "per", "kernels",
    "sums_planes", "levels", "band",
)  # fmt: skip
"""Whole numbers that no kernel is compiled apart for: a photo of another size, or 1 pixel high, runs the same code."""


@triton.jit(do_not_specialize=SIZES)
def find_used(
    used, reaches, out, blocks_y, blocks_x, planes, tiles_x, tile_h, tile_w,
    BLOCK: tl.constexpr, PLANES: tl.constexpr,
):  # fmt: skip
    """out (tiles, N) <- whether a plane is used within its reach, in pixels, of a tile; never where it is below 0."""
    tile = tl.program_id(0)
    k = tl.arange(0, PLANES)
    reach = tl.load(reaches + k, mask=k < planes, other=-1)
    far = tl.maximum(tl.max(reach, 0), 0)
    y0, x0 = tile // tiles_x * tile_h, tile % tiles_x * tile_w
    found = tl.zeros([PLANES], tl.int32)
    for by in range(tl.maximum(y0 - far, 0) // BLOCK, tl.minimum(blocks_y, tl.cdiv(y0 + tile_h + far, BLOCK))):
        for bx in range(tl.maximum(x0 - far, 0) // BLOCK, tl.minimum(blocks_x, tl.cdiv(x0 + tile_w + far, BLOCK))):
            near = (by * BLOCK < y0 + tile_h + reach) & ((by + 1) * BLOCK > y0 - reach)
            near &= (bx * BLOCK < x0 + tile_w + reach) & ((bx + 1) * BLOCK > x0 - reach)
            hit = tl.load(used + (by * blocks_x + bx) * planes + k, mask=near & (reach >= 0), other=0)
            found = tl.maximum(found, hit)
    tl.store(out + tile * planes + k, found, mask=k < planes)


@triton.jit
def _store_sums(to, values, inside, SEG: tl.constexpr):
    """Record of one channel <- 0, and the running sums of values (ROWS, SEG); `to` points at its first two numbers."""
    column = tl.arange(0, SEG)[None, :]
    tl.store(to + column + 1, tl.cumsum(values, axis=1), mask=inside & (column < SEG))
    tl.store(to + column, tl.zeros_like(values), mask=inside & (column < 1))


@triton.jit(do_not_specialize=SIZES)
def plane_sums(
    base, chosen, filled, needed, sums, height, width, rows, segments, size, planes,
    OPAQUE: tl.constexpr, SEG: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    """sums <- running sums of the weighted cells of the planes `chosen`, thin-lens; only where they are needed."""
    CHANNELS: tl.constexpr = 4 if OPAQUE else 5
    segment, block, slot = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    y = (block * ROWS + tl.arange(0, ROWS))[:, None]
    x = (segment * SEG + tl.arange(0, SEG))[None, :]
    area = height.to(tl.int64) * width
    plane = tl.load(chosen + slot)
    flag = (block * segments + segment) * planes + plane
    if tl.load(needed + flag) == 0:
        return
    r, g = tl.zeros([ROWS, SEG], tl.float32), tl.zeros([ROWS, SEG], tl.float32)
    b, weight, a = (
        tl.zeros([ROWS, SEG], tl.float32),
        tl.zeros([ROWS, SEG], tl.float32),
        tl.zeros([ROWS, SEG], tl.float32),
    )
    if tl.load(filled + flag) != 0:
        for i in range(size * size):
            sy, sx = y * size + i // size, x * size + i % size
            ok = (y < rows) & (sy < height) & (sx < width)
            source = base + sy.to(tl.int64) * width + sx
            w = tl.maximum(1 - tl.abs(tl.load(source + 3 * area, mask=ok, other=-2.0) - plane), 0.0)
            some = w > 0
            r += w * tl.load(source, mask=some, other=0.0)
            g += w * tl.load(source + area, mask=some, other=0.0)
            b += w * tl.load(source + 2 * area, mask=some, other=0.0)
            weight += w
            if not OPAQUE:
                a += w * tl.load(source + 4 * area, mask=some, other=0.0)
    to = sums + ((slot.to(tl.int64) * rows + y) * segments + segment) * (CHANNELS * (SEG + 1))
    inside = y < rows
    _store_sums(to, r, inside, SEG)
    _store_sums(to + (SEG + 1), g, inside, SEG)
    _store_sums(to + 2 * (SEG + 1), b, inside, SEG)
    _store_sums(to + 3 * (SEG + 1), weight, inside, SEG)
    if not OPAQUE:
        _store_sums(to + 4 * (SEG + 1), a, inside, SEG)


@triton.jit(do_not_specialize=SIZES)
def bent_sums(bent, sums, height, width, rows, segments, size, SEG: tl.constexpr, ROWS: tl.constexpr):
    """sums <- running sums of cells of the paper look: bent (H, W, 3) int64, and the number of their pixels."""
    segment, block = tl.program_id(0), tl.program_id(1)
    y = (block * ROWS + tl.arange(0, ROWS))[:, None]
    x = (segment * SEG + tl.arange(0, SEG))[None, :]
    r, g = tl.zeros([ROWS, SEG], tl.int64), tl.zeros([ROWS, SEG], tl.int64)
    b, count = tl.zeros([ROWS, SEG], tl.int64), tl.zeros([ROWS, SEG], tl.int64)
    for i in range(size * size):
        sy, sx = y * size + i // size, x * size + i % size
        ok = (y < rows) & (sy < height) & (sx < width)
        source = bent + (sy.to(tl.int64) * width + sx) * 3
        r += tl.load(source, mask=ok, other=0)
        g += tl.load(source + 1, mask=ok, other=0)
        b += tl.load(source + 2, mask=ok, other=0)
        count += ok.to(tl.int64)
    to = sums + (y.to(tl.int64) * segments + segment) * (4 * (SEG + 1))
    inside = y < rows
    _store_sums(to, r, inside, SEG)
    _store_sums(to + (SEG + 1), g, inside, SEG)
    _store_sums(to + 2 * (SEG + 1), b, inside, SEG)
    _store_sums(to + 3 * (SEG + 1), count, inside, SEG)


@triton.jit
def _span(a, b, total, f, g, ok, crossing, FRACTIONS: tl.constexpr, ACC: tl.constexpr):
    """Sum of one channel between the pointers' edges, which lie f and g inside their cells."""
    a0, b0 = tl.load(a, mask=ok, other=0), tl.load(b, mask=ok, other=0)
    whole = (b0 - a0 + tl.load(total, mask=crossing, other=0)).to(ACC)
    if FRACTIONS:
        a1, b1 = tl.load(a + 1, mask=ok, other=0), tl.load(b + 1, mask=ok, other=0)
        whole += g * (b1 - b0).to(ACC) - f * (a1 - a0).to(ACC)
    return whole


@triton.jit
def _edge(low, part, columns):
    """Cell and fraction of an edge, cut at the photo's border."""
    cell = tl.minimum(tl.maximum(low, 0), columns - 1)
    return cell, tl.where(low < 0, 0.0, tl.where(low >= columns, 1.0, part))


@triton.jit
def _chord(barrel, radius, dy, y, x):
    """`aperture.Barrel.chord`, as source edges relative to the cell written; barrel as in `tables.SpanTable.cut`."""
    slope = tl.load(barrel)
    across = slope * dy + radius * (tl.load(barrel + 1) + tl.load(barrel + 2) * y + tl.load(barrel + 3) * x)
    middle = tl.load(barrel + 4) * dy
    middle += radius * (tl.load(barrel + 5) + tl.load(barrel + 6) * y + tl.load(barrel + 7) * x)
    half = tl.zeros_like(across)
    for i in tl.static_range(CHORDS):
        at = across + ((i + 0.5) / CHORDS - 0.5) * slope
        half += tl.sqrt(tl.maximum(radius * radius - at * at, 0.0))
    half /= CHORDS * tl.load(barrel + 8)
    return 0.5 - middle - half, 0.5 - middle + half


@triton.jit
def _rooted(value, count, unit, root, a2, b2):
    """Eq. (4) after the blur."""
    v = (value * unit / tl.where(count > 0, count, 1.0)).to(tl.float32)
    some = v > 0
    return tl.where(some, tl.exp2(tl.log2(tl.where(some, v, 1.0)) * root), 0.0) / a2 + b2


@triton.jit(do_not_specialize=SIZES)
def spread(
    sums, chosen, active, starts, dys, first_lows, first_parts, last_lows, last_parts, weights, scales, radii, barrel,
    out, rows, columns, segments, top, out_rows, size, planes, per, kernels, sums_planes, unit, root, a2, b2,
    SEG: tl.constexpr, CHANNELS: tl.constexpr, CUT: tl.constexpr, FRACTIONS: tl.constexpr, PAPER: tl.constexpr,
    ADD: tl.constexpr, BY: tl.constexpr, BX: tl.constexpr,
):  # fmt: skip
    """Blur cells with the spans of their kernels: rows [top, top + out_rows) of a level, (m, n) cells.

    thin-lens: out (C, m, n) <- or += sum over `planes` of scale * sum over rows dy of spans.
    `chosen` numbers the planes; there are `sums_planes` of running sums, 1 where all kernels share them.
    paper: out (planes, 3, m, n) <- the rooted colour of each; its scales cancel in colour over number of pixels.
    """
    ACC: tl.constexpr = tl.float64 if PAPER else tl.float32
    tile, tiles_x = tl.program_id(0), tl.cdiv(columns, BX)
    y0, x0 = top + tile // tiles_x * BY, tile % tiles_x * BX
    y, x = (y0 + tl.arange(0, BY))[:, None], (x0 + tl.arange(0, BX))[None, :]
    inside = (y < top + out_rows) & (x < columns)
    sum0, sum1 = tl.zeros([BY, BX], ACC), tl.zeros([BY, BX], ACC)
    sum2, sum3, sum4 = tl.zeros([BY, BX], ACC), tl.zeros([BY, BX], ACC), tl.zeros([BY, BX], ACC)
    for k in range(tl.program_id(1) * per, tl.minimum((tl.program_id(1) + 1) * per, planes)):
        slot = (k % sums_planes).to(tl.int64)
        if tl.load(active + tile * kernels + tl.load(chosen + k)) != 0:
            kernel = tl.load(chosen + k)
            scale, radius = tl.load(scales + kernel).to(ACC), tl.load(radii + kernel)
            s0, s1 = tl.zeros([BY, BX], ACC), tl.zeros([BY, BX], ACC)
            s2, s3, s4 = tl.zeros([BY, BX], ACC), tl.zeros([BY, BX], ACC), tl.zeros([BY, BX], ACC)
            for s in range(tl.load(starts + kernel), tl.load(starts + kernel + 1)):
                weight = tl.load(weights + s).to(ACC)
                sy = y - tl.load(dys + s)
                ok = inside & (sy >= 0) & (sy < rows)
                low, f = tl.load(first_lows + s), tl.load(first_parts + s)
                high, g = tl.load(last_lows + s), tl.load(last_parts + s)
                if CUT:
                    left, right = _chord(barrel, radius, tl.load(dys + s), (y + 0.5) * size, (x + 0.5) * size)
                    left, right = tl.maximum(low + f, left), tl.minimum(high + g, right)
                    ok &= left < right
                    low, high = tl.floor(left).to(tl.int32), tl.floor(right).to(tl.int32)
                    f, g = left - low, right - high
                a, f = _edge(x + low, f, columns)
                b, g = _edge(x + high, g, columns)
                if not FRACTIONS:  # an edge is then the cell's left one, or the photo's right one
                    a += f.to(tl.int32)
                    b += g.to(tl.int32)
                seg_a, seg_b = tl.minimum(a, columns - 1) // SEG, tl.minimum(b, columns - 1) // SEG
                row = sums + (slot * rows + sy.to(tl.int64)) * segments * (CHANNELS * (SEG + 1))
                at_a = row + seg_a * (CHANNELS * (SEG + 1))
                total = at_a + SEG
                at_b = row + seg_b * (CHANNELS * (SEG + 1)) + (b - seg_b * SEG)
                at_a += a - seg_a * SEG
                crossing = ok & (seg_b > seg_a)
                STEP: tl.constexpr = SEG + 1
                s0 += weight * _span(at_a, at_b, total, f, g, ok, crossing, FRACTIONS, ACC)
                s1 += weight * _span(at_a + STEP, at_b + STEP, total + STEP, f, g, ok, crossing, FRACTIONS, ACC)
                s2 += weight * _span(
                    at_a + 2 * STEP, at_b + 2 * STEP, total + 2 * STEP, f, g, ok, crossing, FRACTIONS, ACC
                )
                s3 += weight * _span(
                    at_a + 3 * STEP, at_b + 3 * STEP, total + 3 * STEP, f, g, ok, crossing, FRACTIONS, ACC
                )
                if CHANNELS == 5:
                    s4 += weight * _span(
                        at_a + 4 * STEP, at_b + 4 * STEP, total + 4 * STEP, f, g, ok, crossing, FRACTIONS, ACC
                    )
            sum0 += scale * s0
            sum1 += scale * s1
            sum2 += scale * s2
            sum3 += scale * s3
            if CHANNELS == 5:
                sum4 += scale * s4
    field = out_rows.to(tl.int64) * columns
    to = out + (y - top).to(tl.int64) * columns + x
    if PAPER:
        to += tl.program_id(1) * 3 * field
        tl.store(to, _rooted(sum0, sum3, unit, root, a2, b2), mask=inside)
        tl.store(to + field, _rooted(sum1, sum3, unit, root, a2, b2), mask=inside)
        tl.store(to + 2 * field, _rooted(sum2, sum3, unit, root, a2, b2), mask=inside)
    else:
        if ADD:
            sum0 += tl.load(to, mask=inside, other=0.0)
            sum1 += tl.load(to + field, mask=inside, other=0.0)
            sum2 += tl.load(to + 2 * field, mask=inside, other=0.0)
            sum3 += tl.load(to + 3 * field, mask=inside, other=0.0)
            if CHANNELS == 5:
                sum4 += tl.load(to + 4 * field, mask=inside, other=0.0)
        tl.store(to, sum0, mask=inside)
        tl.store(to + field, sum1, mask=inside)
        tl.store(to + 2 * field, sum2, mask=inside)
        tl.store(to + 3 * field, sum3, mask=inside)
        if CHANNELS == 5:
            tl.store(to + 4 * field, sum4, mask=inside)
