"""What the matte knows of depth that a small network does not: a subject is shallow, and what stands touches its floor.

Ours. Maps are (H, W) float32 in [0, 1], 1 = nearest; lengths are fractions of the long side.
"""

import cv2
import numpy as np

from wideopen.arrays.maps import enlarged_rows, fill_holes, in_strips, nearest_value, resize_map, work_size
from wideopen.checks import F32
from wideopen.disparity.planar import parts_of

KEPT = 0.2
"""Share of the network's relief that a subject keeps. Of 0.2, 0.35, 0.7 and 1, this one put the fewest pairs of pixels
in the wrong order, on phone photos, other photos and ray-traced scenes alike."""
RIM = 0.006  # at the edge of a subject the network's map already falls to the background
SMOOTH = 0.04  # standard deviation that is left of the relief
BELOW = 0.012  # the floor is read this far below the lowest pixels of what stands on it
SOLE = 0.08  # these are the lowest, as a share of its height
LEAST_TOUCH = 0.5  # a floor farther than this share of the subject's disparity is not what it stands on
MOST_TOUCH = 1.15  # nor is one nearer than this; it rises a little between the foot and where it is read
WORK_PX = 768


def shaped_by_matte(disparity: F32, alpha: F32) -> F32:
    """A network's disparity (H, W) with each part of the matte `alpha` (H, W) nearly flat, and standing on its floor.

    Inside, `KEPT` of the smoothed relief is left around each part's median, so that one focus holds all of a subject.
    Where the largest part ends above the photo's edges, the ground just below it is at its distance: all the background
    is brought there by one rising curve, so that its own order stays.
    """
    size = work_size(disparity.shape, WORK_PX)
    d, a = resize_map(disparity, size), resize_map(alpha, size)
    _, belongs = parts_of(a)
    if not (belongs >= 0).any():
        return disparity
    flat = _flattened(d, belongs)
    floor = _floor_and_foot(d, flat, a, belongs)
    out = np.empty_like(disparity)

    def shape(top: int, bottom: int) -> None:
        behind, share = disparity[top:bottom], alpha[top:bottom]
        if floor is not None:
            ground, foot = floor
            behind = np.interp(behind, (0, ground, 1), (0, foot, 1)).astype(np.float32)
        out[top:bottom] = behind + share * (enlarged_rows(flat, disparity.shape, top, bottom) - behind)

    in_strips(shape, 0, len(out))
    return out


def _flattened(d: F32, belongs: np.ndarray) -> F32:
    """(h, w): the smoothed relief of each part, most of it taken away; continued around the parts."""
    long_side = max(d.shape)
    inside = belongs >= 0
    margin = np.ones((2 * round(RIM * long_side) + 1,) * 2, np.uint8)
    flat = d.copy()
    for part in range(belongs.max() + 1):
        own = (belongs == part).astype(np.uint8)
        sure = cv2.erode(own, margin, borderValue=1).astype(bool)
        sure = sure if sure.any() else own.astype(bool)
        weight = sure.astype(np.float32)
        relief, mass = (cv2.GaussianBlur(x, (0, 0), SMOOTH * long_side) for x in (d * weight, weight))
        middle = np.float32(np.median(d[sure]))
        smooth = np.where(mass > 1e-3, relief / np.maximum(mass, 1e-3), middle)
        flat = np.where(own, middle + np.float32(KEPT) * (smooth - middle), flat)
    around = cv2.dilate(inside.astype(np.uint8), np.ones((5, 5), np.uint8))
    return fill_holes(nearest_value(flat, inside), around.astype(np.float32))


def _floor_and_foot(d: F32, flat: F32, a: F32, belongs: np.ndarray) -> tuple[float, float] | None:
    """Disparity of the ground just below the largest part, and of the flat part there; None if it stands on nothing.

    Ground that the network has well before the part's foot is not what it stands on.
    """
    rows, columns = np.nonzero(belongs == np.bincount(belongs[belongs >= 0]).argmax())
    height, width = d.shape
    if min(columns.min(), width - 1 - columns.max(), height - 1 - rows.max()) < 1:
        return None  # cut off by an edge of the photo
    soles = np.full(width, -1)
    np.maximum.at(soles, columns, rows)
    column = np.flatnonzero(soles >= rows.max() - SOLE * (rows.max() - rows.min()))
    gap = max(2, round(BELOW * max(d.shape)))
    below, above = np.minimum(soles[column] + gap, height - 1), np.maximum(soles[column] - gap, 0)
    seen = a[below, column] < 0.05
    if not seen.any():
        return None
    ground = float(np.median(d[below, column][seen]))
    foot, flat_foot = (float(np.median(x[above, column])) for x in (d, flat))
    return (ground, flat_foot) if LEAST_TOUCH * flat_foot <= ground < max(flat_foot, MOST_TOUCH * foot) else None
