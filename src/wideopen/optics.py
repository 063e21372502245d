"""The lens in the pixels of one photo, and the circle of confusion that it gives."""

from dataclasses import dataclass, field

import numpy as np

from wideopen.checks import F32
from wideopen.lens import Aperture, Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class Optics:
    """The lens in the pixels of one photo."""

    focus_disparity: float
    focus_range: float = 0.0
    radius_px: float  # at a disparity difference of 1
    planes: int = 32
    aperture: Aperture = field(default_factory=Aperture)
    cat_eye: float = 0.0
    highlights: float = 0.0
    quality: Quality = "exact"


def signed_radius(disparity: F32, *, focus_disparity: float, focus_range: float, radius_px: float) -> F32:
    """Circle-of-confusion radius in pixels, + behind the focus: R * max(|d - focus| - range, 0), signed."""
    offset = np.float32(focus_disparity) - disparity
    return np.sign(offset) * np.maximum(np.abs(offset) - np.float32(focus_range), 0) * np.float32(radius_px)
