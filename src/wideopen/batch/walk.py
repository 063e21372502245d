"""From what the user names to photos and the names of their results.

Folders are walked, with links followed and each real folder entered once, so that links in a circle end; names that
begin with a dot, and files that are no photos by their extension, are passed over. Files named one by one are always
taken. Below the destination the folders are those of the source: a single folder's own, for several sources each
folder's under its name, and for files those below the deepest folder that they share.
"""

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from glob import has_magic
from pathlib import PurePath
from typing import NamedTuple

from wideopen.batch.places import file_system, is_url, plain
from wideopen.checks import require
from wideopen.files.formats import EXTENSIONS, RAW_EXTENSIONS
from wideopen.session.results import result_name

_PHOTOS = frozenset((*EXTENSIONS, *RAW_EXTENSIONS))


class Found(NamedTuple):
    """A photo, and its result relative to the destination, with / between the parts."""

    photo: str
    target: str


class Problem(NamedTuple):
    """A place that cannot be walked, or a name that cannot be used, and why."""

    place: str
    reason: str


class _Tree(NamedTuple):
    """A folder to walk: only files that match, their results below a prefix."""

    root: str
    pattern: str
    prefix: str


def find_photos(
    sources: Sequence[str], destination: str, *, listed: Sequence[str] = (), exclude: Sequence[str] = ()
) -> Iterator[Found | Problem]:
    """Yield every photo of `sources`, then those of `listed` (one file each), in the same order every time.

    A source is a folder, a file, a pattern (`photos/**/*.jpg`) or a URL of any of these. `exclude` are patterns of
    names, or of paths relative to their source. What lies in `destination` is passed over.
    Raises InvalidInput for a source that is not there, and for one that is the destination.
    """
    destination = plain(destination)
    trees, files = _sorted_out([plain(source) for source in sources])
    inside = None if is_url(destination) else os.path.realpath(destination)
    for tree in trees:
        itself = tree.root == destination or (not is_url(tree.root) and os.path.realpath(tree.root) == inside)
        require(not itself, f"{destination}: expected another folder than the source {tree.root}, found the same")
    for tree in trees:
        yield from _walked(tree, destination, exclude)
    for group in (files, [plain(place) for place in listed if place]):
        yield from _named_one_by_one(group)


def _sorted_out(sources: Sequence[str]) -> tuple[list[_Tree], list[str]]:
    """(folders to walk, files)."""
    trees, files = [], []
    for source in sources:
        root, pattern = source, "*"
        if has_magic(source) and not _exists(source):
            parts = source.split("/")
            fixed = next(index for index, part in enumerate(parts) if has_magic(part))
            root, pattern = "/".join(parts[:fixed]) or ("/" if source.startswith("/") else "."), "/".join(parts[fixed:])
        require(_exists(root), f"{source}: expected a photo, a folder or a pattern, found none there")
        if _is_folder(root):
            name = PurePath(root.partition("://")[2] if is_url(root) else os.path.realpath(root)).name
            trees.append(_Tree(root, pattern, f"{name}/" if len(sources) > 1 else ""))
        else:
            files.append(source)
    return trees, files


def _walked(tree: _Tree, destination: str, exclude: Sequence[str]) -> Iterator[Found | Problem]:
    walk = _objects(tree.root) if is_url(tree.root) else _files(tree.root, destination)
    for found in walk:
        if isinstance(found, Problem):
            yield found
            continue
        place, relative = found
        name = relative.rpartition("/")[2]
        if is_url(destination) and place.startswith(f"{destination}/"):
            continue
        if not _is_photo(name) or not _matches(relative, tree.pattern):
            continue
        if any(fnmatch(name, pattern) or fnmatch(relative, pattern) for pattern in exclude):
            continue
        yield _result(place, tree.prefix + relative)


def _files(root: str, destination: str) -> Iterator[tuple[str, str] | Problem]:
    """(path, path relative to the root) of every file below a folder, its own before its folders'."""
    seen = {os.path.realpath(destination)}
    waiting = [(root, "")]
    while waiting:
        folder, relative = waiting.pop()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            with os.scandir(folder) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield Problem(folder, f"cannot be read ({error.strerror})")
            continue
        folders = []
        for entry in inside:
            if entry.name.startswith("."):
                continue
            try:
                is_folder, is_file = entry.is_dir(), entry.is_file()
            except OSError as error:  # a link to itself
                yield Problem(entry.path, f"cannot be read ({error.strerror})")
                continue
            if is_folder:
                folders.append((entry.path, f"{relative}{entry.name}/"))
            elif is_file:
                yield entry.path, relative + entry.name
        waiting += reversed(folders)


def _objects(root: str) -> Iterator[tuple[str, str]]:
    system, path = file_system(root)
    system.invalidate_cache()
    for found in sorted(system.find(path)):
        below = found[len(path) :]
        relative = below.lstrip("/")
        if not any(part.startswith(".") and part != ".." for part in relative.split("/")):
            yield root + below, relative


def _named_one_by_one(places: Sequence[str]) -> Iterator[Found | Problem]:
    parts = [(place if is_url(place) else os.path.abspath(place)).split("/") for place in places]  # noqa: PTH100
    shared = 0
    while parts and all(len(part) > shared + 1 and part[shared] == parts[0][shared] for part in parts):
        shared += 1
    for place, part in zip(places, parts, strict=True):
        yield _result(place, "/".join(part[shared:]))


def _result(place: str, relative: str) -> Found | Problem:
    folder, _, name = relative.rpartition("/")
    if any(part in ("", "..", ".") for part in folder.split("/") if folder) or "\0" in relative or name in ("", ".."):
        return Problem(place, "expected a name that stays below the destination")
    result = result_name(PurePath(name))
    return Found(place, f"{folder}/{result}" if folder else result)


def _matches(relative: str, pattern: str) -> bool:
    """Whether a relative path matches a shell's pattern, in which ** stands for any folders, also none."""
    if pattern == "*":
        return True
    return _parts_match(relative.split("/"), pattern.split("/"))


def _parts_match(parts: list[str], patterns: list[str]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return any(_parts_match(parts[skip:], patterns[1:]) for skip in range(len(parts) + 1))
    return bool(parts) and fnmatch(parts[0], patterns[0]) and _parts_match(parts[1:], patterns[1:])


def _is_photo(name: str) -> bool:
    return not name.startswith(".") and PurePath(name).suffix.lower() in _PHOTOS


def _exists(place: str) -> bool:
    if not is_url(place):
        return os.path.lexists(place)
    system, path = file_system(place)
    return bool(system.exists(path))


def _is_folder(place: str) -> bool:
    if not is_url(place):
        return os.path.isdir(place)  # noqa: PTH112
    system, path = file_system(place)
    return bool(system.isdir(path))
