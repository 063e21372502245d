"""Repair by brush: strokes on matte and disparity that snap to the photo's edges and can be undone one by one.

A stroke is a line in fractions of the photo, so a stroke on the preview can be repeated on the full-size maps. The
snapping is not from the paper: the inner half of the stroke is certainly covered, pixels outside it are not, and the
pixels between follow the photo's colours. Colours are projected on the one direction that best separates inside from
outside (Fisher's linear discriminant), and a guided filter extends the cover into the uncertain pixels along the edges
of that projection. Maps are float32 (H, W) in [0, 1].
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import cv2
import numpy as np

from wideopen.arrays.maps import guided_filter, nearest_value
from wideopen.checks import F32, require
from wideopen.errors import InvalidInput

KINDS = ("add", "take", "nearer", "farther")
MAX_POINTS = 4000
_SURE = 0.5  # of the radius: pixels nearer than this are covered
_AROUND = 1.3  # of the radius: pixels farther than this are not covered; the user's hand is not exact
_SMOOTH = 0.02  # eps of the guided filter: a variance; inside and outside differ by about 1


class MapPair(NamedTuple):
    """The maps that strokes change."""

    matte: F32
    disparity: F32


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """One line of the brush. `x` and `radius` are fractions of the photo's width, `y` of its height."""

    kind: str  # one of KINDS
    points: tuple[tuple[float, float], ...]  # (x, y), [0, 1] inside the photo
    radius: float
    strength: float = 0.1  # the step in disparity of nearer and farther

    def __post_init__(self) -> None:
        require(self.kind in KINDS, f"brush: expected one of {', '.join(KINDS)}, found {self.kind!r}")
        count = len(self.points)
        require(1 <= count <= MAX_POINTS, f"brush: expected 1 to {MAX_POINTS} points, found {count}")
        numbers = np.array(self.points, float)
        fits = numbers.shape == (count, 2) and bool(np.isfinite(numbers).all()) and bool((abs(numbers) <= 10).all())
        require(fits, "brush: expected points (x, y) in or near the photo, found others")
        require(0 < self.radius <= 0.5, f"brush: expected a radius in (0, 0.5] of the width, found {self.radius}")
        require(0 < self.strength <= 1, f"brush: expected a strength in (0, 1], found {self.strength}")

    @classmethod
    def from_page(cls, data: Any) -> "Stroke":
        """The stroke in the page's data. Raises InvalidInput for anything else."""
        try:
            points = tuple((float(x), float(y)) for x, y in data["points"])
            return cls(
                kind=str(data["kind"]),
                points=points,
                radius=float(data["radius"]),
                strength=float(data.get("strength", 0.1)),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, InvalidInput):
                raise
            raise InvalidInput(f"brush: expected kind, points and radius, found none ({error})") from error


class Patch(NamedTuple):
    """The maps' values under a stroke, to undo it."""

    rows: slice
    columns: slice
    before: MapPair


@dataclass(slots=True)
class History:
    """The strokes so far, at most `limit`; each with the patch of the preview's maps that it changed."""

    limit: int
    strokes: list[Stroke] = field(default_factory=list)
    _patches: list[Patch] = field(default_factory=list)

    def paint(self, rgb: F32, maps: MapPair, stroke: Stroke) -> MapPair:
        """`maps` with one more stroke. Raises InvalidInput if there are already `limit` strokes."""
        require(
            len(self.strokes) < self.limit,
            f"brush: expected at most {self.limit} strokes; undo some, or download both maps and upload them again",
        )
        painted, patch = paint(rgb, maps, stroke)
        self.strokes.append(stroke)
        self._patches.append(patch)
        return painted

    def undo(self, maps: MapPair) -> MapPair:
        """`maps` without the last stroke; unchanged if there is none."""
        if not self.strokes:
            return maps
        self.strokes.pop()
        rows, columns, before = self._patches.pop()
        restored = MapPair(maps.matte.copy(), maps.disparity.copy())
        for now, then in zip(restored, before, strict=True):
            now[rows, columns] = then
        return restored


def as_hint(strokes: Iterable[Stroke], before: F32) -> F32:
    """The hint (H, W) that strokes on the matte make: `before` with 1 where they add and 0 where they take."""
    hint = before.copy()
    height, width = hint.shape
    for stroke in strokes:
        if stroke.kind in ("add", "take"):
            line = np.array(stroke.points, np.float64) * (width, height)
            hint[_distance(line, hint.shape) <= max(_SURE * stroke.radius * width, 0.5)] = stroke.kind == "add"
    return hint


