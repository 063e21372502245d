"""Disparity cleaned along the matte."""

from dataclasses import dataclass

import cv2
import numpy as np

from wideopen.checks import F32, require_unit_map
from wideopen.ops.disparity.subject import subject_disparity
from wideopen.ops.fill import fill_holes
from wideopen.ops.guided import guided_filter
from wideopen.ops.resize import resize_map, work_size


@dataclass(frozen=True, slots=True, kw_only=True)
class MatteFilter:
    """Settings of `filter_along_matte`. The paper gives none; these are ours."""

    ring: float = 0.03  # width of M_large around the matte, as a fraction of the long side
    least_range: float = 0.06  # M_coarse: |d - mean| within max(this, 2 * the subject's spread)
    steep: float = 0.01  # a change of disparity per working pixel that no floor has: a smeared edge
    eps: float = 1e-3  # of the guided filter, in squared units of the matte
    work_px: int = 768  # long side at which regions are found; the result has the photo's size


def filter_along_matte(disparity: F32, alpha: F32, settings: MatteFilter | None = None) -> F32:
    """Replace the subject's disparity where it spills over the matte's edge (paper 3.2). Returns (H, W).

    M_coarse: pixels at the subject's disparity; M_large: the matte dilated. In M_coarse + M_large - M the disparity is
    replaced by its guided filter, guided by the matte. Where the matte is above 0.5 nothing changes.
    Ours: (1) pixels that may carry the spill (M_coarse in the ring, and slopes down to the background) have no say in
    the filter, so what replaces them is the background's disparity continued, not a mean of both; (2) only what lies
    in the ring is replaced, and nothing that is thicker than the ring: a held object, a table, a second person at the
    subject's disparity stay where they are; (3) nothing is pulled nearer than it was.
    Raises InvalidInput for maps of unlike sizes or outside [0, 1].
    """
    settings = settings or MatteFilter()
    d = require_unit_map("disparity", disparity)
    a = require_unit_map("alpha", alpha, like=d)
    size = work_size(d.shape, settings.work_px)
    small_d, small_a = resize_map(d, size), resize_map(a, size)
    regions = _spill(small_d, small_a, settings)
    if regions is None:
        return d
    suspect, trusted, ring_px = regions
    continued = fill_holes(small_d, trusted)
    smooth = guided_filter(
        small_a,
        continued,
        radius_px=ring_px,
        eps=settings.eps,
        confidence=(small_a <= 0.5).astype(np.float32),
    )
    share = resize_map(suspect.astype(np.float32), d.shape)
    replaced = d + share * np.minimum(resize_map(smooth, d.shape) - d, 0)
    return np.where(a > 0.5, d, replaced)


def _spill(d: F32, a: F32, settings: MatteFilter) -> tuple[np.ndarray, F32, int] | None:
    """Where disparity may have spilled from the subject, which pixels surely are background, and the ring in pixels.

    The first region reaches into the matte, so that at the photo's size the matte's own edge decides, not this one.
    """
    mean, spread = subject_disparity(d, a)
    inside = a > 0.5
    if np.isnan(mean) or inside.all():
        return None
    ring_px = max(2, round(settings.ring * max(d.shape)))
    near = np.abs(d - np.float32(mean)) <= np.float32(max(settings.least_range, 2 * spread))  # M_coarse
    ring = _dilate(a > 0.05, ring_px)  # M_large
    thick = _open(near & ~inside, (ring_px + 1) // 2)
    slope = cv2.morphologyEx(d, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).reshape(d.shape)
    smeared = (slope > settings.steep) & (d < np.float32(mean))
    suspect = ring & ~_dilate(thick, 1) & (near | smeared)
    trusted = ~suspect & ~inside & ~_dilate(thick, 2)
    if not trusted.any():
        return None
    return suspect | (inside & ~_dilate(thick, ring_px)), trusted.astype(np.float32), ring_px


def _disk(radius_px: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius_px + 1, 2 * radius_px + 1))


def _dilate(mask: np.ndarray, radius_px: int) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), _disk(radius_px)).astype(bool).reshape(mask.shape)


def _open(mask: np.ndarray, radius_px: int) -> np.ndarray:
    """What of the mask is at least 2 * radius + 1 thick; beyond the photo everything counts as inside."""
    kept = cv2.morphologyEx(
        mask.astype(np.uint8),
        cv2.MORPH_ERODE,
        _disk(radius_px),
        borderType=cv2.BORDER_CONSTANT,
        borderValue=1,
    )
    return _dilate(kept.reshape(mask.shape) > 0, radius_px) & mask
