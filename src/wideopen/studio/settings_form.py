"""The lens as the page's controls show it, converted from and to `LensSettings`.

The controls come from the options in `wideopen.settings`; only options that need special treatment are named here.
"""

from collections.abc import Iterator
from dataclasses import make_dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from wideopen.checks import require
from wideopen.options import Choice, Option, Settings, Slider, options_of
from wideopen.session.presets import Preset, parse_preset, preset_text
from wideopen.settings import LensSettings

__all__ = ["PARTS", "SET", "Form", "Part", "form_from", "form_of", "preset_of", "read_preset", "settings_of"]

SET = "Set"
"""The choice that leaves the value to the slider beside it."""
_OF_A_PHOTO = ("focus",)  # belongs to a photo, not to a look
_GROUPS = ("", "Focus", "Aperture", "Light", "Look")


class Part(NamedTuple):
    """One control of the page. An option can have two: a choice, and a slider for its custom value."""

    name: str
    control: Choice | Slider
    option: Option
    leads: bool = False  # a choice before a slider

    @property
    def words(self) -> tuple[str, ...]:
        """The words of a choice; empty for a slider or a checkbox."""
        if isinstance(self.control, Slider) or self.is_box:
            return ()
        return (*self.control.values, SET) if self.leads else tuple(self.control.values)

    @property
    def is_box(self) -> bool:
        """Whether it is a checkbox."""
        return self.leads and isinstance(self.control, Choice) and len(self.control.values) == 1


def _parts(settings: type[Settings]) -> Iterator[Part]:
    for one in options_of(settings):
        if isinstance(one.control, Slider) and one.control.instead is not None:
            yield Part(f"{one.name}_mode", replace(one.control.instead, group=one.control.group), one, leads=True)
        if one.control is not None:
            yield Part(one.name, one.control, one)
        elif issubclass(one.kind, Settings) and one.flag:
            yield from _parts(one.kind)


PARTS = tuple(
    sorted(
        _parts(LensSettings),
        key=lambda part: _GROUPS.index(part.control.group) if part.control.group in _GROUPS else len(_GROUPS),
    )
)
"""The page's controls, in order."""


def _shown(settings: Settings, long_side_px: int) -> dict[str, Any]:
    """The values that the controls show, by the names of `PARTS`."""
    shown: dict[str, Any] = {}
    for one in options_of(type(settings)):
        value = getattr(settings, one.name)
        if isinstance(one.control, Choice):
            shown[one.name] = _nearest(one.control, value)
        elif isinstance(one.control, Slider):
            words = {} if one.control.instead is None else one.control.instead.values
            word = next((word for word, held in words.items() if held == value), None)
            if words:
                shown[f"{one.name}_mode"] = word is not None if len(words) == 1 else word or SET
            number = one.control.start if word is not None else value
            shown[one.name] = one.control.read(number, long_side_px) if one.control.read else number
        elif isinstance(value, Settings) and one.flag:
            shown |= _shown(value, long_side_px)
    return shown


def _nearest(choice: Choice, value: Any) -> str:
    """The word for a value; for a number, the word for the nearest number of the choice."""
    near = {word: 0 if held == value else 1 for word, held in choice.values.items()}
    if not isinstance(value, str) and 0 not in near.values():
        near = {word: abs(held - value) for word, held in choice.values.items()}
    return min(near, key=near.__getitem__)


_FIRST = _shown(LensSettings(), 1)
if TYPE_CHECKING:

    class Form:
        """The values of the controls, in the order of the page; the defaults are the page's first values."""

        __slots__: tuple[str, ...] = ()

        def __init__(self, **values: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...

else:
    _CONTROLS = [(part.name, Any, _FIRST[part.name]) for part in PARTS]
    Form = make_dataclass("Form", _CONTROLS, frozen=True, slots=True, kw_only=True)
    Form.__module__ = __name__


def settings_of(form: Form, base: LensSettings, focus: str) -> LensSettings:
    """Settings from the controls; settings without a control (planes, constants of the paper look) come from `base`.

    Raises InvalidInput for words that no control has, and for numbers out of range.
    """
    values = _values(LensSettings, form)
    is_paper = values["look"] == "paper"
    if is_paper and values["highlights"] != base.highlights:  # the slider overrides a preset's exponents
        values["paper"] = None
    if is_paper:
        values["focus_range"] = None
    return replace(base, focus=focus, **values)


def _values(settings: type[Settings], form: Form) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for one in options_of(settings):
        if isinstance(one.control, Choice):
            values[one.name] = _held(one.name, one.control, getattr(form, one.name))
        elif isinstance(one.control, Slider):
            values[one.name] = _slid(one, one.control, form)
        elif issubclass(one.kind, Settings) and one.flag:
            values[one.name] = one.kind(**_values(one.kind, form))
    return values


def _held(name: str, choice: Choice, word: Any) -> Any:
    require(word in choice.values, f"{name}: expected one of {', '.join(choice.values)}, found {word!r}")
    return choice.values[word]


def _slid(one: Option, slider: Slider, form: Form) -> Any:
    number = float(getattr(form, one.name))
    if slider.instead is not None:
        mode, values = getattr(form, f"{one.name}_mode"), slider.instead.values
        if mode is True:
            return next(iter(values.values()))
        if mode is not False and mode != SET:
            return _held(f"{one.name}_mode", slider.instead, mode)
    return slider.write(number) if slider.write else number


def form_of(settings: LensSettings, long_side_px: int) -> Form:
    """The controls for these settings; another number of blades shows as the nearest choice."""
    return Form(**_shown(settings, long_side_px))


def preset_of(settings: LensSettings) -> str:
    """The look as a preset's text, for `wideopen render --preset`; the focus is not part of a look."""
    lens = {name: value for name, value in settings.to_dict().items() if name not in _OF_A_PHOTO}
    return preset_text(Preset(lens=lens, about={"made_by": "wideopen studio"}))


def read_preset(text: str, where: str) -> LensSettings:
    """Settings from a preset's text, except the focus. Raises InvalidInput, which begins with `where`."""
    return replace(parse_preset(text, where=where).settings(), focus=LensSettings().focus)


def form_from(values: tuple[Any, ...]) -> Form:
    """The form with the page's values, which are in its order. Raises InvalidInput for a cleared number."""
    named = dict(zip((part.name for part in PARTS), values, strict=True))
    for name, value in named.items():
        require(value is not None, f"{name}: expected a value, found none")
    return Form(**named)
