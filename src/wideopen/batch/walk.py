"""Find the photos that the user names and choose the names of their results; also watch a folder for new photos.

Walking a folder follows links but enters each real folder only once, so that circular links end. It skips names that
begin with a dot and files without a photo's extension. Files that are named explicitly are always included. The
destination repeats the folder structure of the source: for a single folder, the structure below it; for several
sources, each folder under its own name; for files, the structure below their deepest common folder.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from glob import has_magic
from pathlib import PurePath
from typing import NamedTuple

from wideopen.batch.places import Status, file_system, is_url, plain, status_of
from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.files.formats import PHOTO_EXTENSIONS
from wideopen.session.results import result_name


class BatchPhoto(NamedTuple):
    """A photo, and the path of its result relative to the destination, with / between the parts."""

    photo: str
    target: str


class Unusable(NamedTuple):
    """A place that cannot be walked or a name that cannot be used, with the reason."""

    place: str
    reason: str


class _Tree(NamedTuple):
    """A folder to walk, with patterns for its files and a prefix for their results."""

    root: str
    pattern: str
    prefix: str


def find_photos(
    sources: Sequence[str], destination: str, *, listed: Sequence[str] = (), exclude: Sequence[str] = ()
) -> Iterator[BatchPhoto | Unusable]:
    """Yield every photo of `sources`, then those of `listed` (each a file), always in the same order.

    A source is a folder, a file, a pattern (`photos/**/*.jpg`) or a URL of any of these. `exclude` has patterns of
    names or of paths relative to their source. Files in `destination` are skipped. Raises InvalidInput for a source
    that is missing or is the destination.
    """
    destination = plain(destination)
    trees, files = _trees_and_files([plain(source) for source in sources])
    inside = None if is_url(destination) else os.path.realpath(destination)
    for tree in trees:
        itself = tree.root == destination or (not is_url(tree.root) and os.path.realpath(tree.root) == inside)
        require(not itself, f"{destination}: expected another folder than the source {tree.root}, found the same")
    for tree in trees:
        yield from _walked(tree, destination, exclude)
    for group in (files, [plain(place) for place in listed if place]):
        yield from _named_one_by_one(group)


def watched(
    look: Callable[[], Iterator[BatchPhoto | Unusable]], *, every_s: float, clock: Callable[[], float] = time.monotonic
) -> Iterator[BatchPhoto | Unusable | None]:
    """Yield what `look` finds, each version of a file once; None if nothing is new. Never ends.

    It polls instead of using file system events, so that it also works on network drives and buckets. A file is
    accepted once it has not changed between two polls, so that unfinished copies are left alone. Each problem is
    yielded once.
    """
    taken: dict[str, Status] = {}
    last: dict[str, Status] = {}
    problems: set[Unusable] = set()
    while True:
        now: dict[str, Status] = {}
        for found in look():
            if isinstance(found, Unusable):
                if found not in problems:
                    problems.add(found)
                    yield found
                continue
            try:
                status = status_of(found.photo)
            except InvalidInput:  # the next poll may succeed
                continue
            if status is None or taken.get(found.photo) == status:
                continue
            now[found.photo] = status
            if last.get(found.photo) == status and status.size > 0:
                taken[found.photo] = status
                yield found
        last = now
        until = clock() + every_s
        yield None
        while clock() < until:
            yield None


def _trees_and_files(sources: Sequence[str]) -> tuple[list[_Tree], list[str]]:
    trees, files = [], []
    for source in sources:
        root, pattern = source, "**"
        if has_magic(source) and not _exists(source):
            parts = source.split("/")
            fixed = next(index for index, part in enumerate(parts) if has_magic(part))
            root, pattern = "/".join(parts[:fixed]) or ("/" if source.startswith("/") else "."), "/".join(parts[fixed:])
        require(_exists(root), f"{source}: expected a photo, a folder or a pattern, found none there")
        if _exists(root, as_folder=True):
            pattern = "**" if pattern == "*" else pattern  # include everything below the folders that it matches
            name = PurePath(root.partition("://")[2] if is_url(root) else os.path.realpath(root)).name
            trees.append(_Tree(root, pattern, f"{name}/" if len(sources) > 1 else ""))
        else:
            files.append(source)
    return trees, files


def _walked(tree: _Tree, destination: str, exclude: Sequence[str]) -> Iterator[BatchPhoto | Unusable]:
    for found in _objects(tree.root) if is_url(tree.root) else _files(tree.root, destination):
        if isinstance(found, Unusable):
            yield found
            continue
        place, relative = found
        if is_url(destination) and place.startswith(f"{destination}/"):
            continue
        parts = relative.split("/")
        if any(fnmatch(parts[-1], pattern) or fnmatch(relative, pattern) for pattern in exclude):
            continue
        if parts[-1].lower().endswith(PHOTO_EXTENSIONS) and _match(parts, tree.pattern.split("/")):
            yield _with_result(place, tree.prefix + relative)


def _files(root: str, destination: str) -> Iterator[tuple[str, str] | Unusable]:
    """Yield (path, path relative to the root) of every file below a folder, its own files before its subfolders'."""
    seen = {os.path.realpath(destination)}
    errors: list[OSError] = []
    for folder, folders, names in os.walk(root, followlinks=True, onerror=errors.append):
        while errors:
            yield _unreadable(errors.pop(0))
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = os.path.join(folder, name)  # noqa: PTH118
            if not name.startswith(".") and os.path.isfile(path):  # noqa: PTH113  neither pipes nor broken links
                yield path, PurePath(path).relative_to(root).as_posix()
    yield from map(_unreadable, errors)


