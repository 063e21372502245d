"""Atomic file writing: a failure leaves the folder unchanged, and no file is replaced by accident.

Data go to a temporary file in the target's folder, which takes the target's name in one step at the end.
"""

import hashlib
import os
import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from wideopen.checks import require
from wideopen.errors import InvalidInput, system_errors

TAKEN = "{}: exists already; choose another name, or overwrite it (--overwrite)"


def check_target(path: Path, *, inputs: Iterable[Path] = (), overwrite: bool = False) -> None:
    """Raise InvalidInput for a target that must not or cannot be written, before any work is done.

    The target's folder must exist; the target must not be a folder, one of `inputs` or, without `overwrite`, an
    existing file.
    """
    require("\0" not in str(path), f"{str(path)!r}: expected a file name, found a NUL in it")
    with system_errors(f"{path}: cannot be written"):
        require(path.parent.is_dir(), f"{path}: expected an existing folder, found no {path.parent}")
        require(not path.is_dir(), f"{path}: expected a file to write, found a folder")
        taken = os.path.lexists(path)
        own = next((file for file in inputs if path.exists() and file.exists() and path.samefile(file)), None)
    require(own is None, f"{path}: is the input {own}; originals are never overwritten")
    require(overwrite or not taken, TAKEN.format(path))


@contextmanager
def atomic_file(path: Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """Yield a file open for writing that becomes `path` when the block ends without an exception.

    Raises InvalidInput as `check_target` does, and for every failure of the file system.
    """
    check_target(path, overwrite=overwrite)
    temporary = path.parent / f".{_tag(path)}-{secrets.token_hex(4)}.wideopen-tmp"
    try:
        with temporary.open("xb") as file:
            yield file
        _take_name(temporary, path, overwrite=overwrite)
    except FileExistsError as error:
        raise InvalidInput(TAKEN.format(path)) from error
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def remove_leftovers(paths: Iterable[Path]) -> int:
    """Remove temporary files that killed processes left beside `paths`; return how many were removed.

    No process may be writing any of `paths` now. Files that cannot be listed or removed stay.
    """
    tags: defaultdict[Path, set[str]] = defaultdict(set)
    for path in paths:
        tags[path.parent].add(_tag(path))
    removed = 0
    for folder, own in tags.items():
        with suppress(OSError):
            for file in [file for file in folder.glob(".*.wideopen-tmp") if file.name[1:].split("-")[0] in own]:
                file.unlink()
                removed += 1
    return removed


def _tag(path: Path) -> str:
    """Return the start of the temporary name, which tells files left by a killed process from those in use."""
    return hashlib.blake2s(os.fsencode(path.name), digest_size=6).hexdigest()


def _take_name(temporary: Path, path: Path, *, overwrite: bool) -> None:
    """Give the file its name; without `overwrite`, by a hard link, which fails if the name is taken by then."""
    if overwrite:
        temporary.replace(path)
        return
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # no hard links here (memory cards): an empty file claims the name
        path.open("xb").close()
        try:
            temporary.replace(path)
        except OSError:
            path.unlink()
            raise
