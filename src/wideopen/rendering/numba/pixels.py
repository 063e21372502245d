"""A sheet's pixels, for the thin lens: on which planes they lie, and what they put there.

Everything is worked out from disparity where it is needed; nothing is kept for every pixel.
"""

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from wideopen.optics import Optics
from wideopen.rendering.numba.spans import MATHS, frozen
from wideopen.rendering.planes import thin_lens_planes
from wideopen.sheets import Sheet
from wideopen.sheets.highlights import FULL_GAIN, KNEE

BLOCK = 32
"""Side in pixels of the blocks for which it is noted what they hold."""


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


def surface_of(sheet: Sheet, optics: Optics) -> Surface:
    """A sheet as this lens sees it."""
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


@njit(cache=True, inline="always")
def radius_of(surface, disparity):
    """`planes.signed_radius` of a pixel."""
    offset = surface.focus - disparity
    r = max(abs(offset) - surface.focus_range, np.float32(0)) * surface.radius_px
    return r if offset >= 0 else -r


@njit(cache=True)
def position_of(surface, disparity, k):
    """`planes.plane_position` of a pixel; the search starts at plane k."""
    r = radius_of(surface, disparity)
    while k > 0 and surface.radii[k] < r:
        k -= 1
    while k + 2 < surface.radii.size and surface.radii[k + 1] >= r:
        k += 1
    return np.float32(k) + min(max((surface.radii[k] - r) * surface.gaps[k], np.float32(0)), np.float32(1))


@njit(cache=True, parallel=True, fastmath=MATHS)
def _extremes(values):
    """Least and greatest value in each block, (2, Y, X); column by column first, which is vector code."""
    height, width = values.shape
    found = np.empty((2, (height + BLOCK - 1) // BLOCK, (width + BLOCK - 1) // BLOCK), np.float32)
    for band in prange(found.shape[1]):
        low, high = values[band * BLOCK].copy(), values[band * BLOCK].copy()
        for y in range(band * BLOCK + 1, min(height, (band + 1) * BLOCK)):
            row = values[y]
            for x in range(width):
                low[x] = row[x] if row[x] < low[x] else low[x]
                high[x] = row[x] if row[x] > high[x] else high[x]
        for x in range(found.shape[2]):
            found[0, band, x] = low[x * BLOCK : (x + 1) * BLOCK].min()
            found[1, band, x] = high[x * BLOCK : (x + 1) * BLOCK].max()
    return found


@njit(cache=True)
def _planes_used(surface, low, high):
    """(Y, X, N) bool: the planes from a block's farthest pixel to its nearest, whether or not all hold something."""
    used = np.zeros((*low.shape, surface.radii.size), np.bool_)
    for y in range(low.shape[0]):
        for x in range(low.shape[1]):
            far = position_of(surface, low[y, x], 0)
            near = position_of(surface, high[y, x], int(far))
            used[y, x, int(far) : int(np.ceil(near)) + 1] = True
    return used


def find_blocks(surface: Surface) -> Blocks:
    """What each block of a surface holds."""
    used = _planes_used(surface, *_extremes(surface.disparity))
    if surface.opaque:
        return Blocks(used, np.ones(used.shape[:2], np.bool_), np.zeros(used.shape[:2], np.bool_))
    least, most = _extremes(surface.alpha)
    return Blocks(used, most > 0, least < 1)


@njit(cache=True)
def any_within(flags, y0, y1, x0, x1):
    """Whether a flag (Y, X) is set in a block that has pixels in [y0, y1) x [x0, x1)."""
    for y in range(max(0, y0) // BLOCK, min(flags.shape[0], (y1 + BLOCK - 1) // BLOCK)):
        for x in range(max(0, x0) // BLOCK, min(flags.shape[1], (x1 + BLOCK - 1) // BLOCK)):
            if flags[y, x]:
                return True
    return False


@njit(cache=True, inline="always")
def gain_of(rgb, x, a, s):
    """`highlights.highlight_gain` of pixel x of a row."""
    level = max(rgb[x, 0], rgb[x, 1], rgb[x, 2])
    if level <= np.float32(KNEE) * a or a <= np.float32(1e-3):
        return np.float32(1)
    t = min((level / a - np.float32(KNEE)) / np.float32(1 - KNEE), np.float32(1))
    return np.float32(1) + s[x * s.size // rgb.shape[0]] * (t * t) * (t * t)


@njit(cache=True, fastmath=MATHS)
def add_sharp(surface, sharp, y0, x0, channels, acc):
    """acc (h, w * C), whose first pixel is (y0, x0), += the planes k with sharp[k], as they are."""
    height, last, k = surface.rgb.shape[0], sharp.size - 1, 0
    for y in range(acc.shape[0]):
        rgb, disparity, row = surface.rgb[y0 + y], surface.disparity[y0 + y], acc[y]
        s = surface.stretch[(y0 + y) * surface.stretch.shape[0] // height]
        for x in range(x0, x0 + acc.shape[1] // channels):
            f = (surface.radii[k] - radius_of(surface, disparity[x])) * surface.gaps[k]
            if f < 0 or f >= 1:
                p = position_of(surface, disparity[x], k)
                k = int(p)
                f = p - np.float32(k)
            w = (np.float32(1) - f if sharp[k] else np.float32(0)) + (f if sharp[min(k + 1, last)] else np.float32(0))
            if w > 0:
                a = np.float32(1) if surface.opaque else surface.alpha[y0 + y, x]
                gain = w * gain_of(rgb, x, a, s)
                i = (x - x0) * channels
                _add_cell(row, i, channels, rgb[x, 0] * gain, rgb[x, 1] * gain, rgb[x, 2] * gain, w, a * w)


@njit(cache=True, fastmath=MATHS)
def gather_cells(surface, level, slots, y0, x0, channels, cells, filled):
    """cells (P, m, n * C), whose first cell is (y0, x0), <- sums of the weighted pixels of plane k in cells[slots[k]].

    filled (P, m): whether a row of cells holds anything. Runs of pixels of one cell between the same two planes are
    summed first: disparity is smooth, so that is most of a cell.
    """
    size, one = 1 << level, np.float32(1)
    height, width = surface.rgb.shape[:2]
    stop = min(width, (x0 + cells.shape[2] // channels) * size)
    k = 0
    for y in range(max(0, y0 * size), min(height, (y0 + cells.shape[1]) * size)):
        rgb, disparity = surface.rgb[y], surface.disparity[y]
        s = surface.stretch[y * surface.stretch.shape[0] // height]
        row = (y >> level) - y0
        x = max(0, x0 * size)
        while x < stop:
            p = position_of(surface, disparity[x], k)
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
                gain = gain_of(rgb, x, a, s)
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
                f = (radius - radius_of(surface, disparity[x])) * gap
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
