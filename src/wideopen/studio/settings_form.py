"""The lens as the page's controls show it: converted from and to `LensSettings`, to presets and to a command line.

The controls come from the options in `wideopen.settings`; only options that need special treatment are named here.
"""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath
from typing import Any, NamedTuple

from wideopen.checks import require
from wideopen.options import Choice, Option, Settings, Slider, options_of
from wideopen.session.presets import Preset, parse_preset, preset_text
from wideopen.session.results import map_names
from wideopen.settings import LensSettings, MapSettings, OutputSettings

Form = dict[str, Any]  # the values of the controls by their names, those of `CONTROLS`
SET = "Set"  # the choice that leaves the value to the slider beside it
_GROUPS = ("", "Focus", "Aperture", "Character", "Light", "Look")


class Control(NamedTuple):
    """One control of the page. An option can have two: a choice, and a slider for its custom value."""

    name: str
    shape: Choice | Slider
    option: Option
    leads: bool = False  # a choice before a slider

    @property
    def words(self) -> tuple[str, ...]:
        """The words of a choice; empty for a slider or a checkbox."""
        if isinstance(self.shape, Slider) or self.is_box:
            return ()
        return (*self.shape.values, SET) if self.leads else tuple(self.shape.values)

    @property
    def is_box(self) -> bool:
        """Whether it is a checkbox."""
        return self.leads and isinstance(self.shape, Choice) and len(self.shape.values) == 1


def _controls(settings: type[Settings]) -> Iterator[Control]:
    for one in options_of(settings):
        if isinstance(one.control, Slider) and one.control.instead is not None:
            yield Control(f"{one.name}_mode", replace(one.control.instead, group=one.control.group), one, leads=True)
        if one.control is not None:
            yield Control(one.name, one.control, one)
        elif issubclass(one.kind, Settings) and one.flag:
            yield from _controls(one.kind)


CONTROLS = tuple(sorted(_controls(LensSettings), key=lambda one: _GROUPS.index(one.shape.group)))
"""The page's controls, in order."""


def form_of(settings: Settings, long_side_px: int = 1) -> Form:
    """The controls for these settings; another number of blades shows as the nearest choice."""
    shown: Form = {}
    for one in options_of(type(settings)):
        value = getattr(settings, one.name)
        if isinstance(one.control, Choice):
            held = one.control.values
            apart = {word: held[word] != value if isinstance(value, str) else abs(held[word] - value) for word in held}
            shown[one.name] = min(held, key=apart.__getitem__)
        elif isinstance(one.control, Slider):
            words = {} if one.control.instead is None else one.control.instead.values
            word = next((word for word, held in words.items() if held == value), None)
            if words:
                shown[f"{one.name}_mode"] = word is not None if len(words) == 1 else word or SET
            number = one.control.start if word is not None else value
            shown[one.name] = one.control.read(number, long_side_px) if one.control.read else number
        elif isinstance(value, Settings) and one.flag:
            shown |= form_of(value, long_side_px)
    return shown


FIRST: Form = form_of(LensSettings())  # the page's first values


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
            values[one.name] = _held(one.name, one.control, form[one.name])
        elif isinstance(one.control, Slider):
            values[one.name] = _slid(one, one.control, form)
        elif issubclass(one.kind, Settings) and one.flag:
            values[one.name] = one.kind(**_values(one.kind, form))
    return values


def _held(name: str, choice: Choice, word: Any) -> Any:
    require(word in choice.values, f"{name}: expected one of {', '.join(choice.values)}, found {word!r}")
    return choice.values[word]


def _slid(one: Option, slider: Slider, form: Form) -> Any:
    number = float(form[one.name])
    if slider.instead is not None:
        mode, values = form[f"{one.name}_mode"], slider.instead.values
        if mode is True:
            return next(iter(values.values()))
        if mode is not False and mode != SET:
            return _held(f"{one.name}_mode", slider.instead, mode)
    return slider.write(number) if slider.write else number


def preset_of(settings: LensSettings) -> str:
    """The look as a preset's text, for `wideopen render --preset`; the focus is not part of a look."""
    lens = settings.to_dict()
    del lens["focus"]
    return preset_text(Preset(lens=lens, about={"made_by": "wideopen studio"}))


def read_preset(text: str, where: str) -> LensSettings:
    """Settings from a preset's text, except the focus. Raises InvalidInput, which begins with `where`."""
    return replace(parse_preset(text, where=where).settings(), focus=LensSettings().focus)


def form_from(values: tuple[Any, ...]) -> Form:
    """The form with the page's values, in the order of `CONTROLS`. Raises InvalidInput for an empty number."""
    form = dict(zip((one.name for one in CONTROLS), values, strict=True))
    for name, value in form.items():
        require(value is not None, f"{name}: expected a value, found none")
    return form


def command_line(
    photo: str, lens: LensSettings, output: OutputSettings, maps: MapSettings, *, out: str, edited: bool
) -> str:
    """The `wideopen render` that makes the page's download of `photo`; defaults are left out.

    `edited`: maps were painted or uploaded, so the command names the downloaded ones. It is for a POSIX shell.
    """
    words = ["wideopen", "render", photo, *_options(lens)]
    if edited:
        matte, disparity = map_names(PurePath(photo))
        words += ["--matte", matte, "--disparity", disparity, "--no-filter-disparity"]
    else:
        words += _options(maps)
    return shlex.join([*words, *_options(output), "-o", out])


def _options(settings: Settings) -> list[str]:
    """The command-line options for settings that differ from their defaults."""
    words = []
    texts, defaults = settings.to_dict(), type(settings)().to_dict()
    for one in options_of(type(settings)):
        value, name = texts[one.name], one.name.replace("_", "-")
        if not one.flag or value == defaults[one.name]:
            continue
        if isinstance(value, bool):
            words += [f"--{name}" if value else f"--no-{name}"]
        else:
            words += [f"--{name}", f"{value:g}" if isinstance(value, float) else str(value)]
    return words