def _unreadable(error: OSError) -> Unusable:
    return Unusable(str(error.filename), f"cannot be read ({error.strerror})")


def _objects(root: str) -> Iterator[tuple[str, str]]:
    system, path = file_system(root)
    system.invalidate_cache()
    for found in sorted(system.find(path)):
        relative = found[len(path) :].lstrip("/")
        if not any(part.startswith(".") and part != ".." for part in relative.split("/")):
            yield root + found[len(path) :], relative


def _named_one_by_one(places: Sequence[str]) -> Iterator[BatchPhoto | Unusable]:
    parts = [(place if is_url(place) else os.path.abspath(place)).split("/") for place in places]  # noqa: PTH100
    shared = 0
    while parts and all(len(part) > shared + 1 and part[shared] == parts[0][shared] for part in parts):
        shared += 1
    for place, part in zip(places, parts, strict=True):
        yield _with_result(place, "/".join(part[shared:]))


def _with_result(place: str, relative: str) -> BatchPhoto | Unusable:
    folder, _, name = relative.rpartition("/")
    if any(part in ("", "..", ".") for part in folder.split("/") if folder) or "\0" in relative or name in ("", ".."):
        return Unusable(place, "expected a name that stays below the destination")
    result = result_name(PurePath(name))
    return BatchPhoto(place, f"{folder}/{result}" if folder else result)


def _match(parts: list[str], patterns: list[str]) -> bool:
    """Whether the parts of a path match a shell pattern, in which ** stands for zero or more folders."""
    if not patterns:
        return not parts
    if patterns == ["**"]:
        return True
    if patterns[0] == "**":
        return any(_match(parts[skip:], patterns[1:]) for skip in range(len(parts) + 1))
    return bool(parts) and fnmatch(parts[0], patterns[0]) and _match(parts[1:], patterns[1:])


def _exists(place: str, *, as_folder: bool = False) -> bool:
    if not is_url(place):
        return os.path.isdir(place) if as_folder else os.path.lexists(place)  # noqa: PTH112
    system, path = file_system(place)
    return bool(system.isdir(path) if as_folder else system.exists(path))
