"""Writing files so that a failure leaves the folder as it was, and no file is replaced by accident.

Data go to a temporary file in the target's folder and take its name at the end, in one step. Without
`overwrite` that step is a hard link, which fails when the name was taken meanwhile; on file systems
without links (memory cards) the name is first claimed with an empty file.
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
from wideopen.errors import InvalidInput

__all__ = ["atomic_file", "check_target", "remove_leftovers"]


def check_target(path: Path, *, source: Path | None = None, overwrite: bool = False) -> None:
    """Refuse a target that cannot or must not be written, before any work is spent on it.

    Raises InvalidInput when its folder is missing, when it is a folder, the `source` itself, or,
    without `overwrite`, already there.
    """
    require("\0" not in str(path), f"{str(path)!r}: expected a file name, found a NUL in it")
    try:
        require(path.parent.is_dir(), f"{path}: expected an existing folder, found no {path.parent}")
        require(not path.is_dir(), f"{path}: expected a file name, found a folder")
        taken = os.path.lexists(path)
        own = source is not None and path.exists() and source.exists() and path.samefile(source)
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be written ({_reason(error)})") from error
    require(not own, f"{path}: is the photo itself; originals are never overwritten")
    require(overwrite or not taken, f"{path}: exists already; choose another name, or overwrite")


@contextmanager
def atomic_file(path: Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """Yield a file open for writing that becomes `path` when the block ends without an exception.

    Raises InvalidInput for what `check_target` refuses, and for every failure of the file system.
    """
    check_target(path, overwrite=overwrite)
    temporary = path.parent / f".{_tag(path)}-{secrets.token_hex(4)}.wideopen-tmp"
    try:
        with temporary.open("xb") as file:
            yield file
        _take_name(temporary, path, overwrite=overwrite)
    except FileExistsError as error:
        raise InvalidInput(f"{path}: exists already; choose another name, or overwrite") from error
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be written ({_reason(error)})") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def remove_leftovers(paths: Iterable[Path]) -> int:
    """Remove what processes that were killed while they wrote `paths` have left beside them; return how many files.

    Nobody may be writing any of `paths` now. What cannot be removed, or looked for, stays.
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
    """Begins the temporary name, so that what a killed process has left is not confused with what others write now."""
    return hashlib.blake2s(os.fsencode(path.name), digest_size=6).hexdigest()


def _take_name(temporary: Path, path: Path, *, overwrite: bool) -> None:
    if overwrite:
        temporary.replace(path)
        return
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # no hard links here
        path.open("xb").close()
        try:
            temporary.replace(path)
        except OSError:
            path.unlink()  # the empty file that claimed the name
            raise


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
