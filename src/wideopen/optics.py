"""The lens in the pixels of one photo, and its circle of confusion."""

from dataclasses import dataclass, field, replace

import numpy as np

from wideopen.checks import F32
from wideopen.lens import Aperture, Lens, LensOptions
from wideopen.options import option, options_of

BRIGHT_RIM = ((1.0, 2.2), (0.93, 0.8), (0.84, 0.0))
"""A soap bubble: outer radius of each shell, and what it is brighter than the middle by, at full strength."""
SOFT_RIM = ((1.0, 0.85), (0.87, 0.55), (0.71, 0.3), (0.54, 0.1), (0.36, 0.0))
"""A creamy disk: outer radius of each shell, and what it is darker than the middle by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pupil:
    """How a point out of focus is drawn: the aperture's shape, and its brightness from the middle to the rim."""

    aperture: Aperture = field(default_factory=Aperture)
    rim: float = 0.0
    ring: float = 0.0
    squeeze: float = 1.0
    squeeze_deg: float = 0.0

    def disks(self, *, behind: bool) -> tuple[tuple[float, float], ...]:
        """(scale, weight) of concentric shapes whose sum is the pupil, largest first.

        Spherical aberration that gathers light at the rim behind the focus takes it from there before the focus.
        """
        rim = self.rim if behind else -self.rim
        shells = BRIGHT_RIM if rim > 0 else SOFT_RIM
        levels = [(scale, 1 + rim * level) for scale, level in shells if scale > self.ring] if rim else [(1.0, 1.0)]
        if self.ring:
            levels.append((self.ring, 0.0))
        outside = [0.0, *(level for _, level in levels)]
        return tuple((scale, level - beyond) for (scale, level), beyond in zip(levels, outside, strict=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Optics(LensOptions):
    """The lens in the pixels of one photo."""

    focus_disparity: float = option(help="What lies at this disparity is sharp.", least=-1, most=2)
    focus_range: float = option(0.0, help="Half-width in disparity that stays sharp.", least=0, most=2)
    radius_px: float = option(help="Blur radius at a disparity difference of 1, in pixels.", least=0)

    @property
    def pupil(self) -> Pupil:
        """How this lens draws a point out of focus."""
        return Pupil(
            aperture=self.aperture, rim=self.rim, ring=self.ring, squeeze=self.squeeze, squeeze_deg=self.squeeze_deg
        )

    def by_colour(self) -> tuple[tuple["Optics", tuple[int, ...]], ...]:
        """The lens for each group of colour channels: with fringes, green is focused a little nearer than red and blue.

        What is within the focus range stays sharp in all of them.
        """
        if self.fringes == 0:
            return ((self, (0, 1, 2)),)
        apart = self.fringes / 2
        wide, focus = replace(self, focus_range=self.focus_range + apart, fringes=0.0), self.focus_disparity
        green, others = (replace(wide, focus_disparity=focus + shift) for shift in (apart, -apart))
        return (green, (1,)), (others, (0, 2))

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
