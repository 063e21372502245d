"""GPU kernels around the blur: pixels to planes, small radii, and the blurred sheets or planes to a picture.

Fields are planar, (C, H, W), except for photos, (H, W, 3).
"""

import triton
import triton.language as tl

from wideopen.rendering.triton.spread_kernels import SIZES


@triton.jit(do_not_specialize=SIZES)
def place(
    rgb, alpha, disparity, radii, base, used, height, width, planes, focus, focus_range, radius_px,
    OPAQUE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """base (5, H, W) <- rgb, place among the planes, alpha; used (Y, X, N) <- planes that a block's pixels lie on.

    radii descend, and the last stands twice.
    """
    y = (tl.program_id(0) * BLOCK + tl.arange(0, BLOCK))[:, None]
    x = (tl.program_id(1) * BLOCK + tl.arange(0, BLOCK))[None, :]
    inside = (y < height) & (x < width)
    area = height.to(tl.int64) * width
    at = y.to(tl.int64) * width + x
    offset = focus - tl.load(disparity + at, mask=inside, other=0.0)
    radius = tl.maximum(tl.abs(offset) - focus_range, 0.0) * radius_px
    radius = tl.where(offset < 0, -radius, radius)
    k = tl.zeros([BLOCK, BLOCK], tl.int32)
    for i in range(1, planes - 1):
        k += (tl.load(radii + i) >= radius).to(tl.int32)
    first, second = tl.load(radii + k), tl.load(radii + k + 1)
    share = tl.where(first > second, (first - radius) / tl.where(first > second, first - second, 1.0), 0.0)
    position = k + tl.minimum(tl.maximum(share, 0.0), 1.0)
    for c in tl.static_range(3):
        tl.store(base + c * area + at, tl.load(rgb + at * 3 + c, mask=inside, other=0.0), mask=inside)
    tl.store(base + 3 * area + at, position, mask=inside)
    if not OPAQUE:
        tl.store(base + 4 * area + at, tl.load(alpha + at, mask=inside, other=0.0), mask=inside)
    block = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    for i in range(planes):
        lies = inside & (tl.abs(position - i) < 1)
        tl.store(used + block * planes + i, tl.max(tl.max(lies.to(tl.int32), 1), 0))


@triton.jit
def _open_share(shift, y, x):
    """`aperture.Barrel.open_share`."""
    cx = tl.load(shift) + tl.load(shift + 1) * y + tl.load(shift + 2) * x
    cy = tl.load(shift + 3) + tl.load(shift + 4) * y + tl.load(shift + 5) * x
    square = cx * cx + cy * cy
    return 1 - 0.6366197723675814 * tl.sqrt(square) * (1 - square / 24 - square * square / 640)


@triton.jit(do_not_specialize=SIZES)
def near(
    base, active, table, shift, out, height, width, stride,
    REACH: tl.constexpr, CUT: tl.constexpr, OPAQUE: tl.constexpr, BY: tl.constexpr, BX: tl.constexpr,
):  # fmt: skip
    """out (C, H, W) <- all planes of small radius at once: out[y] = sum over d of K_{k(y - d)}(d) v[y - d].

    table (side * side, stride): K of each plane, 0 for the planes of large radius. Where a barrel cuts the kernels
    these are the planes in focus, which it darkens.
    """
    tile, tiles_x = tl.program_id(0), tl.cdiv(width, BX)
    y0, x0 = tile // tiles_x * BY, tile % tiles_x * BX
    y, x = (y0 + tl.arange(0, BY))[:, None], (x0 + tl.arange(0, BX))[None, :]
    inside = (y < height) & (x < width)
    area = height.to(tl.int64) * width
    SIDE: tl.constexpr = 2 * REACH + 1
    r, g = tl.zeros([BY, BX], tl.float32), tl.zeros([BY, BX], tl.float32)
    b, weight, a = tl.zeros([BY, BX], tl.float32), tl.zeros([BY, BX], tl.float32), tl.zeros([BY, BX], tl.float32)
    if tl.load(active + tile) != 0:
        opened = tl.full([BY, BX], 1.0, tl.float32)
        if CUT:
            opened = _open_share(shift, y + 0.5, x + 0.5)
        for o in range(SIDE * SIDE):
            sy, sx = y - (o // SIDE - REACH), x - (o % SIDE - REACH)
            ok = inside & (sy >= 0) & (sy < height) & (sx >= 0) & (sx < width)
            source = base + sy.to(tl.int64) * width + sx
            position = tl.load(source + 3 * area, mask=ok, other=0.0)
            k = position.to(tl.int32)
            share = position - k
            lower = tl.load(table + o * stride + k, mask=ok, other=0.0)
            upper = tl.load(table + o * stride + k + 1, mask=ok, other=0.0)
            w = opened * ((1 - share) * lower + share * upper)
            r += w * tl.load(source, mask=ok, other=0.0)
            g += w * tl.load(source + area, mask=ok, other=0.0)
            b += w * tl.load(source + 2 * area, mask=ok, other=0.0)
            weight += w
            if not OPAQUE:
                a += w * tl.load(source + 4 * area, mask=ok, other=0.0)
    to = out + y.to(tl.int64) * width + x
    tl.store(to, r, mask=inside)
    tl.store(to + area, g, mask=inside)
    tl.store(to + 2 * area, b, mask=inside)
    tl.store(to + 3 * area, weight, mask=inside)
    if not OPAQUE:
        tl.store(to + 4 * area, a, mask=inside)


@triton.jit
def _between(pixel, size, cells):
    """The two cells around a pixel's centre, and the share of the second."""
    at = (pixel.to(tl.float32) + 0.5) / size - 0.5
    low = tl.floor(at)
    first = low.to(tl.int32)
    return tl.maximum(first, 0), tl.minimum(first + 1, cells - 1), at - low


@triton.jit
def _enlarged(cells, y, x, size, rows, columns, inside):
    """Cells (m, n), linear between them, at the pixels (y, x)."""
    top, bottom, fy = _between(y, size, rows)
    left, right, fx = _between(x, size, columns)
    above, below = cells + top.to(tl.int64) * columns, cells + bottom.to(tl.int64) * columns
    p, q = tl.load(above + left, mask=inside, other=0.0), tl.load(above + right, mask=inside, other=0.0)
    r, s = tl.load(below + left, mask=inside, other=0.0), tl.load(below + right, mask=inside, other=0.0)
    upper, lower = p + fx * (q - p), r + fx * (s - r)
    return upper + fy * (lower - upper)


@triton.jit(do_not_specialize=SIZES)
def lay(
    fine, coarse, offsets, canvas, image, height, width, levels,
    OPAQUE: tl.constexpr, FIRST: tl.constexpr, LAST: tl.constexpr, BY: tl.constexpr, BX: tl.constexpr,
):  # fmt: skip
    """canvas (4, H, W) <- the blurred sheet over it: levels added up, over their weight.

    coarse: level L's (C, m, n) from offsets[L] on, which is -1 where nothing was blurred there. The last sheet's goes
    to image (H, W, 3).
    """
    tile, tiles_x = tl.program_id(0), tl.cdiv(width, BX)
    y = (tile // tiles_x * BY + tl.arange(0, BY))[:, None]
    x = (tile % tiles_x * BX + tl.arange(0, BX))[None, :]
    inside = (y < height) & (x < width)
    area = height.to(tl.int64) * width
    at = y.to(tl.int64) * width + x
    r = tl.load(fine + at, mask=inside, other=0.0)
    g = tl.load(fine + area + at, mask=inside, other=0.0)
    b = tl.load(fine + 2 * area + at, mask=inside, other=0.0)
    weight = tl.load(fine + 3 * area + at, mask=inside, other=0.0)
    a = tl.zeros([BY, BX], tl.float32)
    if not OPAQUE:
        a = tl.load(fine + 4 * area + at, mask=inside, other=0.0)
    for level in range(1, levels):
        offset = tl.load(offsets + level)
        if offset >= 0:
            size = 1 << level
            rows, columns = tl.cdiv(height, size), tl.cdiv(width, size)
            cells, field = coarse + offset, rows.to(tl.int64) * columns
            r += _enlarged(cells, y, x, size, rows, columns, inside)
            g += _enlarged(cells + field, y, x, size, rows, columns, inside)
            b += _enlarged(cells + 2 * field, y, x, size, rows, columns, inside)
            weight += _enlarged(cells + 3 * field, y, x, size, rows, columns, inside)
            if not OPAQUE:
                a += _enlarged(cells + 4 * field, y, x, size, rows, columns, inside)
    some = weight > 1e-12
    scale = tl.where(some, 1 / tl.where(some, weight, 1.0), 0.0)
    a = tl.where(some, 1.0, 0.0) if OPAQUE else a * scale
    r, g, b = r * scale, g * scale, b * scale
    if not FIRST:
        behind = 1 - a
        r += behind * tl.load(canvas + at, mask=inside, other=0.0)
        g += behind * tl.load(canvas + area + at, mask=inside, other=0.0)
        b += behind * tl.load(canvas + 2 * area + at, mask=inside, other=0.0)
        a += behind * tl.load(canvas + 3 * area + at, mask=inside, other=0.0)
    if LAST:
        total = tl.where(a > 0, 1 / tl.where(a > 0, a, 1.0), 0.0)
        tl.store(image + at * 3, tl.maximum(r * total, 0.0), mask=inside)
        tl.store(image + at * 3 + 1, tl.maximum(g * total, 0.0), mask=inside)
        tl.store(image + at * 3 + 2, tl.maximum(b * total, 0.0), mask=inside)
    else:
        tl.store(canvas + at, r, mask=inside)
        tl.store(canvas + area + at, g, mask=inside)
        tl.store(canvas + 2 * area + at, b, mask=inside)
        tl.store(canvas + 3 * area + at, a, mask=inside)


@triton.jit(do_not_specialize=SIZES)
def show(
    disparity, mids, group, levels, offsets, colours, image, height, width, top, band, planes, extent,
    BY: tl.constexpr, BX: tl.constexpr,
):  # fmt: skip
    """image (H, W, 3) rows [top, top + band) <- Eqs. (5)-(9): rooted colours of all planes, nearest first.

    Group g of equal radii: (3, m, n) from offsets[g] on; at level 0 of the rows of the band only.
    """
    tile, tiles_x = tl.program_id(0), tl.cdiv(width, BX)
    y = (top + tile // tiles_x * BY + tl.arange(0, BY))[:, None]
    x = (tile % tiles_x * BX + tl.arange(0, BX))[None, :]
    inside = (y < top + band) & (x < width)
    at = y.to(tl.int64) * width + x
    d = tl.load(disparity + at, mask=inside, other=0.0)
    r, g, b = tl.zeros([BY, BX], tl.float32), tl.zeros([BY, BX], tl.float32), tl.zeros([BY, BX], tl.float32)
    seen, shown = tl.full([BY, BX], 1.0, tl.float32), tl.zeros([BY, BX], tl.float32)
    for back in range(planes):
        k = planes - 1 - back
        alpha = tl.full([BY, BX], 1.0, tl.float32)
        if extent > 0:
            alpha = tl.maximum(1 - tl.sqrt(tl.abs(d - tl.load(mids + k)) / extent), 0.0)  # Eq. (5)
        w = seen * alpha
        seen -= w
        shown += w
        chosen = tl.load(group + k)
        level, cells = tl.load(levels + chosen), colours + tl.load(offsets + chosen)
        if level == 0:
            field = band.to(tl.int64) * width
            here = cells + (y - top).to(tl.int64) * width + x
            r += w * tl.load(here, mask=inside, other=0.0)
            g += w * tl.load(here + field, mask=inside, other=0.0)
            b += w * tl.load(here + 2 * field, mask=inside, other=0.0)
        else:
            size = 1 << level
            rows, columns = tl.cdiv(height, size), tl.cdiv(width, size)
            field = rows.to(tl.int64) * columns
            r += w * _enlarged(cells, y, x, size, rows, columns, inside)
            g += w * _enlarged(cells + field, y, x, size, rows, columns, inside)
            b += w * _enlarged(cells + 2 * field, y, x, size, rows, columns, inside)
    scale = tl.where(shown > 0, 1 / tl.where(shown > 0, shown, 1.0), 0.0)
    tl.store(image + at * 3, r * scale, mask=inside)
    tl.store(image + at * 3 + 1, g * scale, mask=inside)
    tl.store(image + at * 3 + 2, b * scale, mask=inside)
