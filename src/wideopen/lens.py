"""The photographer's choices (aperture, blur, focus, look) and the parsers of their text forms.

The command, page, service and presets read their words, ranges and defaults from the fields here.
"""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from wideopen.errors import InvalidInput, require
from wideopen.options import Choice, Settings, Slider, Text, option

Look = Literal["thin-lens", "paper"]
LOOKS: tuple[str, ...] = get_args(Look)
Quality = Literal["exact", "fast"]
MAX_RADIUS = 0.25  # largest blur radius that can be rendered, as a fraction of the long side
MAX_GRAIN = 32.0  # strongest grain that can be added, in 8-bit codes
ANY_SIZE = 10**9  # a long side for which no radius in pixels is too large
# Patterns of the text forms, for schemas; the parsers below have the last word.
BLUR_PATTERN = r"^([0-9]{1,5}(\.[0-9]{1,6})?px|(1?[0-9]|2[0-4])(\.[0-9]{1,6})?%|25%)$"
FOCUS_PATTERN = r"^(subject|[0-9]{1,6}(\.[0-9]{1,6})?,[0-9]{1,6}(\.[0-9]{1,6})?|d=(0(\.[0-9]{1,6})?|1(\.0{1,6})?))$"
APERTURE_PATTERN = r"^(disk|polygon:([3-9]|1[0-6])(@-?[0-9]{1,4}(\.[0-9]{1,6})?)?(~(0?\.[0-9]{1,6}|0|1))?)$"
GRAIN_PATTERN = r"^(auto|off|[12]?[0-9](\.[0-9]{1,6})?|3[01](\.[0-9]{1,6})?|32)$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aperture(Settings):
    """The shape of a blurred point: a disk, or a regular polygon inscribed in it, with straight or bulging sides."""

    blades: int = option(
        0,
        help="Number of aperture blades, 3 to 16; 0 is a disk.",
        control=Choice(
            "Shape",
            {"Round": 0, "5": 5, "6": 6, "7": 7, "8": 8, "9": 9},
            info="Number of aperture blades; round has none.",
            group="Aperture",
        ),
    )
    rotation_deg: float = option(
        0.0,
        help="Turns the polygon counter-clockwise; at 0 a corner points up.",
        control=Slider("Rotation", least=0, most=90, step=1, info="Turns the blades, in degrees.", group="Aperture"),
    )
    curvature: float = option(
        0.0,
        help="How far the polygon's sides bulge: 0 = straight, 1 = the circle through its corners.",
        least=0,
        most=1,
        control=Slider("Roundness", step=0.05, info="Bends the edges of the blades outwards.", group="Aperture"),
    )

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        known = self.blades == 0 or 3 <= self.blades <= 16
        require(known, f"blades: expected 0 (disk) or 3 to 16, found {self.blades}")
        if self.blades == 0:  # a disk looks the same however it is turned
            object.__setattr__(self, "rotation_deg", 0.0)
            object.__setattr__(self, "curvature", 0.0)

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

    @property
    def text(self) -> str:
        """The text form that `parse` reads.

        >>> Aperture(blades=6, curvature=0.4).text
        'polygon:6~0.4'
        """
        turned = f"@{plain(self.rotation_deg)}" if self.rotation_deg else ""
        bulging = f"~{plain(self.curvature)}" if self.curvature else ""
        return f"polygon:{self.blades}{turned}{bulging}" if self.blades else "disk"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperLook(Settings):
    """Constants of Eqs. (3) and (4). The paper does not publish its values (supplement); these are ours.

    sigma follows from the lens: 1 / sigma = radius_scale * radius at disparity difference 1. A blur therefore means the
    same in both looks.
    """

    radius_scale: float = option(
        1.0, above=0, most=10, help="Eq. (3); above 1 it makes up for how little Eq. (5) shows of a plane's own blur."
    )
    delta: float = option(0.0, least=-1000, most=1000, help="Eq. (3): pixels added before the floor.")
    a1: float = option(1.0, least=-1000, most=1000, help="Eq. (4).")
    b1: float = option(0.0, least=-1000, most=1000, help="Eq. (4).")
    a2: float = option(1.0, least=-1000, most=1000, help="Eq. (4); not 0.")
    b2: float = option(0.0, least=-1000, most=1000, help="Eq. (4).")
    alpha1: float = option(4.0, above=0, most=32, help="Exponent of Eq. (4).")
    alpha2: float = option(4.0, above=0, most=32, help="Exponent of Eq. (4).")

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        require(self.a2 != 0, "a2: expected a number other than 0, found 0")

    @classmethod
    def with_highlights(cls, strength: float) -> "PaperLook":
        """Both exponents 1 + 3 * strength: 0 is the plain average (the paper calls it dull), 1 the default."""
        return cls(alpha1=1 + 3 * strength, alpha2=1 + 3 * strength)


