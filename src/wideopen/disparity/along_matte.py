"""Correct disparity along the matte: where the subject's disparity spills over its edge, continue the background's.

Reference: the paper, 3.2 (see `filter_along_matte`). Ours: the tests that distinguish spill from objects that really
are at the subject's disparity.
By rays (`march`): a ray runs from the matte's edge through each pixel of the ring around the matte, and on. Along spill
the disparity stays at the subject's or falls. The spill ends at the first sample where it does neither, and the
background's disparity is read behind that sample. If a ray's spill is much longer than is usual around this subject,
the ray has hit an object at the subject's disparity, and nothing on it is spill.
By colours (`own_colour`): spill shows the background's colours; an object has its own. A cap that a matte misses, a
stick along an arm, and the rim of a box behind a hand are as narrow as spill.
Lengths are in pixels; maps are (H, W) float32 in [0, 1].
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wideopen.arrays.maps import (
    enlarged_rows,
    fill_holes,
    guided_filter,
    in_strips,
    nearest_value,
    resize_map,
    work_size,
)
from wideopen.checks import F32, Mask, require, require_rgb, require_unit_map
from wideopen.disparity.depth_map import subject_disparity

Index = NDArray[np.signedinteger]
SLOPE_PX = 4  # length over which the background's slope is measured
BEYOND_PX = (1, 3, 5, 8, 11, 14)  # where the background's colours are sampled, behind the end of the spill
SOFT = 0.05  # a matte in (this, 0.5] is hair or an edge, where the background is never visible alone
AROUND = tuple(
    (r * np.sin(t), r * np.cos(t)) for r in (0.7, 1.2, 1.7) for t in np.linspace(0, 2 * np.pi, 12, endpoint=False)
)
"""Further offsets at which the background's colours are sampled, (y, x) in ring widths."""
# Lengths are fractions of the long side. The paper gives none; these were chosen on benchmarks/disparity_filter.py.
RING = 0.03  # width of M_large around the matte
NEAR = 0.06  # M_coarse: disparity within this of the subject's nearby
STEEP = 4.0  # a drop of disparity per long side that is too steep for a floor
USUAL = 2.0  # wider than this many times the median spill is an object, not spill
LEAST_REACH = 0.008  # up to this width it is always spill; strands closer than twice this are merged
GAP = 1.5  # a gap between parts of the subject is all spill if at most this many times as wide
GUARD = 0.006  # margin around objects in which nothing is replaced
UNLIKE = 0.08  # an object's colour differs by more than this from all background near it (root of light)
UNLIKE_NATURAL = 2.5  # and by more than this many times the differences among the background's pixels
VOTE = 0.005  # pixels within this radius vote on it
MAJORITY = 0.6  # it is an object if more than this share votes so
EPS = 1e-3  # regularisation of the guided filter, in squared units of the matte
WORK_PX = 768  # long side at which regions are found; the result has the photo's size


@dataclass(frozen=True, slots=True, eq=False)
class Rays:
    """N rays, one for each pixel (y, x) of the ring; T samples along each."""

    y: Index  # (N,)
    x: Index  # (N,)
    away_px: F32  # (N,) distance from the matte's edge to the pixel
    samples: Index  # (T, N) flat indices of pixels, 0.5, 1.5, ... from the matte's edge; cut at the photo's border
    root: Index  # (N,) flat index of a pixel at the matte's edge
    most: int  # number of samples that may be spill: twice the ring


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """The results of `march` for each ray."""

    spilt: Mask  # (N,) the ray's own pixel wrongly has the subject's disparity
    known: Mask  # (N,) the background's disparity was found
    behind: F32  # (N,) the background's disparity, continued to the ray's own pixel
    beyond: Index  # (K, N) flat indices of background pixels behind the spill


