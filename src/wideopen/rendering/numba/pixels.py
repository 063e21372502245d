"""A sheet's pixels, for the thin lens: on which planes they lie, and what they put there.

Everything is worked out from disparity where it is needed; nothing is kept for every pixel, and of blocks only what
no lens changes.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np

from wideopen.arrays.jit import frozen, in_threads, inner, kernel
from wideopen.arrays.maps import halved, in_strips
from wideopen.checks import F32, Mask
from wideopen.optics import Optics
from wideopen.rendering.planes import thin_lens_planes
from wideopen.sheets import Sheet
from wideopen.sheets.photo_sheets import Wanted

BLOCK = 32
"""Side in pixels of the blocks for which it is noted what they hold."""
FINE = np.uint8(128)
"""Marks blocks that are read pixel by pixel among those of `Blocks.levels`; others are read from the halved sheets."""

BAND = 2
"""Rows of blocks that are made at a time, to see what they hold."""


class Source(Protocol):
    """Where the sheets of a photo come from, farthest first: `sheets.photo_sheets.PhotoSheets`, or `Whole`."""

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the photo."""

    @property
    def found(self) -> dict[str, Any]:
        """What renderers found in the sheets, whatever the lens."""

    @property
    def halved(self) -> "Source":
        """The same sheets at half the photo's size."""

    def bounds(self, side: int) -> list[tuple[F32, F32, Mask]]:
        """For blocks of this side (Y, X) of each sheet: least and greatest disparity without coverage, and where it may
        have coverage.
        """

    def detailed(self, side: int) -> Mask:
        """(Y, X) blocks of this side in which the halved sheets will not do."""

    def rows(self, top: int, bottom: int, wanted: Wanted | None = None, *, colours: bool = True) -> Sequence[Sheet]:
        """Rows [top, bottom) of each sheet, as far as it is wanted."""