def plain(value: float) -> str:
    """A number as the parsers read it: no exponent, no trailing zeros.

    >>> plain(15.0), plain(0.00000123)
    ('15', '0.000001')
    """
    return f"{float(value):.6f}".rstrip("0").rstrip(".")


def parse_blur(text: str, long_side_px: int = ANY_SIZE) -> float:
    """Blur radius as a fraction of the long side, from `40px` or `2.5%`.

    >>> parse_blur("40px", 4000)
    0.01
    """
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)(px|%)", text.strip())
    if match is None:
        raise InvalidInput(f"blur: expected a radius such as 40px or 2.5%, found {text!r}")
    value = float(match[1])
    fraction = value / 100 if match[2] == "%" else value / long_side_px
    most = f"{MAX_RADIUS:.0%} of the long side" + ("" if match[2] == "%" else f" ({MAX_RADIUS * long_side_px:g}px)")
    require(fraction <= MAX_RADIUS, f"blur: expected at most {most}, found {text}")
    return fraction


def parse_grain(text: str) -> float | None:
    """Parse `grain`: `auto` (the photo's own), `off`, or a strength in 8-bit codes.

    >>> parse_grain("auto"), parse_grain("off"), parse_grain("3.5")
    (None, 0.0, 3.5)
    """
    if text in ("auto", "off"):
        return None if text == "auto" else 0.0
    match = re.fullmatch(r"\d+(?:\.\d*)?|\.\d+", text)
    if match is None or float(text) > MAX_GRAIN:
        raise InvalidInput(f"grain: expected auto, off or 0 to {MAX_GRAIN:g} (8-bit codes), found {text!r}")
    return float(text)


def parse_focus(text: str) -> tuple[float, float] | float | None:
    """Parse `focus`: a point (x, y) from `X,Y`, pixels as displayed, a disparity from `d=0.8`, or None from `subject`.

    >>> parse_focus("120,80"), parse_focus("d=0.8"), parse_focus("subject")
    ((120.0, 80.0), 0.8, None)
    """
    number = r"(-?\d+(?:\.\d*)?|-?\.\d+)"
    if text == "subject":
        return None
    if match := re.fullmatch(rf"d={number}", text):
        require(0 <= float(match[1]) <= 1, f"focus: expected a disparity in [0, 1], found {text!r}")
        return float(match[1])
    if match := re.fullmatch(rf"{number}\s*,\s*{number}", text):
        return float(match[1]), float(match[2])
    raise InvalidInput(f"focus: expected subject, X,Y or d=DISPARITY, found {text!r}")


