"""The sheets of one photo, made where they are needed and forgotten again.

A photo's layers are known at small sizes (`prepare`): coverage, colours, continued disparity. The photo adds its own
detail pixel by pixel, so any rows of the sheets can be made from the same rows of the photo. A renderer that works its
way down the photo never holds more than a few rows of them, and a sheet that covers a tenth of the photo costs a tenth.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from wideopen.arrays.maps import Place, resize_map, work_size
from wideopen.checks import F32
from wideopen.sheets import Separator, Sheet
from wideopen.sheets.white import White, give_own_colour, limit_radiance, unclip

WINDOW_PX = 4
"""Rows around those asked for that decide about their radiance: windows of `white`."""
SMALL_PX = 512
CELLS = 3
"""A layer may show so many of its small maps' cells beyond the last with any coverage."""

Colours = tuple[F32, F32, F32]  # F, B and filled, as `reference.split` takes them


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeldLayer:
    """One layer of a photo, at any sizes (h, w)."""

    maps: F32  # (h, w, 4), as `reference.reveal` takes them
    colours: Colours | None  # None = the farthest layer, which is opaque
    shows: np.ndarray  # (h, w) bool: where it has any coverage
    is_subject: bool = False

    def place(self, top: int, bottom: int, shape: tuple[int, int], margin: int | None) -> Place:
        """The part of rows [top, bottom) of a photo of this shape within `margin` of the coverage; None = all of it."""
        height, width = shape
        if margin is None or self.colours is None:
            return Place(top, bottom, 0, width, height, width)
        rows = _extent(self.shows, 0, height, (top - margin, bottom + margin))
        near = self.shows[_cells(max(rows[0], top - margin), min(rows[1], bottom + margin), len(self.shows), height)]
        columns = _extent(near, 1, width, (0, width))
        first, last = max(top, rows[0] - margin), min(bottom, rows[1] + margin)
        return Place(
            first, max(first, last), max(0, columns[0] - margin), min(width, columns[1] + margin), height, width
        )


