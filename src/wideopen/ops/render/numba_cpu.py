"""Both looks on all cores: tiles of the output, row by row, with prefix sums.

A row of a shape covers one span, and a span of a row of pixels is the difference of two values of its running sum P
(piecewise linear between pixel edges, so a span may end inside a pixel):
    out[y, x] = sum over rows dy:  P[y - dy](x + 0.5 - left) - P[y - dy](x + 0.5 - right)
That costs about 2 * (2r + 1) look-ups a pixel instead of pi * r^2. Spans of up to `DIRECT` pixels are summed
directly: as fast, and free of the cancellation of a difference (the identity kernel returns its input to the last
bit).

What bounds the work: a tile looks only at planes that some pixel within reach uses, and skips rows that hold none of
them. Running sums live for one row of one tile, so float32 keeps 1e-6 in the thin-lens look whatever the photo's
width; the paper look sums in float64, because its root 1/alpha2 would blow the rounding of a bright neighbour up to
visible grain in black.

All kernels of rendering are in this file: numba's cache on disk knows a kernel is stale by the age of its own file,
not of what it calls elsewhere.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit, prange

from wideopen.checks import F32
from wideopen.lens import Aperture, PaperLook
from wideopen.ops import _numba  # noqa: F401  (sets the threading layer before the first kernel runs)
from wideopen.ops.aperture import Spans, antialiased_spans, binary_spans
from wideopen.ops.highlights import FULL_GAIN, KNEE, NEWTON_STEPS
from wideopen.ops.planes import paper_planes, thin_lens_planes
from wideopen.ops.render.reference import paper_radii
from wideopen.ops.render.types import Optics, Sheet

TILE_H, TILE_W = 128, 512
DIRECT = 8
MATHS = {"contract", "nsz"}  # fused multiply-add; nothing that reorders sums


class Rows(NamedTuple):
    """The rows of all kernels in flat arrays; plane k owns rows starts[k] to starts[k + 1]."""

    starts: np.ndarray  # (N + 1,) int64
    dys: np.ndarray  # (R,) int64
    firsts: np.ndarray  # (R,) float64, source edges relative to the pixel written: see the module's formula
    lasts: np.ndarray  # (R,) float64
    scales: np.ndarray  # (N,) float32, one over the kernel's area
    reaches: np.ndarray  # (N,) int64, pixels that the kernel reaches out


@njit(cache=True, fastmath=MATHS)
def _add_span(line, total, first, last, acc, shift, channels):
    """acc[x] += sum of the line over source pixel edges [x + first, x + last]; pixel 0 of acc is pixel `shift` of line.

    All three are flat, channels interleaved: one long loop a span, which the compiler turns into vector code.
    """
    width = acc.size
    low, high = int(np.floor(first)), int(np.floor(last))
    f, g = line.dtype.type(first - low), line.dtype.type(last - high)
    if high - low <= DIRECT:
        for i in range(low, high + 1):
            share = line.dtype.type(min(i + 1.0, last) - max(float(i), first))
            if share > 0:
                source = line[(shift + i) * channels : (shift + i) * channels + width]
                for x in range(width):
                    acc[x] += share * source[x]
        return
    a0 = total[(shift + low) * channels : (shift + low) * channels + width]
    a1 = total[(shift + low + 1) * channels : (shift + low + 1) * channels + width]
    b0 = total[(shift + high) * channels : (shift + high) * channels + width]
    b1 = total[(shift + high + 1) * channels : (shift + high + 1) * channels + width]
    for x in range(width):
        acc[x] += (b0[x] + g * (b1[x] - b0[x])) - (a0[x] + f * (a1[x] - a0[x]))


@njit(cache=True, parallel=True, fastmath=MATHS)
def _positions(disparity, focus, focus_range, radius_px, radii):
    """`planes.signed_radius` then `planes.plane_position`, (H, W); radii descend."""
    height, width = disparity.shape
    out = np.empty((height, width), np.float32)
    for y in prange(height):
        for x in range(width):
            offset = focus - disparity[y, x]
            r = max(abs(offset) - focus_range, np.float32(0)) * radius_px
            if offset < 0:
                r = -r
            low, high = 0, radii.size - 1
            while high - low > 1:
                middle = (low + high) // 2
                if radii[middle] >= r:
                    low = middle
                else:
                    high = middle
            if radii.size == 1 or r >= radii[low]:
                out[y, x] = low
            elif r <= radii[high]:
                out[y, x] = high
            else:
                out[y, x] = low + (radii[low] - r) / (radii[low] - radii[high])
    return out


@njit(cache=True, parallel=True)
def _occupancy(position, alpha, opaque, planes, tile_h, tile_w):
    """Which planes occur in each tile (Ty, Tx, N), and which tiles hold any coverage (Ty, Tx)."""
    height, width = position.shape
    ty, tx = (height + tile_h - 1) // tile_h, (width + tile_w - 1) // tile_w
    present = np.zeros((ty, tx, planes), np.bool_)
    covered = np.zeros((ty, tx), np.bool_)
    for tile in prange(ty * tx):
        i, j = tile // tx, tile % tx
        for y in range(i * tile_h, min(height, (i + 1) * tile_h)):
            for x in range(j * tile_w, min(width, (j + 1) * tile_w)):
                k = int(position[y, x])
                present[i, j, k] = True
                if position[y, x] > k:
                    present[i, j, k + 1] = True
                if opaque or alpha[y, x] > 0:
                    covered[i, j] = True
    return present, covered


@njit(cache=True)
def _any_within(flags, i, j, reach_y, reach_x):
    """Whether a flag (Ty, Tx) is set within so many tiles of tile (i, j)."""
    for y in range(max(0, i - reach_y), min(flags.shape[0], i + reach_y + 1)):
        for x in range(max(0, j - reach_x), min(flags.shape[1], j + reach_x + 1)):
            if flags[y, x]:
                return True
    return False


@njit(cache=True, fastmath=MATHS)
def _load_row(pixels, opaque, k, scale, stretch, x_first, line, total):
    """Fill the weighted row (n * C) and its running sums for plane k; False if the row holds nothing of it.

    Channels: r, g, b, weight, and alpha unless opaque. Pixels outside the photo are 0 in all, weight included.
    """
    rgb, alpha, position = pixels
    channels = 4 if opaque else 5
    width, n = position.size, line.size // channels
    start, stop = max(0, x_first), min(width, x_first + n)
    used = False
    for x in range(start, stop):
        if abs(position[x] - k) < 1:
            used = True
            break
    if not used:
        return False
    line[:] = 0
    for x in range(start, stop):
        w = np.float32(1) - abs(position[x] - np.float32(k))
        if w <= 0:
            continue
        w *= scale
        gain = w
        level = max(rgb[x, 0], rgb[x, 1], rgb[x, 2])
        a = np.float32(1) if opaque else alpha[x]
        if level > np.float32(KNEE) * a and a > np.float32(1e-3):
            t = min((level / a - np.float32(KNEE)) / np.float32(1 - KNEE), np.float32(1))
            gain = w * (np.float32(1) + stretch[x * stretch.size // width] * (t * t) * (t * t))
        i = (x - x_first) * channels
        line[i] = rgb[x, 0] * gain
        line[i + 1] = rgb[x, 1] * gain
        line[i + 2] = rgb[x, 2] * gain
        line[i + 3] = w
        if not opaque:
            line[i + 4] = alpha[x] * w
    _running_sum(line, channels, total)
    return True


@njit(cache=True, fastmath=MATHS)
def _running_sum(line, channels, total):
    """total (n + 2, C) flat: the sum of all pixels before; the last is repeated for spans that end on the edge."""
    total[:channels] = 0
    for i in range(line.size):
        total[channels + i] = total[i] + line[i]
    total[line.size + channels :] = total[line.size : line.size + channels]


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


@njit(cache=True, parallel=True, fastmath=MATHS)
def _sheet_over(canvas, rgb, alpha, opaque, position, present, covered, order, rows, stretch, tile_h, tile_w):
    """canvas (H, W, 3) <- the blurred sheet over canvas.  S = sum_k blur_k(w_k [rgba]) / sum_k blur_k(w_k)."""
    height, width = position.shape
    tiles_x, planes = present.shape[1], present.shape[2]
    max_reach = rows.reaches.max()
    channels = 4 if opaque else 5
    for n in prange(order.size):
        i, j = order[n] // tiles_x, order[n] % tiles_x
        if not _any_within(covered, i, j, max_reach // tile_h + 1, max_reach // tile_w + 1):
            continue
        y0, y1 = i * tile_h, min(height, (i + 1) * tile_h)
        x0, x1 = j * tile_w, min(width, (j + 1) * tile_w)
        acc = np.zeros((y1 - y0, (x1 - x0) * channels), np.float32)
        for k in range(planes):
            reach = rows.reaches[k]
            ty, tx = (reach + tile_h - 1) // tile_h, (reach + tile_w - 1) // tile_w
            if not _any_within(present[:, :, k], i, j, ty, tx):
                continue
            shift = reach + 1
            line = np.empty((x1 - x0 + 2 * shift) * channels, np.float32)
            total = np.empty((x1 - x0 + 2 * shift + 2) * channels, np.float32)
            for sy in range(max(0, y0 - reach), min(height, y1 + reach)):
                pixels = rgb[sy], alpha[sy], position[sy]
                s_row = stretch[sy * stretch.shape[0] // height]
                if not _load_row(pixels, opaque, k, rows.scales[k], s_row, x0 - shift, line, total):
                    continue
                for s in range(rows.starts[k], rows.starts[k + 1]):
                    y = sy + rows.dys[s]
                    if y0 <= y < y1:
                        _add_span(line, total, rows.firsts[s], rows.lasts[s], acc[y - y0], shift, channels)
        for y in range(y1 - y0):
            for x in range(x1 - x0):
                i = x * channels
                share = acc[y, i + 3]
                if share <= np.float32(1e-12):
                    continue
                a = np.float32(1) if opaque else acc[y, i + 4] / share
                scale = np.float32(1) / share
                s = stretch[(y0 + y) * stretch.shape[0] // height, (x0 + x) * stretch.shape[1] // width]
                if s > 0 and a > np.float32(1e-3):
                    scale *= _compression(max(acc[y, i], acc[y, i + 1], acc[y, i + 2]) / share / a, s)
                for c in range(3):
                    canvas[y0 + y, x0 + x, c] = acc[y, i + c] * scale + (1 - a) * canvas[y0 + y, x0 + x, c]


def _rows(spans: Sequence[Spans]) -> Rows:
    """Spans of all planes, as source intervals."""
    areas = [np.sum(s.right.astype(np.float64) - s.left) for s in spans]
    reaches = [max(np.abs(s.dy).max(), np.ceil(max(s.right.max(), -s.left.min()) - 0.5)) for s in spans]
    return Rows(
        starts=np.cumsum([0] + [len(s.dy) for s in spans]).astype(np.int64),
        dys=np.concatenate([s.dy for s in spans]).astype(np.int64),
        firsts=np.concatenate([0.5 - s.right.astype(np.float64) for s in spans]),
        lasts=np.concatenate([0.5 - s.left.astype(np.float64) for s in spans]),
        scales=(1 / np.array(areas)).astype(np.float32),
        reaches=np.array(reaches, np.int64),
    )


def _tile_order(height: int, width: int) -> np.ndarray:
    """Tiles in a fixed shuffled order: threads take equal runs of it, and heavy tiles lie side by side in the photo."""
    count = -(-height // TILE_H) * -(-width // TILE_W)
    return np.random.default_rng(0).permutation(count)


def needs_compiling(look: str) -> bool:
    """Whether numba's cache on disk holds no kernel of this look for this file as it is now."""
    kernel = _paper_tiles if look == "paper" else _sheet_over
    written = Path(__file__).stat().st_mtime
    cached = Path(kernel.stats.cache_path).glob(f"numba_cpu.{kernel.__name__}-*.nbi")
    return not any(index.stat().st_mtime >= written for index in cached)


