"""Disparity cleaned along the matte: where the subject's spills over its edge, the background's is continued.

Reference: the paper, 3.2 (see `filter_along_matte`). Ours is how spill is told from things that really are at the
subject's disparity: by rays (see `rays`), since spill begins at the matte and ends within a short way, about equally
short all around; and by the photo's colours (see `colours`), since spill shows the background's. Maps are (H, W)
float32 in [0, 1].
"""

from dataclasses import dataclass

import cv2
import numpy as np

from wideopen.arrays.fill import fill_holes, nearest_value
from wideopen.arrays.guided import guided_filter
from wideopen.arrays.resize import resize_map, work_size
from wideopen.checks import F32, require, require_rgb, require_unit_map
from wideopen.disparity.along_matte.colours import own_colour
from wideopen.disparity.along_matte.rays import cast, march
from wideopen.disparity.subject import subject_disparity

SOFT = 0.05  # a matte above this and not above 0.5 is hair or an edge: behind it the background is never seen alone


@dataclass(frozen=True, slots=True, kw_only=True)
class MatteFilter:
    """Settings of `filter_along_matte`; lengths are fractions of the long side. The paper gives none; these are ours,
    chosen on benchmarks/disparity_filter.py.
    """

    ring: float = 0.03  # width of M_large around the matte
    near: float = 0.06  # M_coarse: disparity within this of the subject's nearby
    steep: float = 4.0  # a fall of disparity, over one long side, that no floor has
    usual: float = 2.0  # what is wider than this many times the median spill is a thing, not spill
    least_reach: float = 0.008  # but what is no wider than this is spill; strands closer than twice this are one
    gap: float = 1.5  # a gap between parts of the subject is all spill up to this many times as wide
    guard: float = 0.006  # around things nothing is replaced
    unlike: float = 0.08  # a thing's colour differs from all background around by this (square root of light)
    unlike_natural: float = 2.5  # and by this many times what the background's pixels differ from one another
    vote: float = 0.005  # so say pixels within this,
    majority: float = 0.6  # by this majority
    eps: float = 1e-3  # of the guided filter, in squared units of the matte
    work_px: int = 768  # long side at which regions are found; the result has the photo's size


def filter_along_matte(disparity: F32, alpha: F32, rgb: F32 | None = None, settings: MatteFilter | None = None) -> F32:
    """Replace the subject's disparity where it spills over the matte's edge (paper 3.2). Returns (H, W).

    M_coarse: pixels at the subject's disparity; M_large: the matte dilated. In M_coarse + M_large - M the disparity is
    replaced by its guided filter, guided by the matte. Where the matte is above 0.5 nothing changes.
    Ours: (1) pixels that carry the spill have no say in the filter, so what replaces them is the background's
    disparity continued, not a mean of both; (2) only what begins at the matte and falls to the background within the
    ring is replaced: a held object, a table, a second person at the subject's disparity stay where they are, and so,
    given the photo `rgb` (H, W, 3) in linear light, does what has a colour of its own; (3) nothing is pulled nearer
    than it was.
    Raises InvalidInput for maps of unlike sizes or outside [0, 1].
    """
    settings = settings or MatteFilter()
    d = require_unit_map("disparity", disparity)
    a = require_unit_map("alpha", alpha, like=d)
    size = work_size(d.shape, settings.work_px)
    small_d, small_a = resize_map(d, size), resize_map(a, size)
    colour = None if rgb is None else _colour(rgb, d.shape, size)
    found = _spill(small_d, small_a, colour, settings)
    if found is None:
        return d
    spilt, continued = found
    replaced = resize_map(continued, d.shape)
    replaced -= d
    np.minimum(replaced, 0, out=replaced)
    replaced *= resize_map(spilt.astype(np.float32), d.shape)
    replaced += d
    return np.where(a > 0.5, d, replaced)


def _colour(rgb: F32, shape: tuple[int, ...], size: tuple[int, int]) -> F32:
    """The photo at `size`, in about equal steps to the eye: the square root of light."""
    photo = require_rgb("rgb", rgb)
    require(photo.shape[:2] == shape, f"rgb: expected (H, W, 3) of {shape}, found {photo.shape}")
    return np.sqrt(np.clip(resize_map(photo, size), 0, 1))


def _spill(d: F32, a: F32, colour: F32 | None, settings: MatteFilter) -> tuple[np.ndarray, F32] | None:
    """Where disparity has spilt from the subject, and the background's disparity continued into there.

    The first reaches into the matte, so that at the photo's size the matte's own edge decides, not this one.
    """
    inside = a > 0.5
    edge = _closed(a > SOFT, _pixels(settings.least_reach, d))
    if not inside.any() or edge.all():
        return None
    subject = _subject_around(d, inside, settings)
    rays = cast(edge, max(2, round(settings.ring * max(d.shape))))
    ends = march(rays, d, edge, subject, settings)
    spilt = _on_map(rays.y, rays.x, ends.spilt, d)
    if colour is not None:
        background = ~edge & ~spilt & (d < subject - np.float32(settings.near))
        spilt &= ~own_colour(colour, background, rays, ends, settings)
    at_subject = d[rays.y, rays.x] >= np.take(subject, rays.root) - np.float32(settings.near)
    in_front = (d > subject + np.float32(settings.near / 2)) & ~inside
    thing = _dilate((_on_map(rays.y, rays.x, at_subject, d) & ~spilt) | in_front, _pixels(settings.guard, d))
    spilt &= ~thing
    read = spilt & _on_map(rays.y, rays.x, ends.known, d)
    behind = d.copy()
    behind[rays.y, rays.x] = np.where(read[rays.y, rays.x], ends.behind, behind[rays.y, rays.x])
    unknown = edge | thing | (spilt & ~read)  # things have no say: the background passes behind them
    if unknown.all():
        return None
    thing |= edge & (nearest_value(thing.astype(np.float32), ~edge) > 0)  # hair and edges before a thing
    spilt |= edge & ~inside & ~thing
    continued = guided_filter(
        a,
        fill_holes(behind, (~unknown).astype(np.float32)),
        radius_px=_pixels(settings.ring / 6, d),
        eps=settings.eps,
        confidence=(~inside).astype(np.float32),
    )
    return spilt | (inside & _dilate(spilt, 2)), continued


def _subject_around(d: F32, inside: np.ndarray, settings: MatteFilter) -> F32:
    """(H, W): the disparity that the subject has where it is nearest.

    The highest within half a ring, so that its own blurred edge does not count; but not far above most of the subject,
    as things in front are whose blurred edges reach into it.
    """
    middle, spread = subject_disparity(d, inside.astype(np.float32))
    most = np.float32(middle + max(settings.near, 2 * spread))
    low = np.where(inside, np.minimum(d, most), np.float32(0))
    high = cv2.dilate(low, _disk(_pixels(settings.ring / 2, d))).reshape(d.shape)
    return nearest_value(high, inside)


def _pixels(length: float, like: F32) -> int:
    return max(1, round(length * max(like.shape)))


def _on_map(y: np.ndarray, x: np.ndarray, values: np.ndarray, like: F32) -> np.ndarray:
    out = np.zeros(like.shape, bool)
    out[y, x] = values
    return out


def _closed(mask: np.ndarray, radius_px: int) -> np.ndarray:
    """The mask with what lies between its strands and in its sharp corners."""
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, _disk(radius_px)).astype(bool).reshape(mask.shape)


def _disk(radius_px: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius_px + 1, 2 * radius_px + 1))


def _dilate(mask: np.ndarray, radius_px: int) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), _disk(radius_px)).astype(bool).reshape(mask.shape)