def grain_text(grain: float | None) -> str:
    """The text form that `parse_grain` reads.

    >>> grain_text(None), grain_text(0.0), grain_text(3.5)
    ('auto', 'off', '3.5')
    """
    return "auto" if grain is None else plain(grain) if grain else "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class LensOptions(Settings):
    """Options of a lens that depend on neither focus nor photo size. Every interface has the same defaults."""

    look: Look = option(
        "thin-lens",
        help="Renderer: thin-lens (physical) or paper (the paper's equations as printed).",
        control=Choice(
            "Renderer",
            {"Lens": "thin-lens", "Paper": "paper"},
            info="Lens blurs like glass, Paper by the paper's equations.",
            group="Look",
        ),
    )
    planes: int = option(32, least=2, most=256, help="Number of depth planes.")
    aperture: Aperture = option(
        Aperture(),
        help="Shape of blurred lights: disk, polygon:6 (six blades), polygon:6@15 (rotated by 15 degrees) or "
        "polygon:6@15~0.4 (blades curved by 0.4; 0 is straight, 1 is round).",
        text=Text(Aperture.parse, lambda aperture: aperture.text),
        pattern=APERTURE_PATTERN,
    )
    cat_eye: float = option(
        0.0,
        least=0,
        most=1,
        help="Strength of the cat's-eye effect: the lens barrel clips blurred lights towards the corners.",
        control=Slider("Cat's eye", step=0.05, info="Clips lights towards the corners. Slower.", group="Aperture"),
    )
    swirl: float = option(
        0.0,
        least=-90,
        most=90,
        unit="degrees",
        help="Rotation of the cat's eyes, which makes the background seem to swirl about the photo's centre.",
        control=Slider("Swirl", step=5, info="Turns cat's eyes about the centre.", group="Character"),
    )
    rim: float = option(
        0.0,
        least=-1,
        most=1,
        help="Brightness of the rim of blurred lights behind the focus: 1 gives soap bubbles, -1 creamy disks. In "
        "front of the focus it is reversed.",
        control=Slider("Rim", step=0.05, info="Right: soap bubbles. Left: creamy.", group="Character"),
    )
    ring: float = option(
        0.0,
        least=0,
        most=0.9,
        help="Radius of the hole in blurred lights, relative to their own: about 0.5 for a mirror lens.",
        control=Slider("Ring", step=0.05, info="A hole in lights, as from a mirror lens.", group="Character"),
    )
    squeeze: float = option(
        1.0,
        least=1,
        most=3,
        help="Height of blurred lights divided by their width: 1.33 to 2 for an anamorphic lens.",
        control=Slider(
            "Squeeze", step=0.05, most=2, info="Tall lights, as an anamorphic lens draws.", group="Character"
        ),
    )
    squeeze_deg: float = option(
        0.0,
        least=-90,
        most=90,
        unit="degrees",
        help="Rotation of squeezed lights, counter-clockwise.",
        control=Slider("Squeeze rotation", step=5, info="Turns tall lights, in degrees.", group="Character"),
    )
    fringes: float = option(
        0.0,
        least=0,
        most=0.3,
        help="Width of colour fringes, relative to the largest blur: green behind the focus, magenta in front of it.",
        control=Slider("Fringes", step=0.01, info="Green behind the focus, magenta in front.", group="Character"),
    )
    highlights: float = option(
        1.0,
        least=0,
        most=10,
        help="Brightness restored to lights that the photo clipped; 0 restores none.",
        control=Slider("Highlights", step=0.1, most=3, info="Brightens clipped lights.", group="Light"),
    )
    quality: Quality = option(
        "fast",
        help="Rendering quality: exact, or fast, which renders blurs of 12 pixels or more at a lower resolution.",
    )
    grain: float | None = option(
        None,
        least=0,
        most=MAX_GRAIN,
        help="Film grain added where the blur removed it: auto (as strong as the photo's), off, or its standard "
        "deviation in 8-bit codes.",
        text=Text(parse_grain, grain_text),
        pattern=GRAIN_PATTERN,
        control=Slider(
            "Grain strength",
            step=0.5,
            most=12,
            start=3.0,
            info="Applies if Grain is 'Set'.",
            group="Light",
            instead=Choice("Grain", {"As photo": None, "Off": 0.0}, info="Added where the blur removed it."),
        ),
    )
    paper: PaperLook | None = option(
        None, help="Constants of the paper look; by default they follow from highlights.", flag=False
    )

    @property
    def constants(self) -> PaperLook:
        """Constants of the paper look."""
        return self.paper or PaperLook.with_highlights(self.highlights)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens(LensOptions):
    """One setting of the lens. Every field can change between two renders of the same scene.

    >>> Lens(focus_disparity=0.8, max_radius=0.02, aperture="polygon:6").aperture.blades
    6
    """

    focus_disparity: float = option(help="Disparity that is in focus.", least=0, most=1)
    max_radius: float = option(
        0.024, help="Blur radius at a disparity difference of 1.", least=0, most=MAX_RADIUS, unit="of the long side"
    )
    focus_range: float = option(
        0.0,
        help="Half-width in disparity around the focus that stays sharp; the blur grows from its edge. Unused by "
        "`paper`.",
        least=0,
        most=1,
    )
