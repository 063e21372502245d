"""Files that belong together by name: one folder for each kind, such as sharp photos, true pictures and mattes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.files.read import read_facts

LISTED = 10  # greatest number of problems listed in one error
Pair = TypeVar("Pair")


@dataclass(frozen=True, slots=True)
class PairProblem:
    """The reason why a pair, or a file without a pair, is skipped."""

    name: str
    what: str


@dataclass(frozen=True, slots=True)
class FoundPairs(Generic[Pair]):
    """The pairs of a folder, by name, and the problems of the others."""

    pairs: tuple[Pair, ...]
    problems: tuple[PairProblem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the files of each kind lie. Folders are relative to the root; the first that exists is used."""

    folders: Mapping[str, Sequence[str]]
    suffixes: Mapping[str, Sequence[str]]
    equal: tuple[str, str]
    """The two kinds that every pair needs, of equal size."""


def together(
    root: Path, layout: Layout, *, option: str, names: Collection[str] | None = None, strict: bool = False
) -> tuple[dict[str, dict[str, Path]], list[PairProblem]]:
    """Return the files of each pair by kind, and the problems of all others; pairs are in order of their names.

    names: the pairs expected (files of other names are ignored); None = those found. strict: also report files of other
    kinds. Sizes come from the file headers. Raises InvalidInput for a missing folder.
    """
    require(root.is_dir(), f"{option}: expected a folder, found {root}")
    folders = {kind: _first(root, known) for kind, known in layout.folders.items()}
    for kind in layout.equal:
        require(
            folders[kind].is_dir(), f"{option}: expected a folder {_either(root, layout.folders[kind])}, found none"
        )
    problems: list[PairProblem] = []
    files = {k: _by_stem(folder, layout.suffixes[k], problems, strict) for k, folder in folders.items()}
    needed = set().union(*(files[kind] for kind in layout.equal)) if names is None else set(names)
    found = {}
    for name in sorted(needed):
        of_pair = {kind: known[name] for kind, known in files.items() if name in known}
        try:
            for kind in layout.equal:
                require(kind in of_pair, f"expected a partner {folders[kind] / name}.*, found none")
            require_equal_sizes(*(of_pair[kind] for kind in layout.equal))
        except InvalidInput as error:
            problems.append(PairProblem(name, str(error)))
            continue
        found[name] = of_pair
    for kind in files.keys() - layout.equal if names is None else ():
        alone = sorted(files[kind].keys() - needed)
        problems += [PairProblem(name, f"{kind}: expected a pair of that name, found none") for name in alone]
    return found, problems


def require_equal_sizes(first: Path, second: Path) -> None:
    """Refuse two pictures of different sizes, or a file that is not a picture. Raises InvalidInput."""
    sizes = [f"{facts.width} x {facts.height}" for facts in map(read_facts, (first, second))]
    require(sizes[0] == sizes[1], f"{second}: expected {sizes[0]} as {first}, found {sizes[1]}")


def listed(problems: Sequence[PairProblem]) -> str:
    """The first ten problems in one line, and how many more there are."""
    more = f" and {len(problems) - LISTED} more" if len(problems) > LISTED else ""
    return "; ".join(f"{one.name}: {one.what}" for one in problems[:LISTED]) + more


def _first(root: Path, names: Sequence[str]) -> Path:
    return next((root / name for name in names if (root / name).is_dir()), root / names[0])


def _either(root: Path, names: Sequence[str]) -> str:
    return " or ".join(str(root / name) for name in names)


def _by_stem(folder: Path, suffixes: Sequence[str], problems: list[PairProblem], strict: bool) -> dict[str, Path]:
    """Files by name without extension; of two with the same name the first is used and the other reported."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith("."):
            continue
        if path.suffix.lower() not in suffixes:
            if strict:
                problems.append(
                    PairProblem(path.name, f"{path}: expected {' or '.join(suffixes)}, found something else")
                )
            continue
        first = found.setdefault(path.stem, path)
        if first != path:
            problems.append(PairProblem(path.stem, f"{path}: expected one file of that name, found {first} too"))
    return found