def _cells(first: int, last: int, cells: int, pixels: int) -> slice:
    """The cells of a side that show in pixels [first, last)."""
    return slice(max(0, first * cells // pixels - CELLS), max(0, last) * cells // pixels + 1 + CELLS)


def _extent(shows: np.ndarray, axis: int, pixels: int, within: tuple[int, int]) -> tuple[int, int]:
    """First and one past the last of the pixels `within` that show; equal if none does."""
    cells = shows.shape[axis]
    used = np.flatnonzero(shows.any(axis=1 - axis))
    part = _cells(*within, cells, pixels)
    used = used[(used >= part.start) & (used < part.stop)]
    if not used.size:
        return within[0], within[0]
    first, last = (used[0] - CELLS) * pixels // cells, -(-(used[-1] + 1 + CELLS) * pixels // cells)
    return max(within[0], int(first)), min(within[1], int(last))


@dataclass(frozen=True, kw_only=True, eq=False)
class PhotoSheets(Sequence[Sheet]):
    """The sheets, farthest first. As a sequence it holds them whole, made anew for each use."""

    rgb: F32  # (H, W, 3) linear light
    small: tuple[F32, F32, F32]  # rgb, matte and disparity at one of the sizes that `reduced` is asked for
    matte: F32  # (H, W)
    disparity: F32  # (H, W)
    layers: tuple[HeldLayer, ...]  # nearest first
    white: White | None
    lamps: F32 | None  # (h, w, 3), as `lamps.guess_lamps` returns them
    brightest: float  # of the photo, at least 1
    known: bool = False  # rgb is the scene's own light, also above white
    separator: Separator
    clean: F32 | None = None  # (h, w, 4): colours that replace the farthest sheet's, and by what share
    radiance: float = 1.0  # strength of the light above white, at least 0
    found: dict[str, Any] = field(default_factory=dict)  # what renderers found, whatever the lens

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the photo."""
        height, width = self.matte.shape
        return height, width

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Sheet]:
        return iter(self.rows(0, self.shape[0]))

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self.rows(0, self.shape[0])[index]

    def reduced(self, long_side_px: int, *, colours: bool = True) -> tuple[Sheet, ...]:
        """The sheets of the photo at a smaller size."""
        size = work_size(self.shape, long_side_px)
        whole = self.rgb, self.matte, self.disparity
        rgb, matte, disparity = self.small if self.small[1].shape >= size else whole
        matte, disparity = resize_map(matte, size), resize_map(disparity, size)
        rgb = resize_map(rgb, size) if colours else rgb
        return replace(self, rgb=rgb, matte=matte, disparity=disparity, found={}).rows(0, size[0], colours=colours)

    @cached_property
    def smallest(self) -> list[tuple[F32, F32]]:
        """Coverage and disparity of each sheet, (h, w), of at most `SMALL_PX`: for what needs no detail."""
        sheets = self.reduced(SMALL_PX, colours=False)
        return [(np.ones_like(s.disparity) if s.alpha is None else s.alpha, s.disparity) for s in sheets]

    def rows(
        self, top: int, bottom: int, margins: Sequence[int] | None = None, *, colours: bool = True
    ) -> tuple[Sheet, ...]:
        """Rows [top, bottom) of the sheets.

        margins: how far beyond its coverage each sheet is needed, in pixels, farthest first; None = everywhere.
        Without `colours` their rgb is empty.
        """
        height, width = self.shape
        if "held" in self.found and (self.white is None or self.radiance >= 1):
            return self._of_held(top, bottom)
        around = WINDOW_PX if colours and self.white is not None else 0
        first, last = max(0, top - around), min(height, bottom + around)
        here = np.s_[first:last]
        image = np.empty((0, width, 3), np.float32)
        if colours:
            place = Place(first, last, 0, width, height, width)
            image = self.rgb[here].copy() if self.white is None else self._unclipped(place)
        seen, sheets = np.ones((last - first, width), np.float32), []
        for k, layer in enumerate(self.layers):
            margin = None if margins is None else margins[len(self.layers) - 1 - k]
            place = layer.place(first, last, self.shape, margin)
            inner = np.s_[place.top - first : place.bottom - first]
            photo = self.disparity[place.top : place.bottom], self.matte[place.top : place.bottom]
            coverage, disparity = self.separator.reveal(*photo, layer.maps, seen[inner], place)
            rgb = self._colour(layer, image[inner], coverage, place) if colours else image
            sheet = Sheet(
                rgb=rgb,
                alpha=None if layer.colours is None else coverage,
                disparity=disparity,
                radiant=self.white is not None and not layer.is_subject,
                corner=(place.top, place.left),
            )
            sheet = _trimmed(self._limited(sheet), top, bottom)
            self._light(sheet, layer)
            sheets.append(sheet)
        return tuple(reversed(sheets))

    def hold(self) -> None:
        """Keep the sheets whole from now on: for a scene that is rendered again and again."""
        if "held" not in self.found:
            self.found["held"] = tuple(replace(self, clean=None, lamps=None, radiance=1.0))

    def _of_held(self, top: int, bottom: int) -> tuple[Sheet, ...]:
        ground, *others = (_trimmed(sheet, top, bottom) for sheet in self.found["held"])
        if self.clean is not None:
            ground = replace(ground, rgb=ground.rgb.copy())
            self.separator.blend(ground.rgb, self.clean, Place(top, bottom, 0, self.shape[1], *self.shape))
        sheets = (ground, *others)
        if self._shines(top, bottom):
            sheets = tuple(replace(sheet, rgb=sheet.rgb.copy()) for sheet in sheets)
        for sheet, layer in zip(sheets, reversed(self.layers), strict=True):
            self._light(sheet, layer)
        return sheets

    def _unclipped(self, place: Place) -> F32:
        assert self.white is not None  # for the type checker
        return unclip(self.rgb[place.top : place.bottom], self.matte[place.top : place.bottom], self.white, place)

    def _colour(self, layer: HeldLayer, image: F32, coverage: F32, place: Place) -> F32:
        """The layer's colour; image (n, W, 3) becomes what lies behind it."""
        if layer.colours is None:
            if self.clean is not None:
                self.separator.blend(image, self.clean, place)
            return image
        colour: F32 = self.separator.split(image, coverage, *layer.colours, self.brightest, self.known, place)
        if self.white is not None and layer.is_subject:
            give_own_colour(coverage, self.white, colour, place.of(image), place)
        return colour

    def _limited(self, sheet: Sheet) -> Sheet:
        if not sheet.radiant or self.radiance >= 1 or sheet.rgb.size == 0:
            return sheet
        return replace(sheet, rgb=limit_radiance(sheet.rgb, sheet.alpha, self.radiance))

    def _shines(self, top: int, bottom: int) -> bool:
        """Whether there are lamps in rows [top, bottom)."""
        if self.lamps is None or self.radiance == 0 or bottom <= top:
            return False
        first, last = (y * len(self.lamps) // self.shape[0] for y in (top, bottom - 1))
        return bool(self.lamps[first : last + 1, :, 0].any())

    def _light(self, sheet: Sheet, layer: HeldLayer) -> None:
        """Put the light of lamps into the sheet."""
        (top, left), (height, width) = sheet.corner, sheet.disparity.shape
        if layer.is_subject or sheet.rgb.size == 0 or not self._shines(top, top + height):
            return
        place = Place(top, top + height, left, left + width, *self.shape)
        photo = self.rgb[place.top : place.bottom]
        self.separator.shine(sheet.rgb, sheet.alpha, photo, self.lamps, self.radiance, place)


def _trimmed(sheet: Sheet, top: int, bottom: int) -> Sheet:
    """The sheet's part in rows [top, bottom)."""
    y, x = sheet.corner
    first = max(top, y)
    rows = np.s_[first - y : max(bottom - y, 0)]
    if rows == np.s_[0 : len(sheet.disparity)]:
        return sheet
    alpha = None if sheet.alpha is None else sheet.alpha[rows]
    return replace(sheet, rgb=sheet.rgb[rows], alpha=alpha, disparity=sheet.disparity[rows], corner=(first, x))
