"""User options, each defined once as a field of a frozen dataclass.

    planes: int = option(32, least=2, most=256, help="Number of planes.")

The field holds the type, default, range, unit, help sentence and an optional control. Command flags, JSON settings,
service fields, studio controls and docs/cli.md are generated from it. This module imports nothing heavy: the command
line reads options before it loads NumPy.
"""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, replace
from inspect import get_annotations
from numbers import Integral, Real
from types import UnionType
from typing import Any, Literal, Self, Union, get_args, get_origin, get_type_hints

from wideopen.errors import InvalidInput, require


@dataclass(frozen=True, slots=True)
class Text:
    """The text form of a value that is not itself text: `polygon:6@15`, `auto`."""

    parse: Callable[[str], Any]  # raises InvalidInput
    write: Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Choice:
    """A control that offers a few values by their labels."""

    label: str
    values: Mapping[str, Any]
    info: str = ""
    group: str = ""  # heading of the control's group


@dataclass(frozen=True, slots=True)
class Slider:
    """A control for a number. Its range is the option's unless it sets a smaller one."""

    label: str
    step: float
    least: float | None = None
    most: float | None = None
    read: Callable[[Any, int], float] | None = None  # (value, long side in pixels) -> number, where the option is text
    write: Callable[[float], str] | None = None
    start: float = 0.0  # shown while `instead` is chosen
    instead: Choice | None = None  # values that the slider cannot show
    info: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option. `name`, `kind`, `optional` and `default` are read from the dataclass field."""

    name: str = ""
    kind: type = str  # bool, int, float, str, or a subclass of Settings
    optional: bool = False  # None is allowed
    default: Any = None
    help: str
    unit: str = ""
    least: float | None = None  # range, both ends included
    most: float | None = None
    above: float | None = None  # lower end, not included
    words: tuple[Any, ...] = ()  # the only values allowed
    text: Text | None = None  # for a value that is not itself text
    check: Callable[[Any], object] | None = None  # raises InvalidInput
    pattern: str | None = None  # the form of texts, for a schema; `text` and `check` have the last word
    control: Choice | Slider | None = None
    flag: bool = True  # whether the command line has a flag for it

    @property
    def range_text(self) -> str:
        """`2 to 256`, `[0, 1]`, `at least 32 pixels`; empty for an option without a range."""
        if self.above is not None:
            return f"({self.above:g}, {self.most:g}] {self.unit}".strip()
        if self.least is None or self.most is None:
            return "" if self.least is None else f"at least {self.least:g} {self.unit}".strip()
        span = "[0, 1]" if (self.least, self.most) == (0, 1) else f"{self.least:g} to {self.most:g}"
        return f"{span} {self.unit}".strip()

    @property
    def sentence(self) -> str:
        """The help, with the range at the end of its first sentence."""
        if not self.range_text:
            return self.help
        first, dot, rest = self.help.rstrip(".").partition(". ")
        return f"{first} ({self.range_text.replace('[0, 1]', '0 to 1')}){dot}{rest}."

    def checked(self, value: Any) -> Any:
        """`value`, parsed if it is a text form. Raises InvalidInput: expected, found."""
        if isinstance(value, os.PathLike) and self.kind is str:
            value = os.fspath(value)
        if self.text is not None and isinstance(value, str):
            value = self.text.parse(value)
        if issubclass(self.kind, Settings) and self.text is None and isinstance(value, Mapping):
            value = self.kind.from_dict(value, where=self.name)
        if value is None and self.optional:
            return None
        self._require_kind(value)
        self._require_range(value)
        if self.check is not None:
            self.check(value)
        return value

    def _require_kind(self, value: Any) -> None:
        word, fits = _KINDS.get(self.kind, ("constants by name" if self.text is None else "text", None))
        known = isinstance(value, self.kind) if fits is None else fits(value)
        require(known, f"{self.name}: expected {word}{' or nothing' if self.optional else ''}, found {value!r}")
        if self.words:
            require(value in self.words, f"{self.name}: expected {listed(self.words)}, found {value!r}")

    def _require_range(self, value: Any) -> None:
        if self.kind not in (int, float):
            return
        require(math.isfinite(value), f"{self.name}: expected a finite number, found {value!r}")
        low = (self.least is None or value >= self.least) and (self.above is None or value > self.above)
        high = self.most is None or value <= self.most
        require(low and high, f"{self.name}: expected {self.range_text}, found {value:g}")


def is_number(value: object, kind: type = Real) -> bool:
    """Whether a value is a number of this kind; in Python, True and False are whole numbers, but not here."""
    return isinstance(value, kind) and not isinstance(value, bool)


_KINDS: dict[type, tuple[str, Callable[[object], bool]]] = {
    str: ("text", lambda value: isinstance(value, str)),
    bool: ("true or false", lambda value: isinstance(value, bool)),
    int: ("a whole number", lambda value: is_number(value, Integral)),
    float: ("a number", is_number),
}


def option(default: Any = MISSING, *, help: str, **more: Any) -> Any:  # noqa: A002  the word of every option parser
    """A dataclass field with its `Option`; `more` are fields of `Option`. Required if it has no default."""
    return field(default=default, metadata={"option": Option(help=help, **more)})


def listed(words: tuple[Any, ...]) -> str:
    """`auto, cpu or cuda`."""
    *first, last = map(str, words)
    return f"{', '.join(first)} or {last}" if first else last


_KNOWN: dict[type, tuple[Option, ...]] = {}


def options_of(settings: type["Settings"]) -> tuple[Option, ...]:
    """The options of a dataclass: its own in order, then those of its bases."""
    if settings not in _KNOWN:
        hints, own = get_type_hints(settings), get_annotations(settings)
        found = [one for one in fields(settings) if "option" in one.metadata]  # type: ignore[arg-type]
        found.sort(key=lambda one: one.name not in own)
        _KNOWN[settings] = tuple(_option(one, hints[one.name]) for one in found)
    return _KNOWN[settings]


def _option(one: Field[Any], hint: Any) -> Option:
    optional = get_origin(hint) in (Union, UnionType)
    kind = next(part for part in get_args(hint) if part is not type(None)) if optional else hint
    given: Option = one.metadata["option"]
    words = given.words
    if get_origin(kind) is Literal:
        kind, words = str, get_args(kind)
    return replace(given, name=one.name, kind=kind, optional=optional, default=one.default, words=words)


class Settings:
    """Base class of dataclasses whose fields are options: validated on creation, converted to and from JSON values."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for one in options_of(type(self)):
            value = getattr(self, one.name)
            if (checked := one.checked(value)) is not value:
                object.__setattr__(self, one.name, checked)

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON values: text forms as text."""
        values = asdict(self)  # type: ignore[call-overload]  # every subclass is a dataclass
        for one in options_of(type(self)):
            if one.text is not None:
                values[one.name] = one.text.write(getattr(self, one.name))
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str) -> Self:
        """Settings from `values`; missing fields keep their defaults.

        Raises InvalidInput, whose message begins with `where`, for unknown keys and invalid values.
        """
        known = {one.name for one in fields(cls)}  # type: ignore[arg-type]
        for key in values:
            require(key in known, f"{where}: expected keys among {', '.join(sorted(known))}, found {key!r}")
        try:
            return cls(**values)
        except InvalidInput as error:
            raise InvalidInput(f"{where}: {error}") from error
