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
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.files.formats import EXTENSIONS, RAW_EXTENSIONS
from wideopen.files.read import read_facts
from wideopen.settings import LensSettings

META_FORMAT = 1
SHARP_FOLDERS = ("sharp", "original")
PICTURES = (*EXTENSIONS, *RAW_EXTENSIONS)
MAPS = (".png", ".tif", ".tiff", ".npy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """Known settings of a pair's capture, named as on the command line; None = unknown."""

    focus: str | None = None
    blur: str | None = None
    focus_range: float | None = None
    filter_disparity: bool | None = None
    """False if the disparity is exact and therefore used unchanged."""

    def __post_init__(self) -> None:
        known = {name: getattr(self, name) for name in ("focus", "blur", "focus_range")}
        LensSettings.from_dict({key: value for key, value in known.items() if value is not None}, where="meta")
        truth = self.filter_disparity is None or isinstance(self.filter_disparity, bool)
        require(truth, f"filter_disparity: expected true or false, found {self.filter_disparity!r}")


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
    sharp_folder = next((folder / name for name in SHARP_FOLDERS if (folder / name).is_dir()), None)
    require(sharp_folder is not None, f"--pairs: expected a folder {folder / 'sharp'}, found none")
    require((folder / "bokeh").is_dir(), f"--pairs: expected a folder {folder / 'bokeh'}, found none")
    assert sharp_folder is not None
    problems: list[Problem] = []
    kinds = {"sharp": (sharp_folder, PICTURES), "bokeh": (folder / "bokeh", PICTURES)}
    kinds |= {name: (folder / name, MAPS) for name in ("matte", "disparity")}
    files = {name: _by_stem(*where, problems) for name, where in kinds.items()}
    metas = _metas(folder / "meta.json")
    names = sorted(files["sharp"].keys() | files["bokeh"].keys())
    require(bool(names), f"--pairs: expected pictures in {sharp_folder} and {folder / 'bokeh'}, found none")
    pairs = []
    for name in names:
        of_pair = {kind: found.get(name) for kind, found in files.items()}
        what = _what_is_wrong(of_pair, {kind: where for kind, (where, _) in kinds.items()}, name)
        meta = metas.get(name, metas[""])
        if what is None and isinstance(meta, str):
            what = meta
        if what is None and isinstance(meta, Meta):
            pairs.append(Pair(name=name, meta=meta, **of_pair))  # type: ignore[arg-type]  # both pictures are there
        else:
            problems.append(Problem(name, str(what)))
    for kind in ("matte", "disparity"):
        alone = sorted(files[kind].keys() - set(names))
        problems += [Problem(name, f"{kind}: expected a pair of that name, found none") for name in alone]
    problems += [
        Problem(n, "meta.json: expected a pair of that name, found none") for n in metas if n not in {"", *names}
    ]
    _require_some(folder, pairs, problems)
    return Found(tuple(pairs), tuple(problems))


def _require_some(folder: Path, pairs: list[Pair], problems: list[Problem]) -> None:
    if not pairs:
        listed = "; ".join(f"{p.name}: {p.what}" for p in problems[:10])
        more = f" and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise InvalidInput(f"--pairs: expected a usable pair in {folder}, found none: {listed}{more}")


def _by_stem(folder: Path, suffixes: tuple[str, ...], problems: list[Problem]) -> dict[str, Path]:
    """Files by name without extension; of two with the same name the first is used and the other reported."""
    found: dict[str, Path] = {}
    if not folder.is_dir():
        return found
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in suffixes or path.name.startswith("."):
            continue
        if path.stem in found:
            problems.append(Problem(path.stem, f"{path}: expected one file of that name, found {found[path.stem]} too"))
            continue
        found[path.stem] = path
    return found


def _what_is_wrong(files: Mapping[str, Path | None], folders: Mapping[str, Path], name: str) -> str | None:
    """The reason why these files are not a pair, or None."""
    for kind in ("sharp", "bokeh"):
        if files[kind] is None:
            return f"expected a partner {folders[kind] / name}.*, found none"
    sizes = {}
    for kind, path in files.items():
        if path is None or path.suffix.lower() == ".npy":
            continue
        try:
            facts = read_facts(path)
        except InvalidInput as error:
            return str(error)
        sizes[kind] = (facts.width, facts.height)
    width, height = sizes["sharp"]
    if sizes["bokeh"] != (width, height):
        other = sizes["bokeh"]
        return f"{files['bokeh']}: expected {width} x {height} as the sharp photo, found {other[0]} x {other[1]}"
    return None


def _metas(file: Path) -> dict[str, Meta | str]:
    """Meta by pair, "" for all others; a string is the reason why an entry is unusable."""
    if not file.exists():
        return {"": Meta()}
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{file}: expected JSON, found something unreadable ({error})") from error
    require(isinstance(data, dict), f"{file}: expected a JSON object, found {type(data).__name__}")
    version = data.get("format")
    if isinstance(version, int) and version > META_FORMAT:
        raise InvalidInput(f"{file}: expected format {META_FORMAT}, found {version}, of a newer wideopen")
    require(version == META_FORMAT, f'{file}: expected "format": {META_FORMAT}, found {version!r}')
    for key in data:
        require(key in ("format", "all", "pairs"), f"{file}: expected keys among all, format, pairs, found {key!r}")
    shared, entries = data.get("all", {}), data.get("pairs", {})
    both = isinstance(shared, dict) and isinstance(entries, dict)
    require(both, f"{file}: expected objects in all and pairs, found something else")
    metas: dict[str, Meta | str] = {"": _meta(shared, f"{file}: all")}
    for name, entry in entries.items():
        try:
            require(isinstance(entry, dict), f"{file}: {name}: expected an object, found {entry!r}")
            metas[name] = _meta(shared | entry, f"{file}: {name}")
        except InvalidInput as error:
            metas[name] = str(error)
    return metas


def _meta(values: Mapping[str, Any], where: str) -> Meta:
    known = [f.name for f in fields(Meta)]
    for key in values:
        require(key in known, f"{where}: expected keys among {', '.join(known)}, found {key!r}")
    try:
        return Meta(**values)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error}") from error
