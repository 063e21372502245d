"""The lens as the page's controls show it, and as everything else knows it: `LensSettings`."""

from dataclasses import dataclass, fields, replace
from typing import Any

from wideopen.checks import require
from wideopen.lens import Aperture, parse_blur
from wideopen.session.presets import Preset, parse_preset, preset_text
from wideopen.session.settings import LensSettings

__all__ = ["Form", "form_of", "preset_of", "read_preset", "settings_of"]

LOOKS = {"Lens": "thin-lens", "Paper": "paper"}
SHAPES = {"Round": 0, "5": 5, "6": 6, "7": 7, "8": 8, "9": 9}
GRAINS = ("As photo", "Off", "Set")
MOST_BLUR = 8.0  # percent; beyond, a preset may go to the 25 that `Lens` allows
MOST_RANGE = 0.4
MOST_GRAIN = 12.0
MOST_HIGHLIGHTS = 3.0
_OF_A_PHOTO = ("focus",)  # not part of a look


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The values of the controls, in their order on the page."""

    blur: float = 2.4  # percent of the long side
    auto_range: bool = True
    focus_range: float = 0.05
    highlights: float = 1.0
    cat_eye: float = 0.0
    grain_mode: str = GRAINS[0]
    grain: float = 3.0
    shape: str = "Round"
    rotation: float = 0.0
    curvature: float = 0.0
    look: str = "Lens"


def settings_of(form: Form, base: LensSettings, focus: str) -> LensSettings:
    """Settings from the controls; what has no control (planes, constants of the paper look) is the base's.

    Raises InvalidInput for words that no control has, and numbers out of range.
    """
    require(form.look in LOOKS, f"look: expected one of {', '.join(LOOKS)}, found {form.look!r}")
    require(form.shape in SHAPES, f"aperture: expected one of {', '.join(SHAPES)}, found {form.shape!r}")
    require(form.grain_mode in GRAINS, f"grain: expected one of {', '.join(GRAINS)}, found {form.grain_mode!r}")
    is_paper = LOOKS[form.look] == "paper"
    moved = is_paper and float(form.highlights) != base.highlights  # the slider goes before a preset's exponents
    return replace(
        base,
        look=LOOKS[form.look],  # type: ignore[arg-type]
        blur=f"{_plain(form.blur)}%",
        focus=focus,
        focus_range=None if form.auto_range or is_paper else float(form.focus_range),
        highlights=float(form.highlights),
        cat_eye=float(form.cat_eye),
        grain={"As photo": None, "Off": 0.0}.get(form.grain_mode, float(form.grain)),
        aperture=Aperture.parse(_aperture_text(form)),
        paper=None if moved else base.paper,
    )


def form_of(settings: LensSettings, long_side_px: int) -> Form:
    """The controls that show these settings; a shape with other blades shows as the nearest that there is."""
    aperture, grain = settings.aperture, settings.grain
    shapes = {count: name for name, count in SHAPES.items()}
    first = Form()
    nearest = min(shapes, key=lambda count: abs(count - aperture.blades)) if aperture.blades else 0
    return Form(
        blur=round(100 * parse_blur(settings.blur, long_side_px), 3),
        auto_range=settings.focus_range is None,
        focus_range=first.focus_range if settings.focus_range is None else settings.focus_range,
        highlights=settings.highlights,
        cat_eye=settings.cat_eye,
        grain_mode=GRAINS[0] if grain is None else GRAINS[2] if grain else GRAINS[1],
        grain=grain or first.grain,
        shape=shapes[nearest],
        rotation=aperture.rotation_deg,
        curvature=aperture.curvature,
        look={word: name for name, word in LOOKS.items()}[settings.look],
    )


def preset_of(settings: LensSettings) -> str:
    """The look as a preset's text, for `wideopen render --preset`; the focus is the photo's, not the look's."""
    lens = {name: value for name, value in settings.to_dict().items() if name not in _OF_A_PHOTO}
    return preset_text(Preset(lens=lens, about={"made_by": "wideopen studio"}))


def read_preset(text: str, where: str) -> LensSettings:
    """Settings from a preset's text, all but the focus. Raises InvalidInput, which begins with `where`."""
    return replace(parse_preset(text, where=where).settings(), focus=LensSettings().focus)


def form_from(values: tuple[Any, ...]) -> Form:
    """The controls' values, as the page sends them, in their order. Raises InvalidInput for a cleared number."""
    named = dict(zip((field.name for field in fields(Form)), values, strict=True))
    for name, value in named.items():
        require(value is not None, f"{name}: expected a value, found none")
    return Form(**named)


def _aperture_text(form: Form) -> str:
    blades = SHAPES[form.shape]
    if not blades:
        return "disk"
    turned = f"@{_plain(form.rotation)}" if form.rotation else ""
    bulging = f"~{_plain(form.curvature)}" if form.curvature else ""
    return f"polygon:{blades}{turned}{bulging}"


def _plain(value: float) -> str:
    """A number as the command line reads it: no exponent, no zeros that say nothing."""
    return f"{float(value):.4f}".rstrip("0").rstrip(".")