def thin_lens(sheets: Sequence[Sheet], optics: Optics) -> F32:
    """`reference.thin_lens` on all cores."""
    height, width = sheets[0].disparity.shape
    canvas = np.zeros((height, width, 3), np.float32)
    for sheet in sheets:
        ends = np.array([sheet.disparity.min(), sheet.disparity.max()])
        offset = np.float32(optics.focus_disparity) - ends
        far, near = np.sign(offset) * np.maximum(np.abs(offset) - np.float32(optics.focus_range), 0) * optics.radius_px
        radii = thin_lens_planes(float(near), float(far), optics.planes)
        position = _positions(
            sheet.disparity,
            np.float32(optics.focus_disparity),
            np.float32(optics.focus_range),
            np.float32(optics.radius_px),
            radii,
        )
        opaque = sheet.alpha is None
        alpha = sheet.disparity if sheet.alpha is None else sheet.alpha  # never read where opaque
        present, covered = _occupancy(position, alpha, opaque, len(radii), TILE_H, TILE_W)
        rows = _rows([antialiased_spans(optics.aperture, float(r)) for r in radii])
        full = np.float32(FULL_GAIN * optics.highlights)
        stretch = full * (np.ones((1, 1), np.float32) if sheet.lamps is None else sheet.lamps)
        order = _tile_order(height, width)
        _sheet_over(canvas, sheet.rgb, alpha, opaque, position, present, covered, order, rows, stretch, TILE_H, TILE_W)
    return np.maximum(canvas, 0, out=canvas)


