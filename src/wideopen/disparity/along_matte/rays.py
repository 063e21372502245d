"""Rays outward from the matte: how far its subject's disparity spills, and what lies behind.

Each pixel of the ring around the matte has a ray, from the matte's edge through it and on. Along it the disparity of
spill stays at the subject's or falls; the first place where it does neither is the spill's end, and the background's
disparity is read behind it. A ray on which it goes on for longer than spill does elsewhere around this subject meets a
thing at the subject's disparity: nothing there is spill. Ours. Lengths in pixels, maps (H, W) float32.
"""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32

Index = NDArray[np.signedinteger]
Mask = NDArray[np.bool_]
SLOPE_PX = 4  # the background's slope is read over this
BEYOND_PX = (1, 3, 5, 8, 11, 14)  # behind the end of the spill: where the background's colours are looked up


class Limits(Protocol):
    """What `march` needs of the filter's settings."""

    @property
    def near(self) -> float: ...  # noqa: D102
    @property
    def steep(self) -> float: ...  # noqa: D102
    @property
    def usual(self) -> float: ...  # noqa: D102
    @property
    def least_reach(self) -> float: ...  # noqa: D102
    @property
    def gap(self) -> float: ...  # noqa: D102


@dataclass(frozen=True, slots=True, eq=False)
class Rays:
    """N rays, one for each pixel (y, x) of the ring; T samples along each."""

    y: Index  # (N,)
    x: Index  # (N,)
    away_px: F32  # (N,) from the matte's edge to the pixel
    samples: Index  # (T, N) flat indices of pixels, 0.5, 1.5, ... from the matte's edge; cut at the photo's border
    root: Index  # (N,) flat index of a pixel at the matte's edge
    most: int  # of the samples, those that may be spill: twice the ring


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """What `march` found on each ray."""

    spilt: Mask  # (N,) the ray's own pixel carries the subject's disparity and should not
    known: Mask  # (N,) the background's disparity was found
    behind: F32  # (N,) it, continued to the ray's own pixel
    beyond: Index  # (K, N) flat indices of pixels of the background, behind the spill


def cast(edge: Mask, ring_px: int) -> Rays:
    """Rays for all pixels within `ring_px` of the mask `edge` (H, W), which has pixels inside and outside."""
    height, width = edge.shape
    away, into = (
        cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5).reshape(edge.shape) for mask in (~edge, edge)
    )
    # Smoothed: to a pixel close to the matte, its nearest pixel lies in one of a few directions only.
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


def march(rays: Rays, d: F32, edge: Mask, subject: F32, limits: Limits) -> Ends:
    """Where spill ends on each ray. `subject` (H, W): the subject's disparity, wherever a ray begins."""
    if not rays.y.size:
        return Ends(*(np.zeros(0, bool),) * 2, np.zeros(0, np.float32), np.zeros((len(BEYOND_PX), 0), np.intp))
    long_side, near = max(d.shape), np.float32(limits.near)
    along, top = np.take(d, rays.samples), np.take(subject, rays.root)  # (T, N), (N,)
    end = _first_not(_goes_on(along, top, near, np.float32(limits.steep / long_side))[: rays.most])
    blocked = np.take(edge, rays.samples[1:])
    gap = np.where(blocked.any(0), np.argmax(blocked, axis=0) + 1, len(along))
    at_edge = (rays.away_px < 1.5) & (end > 0) & (end < np.minimum(gap, rays.most))
    usual = float(np.median(end[at_edge])) if at_edge.any() else 0.0
    reach = np.clip(limits.usual * usual, limits.least_reach * long_side, (rays.most + 1) // 2)
    closed = end >= gap  # the gap between two parts of the subject, all of it at the subject's disparity
    spill = np.where(closed, gap <= limits.gap * reach, end <= reach) & (end > 0)
    tail = end + 1 + end // 4  # past the last, slow part of a fall
    behind = _behind(along, tail, rays.away_px, np.float32(limits.steep / long_side))
    known = ~closed & (tail < np.minimum(gap, len(along))) & (behind < top - near)
    beyond = rays.samples[np.minimum(tail + np.array(BEYOND_PX)[:, None], len(along) - 1), np.arange(len(tail))]
    return Ends(spill & (rays.away_px < tail) & (known | closed), known, behind, beyond)


def _goes_on(along: F32, top: F32, near: np.float32, steep: np.float32) -> Mask:
    """(T - 2, N): disparity is at the subject's, or below and falling."""
    here = along[:-2]
    return ((here >= top - near) | (here - along[2:] > 2 * steep)) & (here <= top + near)


def _first_not(going: Mask) -> Index:
    """(N,): how many of (T, N) are true before the first that is not."""
    return np.where(going.all(0), len(going), np.argmin(going, axis=0))


def _behind(along: F32, start: Index, away_px: F32, steep: np.float32) -> F32:
    """(N,): the disparity from `start` on, continued back to `away_px` along its own slope."""
    last, ray = len(along) - 1, np.arange(along.shape[1])
    first, second = np.minimum(start, last), np.minimum(start + SLOPE_PX, last)
    near, far = along[first, ray], along[second, ray]
    slope = np.clip((far - near) / np.maximum(second - first, 1), -steep / 2, steep / 2)
    return (near + slope * (away_px - first - np.float32(0.5))).astype(np.float32)
