"""Disparity from the matte alone: people on planes, a level floor that passes under their feet to the horizon.

Ours. On a level floor seen by a pinhole camera, disparity is linear in the image row: 0 at the horizon, and a person's
own disparity at the row of their feet. So the parts of the matte give the geometry: the row of the feet and, from the
heads, an estimate of the horizon. Maps are (H, W) float32 in [0, 1], 1 = nearest.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from wideopen.arrays.maps import fill_holes, nearest_value, resize_map, work_size
from wideopen.checks import F32, require_unit_map

HORIZON_DISPARITY = 0.05
LEAST_SUBJECT_DISPARITY = 0.8  # lower limit: the floor in front of the feet may be nearer, up to 1
EYES = 0.15  # distance of the horizon below the top of a head, as a share of the person's visible height
STANDING = 3.6  # a person's height in widths of the shoulders with arms
LEAST_CUT = 1.15  # total height of a part cut off by the lower edge: at least this,
MOST_CUT = 4.0  # and at most this, times its visible height
LEAST_ABOVE = 0.25  # the horizon lies at least this share of a person's height above their feet
GAP = 0.008  # a strip this narrow, as a share of the long side, is a thing in front of one part: a wire, a twig
SMALL_AREA, SMALL_HEIGHT = 0.04, 0.25  # of the largest part: smaller parts are not people of their own
WORK_PX = 768


@dataclass(frozen=True, slots=True)
class Extent:
    """Position of a subject in the photo, in pixels."""

    top: float
    bottom: float
    cut: bool  # the lower edge of the photo cuts it off: its feet lie below the photo
    wide: float  # its width in most rows: 90 percent of them are narrower

    @property
    def tall(self) -> float:
        """The visible height."""
        return self.bottom - self.top

    @property
    def feet(self) -> float:
        """The row of the feet; if they are cut off, estimated from the shoulders, below the photo."""
        times = np.clip(STANDING * self.wide / self.tall, LEAST_CUT, MOST_CUT) if self.cut else 1.0
        return self.top + float(times) * self.tall

    @property
    def eyes(self) -> float:
        """The row of the eyes, about as high as the photographer's camera."""
        return self.top + EYES * self.tall


def extent(alpha: F32) -> Extent | None:
    """The subject's extent; None if the matte is empty."""
    inside = alpha > 0.5
    widths = inside.sum(axis=1)
    rows = np.flatnonzero(widths)
    if not rows.size:
        return None
    margin = 0.01 * alpha.shape[0] + 1
    top, bottom = float(rows[0]), float(rows[-1] + 1)
    return Extent(top, bottom, bottom >= alpha.shape[0] - margin, float(np.percentile(widths[rows], 90)))


def planar(alpha: F32) -> F32:
    """Disparity from the matte alone: each person on a plane, the floor receding from the feet to the horizon.

    The horizon is placed at the subject's eyes (the photographer's camera is about as high). Each connected part of the
    matte is a person, unless it is small: a held object or a separate shoe stays with the nearest large part. People
    whose feet are higher in the photo stand farther away, by the floor's disparity. A part cut off by the lower edge is
    a person whose feet lie below the photo; all of these are nearest, at one distance. The floor in front of the feet
    is nearer than they are. Without a subject the floor starts at the lower edge.
    Limits: people whose mattes touch are one part; someone who sits or lies is assumed to stand.
    """
    a = require_unit_map("alpha", alpha)
    people, belongs, floor, feet = _geometry(a)
    background = np.broadcast_to(floor.at(_rows(len(a), len(belongs)))[:, None], a.shape)
    if not people:
        return np.array(background)
    subject = _planes(belongs, floor.at(np.array(feet)), a.shape)
    return a * subject + (1 - a) * background


def floor_behind(alpha: F32) -> F32:
    """(H,): the disparity of `planar`'s floor in each row, as a share of that of the nearest feet."""
    _, belongs, floor, feet = _geometry(alpha)
    return floor.at(_rows(len(alpha), len(belongs))) / floor.at(np.array([max(feet)]))