@njit(cache=True, fastmath=MATHS)
def _paper_weights(disparity, mids, extent, group, y0, x0, out):
    """Eqs. (5)-(9) unrolled: the weight of each radius group (G, h, w), nearest plane first."""
    out[:, :, :] = 0
    for y in range(out.shape[1]):
        for x in range(out.shape[2]):
            seen_through = np.float32(1)
            for k in range(mids.size - 1, -1, -1):
                a = np.float32(1)
                if extent > 0:
                    a = max(
                        np.float32(0),
                        a - np.sqrt(abs(disparity[y0 + y, x0 + x] - mids[k]) / extent),
                    )
                out[group[k], y, x] += seen_through * a
                seen_through *= np.float32(1) - a


@njit(cache=True, parallel=True, fastmath=MATHS)
def _paper_tiles(bent, disparity, mids, extent, group, rows, order, root, a2, b2, tile_h, tile_w):
    """Eqs. (4) and (6)-(9) per tile: one blur for each different radius, weighted by what its planes show."""
    height, width = disparity.shape
    tiles_x = (width + tile_w - 1) // tile_w
    out = np.empty((height, width, 3), np.float32)
    for n in prange(order.size):
        i, j = order[n] // tiles_x, order[n] % tiles_x
        y0, y1 = i * tile_h, min(height, (i + 1) * tile_h)
        x0, x1 = j * tile_w, min(width, (j + 1) * tile_w)
        weights = np.empty((rows.reaches.size, y1 - y0, x1 - x0), np.float32)
        _paper_weights(disparity, mids, extent, group, y0, x0, weights)
        colour = np.zeros((3, y1 - y0, x1 - x0))
        for k in range(rows.reaches.size):
            reach = rows.reaches[k]
            shift = reach + 1
            acc = np.zeros((y1 - y0, (x1 - x0) * 4))
            line = np.zeros((x1 - x0 + 2 * shift) * 4)
            total = np.empty((x1 - x0 + 2 * shift + 2) * 4)
            for sy in range(max(0, y0 - reach), min(height, y1 + reach)):
                for x in range(max(0, x0 - shift), min(width, x1 + shift)):
                    i = (x - x0 + shift) * 4
                    for c in range(3):
                        line[i + c] = bent[sy, x, c]
                    line[i + 3] = 1
                _running_sum(line, 4, total)
                for s in range(rows.starts[k], rows.starts[k + 1]):
                    y = sy + rows.dys[s]
                    if y0 <= y < y1:
                        _add_span(line, total, rows.firsts[s], rows.lasts[s], acc[y - y0], shift, 4)
            for c in range(3):
                for y in range(y1 - y0):
                    for x in range(x1 - x0):
                        value = max(acc[y, x * 4 + c] / acc[y, x * 4 + 3], 0.0)
                        value = np.sqrt(np.sqrt(value)) if root == 0.25 else value**root
                        colour[c, y, x] += weights[k, y, x] * (value / a2 + b2)
        for y in range(y1 - y0):
            for x in range(x1 - x0):
                shown = weights[:, y, x].sum()
                for c in range(3):
                    out[y0 + y, x0 + x, c] = colour[c, y, x] / shown if shown > 0 else 0
    return out


def paper(
    encoded: F32,
    disparity: F32,
    *,
    focus_disparity: float,
    radius_px: float,
    planes: int,
    aperture: Aperture,
    constants: PaperLook,
) -> F32:
    """`reference.paper` on all cores."""
    p = constants
    mids, extent = paper_planes(disparity, planes)
    radii = paper_radii(mids, focus_disparity=focus_disparity, radius_px=radius_px, delta=p.delta)
    different, group = np.unique(radii, return_inverse=True)
    rows = _rows([binary_spans(aperture, int(r)) for r in different])
    bent = np.maximum(np.float32(p.a1) * encoded + np.float32(p.b1), 0) ** np.float32(p.alpha1)
    order, extent32 = _tile_order(*disparity.shape), np.float32(extent)
    result: F32 = _paper_tiles(
        bent, disparity, mids, extent32, group.astype(np.int64), rows, order, 1 / p.alpha2, p.a2, p.b2, TILE_H, TILE_W
    )
    return result
