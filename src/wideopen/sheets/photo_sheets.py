"""The sheets of one photo, made where they are needed and then dropped.

A photo's layers are known at small sizes (`prepare`): coverage, colours, continued disparity. The photo adds its own
detail pixel by pixel, so any rows of the sheets can be made from the same rows of the photo. A renderer that proceeds
down the photo never holds more than a few rows of them, and a sheet that covers a tenth of the photo costs a tenth.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np

from wideopen.arrays.maps import Place, greatest_channel, halved, in_strips, resize_map, work_size
from wideopen.checks import F32, Mask
from wideopen.optics import Optics
from wideopen.sheets import Separator, Sheet
from wideopen.sheets.white import White, give_own_colour, limit_radiance, unclip

WINDOW_PX = 4
"""Rows around those asked for that decide about their radiance: windows of `white`."""
ROWS = 64
"""Rows of all sheets that a thread makes at a time."""
SMALL_PX = 512
LAMP = 1.2
"""Light from which a lamp is brighter than the white around it: a mean of both would hide how large it is."""

Colours = tuple[F32, F32, F32]  # F, B and filled, as `reference.split` takes them


def nothing() -> None:
    """No colours replace the farthest sheet's."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeldLayer:
    """One layer of a photo, at any sizes (h, w)."""

    maps: F32  # (h, w, 4), as `reference.reveal` takes them
    colours: Colours | None  # None = the farthest layer, which is opaque
    is_subject: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """Where sheets are wanted."""

    blocks: Sequence[Mask]  # (Y, X) for each sheet, farthest first; where one is wanted, so are those before it
    side: int  # of a block, in pixels

    def piece(self, sheet: int, rows: Place) -> Place:
        """The smallest piece of `rows` that contains everything wanted of a sheet in them; may be empty."""
        first = rows.top // self.side
        blocks = self.blocks[sheet][first : -(-rows.bottom // self.side)]
        y, x = (np.flatnonzero(blocks.any(axis=axis)) for axis in (1, 0))
        if not y.size:
            return rows._replace(bottom=rows.top, right=rows.left)
        return rows._replace(
            top=max(rows.top, int(first + y[0]) * self.side),
            bottom=min(rows.bottom, int(first + y[-1] + 1) * self.side),
            left=int(x[0]) * self.side,
            right=min(rows.right, int(x[-1] + 1) * self.side),
        )


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
    optics: Optics | None = None  # the lens, for lamps in focus; None = everything is in focus
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

    @property
    def smallest(self) -> list[tuple[F32, F32]]:
        """Coverage and disparity of each sheet, (h, w), of at most `SMALL_PX`: for what needs no detail."""
        if "smallest" not in self.found:
            self.found["smallest"] = [
                (np.ones_like(sheet.disparity) if sheet.alpha is None else sheet.alpha, sheet.disparity)
                for sheet in self.reduced(SMALL_PX, colours=False)
            ]
        return self.found["smallest"]

    @property
    def halved(self) -> "PhotoSheets":
        """The same sheets of the photo at half its size, for areas blurred so much that pixels cannot be seen."""
        if "halved" not in self.found:
            self.found["halved"] = tuple(halved(x) for x in (self.rgb, self.matte, self.disparity)), {}
        (rgb, matte, disparity), found = self.found["halved"]
        return replace(self, rgb=rgb, matte=matte, disparity=disparity, found=found)

    def bounds(self, side: int) -> list[tuple[F32, F32, Mask]]:
        """For blocks of this side (Y, X) of each sheet: least and greatest disparity without coverage, to 2e-5; and
        where it may have coverage.
        """
        size = tuple(-(-length // side) for length in self.shape)
        reach = max(self.smallest[0][0].shape) // max(size) + 2  # half a block, and one by which the last go beyond
        window = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)

        def of_blocks(extreme: Callable[..., F32], values: F32) -> F32:
            return cv2.resize(extreme(values, window), size[::-1], interpolation=cv2.INTER_NEAREST).reshape(size)

        return [
            (of_blocks(cv2.erode, disparity), of_blocks(cv2.dilate, disparity), of_blocks(cv2.dilate, coverage) > 0)
            for coverage, disparity in self.smallest
        ]

    def detailed(self, side: int) -> Mask:
        """(Y, X) blocks of this side in which half the photo's size is too small, so that lamps keep their size."""
        size = tuple(-(-length // side) for length in self.shape)
        if self.white is not None:
            return np.ones(size, bool)  # radiance is measured at clipped pixels
        if self.lamps is None or self.radiance == 0:
            return np.zeros(size, bool)
        shining = (greatest_channel(self.lamps) > LAMP).astype(np.float32)
        beside = np.ones((3, 3), np.uint8)  # the last blocks reach beyond the photo, so others lie up to one away
        return cv2.dilate(resize_map(shining, size), beside).reshape(size) > 0

    def rows(self, top: int, bottom: int, wanted: Wanted | None = None, *, colours: bool = True) -> tuple[Sheet, ...]:
        """Rows [top, bottom) of the sheets.

        Where a sheet is not `wanted`, its coverage is 0 or left out, and its colours and disparity are anything; None =
        everything is wanted. Without `colours` their rgb is empty.
        """
        height, width = self.shape
        if "held" in self.found and (self.white is None or self.radiance >= 1):
            return self._of_held(top, bottom)
        if self.white is not None:
            wanted = None  # windows look around
        around = WINDOW_PX if colours and self.white is not None else 0
        whole = Place(max(0, top - around), min(height, bottom + around), 0, width, height, width)
        image = np.empty((whole.bottom - whole.top if colours else 0, width, 3), np.float32)
        if colours and self.white is not None:
            image = self._unclipped(whole)
        pieces = [*self._pieces(wanted, whole)[:-1], whole]  # the farthest one shares its colours with `image`
        sheets = [self._blank(*pair, image) for pair in zip(self.layers, pieces, strict=True)]

        def peel(above: int, below: int) -> None:
            """All layers of some rows, while these are in a core's cache."""
            strip = Place(above, below, 0, width, height, width)
            parts = self._pieces(wanted, strip)
            made = [part for part in parts if part.bottom > part.top]
            if colours and self.white is None and made:
                here = np.s_[min(part.left for part in made) : max(part.right for part in made)]
                image[above - whole.top : below - whole.top, here] = self.rgb[above:below, here]
            seen = np.ones((below - above, width), np.float32)
            for layer, piece, place, sheet in zip(self.layers, pieces, parts, sheets, strict=True):
                if place.bottom == place.top:
                    continue
                rows, here, of_image = (np.s_[place.top - y : place.bottom - y] for y in (piece.top, above, whole.top))
                disparity, left = sheet.disparity[rows], place.left - piece.left
                coverage = np.empty_like(disparity) if sheet.alpha is None else sheet.alpha[rows]
                photo = self.disparity[place.top : place.bottom], self.matte[place.top : place.bottom]
                self.separator.reveal(*photo, layer.maps, seen[here], place, coverage, disparity, left)
                if colours:
                    self._colour(layer, image[of_image], coverage, place, sheet.rgb[rows], left)

        in_strips(peel, whole.top, whole.bottom, ROWS)
        limited = [_trimmed(self._limited(sheet), top, bottom) for sheet in sheets]
        for sheet, layer in zip(limited, self.layers, strict=True):
            self._light(sheet, layer)
        return tuple(reversed(limited))

    def _pieces(self, wanted: Wanted | None, rows: Place) -> list[Place]:
        """What is to be made of each layer in `rows`, nearest first."""
        if wanted is None:
            return [rows] * len(self)
        return [wanted.piece(len(self) - 1 - k, rows) for k in range(len(self))]

    def _blank(self, layer: HeldLayer, place: Place, image: F32) -> Sheet:
        """The layer's sheet at `place`, to be filled; the farthest one's colours are what image (n, W, 3) becomes."""
        opaque = layer.colours is None
        size = place.bottom - place.top, place.right - place.left
        return Sheet(
            rgb=image if opaque or not image.size else np.empty((*size, 3), np.float32),
            alpha=None if opaque else np.zeros(size, np.float32),
            disparity=np.empty(size, np.float32),
            radiant=self.white is not None and not layer.is_subject,
            corner=(place.top, place.left),
        )

    def hold(self) -> None:
        """Keep the sheets whole from now on: for a scene that is rendered again and again."""
        if "held" not in self.found:
            for one in (self, self.halved):
                one.found["held"] = tuple(replace(one, clean=nothing, lamps=None, radiance=1.0))

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

    def _colour(self, layer: HeldLayer, image: F32, coverage: F32, place: Place, colour: F32, left: int) -> None:
        """colour (n, w, 3) becomes the layer's at `place`, from column `left` on, and image (n, W, 3) what lies behind
        it.
        """
        if layer.colours is not None:
            self.separator.split(image, coverage, *layer.colours, self.brightest, self.known, place, colour, left)
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
        of_sheet = sheet.rgb, sheet.alpha, sheet.disparity
        self.separator.shine(*of_sheet, photo, self.lamps, self.radiance, self.optics, place)


def _trimmed(sheet: Sheet, top: int, bottom: int) -> Sheet:
    """The sheet's part in rows [top, bottom)."""
    y, x = sheet.corner
    first = max(top, y)
    rows = np.s_[first - y : max(bottom - y, 0)]
    if rows == np.s_[0 : len(sheet.disparity)]:
        return sheet
    alpha = None if sheet.alpha is None else sheet.alpha[rows]
    return replace(sheet, rgb=sheet.rgb[rows], alpha=alpha, disparity=sheet.disparity[rows], corner=(first, x))
