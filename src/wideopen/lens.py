"""What the photographer chooses: aperture, blur, focus, look.

Frozen dataclasses, checked when made. The command line's text forms (`polygon:6@15`, `2.5%`) are parsed here too,
so that every edge (command, page, service) understands the same words.
"""

import math
import re
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Literal, Protocol, get_args

from wideopen.checks import require
from wideopen.errors import InvalidInput

Look = Literal["thin-lens", "paper"]
LOOKS: tuple[str, ...] = get_args(Look)
Quality = Literal["exact", "fast"]
QUALITIES: tuple[str, ...] = get_args(Quality)
MAX_RADIUS = 0.25
"""Largest blur radius we render, as a fraction of the long side."""
MAX_GRAIN = 32.0
"""Strongest grain we add, in 8-bit codes."""


def _finite(name: str, value: object) -> None:
    number = not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)
    require(number, f"{name}: expected a finite number, found {value!r}")


def _whole(name: str, value: object) -> None:
    require(
        not isinstance(value, bool) and isinstance(value, Integral), f"{name}: expected a whole number, found {value!r}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Aperture:
    """The shape of a blurred point: a disk, or a regular polygon inscribed in it, with straight or bulging sides."""

    blades: int = 0
    """0 = disk, else the number of sides, 3 to 16."""
    rotation_deg: float = 0.0
    """Turns the polygon counter-clockwise; at 0 a corner points up."""
    curvature: float = 0.0
    """How far the polygon's sides bulge, [0, 1]: 0 = straight, 1 = the circle through its corners."""

    def __post_init__(self) -> None:
        _whole("blades", self.blades)
        require(
            self.blades == 0 or 3 <= self.blades <= 16,
            f"blades: expected 0 (disk) or 3 to 16, found {self.blades}",
        )
        _finite("rotation_deg", self.rotation_deg)
        _finite("curvature", self.curvature)
        require(0 <= self.curvature <= 1, f"curvature: expected [0, 1], found {self.curvature}")

    @classmethod
    def parse(cls, text: str) -> "Aperture":
        """`disk`, `polygon:6`, `polygon:6@15` (degrees) or `polygon:6@15~0.4` (curvature).

        >>> Aperture.parse("polygon:6@15~0.4")
        Aperture(blades=6, rotation_deg=15.0, curvature=0.4)
        """
        if text == "disk":
            return cls()
        match = re.fullmatch(r"polygon:(\d{1,3})(?:@(-?\d+(?:\.\d+)?))?(?:~(\d+(?:\.\d+)?|\.\d+))?", text)
        if match is None:
            raise InvalidInput(f"aperture: expected disk or polygon:SIDES[@DEGREES][~CURVATURE], found {text!r}")
        blades = int(match[1])
        require(3 <= blades <= 16, f"aperture: expected 3 to 16 sides, found {text!r}")
        curvature = float(match[3] or 0)
        require(curvature <= 1, f"aperture: expected a curvature in [0, 1], found {text!r}")
        return cls(blades=blades, rotation_deg=float(match[2] or 0), curvature=curvature)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperLook:
    """Constants of Eqs. (3) and (4). The paper does not publish its values (supplement); these are ours.

    sigma follows from the lens, 1 / sigma = radius_scale * radius at disparity difference 1, so that a blur means the
    same in both looks.
    """

    radius_scale: float = 1.0  # Eq. (3); above 1 it makes up for how little Eq. (5) shows of a plane's own blur
    delta: float = 0.0  # Eq. (3), pixels added before the floor
    a1: float = 1.0  # Eq. (4)
    b1: float = 0.0
    a2: float = 1.0
    b2: float = 0.0
    alpha1: float = 4.0
    alpha2: float = 4.0

    def __post_init__(self) -> None:
        for name in ("delta", "a1", "b1", "a2", "b2"):
            _finite(name, getattr(self, name))
        _finite("radius_scale", self.radius_scale)
        found = f"found {self.radius_scale}"
        require(0 < self.radius_scale <= 10, f"radius_scale: expected a number in (0, 10], {found}")
        require(self.a2 != 0, "a2: expected a number other than 0, found 0")
        for name in ("alpha1", "alpha2"):
            value = getattr(self, name)
            _finite(name, value)
            require(0 < value <= 32, f"{name}: expected a number in (0, 32], found {value}")

    @classmethod
    def with_highlights(cls, strength: float) -> "PaperLook":
        """Both exponents 1 + 3 * strength: 0 is the plain average, which the paper calls dull; 1 the default."""
        return cls(alpha1=1 + 3 * strength, alpha2=1 + 3 * strength)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """One setting of the lens. Every field can change between two renders of the same scene.

    >>> Lens(focus_disparity=0.8, max_radius=0.02).max_radius
    0.02
    """

    focus_disparity: float
    """[0, 1]: what lies at this disparity is sharp."""
    max_radius: float = 0.024
    """Blur radius at a disparity difference of 1, as a fraction of the long side."""
    focus_range: float = 0.0
    """Half-width in disparity around the focus that stays sharp; the blur grows from its edge. Unused by `paper`."""
    look: Look = "thin-lens"
    planes: int = 32
    """Number of planes, 2 to 256."""
    aperture: Aperture = field(default_factory=Aperture)
    cat_eye: float = 0.0
    """[0, 1]: how much the barrel cuts the aperture towards the corners; at 1 by a disk one radius off."""
    highlights: float = 1.0
    """0 = none; how much radiance is given back to what the photo clipped at white."""
    quality: Quality = "fast"
    """exact, or fast: radii from 32 pixels on are blurred at a lower resolution; see docs/performance.md."""
    grain: float | None = 0.0
    """Grain put back where the blur took it, standard deviation in 8-bit codes at mid grey; None = the photo's own.

    Off unless asked for: a lens adds none, and pictures that are compared with an exact lens must have none.
    """
    paper: PaperLook | None = None
    """Constants of the `paper` look; None = `PaperLook.with_highlights(highlights)`."""

    def __post_init__(self) -> None:
        for name in ("focus_disparity", "max_radius", "focus_range", "cat_eye", "highlights"):
            _finite(name, getattr(self, name))
        _whole("planes", self.planes)
        require(isinstance(self.aperture, Aperture), f"aperture: expected an Aperture, found {self.aperture!r}")
        require(
            0 <= self.focus_disparity <= 1,
            f"focus_disparity: expected [0, 1], found {self.focus_disparity}",
        )
        require(
            0 <= self.max_radius <= MAX_RADIUS,
            f"max_radius: expected 0 to {MAX_RADIUS} of the long side, found {self.max_radius:g}",
        )
        require(0 <= self.focus_range <= 1, f"focus_range: expected [0, 1], found {self.focus_range}")
        require(self.look in LOOKS, f"look: expected {' or '.join(LOOKS)}, found {self.look!r}")
        require(2 <= self.planes <= 256, f"planes: expected 2 to 256, found {self.planes}")
        require(self.quality in QUALITIES, f"quality: expected one of {', '.join(QUALITIES)}, found {self.quality!r}")
        if self.grain is not None:
            _finite("grain", self.grain)
            require(0 <= self.grain <= MAX_GRAIN, f"grain: expected None or 0 to {MAX_GRAIN:g}, found {self.grain}")
        require(0 <= self.cat_eye <= 1, f"cat_eye: expected [0, 1], found {self.cat_eye}")
        require(0 <= self.highlights <= 10, f"highlights: expected 0 to 10, found {self.highlights}")


def parse_blur(text: str, long_side_px: int) -> float:
    """Blur radius as a fraction of the long side, from `40px` or `2.5%`.

    >>> parse_blur("40px", 4000)
    0.01
    """
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)(px|%)", text.strip())
    if match is None:
        raise InvalidInput(f"blur: expected a radius such as 40px or 2.5%, found {text!r}")
    value = float(match[1])
    fraction = value / 100 if match[2] == "%" else value / long_side_px
    pixels = "" if match[2] == "%" else f" ({MAX_RADIUS * long_side_px:g}px)"
    require(
        fraction <= MAX_RADIUS,
        f"blur: expected at most {MAX_RADIUS:.0%} of the long side{pixels}, found {text}",
    )
    return fraction