def cast(edge: Mask, ring_px: int) -> Rays:
    """Rays for all pixels within `ring_px` of the mask `edge` (H, W), which must have pixels inside and outside."""
    height, width = edge.shape
    away, into = (
        cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5).reshape(edge.shape) for mask in (~edge, edge)
    )
    # Smoothed, because the direction from a pixel near the matte to its nearest matte pixel takes only a few values.
    signed = np.minimum(away, 2 * ring_px) - np.minimum(into, 2 * ring_px)
    signed = cv2.GaussianBlur(signed, (0, 0), max(1, ring_px / 8)).reshape(edge.shape)
    y, x = np.nonzero((away > 0) & (away <= ring_px))
    dy, dx = (np.gradient(signed, axis=k)[y, x] if edge.shape[k] > 1 else np.zeros(len(y)) for k in (0, 1))
    norm = np.maximum(np.hypot(dy, dx), 1e-3)
    dy, dx, away_px = (dy / norm).astype(np.float32), (dx / norm).astype(np.float32), away[y, x]

    def at(along: F32) -> Index:
        row = np.clip(np.rint(y + dy * (along - away_px)), 0, height - 1).astype(np.int32)
        return row * width + np.clip(np.rint(x + dx * (along - away_px)), 0, width - 1).astype(np.int32)

    most = 2 * ring_px
    along = np.arange(0.5, most + SLOPE_PX + 2, dtype=np.float32)[:, None]  # (T, 1)
    return Rays(y=y, x=x, away_px=away_px, samples=at(along), root=at(np.zeros(1, np.float32)), most=most)


