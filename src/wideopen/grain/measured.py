"""What grain is: how strong at each brightness, how coarse, how colourful."""

from dataclasses import dataclass, replace

import numpy as np

from wideopen.checks import F32

CODES = 255.0
"""Strengths are told to users in 8-bit codes, and kept as fractions of white."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grain:
    """Noise of a photo in display-encoded values. Strength: the standard deviation of a channel."""

    strength: F32  # (N,) fraction of white, at the middles of N equal bins of brightness, the mean of the channels
    size_px: float = 0.0  # sigma of the Gaussian that white noise was smoothed with
    colour: float = 0.0  # [0, 1]: share of the variance that is not common to the three channels

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.strength.any())

    @property
    def codes(self) -> float:
        """Strength at mid grey, 8-bit codes; 0 = none."""
        middles = (np.arange(len(self.strength)) + 0.5) / len(self.strength)
        return float(np.interp(0.5, middles, self.strength)) * CODES

    def with_codes(self, codes: float) -> "Grain":
        """The same grain with another strength at mid grey; without any, fine grey grain alike at every brightness."""
        if self.codes == 0:
            return Grain(strength=np.full(1, codes / CODES, np.float32))
        return replace(self, strength=self.strength * np.float32(codes / self.codes))


NO_GRAIN = Grain(strength=np.zeros(1, np.float32))
