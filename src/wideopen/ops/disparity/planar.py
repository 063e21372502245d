"""Disparity from the matte alone. Maps are (H, W) float32 in [0, 1], 1 = nearest."""

from dataclasses import dataclass

import numpy as np

from wideopen.checks import F32, require_unit_map

SUBJECT_DISPARITY = 1.0
HORIZON_DISPARITY = 0.05


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a subject stands in its photo, in pixels."""

    top: float
    bottom: float
    cut: bool  # the lower edge of the photo cuts it off: its feet lie below


def extent(alpha: F32) -> Extent | None:
    """The subject's extent; None when the matte is empty."""
    rows = np.flatnonzero((alpha > 0.5).sum(axis=1) > 0)
    if not rows.size:
        return None
    margin = 0.01 * alpha.shape[0] + 1
    return Extent(float(rows[0]), float(rows[-1] + 1), bool(rows[-1] + 1 >= alpha.shape[0] - margin))


def planar(alpha: F32) -> F32:
    """Disparity from the matte alone: the subject on a plane, the floor receding from its feet to the horizon.

    Ours. On a level floor under a pin-hole, disparity is linear in the image row, from the subject's own at its feet
    to 0 at the horizon; above lies the far background. The horizon is put at the subject's eyes (15% below its top:
    the photographer's camera is about as high). A subject cut off by the lower edge is taken for a head and
    shoulders, 2.5 of which make the standing height, so the floor lies below the photo. With no subject the floor
    starts at the lower edge.
    """
    a = require_unit_map("alpha", alpha)
    height = a.shape[0]
    if a.min() > 0.5:
        a = np.zeros_like(a)  # a matte of everything says nothing about where the subject is
    found = extent(a) or Extent(0.25 * height, float(height), False)
    tall = found.bottom - found.top
    eyes = found.top + 0.15 * tall
    feet = found.top + tall * (2.5 if found.cut else 1.0)
    y = np.arange(height, dtype=np.float32) + np.float32(0.5)
    floor = np.clip((y - eyes) / max(feet - eyes, 1.0), 0, 1)
    row = np.float32(HORIZON_DISPARITY) + np.float32(SUBJECT_DISPARITY - HORIZON_DISPARITY) * floor
    background = np.broadcast_to(row[:, None], a.shape)
    return (background + a * (np.float32(SUBJECT_DISPARITY) - background)).astype(np.float32)
