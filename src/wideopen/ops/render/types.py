"""What the thin-lens operator takes: surfaces, and the lens in pixels."""

from dataclasses import dataclass, field

from wideopen.checks import F32
from wideopen.lens import Aperture, Quality


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sheet:
    """One surface: colour, coverage, and how near it is."""

    rgb: F32  # (H, W, 3) linear light, premultiplied with alpha
    alpha: F32 | None  # (H, W) coverage in [0, 1]; None = opaque everywhere
    disparity: F32  # (H, W) in [0, 1], defined everywhere, also where alpha is 0
    lamps: F32 | None = None  # (h, w) in [0, 1], of any size: see `ops.highlights`; None = lamps everywhere
    radiant: bool = False  # rgb holds measured light above white: see `ops.sheets.white`


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
