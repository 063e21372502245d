"""User settings as plain values, shared by the command line, JSON files and forms.

Each dataclass validates itself on creation, before a photo is read; only the focus needs a scene. The pipeline builds
on this module (`analyze` takes `MapSettings`), so it imports nothing heavy.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from wideopen.errors import require
from wideopen.lens import BLUR_PATTERN, FOCUS_PATTERN, Lens, LensOptions, parse_blur, parse_focus, plain
from wideopen.matting.inference import MattingSettings
from wideopen.options import Choice, Settings, Slider, option, options_of

MAX_MEGAPIXELS = 220.0
DEPTHS = ("auto", "embedded", "small", "planar")  # sources of disparity other than a model


class Focusable(Protocol):
    """Something to focus on: a scene."""

    @property
    def long_side_px(self) -> int:
        """The photo's long side in pixels."""

    def focus_on_subject(self) -> tuple[float, float]:
        """(focus_disparity, focus_range) of the subject."""

    def disparity_at(self, x: float, y: float) -> float:
        """Disparity at a point, pixels as displayed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LensSettings(LensOptions):
    """The lens before the photo is known: blur and focus as text."""

    blur: str = option(
        "2.4%",
        help="Blur radius at a disparity difference of 1: in pixels (40px) or in percent of the long side (2.5%).",
        check=parse_blur,
        pattern=BLUR_PATTERN,
        control=Slider(
            "Blur",
            least=0,
            most=8,
            step=0.1,
            info="Radius in % of the long side.",
            read=lambda text, long_side_px: round(100 * parse_blur(text, long_side_px), 3),
            write=lambda percent: f"{plain(percent)}%",
        ),
    )
    focus: str = option(
        "subject",
        help="What is in focus: subject, a point X,Y in pixels of the displayed photo, or a disparity such as d=0.8.",
        check=parse_focus,
        pattern=FOCUS_PATTERN,
    )
    focus_range: float | None = option(
        None,
        least=0,
        most=1,
        help="Disparity on either side of the focus that stays sharp. Default: the subject's own, or 0 for a point.",
        control=Slider(
            "Focus range",
            most=0.4,
            step=0.005,
            start=0.05,
            info="Depth that stays sharp.",
            group="Focus",
            instead=Choice("Automatic focus range", {"Automatic": None}, info="The subject's depth; none for a point."),
        ),
    )

    def __post_init__(self) -> None:
        LensOptions.__post_init__(self)
        require(
            self.focus_range is None or self.look != "paper",
            f"focus_range: expected with look thin-lens, found {self.focus_range} (the paper's equations have none)",
        )

    def lens(self, scene: Focusable) -> Lens:
        """The lens for a scene. Raises InvalidInput for a focus outside the photo, or a blur too large for it."""
        focus = parse_focus(self.focus)
        if focus is None:
            disparity, own_range = scene.focus_on_subject()
        else:
            disparity, own_range = focus if isinstance(focus, float) else scene.disparity_at(*focus), 0.0
        return Lens(
            focus_disparity=disparity,
            focus_range=own_range if self.focus_range is None else self.focus_range,
            max_radius=parse_blur(self.blur, scene.long_side_px),
            **{one.name: getattr(self, one.name) for one in options_of(LensOptions)},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSettings(MattingSettings):
    """The sources of matte and disparity."""

    depth: str = option(
        "auto",
        help="Source of the disparity: auto (the photo's own, else a depth network), embedded, small (built in), "
        "planar, or a model: dpt, depth-anything-v2-small, ... (wideopen info lists them), a folder, a .onnx file or a "
        "hub id.",
    )
    filter_disparity: bool = option(True, help="Remove disparity that spills over the matte's outline.")

    def __post_init__(self) -> None:
        MattingSettings.__post_init__(self)
        if self.depth not in DEPTHS:
            from wideopen.disparity.find_disparity import require_depth

            require_depth(self.depth)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSettings(Settings):
    """How a result is written; None = as in the photo."""

    output_quality: int | None = option(
        None,
        least=1,
        most=100,
        help="Quality of JPEG, WebP, HEIC, AVIF and JPEG XL. Default for JPEG: the photo's own, or 95.",
    )
    output_bits: int | None = option(
        None, words=(8, 10, 16, 32), help="Bits per channel: 8, 10, 16 or 32 (floating point). Default: the photo's."
    )
    hdr: Literal["auto", "keep", "off"] = option(
        "auto",
        help="Light above white in the photo: auto keeps it in JPEG (as a gain map), OpenEXR and float "
        "TIFF, and in AVIF if the photo was PQ or HLG; keep also writes every AVIF as PQ; off writes a standard photo.",
    )
    keep_depth: bool = option(False, help="Store matte and disparity with the result, to refocus it later.")