class Whole:
    """Sheets that are held whole."""

    def __init__(self, sheets: Sequence[Sheet], *, copies: bool = False) -> None:
        self.sheets, self.copies = sheets, copies
        height, width = sheets[0].disparity.shape
        self.shape = height, width
        self.found: dict[str, Any] = {}

    @property
    def halved(self) -> "Whole":
        """The same sheets at half their size."""
        if "halved" not in self.found:
            self.found["halved"] = Whole([_half(sheet) for sheet in self.sheets])
        return self.found["halved"]

    def bounds(self, side: int) -> list[tuple[F32, F32, Mask]]:
        """Any disparity, and everywhere."""
        size = tuple(-(-length // side) for length in self.shape)
        return [(np.zeros(size, np.float32), np.ones(size, np.float32), np.ones(size, bool)) for _ in self.sheets]

    def detailed(self, side: int) -> Mask:
        """Nowhere."""
        return np.zeros([-(-length // side) for length in self.shape], bool)

    def rows(self, top: int, bottom: int, *_: object, **__: object) -> list[Sheet]:
        """As `Source.rows`, with all columns."""
        here = np.s_[top:bottom]
        return [
            replace(
                sheet,
                rgb=sheet.rgb[here].copy() if self.copies else sheet.rgb[here],
                alpha=None if sheet.alpha is None else sheet.alpha[here],
                disparity=sheet.disparity[here],
                corner=(top, 0),
            )
            for sheet in self.sheets
        ]


def _half(sheet: Sheet) -> Sheet:
    alpha = None if sheet.alpha is None else halved(sheet.alpha)
    return replace(sheet, rgb=halved(sheet.rgb), alpha=alpha, disparity=halved(sheet.disparity))


class KernelLens(NamedTuple):
    """How a lens sees a sheet, wherever its pixels are."""

    focus: np.float32
    focus_range: np.float32
    radius_px: np.float32
    radii: np.ndarray  # (N,) float32, descending: `planes.thin_lens_planes`
    gaps: np.ndarray  # (N,) float32, one over the distance to the next radius; as good as infinite for the last


class Surface(NamedTuple):
    """The part of a sheet that is at hand, as the kernels take it."""

    rgb: np.ndarray  # (n, m, 3)
    alpha: np.ndarray  # (n, m), or (1, 1) and never read where opaque
    opaque: bool
    disparity: np.ndarray  # (n, m)
    top: int  # where the part lies in the photo
    left: int
    height: int  # of the photo
    width: int


class Blocks(NamedTuple):
    """What each block of a sheet holds."""

    used: np.ndarray  # (Y, X, N) bool: pixels on a plane
    levels: np.ndarray  # (Y, X) uint8: bit L is set if a plane of level L is used
    away: np.ndarray  # (Y, X) int64: how many blocks away its pixels show


class BlockExtremes(NamedTuple):
    """Least and most in each block, (Y, X): what of a sheet's blocks no lens changes."""

    far: np.ndarray  # disparity
    near: np.ndarray
    least: np.ndarray  # coverage
    most: np.ndarray


def extremes_of(sheets: Source) -> list[BlockExtremes]:
    """Disparity and coverage of the blocks of each sheet; bounds of its disparity where it has no coverage."""
    if "extremes" not in sheets.found:
        bounds = sheets.bounds(BLOCK)
        found = [BlockExtremes(far, near, np.zeros_like(far), np.zeros_like(far)) for far, near, _ in bounds]
        covered = Wanted([cover for *_, cover in bounds], BLOCK)

        def look(top: int, bottom: int) -> None:
            for whole, sheet in zip(found, sheets.rows(top, bottom, covered, colours=False), strict=True):
                if sheet.disparity.size:
                    y, x = (corner // BLOCK for corner in sheet.corner)
                    for values, of_sheet in zip(whole, _of_blocks(sheet), strict=True):
                        values[y : y + len(of_sheet), x : x + of_sheet.shape[1]] = of_sheet

        in_strips(look, 0, sheets.shape[0], BLOCK * BAND)
        sheets.found["extremes"] = found
    return sheets.found["extremes"]


def _of_blocks(sheet: Sheet) -> BlockExtremes:
    far, near = _extremes_in(sheet.disparity)
    least = most = np.ones_like(far)
    if sheet.alpha is not None:
        least, most = _extremes_in(sheet.alpha)
    return BlockExtremes(far, near, least, most)


def lens_of(extremes: BlockExtremes, optics: Optics) -> KernelLens:
    """How this lens sees a sheet."""
    ends = np.array([extremes.far.min(), extremes.near.max()])
    offset = np.float32(optics.focus_disparity) - ends
    far, near = np.sign(offset) * np.maximum(np.abs(offset) - np.float32(optics.focus_range), 0) * optics.radius_px
    radii = thin_lens_planes(float(near), float(far), optics.planes)
    gaps = np.full_like(radii, 1e30)
    np.divide(1, radii[:-1] - radii[1:], out=gaps[:-1], where=radii[:-1] > radii[1:])
    focus, focus_range, radius_px = map(np.float32, (optics.focus_disparity, optics.focus_range, optics.radius_px))
    return KernelLens(focus, focus_range, radius_px, radii, gaps)


def surface_of(sheet: Sheet, shape: tuple[int, int]) -> Surface:
    """The part of a sheet that is at hand, of a photo of this shape."""
    return Surface(
        rgb=frozen(sheet.rgb),
        alpha=frozen(np.ones((1, 1), np.float32) if sheet.alpha is None else sheet.alpha),
        opaque=sheet.alpha is None,
        disparity=frozen(sheet.disparity),
        top=sheet.corner[0],
        left=sheet.corner[1],
        height=shape[0],
        width=shape[1],
    )


def reached(flags: Mask, away: np.ndarray) -> Mask:
    """(Y, X) bool: the blocks in which those with a flag show."""
    out = np.zeros_like(flags)
    for n in np.unique(away[flags]):
        out |= _widened(flags & (away == n), n)
    return out


def reaching(flags: Mask, away: np.ndarray) -> Mask:
    """(Y, X) bool: the blocks that show in one with a flag."""
    out = np.zeros_like(flags)
    for n in np.unique(away) if flags.any() else ():
        out |= _widened(flags, n) & (away == n)
    return out


def _widened(flags: Mask, blocks: int) -> Mask:
    return cv2.dilate(flags.astype(np.uint8), np.ones((2 * blocks + 1,) * 2, np.uint8)) > 0


@inner(forceinline=True)
def radius_of(disparity, focus, focus_range, radius_px):
    """`Optics.signed_radius` of a pixel.

    Plain numbers, no `KernelLens`: passing its arrays would count references, which two threads wait for.
    """
    offset = focus - disparity
    r = max(abs(offset) - focus_range, np.float32(0)) * radius_px
    return r if offset >= 0 else -r


@inner()
def place_of(radii, gaps, r, k):
    """`planes.plane_position` of a radius in two parts, whole and rest; the search starts at plane k.

    A radius beyond the last plane's, which rounding and halved sheets may have, lies on that.
    """
    while k > 0 and radii[k] < r:
        k -= 1
    while k + 2 < radii.size and radii[k + 1] >= r:
        k += 1
    f = max((radii[k] - r) * gaps[k], np.float32(0))
    return (k, f) if f < 1 else (min(k + 1, radii.size - 1), np.float32(0))


@inner()
def _extremes_of_rows(values, found):
    """found (2, X) <- least and greatest value of each `BLOCK` columns; down the columns first: that is vector code."""
    width = values.shape[1]
    low, high = np.empty(width, np.float32), np.empty(width, np.float32)
    for x in range(width):
        low[x] = high[x] = values[0, x]
    for y in range(1, values.shape[0]):
        row = values[y]
        for x in range(width):
            low[x] = row[x] if row[x] < low[x] else low[x]
            high[x] = row[x] if row[x] > high[x] else high[x]
    for x in range(0, width, BLOCK):
        least, most = low[x], high[x]
        for i in range(x + 1, min(width, x + BLOCK)):
            least, most = min(least, low[i]), max(most, high[i])
        found[0, x // BLOCK], found[1, x // BLOCK] = least, most


@kernel()
def _extremes(first, stop, values, found):
    """found (2, Y, X) <- least and greatest value in each block, in the rows of blocks [first, stop)."""
    for band in range(first, stop):
        _extremes_of_rows(values[band * BLOCK : min(values.shape[0], (band + 1) * BLOCK)], found[:, band])


def _extremes_in(values: np.ndarray) -> np.ndarray:
    found = np.empty((2, *(-(-side // BLOCK) for side in values.shape)), np.float32)
    in_threads(_extremes, found.shape[1], 8, frozen(values), found)
    return found


@kernel()
def _fill_blocks(lens, far, near, spreads, levels, used, on_levels, away):
    height, width = far.shape
    for y in range(height):
        for x in range(width):
            ends = (
                radius_of(far[y, x], lens.focus, lens.focus_range, lens.radius_px),
                radius_of(near[y, x], lens.focus, lens.focus_range, lens.radius_px),
            )
            first, _ = place_of(lens.radii, lens.gaps, ends[0], 0)
            last, rest = place_of(lens.radii, lens.gaps, ends[1], first)
            for k in range(first, last + (2 if rest > 0 else 1)):
                used[y, x, k] = True
                on_levels[y, x] |= np.uint8(1 << levels[k])
                away[y, x] = max(away[y, x], (spreads[k] + BLOCK - 1) // BLOCK)


def find_blocks(lens: KernelLens, extremes: BlockExtremes, spreads: np.ndarray, levels: np.ndarray) -> Blocks:
    """What each block of a sheet holds; spreads (N,): how far a plane's pixels show, levels (N,): its level."""
    shape = extremes.far.shape
    used = np.zeros((*shape, lens.radii.size), bool)
    blocks = Blocks(used, levels=np.zeros(shape, np.uint8), away=np.zeros(shape, np.int64))
    _fill_blocks(lens, extremes.far, extremes.near, spreads, levels, *blocks)
    return blocks


@inner()
def any_within(flags, y0, y1, x0, x1):
    """Whether a flag (Y, X) is set in a block that has pixels in [y0, y1) x [x0, x1)."""
    for y in range(max(0, y0) // BLOCK, min(flags.shape[0], (y1 + BLOCK - 1) // BLOCK)):
        for x in range(max(0, x0) // BLOCK, min(flags.shape[1], (x1 + BLOCK - 1) // BLOCK)):
            if flags[y, x]:
                return True
    return False


@inner()
def shown_part(shows, y0, y1, x0, x1):
    """(top, bottom, left, right): the part of [y0, y1) x [x0, x1) with all blocks that have a flag (Y, X); empty if
    bottom <= top.
    """
    top, bottom, left, right = y1, y0, x1, x0
    for y in range(y0 // BLOCK, min(shows.shape[0], (y1 + BLOCK - 1) // BLOCK)):
        for x in range(x0 // BLOCK, min(shows.shape[1], (x1 + BLOCK - 1) // BLOCK)):
            if shows[y, x]:
                top, bottom = min(top, y * BLOCK), max(bottom, min(y1, (y + 1) * BLOCK))
                left, right = min(left, x * BLOCK), max(right, min(x1, (x + 1) * BLOCK))
    return top, bottom, left, right


@inner()
def _open_share(barrel, shift, y, x):
    """`aperture.Barrel.open_share` of pixel (y, x); 1 without a barrel."""
    if barrel is None:
        return np.float32(1)
    cx = shift[0, 0] + shift[0, 1] * (y + 0.5) + shift[0, 2] * (x + 0.5)
    cy = shift[1, 0] + shift[1, 1] * (y + 0.5) + shift[1, 2] * (x + 0.5)
    square = cx * cx + cy * cy
    return np.float32(1 - 2 / np.pi * np.sqrt(square) * (1 - square / 24 - square * square / 640))


@inner()
def add_sharp(surface, lens, on_levels, near, rows, y0, x0, channels, acc):
    """acc (h, w * C), whose first pixel is (y0, x0), += the planes near (N,) that reach 0 cells, as they are."""
    last, any_sharp = near.size - 1, False
    sharp = np.zeros(near.size + 1, np.float32)
    for i in range(near.size):
        if near[i] and rows.reaches[i] == 0:
            sharp[i], any_sharp = 1, True
    if not any_sharp:
        return
    sharp[last + 1] = sharp[last]
    height, columns = surface.disparity.shape
    left = x0 - surface.left
    radii, gaps, focus, focus_range, radius_px = lens.radii, lens.gaps, lens.focus, lens.focus_range, lens.radius_px
    k = 0
    for y in range(max(0, y0 - surface.top), min(height, y0 - surface.top + acc.shape[0])):
        rgb, disparity, to = surface.rgb[y], surface.disparity[y], acc[y + surface.top - y0]
        alpha, on_level = surface.alpha[0 if surface.opaque else y], on_levels[(y + surface.top) // BLOCK]
        for x in range(max(0, left), min(columns, left + acc.shape[1] // channels)):
            if not on_level[(x + surface.left) // BLOCK] & 1:
                continue
            r = radius_of(disparity[x], focus, focus_range, radius_px)
            f = (radii[k] - r) * gaps[k]
            if f < 0 or f >= 1:
                k, f = place_of(radii, gaps, r, k)
            w = sharp[k] + f * (sharp[k + 1] - sharp[k])
            if w > 0:
                w *= _open_share(rows.barrel, rows.shift, y + surface.top, x + surface.left)
                i = (x - left) * channels
                to[i] += rgb[x, 0] * w
                to[i + 1] += rgb[x, 1] * w
                to[i + 2] += rgb[x, 2] * w
                to[i + 3] += w
                if channels == 5:
                    to[i + 4] += alpha[x] * w


@inner()
def gather_row(surface, halved, lens, on_levels, level, slots, cell_y, x0, channels, cells, ends):
    """cells (P, n * C) += sums of the weighted pixels of plane k in row cell_y of cells, from cell x0 on, by slots[k].

    halved: 1 if the surface is at half the photo's size, else 0; either is read where it should be. ends (P, 2): the
    first cell that holds anything, and the one after the last, so far. Runs of pixels of one cell between the same two
    planes are summed first: disparity is smooth, so that is most of a cell.
    """
    level -= halved  # from here on, in pixels of the surface
    size, one, left, last = 1 << level, np.float32(1), surface.left, slots.size - 1
    block, pixels = BLOCK >> halved, np.float32(1 << (2 * halved))
    flags = np.uint8(1 << (level + halved)) | FINE
    chosen = np.uint8(1 << (level + halved)) if halved else flags
    (rows, columns), opaque = surface.disparity.shape, surface.opaque
    radii, gaps, focus, focus_range, radius_px = lens.radii, lens.gaps, lens.focus, lens.focus_range, lens.radius_px
    first, stop = max(0, x0 * size - left), min(columns, (x0 + cells.shape[1] // channels) * size - left)
    k = 0
    for y in range(max(0, cell_y * size - surface.top), min(rows, (cell_y + 1) * size - surface.top)):
        rgb, disparity, on_level = surface.rgb[y], surface.disparity[y], on_levels[(y + surface.top) // block]
        alpha = surface.alpha[0 if opaque else y]
        x = first
        while x < stop:
            cell, column = ((x + left) >> level) - x0, x + left
            if on_level[column // block] & flags != chosen:
                x = (column // block + 1) * block - left
                continue
            r = radius_of(disparity[x], focus, focus_range, radius_px)
            f = (radii[k] - r) * gaps[k]
            if f < 0 or f >= 1:
                k, f = place_of(radii, gaps, r, k)
            near, far = slots[k], slots[min(k + 1, last)]
            if near < 0 and far < 0:
                x += 1
                continue
            end = min(stop, (((column >> level) + 1) << level) - left, (column // block + 1) * block - left)
            radius, gap = radii[k], gaps[k]
            r0 = g0 = b0 = w0 = a0 = r1 = g1 = b1 = w1 = a1 = np.float32(0)
            while True:
                a = one if opaque else alpha[x]
                red, green, blue = rgb[x, 0], rgb[x, 1], rgb[x, 2]
                r1 += red * f
                g1 += green * f
                b1 += blue * f
                a1 += a * f
                w1 += f
                r0 += red
                g0 += green
                b0 += blue
                a0 += a
                w0 += one
                x += 1
                if x == end:
                    break
                f = (radius - radius_of(disparity[x], focus, focus_range, radius_px)) * gap
                if f < 0 or f >= 1:
                    break
            i = np.uintp(cell * channels)
            if near >= 0:
                slot = np.uintp(near)
                cells[slot, i] += pixels * (r0 - r1)
                cells[slot, i + np.uintp(1)] += pixels * (g0 - g1)
                cells[slot, i + np.uintp(2)] += pixels * (b0 - b1)
                cells[slot, i + np.uintp(3)] += pixels * (w0 - w1)
                if channels == 5:
                    cells[slot, i + np.uintp(4)] += pixels * (a0 - a1)
                if cell < ends[slot, 0]:
                    ends[slot, 0] = cell
                if cell >= ends[slot, 1]:
                    ends[slot, 1] = cell + 1
            if far >= 0 and w1 > 0:
                slot = np.uintp(far)
                cells[slot, i] += pixels * r1
                cells[slot, i + np.uintp(1)] += pixels * g1
                cells[slot, i + np.uintp(2)] += pixels * b1
                cells[slot, i + np.uintp(3)] += pixels * w1
                if channels == 5:
                    cells[slot, i + np.uintp(4)] += pixels * a1
                if cell < ends[slot, 0]:
                    ends[slot, 0] = cell
                if cell >= ends[slot, 1]:
                    ends[slot, 1] = cell + 1
