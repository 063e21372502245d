"""Pairs on disk: an all-in-focus photo, and the same scene through a fast lens.

    DIR/sharp/NAME.EXT      the photo (`original/`, as EBB! calls it, is read too)
    DIR/bokeh/NAME.EXT      the truth, of the same size
    DIR/matte/NAME.EXT      optional: the subject's coverage, as `render --matte` takes it
    DIR/disparity/NAME.EXT  optional: as `render --disparity` takes it
    DIR/meta.json           optional: {"format": 1, "all": {...}, "pairs": {NAME: {...}}}, keys as in `Meta`

Other sets have a `Layout` of their own. Problems of single pairs are collected and shown in one table before any
work starts; the other pairs are used.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from wideopen.checks import require
from wideopen.errors import ITEM, InvalidInput
from wideopen.files.formats import PHOTO_EXTENSIONS
from wideopen.files.maps import MAP_EXTENSIONS
from wideopen.files.read import read_facts
from wideopen.lens import ANY_SIZE, parse_blur, parse_focus
from wideopen.options import Settings, option

META_FORMAT = 1
PICTURES = PHOTO_EXTENSIONS
LISTED = 10  # greatest number of problems listed in one error


class Named(Protocol):
    """A pair of any kind."""

    @property
    def name(self) -> str:
        """Its name."""


P = TypeVar("P", bound=Named)


@dataclass(frozen=True, slots=True)
class PairProblem:
    """The reason why a pair, or a file without a pair, is skipped."""

    name: str
    what: str


@dataclass(frozen=True, slots=True)
class FoundPairs(Generic[P]):
    """The pairs of a folder, by name, and the problems of the others."""

    pairs: tuple[P, ...]
    problems: tuple[PairProblem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the files of each kind lie. Folders are relative to the root; the first that exists is used."""

    folders: Mapping[str, Sequence[str]]
    suffixes: Mapping[str, Sequence[str]]
    equal: tuple[str, str]  # the two kinds that every pair needs, of equal size