def march(rays: Rays, d: F32, edge: Mask, subject: F32) -> Ends:
    """Find where the spill ends on each ray. `subject` (H, W): the subject's disparity, wherever a ray begins."""
    if not rays.y.size:
        return Ends(*(np.zeros(0, bool),) * 2, np.zeros(0, np.float32), np.zeros((len(BEYOND_PX), 0), np.intp))
    long_side, near = max(d.shape), np.float32(NEAR)
    along, top = np.take(d, rays.samples), np.take(subject, rays.root)  # (T, N), (N,)
    here, steep = along[:-2], np.float32(STEEP / long_side)
    # Spill is at the subject's disparity, or below it and falling; it ends at the first sample that is neither.
    going = (((here >= top - near) | (here - along[2:] > 2 * steep)) & (here <= top + near))[: rays.most]
    end = np.where(going.all(0), len(going), np.argmin(going, axis=0))
    blocked = np.take(edge, rays.samples[1:])
    gap = np.where(blocked.any(0), np.argmax(blocked, axis=0) + 1, len(along))
    at_edge = (rays.away_px < 1.5) & (end > 0) & (end < np.minimum(gap, rays.most))
    usual = float(np.median(end[at_edge])) if at_edge.any() else 0.0
    reach = np.clip(USUAL * usual, LEAST_REACH * long_side, (rays.most + 1) // 2)
    closed = end >= gap  # the gap between two parts of the subject, all of it at the subject's disparity
    spill = np.where(closed, gap <= GAP * reach, end <= reach) & (end > 0)
    tail = end + 1 + end // 4  # past the last, slow part of a fall
    behind = _behind(along, tail, rays.away_px, steep)
    known = ~closed & (tail < np.minimum(gap, len(along))) & (behind < top - near)
    beyond = rays.samples[np.minimum(tail + np.array(BEYOND_PX)[:, None], len(along) - 1), np.arange(len(tail))]
    return Ends(spill & (rays.away_px < tail) & (known | closed), known, behind, beyond)


def _behind(along: F32, start: Index, away_px: F32, steep: np.float32) -> F32:
    """(N,): the disparity from sample `start` on, extrapolated back to `away_px` along its own slope."""
    last, ray = len(along) - 1, np.arange(along.shape[1])
    first, second = np.minimum(start, last), np.minimum(start + SLOPE_PX, last)
    near, far = along[first, ray], along[second, ray]
    slope = np.clip((far - near) / np.maximum(second - first, 1), -steep / 2, steep / 2)
    return (near + slope * (away_px - first - np.float32(0.5))).astype(np.float32)


def own_colour(colour: F32, background: Mask, rays: Rays, ends: Ends) -> Mask:
    """(H, W): where apparent spill has a colour (H, W, 3) that the background nearby does not have.

    Each pixel is compared with the most similar of many certain `background` (H, W) pixels in a wide neighbourhood,
    relative to how much neighbours behind the spill differ. Then all pixels within a small radius vote.
    """
    height, width = background.shape
    ask = np.flatnonzero(ends.spilt & ends.known)
    y, x = rays.y[ask], rays.x[ask]
    own = colour[y, x]  # (M, 3)
    behind = colour.reshape(-1, 3)[ends.beyond[:, ask]]  # (K, M, 3)
    unlike = np.abs(behind - own).max(-1).min(0)  # (M,)
    for dy, dx in AROUND:
        step = RING * max(height, width)
        there = (np.clip(y + round(step * dy), 0, height - 1), np.clip(x + round(step * dx), 0, width - 1))
        found = np.where(background[there], np.abs(colour[there] - own).max(-1), np.float32(np.inf))
        unlike = np.minimum(unlike, found)
    natural = np.abs(behind[1:] - behind[:-1]).max(-1).mean(0)
    asked, so = np.zeros((2, height, width), np.float32)
    asked[y, x] = 1
    so[y, x] = unlike > np.maximum(UNLIKE, UNLIKE_NATURAL * natural)
    side = 2 * max(1, round(VOTE * max(height, width))) + 1
    all_votes, votes = (cv2.boxFilter(v, -1, (side, side), normalize=False).reshape(v.shape) for v in (asked, so))
    return (votes > np.float32(MAJORITY) * all_votes) & (all_votes > 0)


def filter_along_matte(disparity: F32, alpha: F32, rgb: F32 | None = None, *, in_place: bool = False) -> F32:
    """Replace the subject's disparity where it spills over the matte's edge (paper 3.2). Returns (H, W).

    M_coarse: pixels at the subject's disparity; M_large: the matte dilated. In M_coarse + M_large - M the disparity is
    replaced by its guided filter, guided by the matte. Where the matte is above 0.5 nothing changes.
    Ours: (1) pixels that carry the spill have weight 0 in the filter, so they are replaced by the background's
    disparity, continued, not by a mean of both; (2) only disparity that begins at the matte and falls to the
    background's within the ring is replaced: a held object, a table, or a second person at the subject's disparity
    keeps its disparity, and so, given the photo `rgb` (H, W, 3) in linear light, does anything with a colour of its
    own; (3) nothing is moved nearer than it was.
    in_place: whether `disparity` may be changed and returned.
    Raises InvalidInput for maps of different sizes or outside [0, 1].
    """
    d = require_unit_map("disparity", disparity)
    a = require_unit_map("alpha", alpha, like=d)
    size = work_size(d.shape, WORK_PX)
    small_d, small_a = resize_map(d, size), resize_map(a, size)
    colour = None if rgb is None else _colour(rgb, d.shape, size)
    found = _spill(small_d, small_a, colour)
    if found is None:
        return d
    spilt, continued = found[0].astype(np.float32), np.clip(found[1], 0, 1)  # a local linear fit may overshoot
    used = np.flatnonzero(spilt.any(axis=1))
    if not used.size:
        return d
    first, last = ((used[0] - 1) * d.shape[0] // size[0], -(-(used[-1] + 2) * d.shape[0] // size[0]))
    out = d if in_place else d.copy()

    def replace_in(top: int, bottom: int) -> None:
        here = np.s_[top:bottom]
        change = np.minimum(enlarged_rows(continued, d.shape, top, bottom) - d[here], 0)
        change *= enlarged_rows(spilt, d.shape, top, bottom)
        change[a[here] > 0.5] = 0
        out[here] += change

    in_strips(replace_in, max(0, int(first)), min(int(last), d.shape[0]))
    return out


def _colour(rgb: F32, shape: tuple[int, ...], size: tuple[int, int]) -> F32:
    """The photo at `size`, in roughly perceptually uniform steps: the square root of light."""
    require(rgb.shape[:2] == shape, f"rgb: expected (H, W, 3) of {shape}, found {rgb.shape}")
    return np.sqrt(np.clip(require_rgb("rgb", resize_map(rgb, size)), 0, 1))  # an average shows what is not finite


def _spill(d: F32, a: F32, colour: F32 | None) -> tuple[np.ndarray, F32] | None:
    """Where disparity has spilt from the subject, and the background's disparity continued into that region.

    The region extends into the matte, so that the full-size matte's edge is the limit, not this small one's.
    """
    inside = a > 0.5
    edge = _closed(a > SOFT, _pixels(LEAST_REACH, d))
    if not inside.any() or edge.all():
        return None
    subject = _subject_around(d, inside)
    rays = cast(edge, max(2, round(RING * max(d.shape))))
    ends = march(rays, d, edge, subject)
    spilt = _on_map(rays.y, rays.x, ends.spilt, d)
    if colour is not None:
        background = ~edge & ~spilt & (d < subject - np.float32(NEAR))
        spilt &= ~own_colour(colour, background, rays, ends)
    at_subject = d[rays.y, rays.x] >= np.take(subject, rays.root) - np.float32(NEAR)
    in_front = (d > subject + np.float32(NEAR / 2)) & ~inside
    thing = _dilate((_on_map(rays.y, rays.x, at_subject, d) & ~spilt) | in_front, _pixels(GUARD, d))
    spilt &= ~thing
    read = spilt & _on_map(rays.y, rays.x, ends.known, d)
    behind = d.copy()
    behind[rays.y, rays.x] = np.where(read[rays.y, rays.x], ends.behind, behind[rays.y, rays.x])
    unknown = edge | thing | (spilt & ~read)  # objects are ignored: the background passes behind them
    if unknown.all():
        return None
    thing |= edge & (nearest_value(thing.astype(np.float32), ~edge) > 0)  # hair and edges in front of an object
    spilt |= edge & ~inside & ~thing
    continued = guided_filter(
        a,
        fill_holes(behind, (~unknown).astype(np.float32)),
        radius_px=_pixels(RING / 6, d),
        eps=EPS,
        confidence=(~inside).astype(np.float32),
    )
    return spilt | (inside & _dilate(spilt, 2)), continued


def _subject_around(d: F32, inside: np.ndarray) -> F32:
    """(H, W): the subject's disparity where it is nearest.

    The highest within half a ring, so that the subject's own blurred edge does not count; but not far above most of the
    subject, because objects in front have blurred edges that reach into it.
    """
    middle, spread = subject_disparity(d, inside.astype(np.float32))
    most = np.float32(middle + max(NEAR, 2 * spread))
    low = np.where(inside, np.minimum(d, most), np.float32(0))
    high = cv2.dilate(low, _disk(_pixels(RING / 2, d))).reshape(d.shape)
    return nearest_value(high, inside)


def _pixels(length: float, like: F32) -> int:
    return max(1, round(length * max(like.shape)))


def _on_map(y: np.ndarray, x: np.ndarray, values: np.ndarray, like: F32) -> np.ndarray:
    out = np.zeros(like.shape, bool)
    out[y, x] = values
    return out


def _closed(mask: np.ndarray, radius_px: int) -> np.ndarray:
    """The mask, with the space between its strands and in its sharp corners filled."""
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, _disk(radius_px)).astype(bool).reshape(mask.shape)


def _disk(radius_px: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius_px + 1, 2 * radius_px + 1))


def _dilate(mask: np.ndarray, radius_px: int) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), _disk(radius_px)).astype(bool).reshape(mask.shape)
