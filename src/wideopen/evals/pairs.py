"""Pairs on disk: an all-in-focus photo, and the same scene through a fast lens.

    DIR/sharp/NAME.EXT      the photo (`original/`, as EBB! calls it, is read too)
    DIR/bokeh/NAME.EXT      the truth, of the same size
    DIR/matte/NAME.EXT      optional: the subject's coverage, as `render --matte` takes it
    DIR/disparity/NAME.EXT  optional: as `render --disparity` takes it
    DIR/meta.json           optional: {"format": 1, "all": {...}, "pairs": {NAME: {...}}}, keys as in `Meta`

Problems of single pairs are collected and shown in one table before any work starts; the other pairs are used.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.files.formats import EXTENSIONS, RAW_EXTENSIONS
from wideopen.files.read import read_facts
from wideopen.lens import parse_blur, parse_focus
from wideopen.options import Settings, option

META_FORMAT = 1
SHARP_FOLDERS = ("sharp", "original")
PICTURES = (*EXTENSIONS, *RAW_EXTENSIONS)
MAPS = (".png", ".tif", ".tiff", ".npy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta(Settings):
    """Known settings of a pair's capture, named as on the command line; None = unknown."""

    focus: str | None = option(None, help="Focus, as for render.", check=parse_focus)
    blur: str | None = option(None, help="Blur radius, as for render.", check=parse_blur)
    focus_range: float | None = option(None, least=0, most=1, help="Half-width in disparity that stays sharp.")
    filter_disparity: bool | None = option(None, help="False if the disparity is exact and therefore used unchanged.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The files of one pair."""

    name: str
    sharp: Path
    bokeh: Path
    matte: Path | None = None
    disparity: Path | None = None
    meta: Meta = field(default_factory=Meta)


@dataclass(frozen=True, slots=True)
class Problem:
    """The reason why a pair, or a file without a pair, is skipped."""

    name: str
    what: str


@dataclass(frozen=True, slots=True)
class Found:
    """The pairs of a folder, by name, and the problems of the others."""

    pairs: tuple[Pair, ...]
    problems: tuple[Problem, ...]


def find_pairs(folder: Path) -> Found:
    """All pairs below `folder`. Sizes come from the file headers, so other damage to a file shows only later.

    Raises InvalidInput if one of the two required folders is missing, if meta.json is unusable, or if no pair is left.
    """
    require(folder.is_dir(), f"--pairs: expected a folder, found {folder}")
    folders = {kind: folder / kind for kind in ("sharp", "bokeh", "matte", "disparity")}
    folders["sharp"] = next((folder / name for name in SHARP_FOLDERS if (folder / name).is_dir()), folders["sharp"])
    for kind in ("sharp", "bokeh"):
        require(folders[kind].is_dir(), f"--pairs: expected a folder {folders[kind]}, found none")
    problems: list[Problem] = []
    suffixes = {"sharp": PICTURES, "bokeh": PICTURES, "matte": MAPS, "disparity": MAPS}
    files = {kind: _by_stem(path, suffixes[kind], problems) for kind, path in folders.items()}
    metas = _Metas(folder / "meta.json")
    names = sorted(files["sharp"].keys() | files["bokeh"].keys())
    require(bool(names), f"--pairs: expected pictures in {folders['sharp']} and {folders['bokeh']}, found none")
    pairs = []
    for name in names:
        of_pair = {kind: found[name] for kind, found in files.items() if name in found}
        try:
            for kind in ("sharp", "bokeh"):
                require(kind in of_pair, f"expected a partner {folders[kind] / name}.*, found none")
            _require_equal_sizes(of_pair)
            pairs.append(Pair(name=name, meta=metas.of(name), **of_pair))
        except InvalidInput as error:
            problems.append(Problem(name, str(error)))
    without = {kind: files[kind].keys() for kind in ("matte", "disparity")} | {"meta.json": metas.entries.keys()}
    for kind, known in without.items():
        alone = sorted(known - set(names))
        problems += [Problem(name, f"{kind}: expected a pair of that name, found none") for name in alone]
    if not pairs:
        listed = "; ".join(f"{p.name}: {p.what}" for p in problems[:10])
        more = f" and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise InvalidInput(f"--pairs: expected a usable pair in {folder}, found none: {listed}{more}")
    return Found(tuple(pairs), tuple(problems))


def _by_stem(folder: Path, suffixes: tuple[str, ...], problems: list[Problem]) -> dict[str, Path]:
    """Files by name without extension; of two with the same name the first is used and the other reported."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix.lower() not in suffixes or path.name.startswith("."):
            continue
        first = found.setdefault(path.stem, path)
        if first != path:
            problems.append(Problem(path.stem, f"{path}: expected one file of that name, found {first} too"))
    return found


def _require_equal_sizes(files: Mapping[str, Path]) -> None:
    """Read the headers of all files; the two pictures must have one size. Raises InvalidInput."""
    facts = {kind: read_facts(path) for kind, path in files.items() if path.suffix.lower() != ".npy"}
    sharp, bokeh = (f"{facts[kind].width} x {facts[kind].height}" for kind in ("sharp", "bokeh"))
    require(sharp == bokeh, f"{files['bokeh']}: expected {sharp} as the sharp photo, found {bokeh}")


class _Metas:
    """The entries of a meta.json; a missing file is empty. Raises InvalidInput for a file that cannot be used."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.shared: dict[str, Any] = {}
        self.entries: dict[str, Any] = {}
        if not file.exists():
            return
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InvalidInput(f"{file}: expected JSON, found something unreadable ({error})") from error
        require(isinstance(data, dict), f"{file}: expected a JSON object, found {type(data).__name__}")
        version = data.get("format")
        newer = ", of a newer wideopen" if isinstance(version, int) and version > META_FORMAT else ""
        require(version == META_FORMAT, f"{file}: expected format {META_FORMAT}, found {version!r}{newer}")
        for key in data:
            require(key in ("format", "all", "pairs"), f"{file}: expected keys among all, format, pairs, found {key!r}")
        self.shared, self.entries = data.get("all", {}), data.get("pairs", {})
        both = isinstance(self.shared, dict) and isinstance(self.entries, dict)
        require(both, f"{file}: expected objects in all and pairs, found something else")
        Meta.from_dict(self.shared, where=f"{file}: all")

    def of(self, name: str) -> Meta:
        """The meta of one pair. Raises InvalidInput."""
        entry = self.entries.get(name, {})
        require(isinstance(entry, dict), f"{self.file}: {name}: expected an object, found {entry!r}")
        return Meta.from_dict(self.shared | entry, where=f"{self.file}: {name}")