OURS = Layout(
    folders={"sharp": ("sharp", "original"), "bokeh": ("bokeh",), "matte": ("matte",), "disparity": ("disparity",)},
    suffixes={"sharp": PICTURES, "bokeh": PICTURES, "matte": MAP_EXTENSIONS, "disparity": MAP_EXTENSIONS},
    equal=("sharp", "bokeh"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta(Settings):
    """Known settings of a pair's capture, named as on the command line; None = unknown."""

    focus: str | None = option(None, help="Focus, as for render.", check=parse_focus)
    blur: str | None = option(None, help="Blur radius, as for render.", check=parse_blur)
    focus_range: float | None = option(None, least=0, most=1, help="Half-width in disparity that stays sharp.")
    filter_disparity: bool | None = option(None, help="False if the disparity is exact and therefore used unchanged.")
    group: str | None = option(None, help="The same for pairs of one photo and focus that differ in blur.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The files of one pair."""

    name: str
    sharp: Path
    bokeh: Path
    matte: Path | None = None
    disparity: Path | None = None
    meta: Meta = field(default_factory=Meta)
    level: float | None = None  # the blur asked for, in any unit that grows with it; compared within meta.group
    gamma: float | None = None  # compared as light ** (1 / gamma), as the set's authors do; None = sRGB


def find_pairs(folder: Path, *, option: str = "--pairs", strict: bool = False) -> FoundPairs[Pair]:
    """All pairs below `folder`. Sizes come from the file headers, so other damage to a file shows only later.

    Raises InvalidInput if one of the two required folders is missing, if meta.json is unusable, or if no pair is left.
    """
    files, problems = together(folder, OURS, option=option, strict=strict)
    file = folder / "meta.json"
    shared, entries = _read_metas(file)
    pairs = []
    for name, of_pair in files.items():
        try:
            entry = entries.get(name, {})
            require(isinstance(entry, dict), f"{file}: {name}: expected an object, found {entry!r}")
            meta = Meta.from_dict(shared | entry, where=f"{file}: {name}")
        except InvalidInput as error:
            problems.append(PairProblem(name, str(error)))
            continue
        pairs.append(Pair(name=name, meta=meta, level=_level(meta), **of_pair))
    known = files.keys() | {problem.name for problem in problems}
    alone = sorted(entries.keys() - known)
    problems += [PairProblem(name, "meta.json: expected a pair of that name, found none") for name in alone]
    if not pairs:
        found = f": {counted(problems)}:{listed(problems)}" if problems else ""
        raise InvalidInput(f"{option}: expected a usable pair in {folder}, found none{found}")
    return FoundPairs(tuple(pairs), tuple(problems))


def _level(meta: Meta) -> float | None:
    """The blur as a fraction of the long side, or in pixels over a fixed number: pairs of a group use one unit."""
    return None if meta.blur is None else parse_blur(meta.blur, ANY_SIZE) * (ANY_SIZE if "px" in meta.blur else 1)


def read_object(file: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises InvalidInput."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{file}: expected JSON, found something unreadable ({error})") from error
    require(isinstance(data, dict), f"{file}: expected a JSON object, found {type(data).__name__}")
    return dict(data)


def _read_metas(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings of a meta.json for all pairs, and for each by name. Raises InvalidInput if unusable."""
    if not file.exists():
        return {}, {}
    data = read_object(file)
    version = data.get("format")
    newer = ", from a newer wideopen" if isinstance(version, int) and version > META_FORMAT else ""
    require(version == META_FORMAT, f"{file}: expected format {META_FORMAT}, found {version!r}{newer}")
    for key in data:
        require(key in ("format", "all", "pairs"), f"{file}: expected keys among all, format, pairs, found {key!r}")
    shared, entries = data.get("all", {}), data.get("pairs", {})
    both = isinstance(shared, dict) and isinstance(entries, dict)
    require(both, f"{file}: expected objects in all and pairs, found something else")
    Meta.from_dict(shared, where=f"{file}: all")
    return shared, entries


def together(
    root: Path,
    layout: Layout,
    *,
    option: str,
    names: Collection[str] | None = None,
    strict: bool = False,
    headers: bool = True,
) -> tuple[dict[str, dict[str, Any]], list[PairProblem]]:
    """Return the files of each pair by kind, and the problems of all others; pairs are in order of their names.

    names: the pairs expected (files of other names are ignored); None = those found. strict: also report files of other
    kinds. headers: compare sizes, which the headers of the files tell. Raises InvalidInput for a missing folder.
    """
    require(root.is_dir(), f"{option}: expected a folder, found {root}")
    places = {kind: [root / name for name in names] for kind, names in layout.folders.items()}
    folders = {kind: next((place for place in known if place.is_dir()), known[0]) for kind, known in places.items()}
    for kind in layout.equal:
        expected = " or ".join(map(str, places[kind]))
        require(folders[kind].is_dir(), f"{option}: expected a folder {expected}, found none")
    problems: list[PairProblem] = []
    extra: list[PairProblem] = []
    files = {k: _by_stem(folder, layout.suffixes[k], extra, strict) for k, folder in folders.items()}
    needed = set().union(*(files[kind] for kind in layout.equal)) if names is None else set(names)
    found = {}
    for name in sorted(needed):
        of_pair = {kind: known[name] for kind, known in files.items() if name in known}
        try:
            for kind in layout.equal:
                require(kind in of_pair, f"expected a partner {folders[kind] / name}.*, found none")
            if headers:
                require_equal_sizes(*(of_pair[kind] for kind in layout.equal))
        except InvalidInput as error:
            problems.append(PairProblem(name, str(error)))
            continue
        found[name] = of_pair
    for kind in files.keys() - layout.equal if names is None else ():
        alone = sorted(files[kind].keys() - needed)
        problems += [PairProblem(name, f"{kind}: expected a pair of that name, found none") for name in alone]
    return found, [*problems, *extra]


def predicted(
    found: FoundPairs[P], check: Callable[[P], object], folder: Path, *, partial: bool = True
) -> FoundPairs[P]:
    """The pairs of `found` that another program's `folder` has a picture for, and the problems of the others.

    check: raises InvalidInput for a pair without one. Raises InvalidInput if no pair is left, and without `partial` for
    the first problem.
    """
    require(folder.is_dir(), f"--pred: expected a folder, found {folder}")
    pairs, problems = [], []
    for pair in found.pairs:
        try:
            check(pair)
            pairs.append(pair)
        except InvalidInput as error:
            problems.append(PairProblem(pair.name, str(error)))
    hint = f"; --partial judges the other {len(pairs)}" if pairs else ""
    line = f"expected pictures of {len(found.pairs)} pairs, found {counted(problems)}{hint}:{listed(problems)}"
    require(not problems or (partial and len(pairs) > 0), f"--pred: {line}")
    return FoundPairs(tuple(pairs), (*found.problems, *problems))


def require_equal_sizes(first: Path, second: Path) -> None:
    """Refuse two pictures of different sizes, or a file that is not a picture. Raises InvalidInput."""
    sizes = [f"{facts.width} x {facts.height}" for facts in map(read_facts, (first, second))]
    require(sizes[0] == sizes[1], f"{second}: expected {sizes[0]} as {first}, found {sizes[1]}")


def listed(problems: Sequence[PairProblem]) -> str:
    """The first ten problems, each on a line of its own, and how many more there are."""
    lines = [f"{one.name}: {one.what}" for one in problems[:LISTED]]
    more = [f"and {len(problems) - LISTED} more"] if len(problems) > LISTED else []
    return "".join(f"{ITEM}{line}" for line in lines + more)


def counted(problems: Sequence[PairProblem]) -> str:
    """Their number in words."""
    return "1 problem" if len(problems) == 1 else f"{len(problems)} problems"


def extra_file(path: Path) -> PairProblem:
    """A file that does not belong to the set."""
    return PairProblem(f"{path.parent.name}/{path.name}", "expected only files of the set, found another")


def _by_stem(folder: Path, suffixes: Sequence[str], problems: list[PairProblem], strict: bool) -> dict[str, Path]:
    """Files by name without extension; of two with the same name the first is used and the other reported."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith("."):
            continue
        if path.suffix.lower() not in suffixes:
            if strict:
                problems.append(extra_file(path))
            continue
        first = found.setdefault(path.stem, path)
        if first != path:
            problems.append(PairProblem(path.stem, f"{path}: expected one file of that name, found {first} too"))
    return found