def _geometry(a: F32) -> "tuple[list[Extent], np.ndarray, _Floor, list[float]]":
    """The people, a map (h, w) of each pixel's person, the floor, and everybody's feet; rows are the map's."""
    small = resize_map(a, work_size(a.shape, WORK_PX))
    all_subject = a.min() > 0.5  # gives no information about where it stands
    people, belongs = ([], np.full(small.shape, -1)) if all_subject else parts_of(small)
    height = len(small)
    # All who are cut off by the lower edge are nearest, at one distance: too little of them shows to tell them apart.
    lowest = max((p.feet for p in people), default=float(height))
    feet = [lowest if p.cut else p.feet for p in people] or [lowest]
    floor = _floor(people or [Extent(0.25 * height, float(height), False, 0.0)], feet, height)
    return people, belongs, floor, feet


def _rows(count: int, height: int) -> np.ndarray:
    """The rows of a photo of `count` rows, in those of a map `height` high."""
    return (np.arange(count) + 0.5) * (height / count)


@dataclass(frozen=True, slots=True)
class _Floor:
    """Disparity of a level floor: the horizon's, rising linearly by `per_row` below it."""

    horizon: float
    per_row: float

    def at(self, rows: np.ndarray) -> F32:
        """Disparity at rows, (N,), which may lie below the photo."""
        rising = HORIZON_DISPARITY + (rows - self.horizon) * self.per_row
        return np.clip(rising, HORIZON_DISPARITY, 1).astype(np.float32)


def _floor(people: list[Extent], feet: list[float], height: int) -> _Floor:
    """The floor under these people, scaled so that the nearest feet, or the floor before them, have disparity 1."""
    horizon = float(np.average([p.eyes for p in people], weights=[p.tall**2 for p in people]))
    horizon = min([horizon, *(p.feet - LEAST_ABOVE * p.tall for p in people if not p.cut)])
    nearest = max(feet)
    subject = np.clip((nearest - horizon) / max(height - horizon, 1), LEAST_SUBJECT_DISPARITY, 1)
    return _Floor(horizon, float(subject - HORIZON_DISPARITY) / max(nearest - horizon, 1))


def strip_window(shape: tuple[int, ...]) -> np.ndarray:
    """A disk (side, side) that bridges strips up to `GAP` wide."""
    side = 2 * max(1, round(GAP * max(shape) / 2)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


def parts_of(alpha: F32) -> tuple[list[Extent], np.ndarray]:
    """The extents of the matte's large parts, and a map (H, W) of each pixel's part; -1 = none."""
    inside = alpha > 0.5
    closed = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_CLOSE, strip_window(alpha.shape))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    parts = parts.reshape(alpha.shape)
    if count < 2:
        return [], np.full(alpha.shape, -1)
    area, tall = (stats[1:, k].astype(float) for k in (cv2.CC_STAT_AREA, cv2.CC_STAT_HEIGHT))
    largest = int(np.argmax(area))
    large = np.flatnonzero((area >= SMALL_AREA * area[largest]) & (tall >= SMALL_HEIGHT * tall[largest])) + 1
    person = np.full(count, -1)
    person[large] = np.arange(len(large))
    own = person[parts]
    found = [extent((own == k).astype(np.float32)) for k in range(len(large))]
    around = nearest_value(own.astype(np.float32), own >= 0)
    away = cv2.distanceTransform((own < 0).astype(np.uint8), cv2.DIST_L2, 5).reshape(own.shape)
    loose = np.flatnonzero((own < 0) & (parts > 0))
    loose = loose[np.argsort(-away.flat[loose], kind="stable")]
    person[parts.flat[loose]] = around.flat[loose]  # the last one written is the nearest to its large part
    person[0] = -1
    return [e for e in found if e], np.where(inside, person[parts], -1)


def _planes(belongs: np.ndarray, disparities: F32, shape: tuple[int, ...]) -> F32:
    """(H, W): each part's disparity, continued around it without a seam, so that soft edges get their own part's."""
    inside = belongs >= 0
    plane = disparities[np.maximum(belongs, 0)]
    sure = cv2.dilate(inside.astype(np.uint8), np.ones((5, 5), np.uint8)).reshape(belongs.shape)
    filled = fill_holes(nearest_value(plane, inside), sure.astype(np.float32))
    return resize_map(filled, shape)
