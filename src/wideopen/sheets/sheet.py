"""What the thin lens renders: surfaces."""

from dataclasses import dataclass

from wideopen.checks import F32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sheet:
    """One surface: colour, coverage, and how near it is."""

    rgb: F32  # (H, W, 3) linear light, premultiplied with alpha
    alpha: F32 | None  # (H, W) coverage in [0, 1]; None = opaque everywhere
    disparity: F32  # (H, W) in [0, 1], defined everywhere, also where alpha is 0
    lamps: F32 | None = None  # (h, w) in [0, 1], of any size: see `sheets.highlights`; None = lamps everywhere
    radiant: bool = False  # rgb holds measured light above white: see `sheets.white`