def parse_grain(text: str) -> float | None:
    """`Lens.grain` from `auto` (the photo's own), `off`, or a strength in 8-bit codes.

    >>> parse_grain("auto"), parse_grain("off"), parse_grain("3.5")
    (None, 0.0, 3.5)
    """
    if text in ("auto", "off"):
        return None if text == "auto" else 0.0
    match = re.fullmatch(r"\d+(?:\.\d*)?|\.\d+", text)
    if match is None or float(text) > MAX_GRAIN:
        raise InvalidInput(f"grain: expected auto, off or 0 to {MAX_GRAIN:g} (8-bit codes), found {text!r}")
    return float(text)


class Focusable(Protocol):
    """What a focus is found in: a scene."""

    def focus_on_subject(self) -> tuple[float, float]:
        """(focus_disparity, focus_range) of the subject."""

    def disparity_at(self, x: float, y: float) -> float:
        """Disparity at a point, pixels as displayed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Focus:
    """Where to focus: on the subject (neither field set), on a point, or at a disparity."""

    point: tuple[float, float] | None = None
    """(x, y) in pixels of the photo as displayed."""
    disparity: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Focus":
        """`subject`, `X,Y` or `d=0.8`.

        >>> Focus.parse("120,80").point
        (120.0, 80.0)
        """
        number = r"(-?\d+(?:\.\d*)?|-?\.\d+)"
        if text == "subject":
            return cls()
        if match := re.fullmatch(rf"d={number}", text):
            value = float(match[1])
            require(0 <= value <= 1, f"focus: expected a disparity in [0, 1], found {text!r}")
            return cls(disparity=value)
        if match := re.fullmatch(rf"{number}\s*,\s*{number}", text):
            return cls(point=(float(match[1]), float(match[2])))
        raise InvalidInput(f"focus: expected subject, X,Y or d=DISPARITY, found {text!r}")

    def resolve(self, scene: Focusable) -> tuple[float, float]:
        """(focus_disparity, focus_range) in a scene. Raises InvalidInput for a point outside the photo."""
        if self.disparity is not None:
            return self.disparity, 0.0
        if self.point is not None:
            return scene.disparity_at(*self.point), 0.0
        return scene.focus_on_subject()
