"""The sheets of one photo, made where they are needed and forgotten again.

A photo's layers are known at small sizes (`prepare`): coverage, colours, continued disparity. The photo adds its own
detail pixel by pixel, so any rows of the sheets can be made from the same rows of the photo. A renderer that works its
way down the photo never holds more than a few rows of them, and a sheet that covers a tenth of the photo costs a tenth.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from wideopen.arrays.maps import Place, in_strips, resize_map, work_size
from wideopen.checks import F32
from wideopen.sheets import Separator, Sheet
from wideopen.sheets.white import White, give_own_colour, limit_radiance, unclip

WINDOW_PX = 4
"""Rows around those asked for that decide about their radiance: windows of `white`."""
ROWS = 64
"""Rows of all sheets that a thread makes at a time."""
SMALL_PX = 512
CELLS = 3
"""A layer may show so many of its small maps' cells beyond the last with any coverage."""

Colours = tuple[F32, F32, F32]  # F, B and filled, as `reference.split` takes them


def nothing() -> None:
    """No colours replace the farthest sheet's."""


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
    clean: Callable[[], F32 | None] = nothing  # (h, w, 4): colours for the farthest sheet, and by what share
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
        image = np.empty((last - first if colours else 0, width, 3), np.float32)
        if colours and self.white is not None:
            image = self._unclipped(Place(first, last, 0, width, height, width))
        places = [
            layer.place(first, last, self.shape, None if margins is None else margins[-1 - k])
            for k, layer in enumerate(self.layers)
        ]
        sheets = [self._blank(*pair, image) for pair in zip(self.layers, places, strict=True)]

        def peel(above: int, below: int) -> None:
            """All layers of some rows, while these are in a core's cache."""
            if colours and self.white is None:
                image[above - first : below - first] = self.rgb[above:below]
            seen = np.ones((below - above, width), np.float32)
            for layer, whole, sheet in zip(self.layers, places, sheets, strict=True):
                place = whole.between(above, below)
                rows, here = (np.s_[place.top - y : place.bottom - y] for y in (whole.top, above))
                disparity = sheet.disparity[rows]
                if not disparity.size:
                    continue
                coverage = np.empty_like(disparity) if sheet.alpha is None else sheet.alpha[rows]
                photo = self.disparity[place.top : place.bottom], self.matte[place.top : place.bottom]
                self.separator.reveal(*photo, layer.maps, seen[here], place, coverage, disparity)
                if colours:
                    self._colour(
                        layer, image[place.top - first : place.bottom - first], coverage, place, sheet.rgb[rows]
                    )

        in_strips(peel, first, last, ROWS)
        made = [_trimmed(self._limited(sheet), top, bottom) for sheet in sheets]
        for sheet, layer in zip(made, self.layers, strict=True):
            self._light(sheet, layer)
        return tuple(reversed(made))

    def _blank(self, layer: HeldLayer, place: Place, image: F32) -> Sheet:
        """The layer's sheet at `place`, to be filled; the farthest one's colours are what image (n, W, 3) becomes."""
        size = place.bottom - place.top, place.right - place.left
        opaque = layer.colours is None
        return Sheet(
            rgb=image if opaque or not image.size else np.empty((*size, 3), np.float32),
            alpha=None if opaque else np.empty(size, np.float32),
            disparity=np.empty(size, np.float32),
            radiant=self.white is not None and not layer.is_subject,
            corner=(place.top, place.left),
        )

    def hold(self) -> None:
        """Keep the sheets whole from now on: for a scene that is rendered again and again."""
        if "held" not in self.found:
            self.found["held"] = tuple(replace(self, clean=nothing, lamps=None, radiance=1.0))

    def _of_held(self, top: int, bottom: int) -> tuple[Sheet, ...]:
        ground, *others = (_trimmed(sheet, top, bottom) for sheet in self.found["held"])
        if (clean := self.clean()) is not None:
            ground = replace(ground, rgb=ground.rgb.copy())
            self.separator.blend(ground.rgb, clean, Place(top, bottom, 0, self.shape[1], *self.shape))
        sheets = (ground, *others)
        if self._shines(top, bottom):
            sheets = tuple(replace(sheet, rgb=sheet.rgb.copy()) for sheet in sheets)
        for sheet, layer in zip(sheets, reversed(self.layers), strict=True):
            self._light(sheet, layer)
        return sheets

    def _unclipped(self, place: Place) -> F32:
        assert self.white is not None  # for the type checker
        return unclip(self.rgb[place.top : place.bottom], self.matte[place.top : place.bottom], self.white, place)

    def _colour(self, layer: HeldLayer, image: F32, coverage: F32, place: Place, colour: F32) -> None:
        """colour (n, w, 3) becomes the layer's, and image (n, W, 3) what lies behind it."""
        if layer.colours is not None:
            self.separator.split(image, coverage, *layer.colours, self.brightest, self.known, place, colour)
            if self.white is not None and layer.is_subject:
                give_own_colour(coverage, self.white, colour, place.of(image), place)
        elif (clean := self.clean()) is not None:
            self.separator.blend(image, clean, place)

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