def paint(rgb: F32, maps: MapPair, stroke: Stroke) -> tuple[MapPair, Patch]:
    """Return new maps (H, W) with a stroke on a photo (H, W, 3) in linear light, and the values under it.

    add and take: the cover of the stroke becomes the lower limit of the matte, or its inverse the upper limit. Pixels
    that change sides take the disparity of the nearest pixel of their new side, so that they are blurred with it.
    nearer and farther: disparity changes by `strength`; the matte stays.
    """
    height, width = maps.matte.shape
    line = np.array(stroke.points, np.float64) * (width, height)
    radius_px = max(stroke.radius * width, 1.0)
    rows, columns = _box(line, radius_px, height, width)
    under = MapPair(maps.matte[rows, columns].copy(), maps.disparity[rows, columns].copy())
    patch = Patch(rows, columns, under)
    if not under.matte.size:  # painted outside the photo
        return maps, patch
    cover = _snapped(rgb[rows, columns], line - (columns.start, rows.start), radius_px)
    matte, disparity = _changed(under, cover, stroke)
    painted = MapPair(maps.matte.copy(), maps.disparity.copy())
    painted.matte[rows, columns] = matte
    painted.disparity[rows, columns] = disparity
    return painted, patch


def _box(line: np.ndarray, radius_px: float, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of the photo that a stroke can change, with a margin that shows the colours outside it."""
    margin = 2 * _AROUND * radius_px + 2
    left, top = np.floor(line.min(axis=0) - margin).astype(int)
    right, bottom = np.ceil(line.max(axis=0) + margin).astype(int)
    return (
        slice(min(max(top, 0), height), max(min(bottom, height), 0)),
        slice(min(max(left, 0), width), max(min(right, width), 0)),
    )


def _changed(under: MapPair, cover: F32, stroke: Stroke) -> MapPair:
    matte, disparity = under
    if stroke.kind in ("nearer", "farther"):
        step = np.float32(stroke.strength if stroke.kind == "nearer" else -stroke.strength)
        return MapPair(matte, np.clip(disparity + step * cover, 0, 1))
    adds = stroke.kind == "add"
    changed = np.maximum(matte, cover) if adds else np.minimum(matte, 1 - cover)
    side = matte > 0.5 if adds else (matte <= 0.5) & (cover < 0.5)
    if not side.any():  # no pixel of the new side is near: the disparity stays
        return MapPair(changed, disparity)
    moved = np.abs(changed - matte)
    return MapPair(changed, disparity + moved * (nearest_value(disparity, side) - disparity))


def _snapped(rgb: F32, line: np.ndarray, radius_px: float) -> F32:
    """The cover of a stroke, (h, w) in [0, 1]: all of its inside, and the rim pixels that look like the inside."""
    distance = _distance(line, rgb.shape[:2])
    sure = distance <= max(_SURE * radius_px, 0.5)
    outside = distance >= _AROUND * radius_px
    fades = np.clip((_AROUND * radius_px - distance) / ((_AROUND - _SURE) * radius_px), 0, 1).astype(np.float32)
    if not outside.any():
        return np.where(sure, np.float32(1), fades)
    guide = _separated(np.sqrt(np.clip(rgb, 0, 1)), sure, outside & (distance <= 2 * _AROUND * radius_px))
    known = (sure | outside).astype(np.float32)
    window = max(round(radius_px), 1)
    cover = guided_filter(guide, sure.astype(np.float32), radius_px=window, eps=_SMOOTH, confidence=known)
    cover = np.clip((cover - 0.3) / 0.4, 0, 1)  # a linear fit to two groups of colours does not reach 0 and 1
    return np.where(sure, np.float32(1), np.where(outside, np.float32(0), cover)).astype(np.float32)


def _distance(line: np.ndarray, size: tuple[int, ...]) -> F32:
    """(h, w): distance in pixels from the line through points (x, y); pixel centres lie at +0.5."""
    drawn = np.full(size, 255, np.uint8)
    bits = 4
    codes = np.rint((line - 0.5) * 2**bits).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(drawn, [np.concatenate([codes[:1], codes])], False, 0, 1, cv2.LINE_8, bits)
    if drawn.all():  # the line itself lies outside the photo
        return np.full(size, np.inf, np.float32)
    return np.asarray(cv2.distanceTransform(drawn, cv2.DIST_L2, 5), np.float32)


def _separated(colours: F32, inside: np.ndarray, outside: np.ndarray) -> F32:
    """(h, w): colours projected on the direction that best separates two masks; their means differ by at most about 1.

    If the masks look alike, the projection hardly separates them, and the guided filter fades from one to the other.
    """
    a, b = colours[inside], colours[outside]
    if not len(a) or not len(b):
        return colours.mean(axis=2)
    within = (np.cov(a.T, bias=True) * len(a) + np.cov(b.T, bias=True) * len(b)) / (len(a) + len(b))
    direction = np.linalg.solve(within + 1e-3 * np.eye(3), a.mean(axis=0) - b.mean(axis=0))
    guide = colours @ direction.astype(np.float32)
    spread = float(guide[inside | outside].std())
    gap = abs(float(guide[inside].mean() - guide[outside].mean()))
    return np.asarray(guide / max(spread, gap, 1e-6), np.float32)
