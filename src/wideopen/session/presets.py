"""Presets: lens settings in a JSON file, shipped with the package or written by a user.

    {"wideopen_preset": 1, "lens": {"look": "paper", "paper": {"alpha1": 2.2, ...}}, "about": {...}}

`lens` has any of the fields of `LensSettings`; missing ones keep their defaults. `about` is for human readers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.files.atomic import atomic_file
from wideopen.lens import PaperLook
from wideopen.settings import LensSettings

FORMAT = 1
_KEYS = ("wideopen_preset", "lens", "about")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Some lens settings, and where they come from."""

    lens: Mapping[str, Any]
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings()

    def settings(
        self, explicit: Mapping[str, Any] | None = None, beneath: Mapping[str, Any] | None = None
    ) -> LensSettings:
        """The full settings: `explicit` values override the preset's, and the preset's override those in `beneath`.

        Explicit highlights also override the exponents in a preset's constants of the paper look, which would otherwise
        take precedence. Raises InvalidInput.
        """
        chosen = dict(explicit or {})
        lens = {**(beneath or {}), **self.lens, **chosen}
        if "highlights" in chosen and isinstance(lens.get("paper"), Mapping):
            alpha = PaperLook.with_highlights(chosen["highlights"]).alpha1
            lens["paper"] = {**lens["paper"], "alpha1": alpha, "alpha2": alpha}
        return LensSettings.from_dict(lens, where="preset")


def shipped() -> list[str]:
    """The names of the presets in the package."""
    return sorted(file.name.removesuffix(".json") for file in _folder().iterdir() if file.name.endswith(".json"))


def read_preset(name: str) -> Preset:
    """The preset of that name in the package, or in that file.

    Raises InvalidInput for an unknown name, an unreadable file, unknown keys or a newer format.
    """
    if name in shipped():
        return parse_preset((_folder() / f"{name}.json").read_text(encoding="utf-8"), where=name)
    path = Path(name)
    known = ", ".join(shipped())
    require(path.suffix == ".json", f"--preset: expected a .json file or one of {known}, found {name!r}")
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InvalidInput(f"--preset: expected a file, found no {path}") from error
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path}: expected a preset in JSON, found something unreadable ({error})") from error
    return parse_preset(text, where=str(path))


def parse_preset(text: str, *, where: str) -> Preset:
    """The preset in a file's text. Raises InvalidInput, which begins with `where`."""
    try:
        data: Any = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"{where}: expected a preset in JSON, found something unreadable ({error})") from error
    require(isinstance(data, dict), f"{where}: expected a JSON object, found {type(data).__name__}")
    version = data.get("wideopen_preset")
    is_number = isinstance(version, int) and not isinstance(version, bool)
    if is_number and version > FORMAT:
        raise InvalidInput(f"{where}: expected a preset of format {FORMAT}, found {version}, from a newer wideopen")
    require(version == FORMAT and is_number, f'{where}: expected "wideopen_preset": {FORMAT}, found {version!r}')
    for key in data:
        require(key in _KEYS, f"{where}: expected keys among {', '.join(_KEYS)}, found {key!r}")
    for key in ("lens", "about"):
        require(isinstance(data.get(key, {}), dict), f"{where}: expected an object in {key}, found {data.get(key)!r}")
    try:
        return Preset(lens=data.get("lens", {}), about=data.get("about", {}))
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {str(error).removeprefix('preset: ')}") from error


def preset_text(preset: Preset) -> str:
    """The text of a preset's file."""
    data = {"wideopen_preset": FORMAT, "lens": dict(preset.lens), "about": dict(preset.about)}
    return json.dumps(data, indent=2) + "\n"


def write_preset(path: Path, preset: Preset, *, overwrite: bool = False) -> Path:
    """Write a preset atomically. Raises InvalidInput."""
    require(path.suffix == ".json", f"{path}: expected a preset as .json, found {path.suffix or 'no extension'}")
    with atomic_file(path, overwrite=overwrite) as file:
        file.write(preset_text(preset).encode())
    return path


def _folder() -> Any:
    return files("wideopen") / "presets"
