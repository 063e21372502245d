"""What a photo records of its light above white: plain types here, computations in `hdr.standard`.

Reading a file needs only the types, not the libraries that the computations import.
"""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from wideopen.checks import F32, require

MOST_STOPS = 10.0  # limit of |L|. PQ ends 5.6 stops above white.

Channels = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GainMap:
    """How much brighter than its standard picture a photo was, see `hdr.standard`. InvalidInput if implausible."""

    log2: F32  # (h, w) or (h, w, 3), of any size: L
    offset_sdr: Channels = (0.0, 0.0, 0.0)
    offset_hdr: Channels = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        low, high = float(self.log2.min()), float(self.log2.max())
        within = f"gain map: expected gains within {MOST_STOPS:g} stops, found {low:g} to {high:g}"
        require(-MOST_STOPS <= low <= high <= MOST_STOPS, within)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hdr:
    """What a photo whose light exceeds white holds besides that light."""

    kind: str  # "Ultra HDR", "ISO 21496-1", "Apple gain map", "PQ", "HLG" or "floats"
    headroom: float  # the brightest light, in units of white
    gain: GainMap | None = None
    standard: NDArray[Any] | None = None  # (H, W, 3) codes of the standard picture, if there is a gain map
    bit_depth: int = 8  # of `standard`
    remade: bool = False  # whether `standard` and `gain` give the photo's light again: see `hdr.standard`

    @property
    def needs_light(self) -> bool:
        """Whether writing a result needs the photo's light, because it cannot be made again."""
        return self.gain is not None and not self.remade
