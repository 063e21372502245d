"""The lens in the pixels of one photo, and its circle of confusion."""

from dataclasses import dataclass

import numpy as np

from wideopen.checks import F32
from wideopen.lens import Lens, LensOptions
from wideopen.options import option, options_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Optics(LensOptions):
    """The lens in the pixels of one photo."""

    focus_disparity: float = option(help="What lies at this disparity is sharp.", least=0, most=1)
    focus_range: float = option(0.0, help="Half-width in disparity that stays sharp.", least=0, most=1)
    radius_px: float = option(help="Blur radius at a disparity difference of 1, in pixels.", least=0)

    def signed_radius(self, disparity: F32) -> F32:
        """Circle-of-confusion radius in pixels, + behind the focus: R * max(|d - focus| - range, 0), signed."""
        offset = np.float32(self.focus_disparity) - disparity
        beyond = np.maximum(np.abs(offset) - np.float32(self.focus_range), 0)
        return np.sign(offset) * beyond * np.float32(self.radius_px)


def optics_of(lens: Lens, long_side_px: int) -> Optics:
    """`lens` for a photo whose long side is `long_side_px`; the paper look scales the radius by its own constant."""
    scale = lens.constants.radius_scale if lens.look == "paper" else 1.0
    return Optics(
        focus_disparity=lens.focus_disparity,
        focus_range=lens.focus_range,
        radius_px=lens.max_radius * long_side_px * scale,
        **{one.name: getattr(lens, one.name) for one in options_of(LensOptions)},
    )
