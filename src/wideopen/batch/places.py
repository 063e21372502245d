"""Local paths, and URLs of any store that fsspec supports (s3://, gs://, abfs://, ...), for photos and results.

A place is a string. A file at a URL is copied to a local file first, and the result is uploaded afterwards: object
stores show a new object completely or not at all.
"""

import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from wideopen.checks import require
from wideopen.errors import InvalidInput, one_line, require_packages, system_errors

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_EXTRAS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}
_VERSIONS = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "last_modified", "updated", "created")


class Status(NamedTuple):
    """Tells versions of a file apart: size in bytes, and its time and inode or the store's own version tag."""

    size: int
    version: str


def is_url(place: str) -> bool:
    """Whether a place is a URL and not a local path. This includes file://, which `plain` removes."""
    return _URL.match(place) is not None


def plain(place: str) -> str:
    """Return `place` without file:// and without a trailing slash."""
    if place.startswith("file://"):
        place = place.removeprefix("file://")
    return place.rstrip("/") or "/"


def join(folder: str, relative: str) -> str:
    """Join a folder's place and a relative path, whose parts are separated by /."""
    return f"{folder}/{relative}" if is_url(folder) else str(Path(folder, *relative.split("/")))


def file_system(url: str) -> tuple[Any, str]:
    """Return fsspec's file system for a URL and the path in it. Raises InvalidInput for a URL that cannot be opened."""
    require_packages(f"{url}: a URL", "cluster", "fsspec")
    from fsspec.core import url_to_fs

    try:
        system, path = url_to_fs(url)
    except ImportError as error:
        scheme = url.partition("://")[0]
        needs = _EXTRAS.get(scheme, "another library")
        raise InvalidInput(f"{url}: {scheme}:// needs {needs}, which is not installed (pip install {needs})") from error
    except ValueError as error:
        raise InvalidInput(f"{url}: expected a URL that fsspec can open, found {error}") from error
    return system, path


def status_of(place: str) -> Status | None:
    """Return the status of the file at a place; None if there is none. Raises InvalidInput if it cannot be checked."""
    if not is_url(place):
        try:
            found = os.stat(place)  # noqa: PTH116  names may be bytes that are no Unicode
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise InvalidInput(f"{place}: cannot be read ({_reason(error)})") from error
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "something other than a file"  # such as a pipe
        require(stat.S_ISREG(found.st_mode), f"{place}: expected a file, found {kind}")
        # The inode distinguishes a file from one that replaced it within one tick of the file system's clock.
        return Status(found.st_size, f"{found.st_mtime_ns}-{found.st_ino}")
    system, path = file_system(place)
    with _store(place, "checked"):
        system.invalidate_cache()
        try:
            info = system.info(path)
        except FileNotFoundError:
            return None
    version = next((str(info[key]) for key in _VERSIONS if info.get(key)), "")
    return Status(int(info["size"] or 0), version.strip('"'))


def digest_of(place: str) -> str:
    """Return the SHA-256 of a local file, or size and version tag of a file at a URL. Raises InvalidInput."""
    if is_url(place):
        found = status_of(place)
        if found is None:
            raise InvalidInput(f"{place}: expected a photo, found no such file")
        return f"{found.size}:{found.version}"
    with system_errors(f"{place}: cannot be read"), open(place, "rb") as file:  # noqa: PTH123
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def local_file(place: str, *, is_result: bool = False) -> Iterator[Path]:
    """Yield the local file for `place`: itself, or for a URL a copy that is removed after the block.

    is_result: the block writes the file; for a URL, it is uploaded if the block ends without an error.
    """
    if not is_url(place):
        yield Path(place)
        return
    system, path = file_system(place)
    with tempfile.TemporaryDirectory(prefix="wideopen-") as folder:
        copy = Path(folder) / path.rpartition("/")[2]
        if not is_result:
            with _store(place, "read"):
                system.get_file(path, str(copy))
        yield copy
        if is_result:
            with _store(place, "written"):
                system.makedirs(path.rpartition("/")[0], exist_ok=True)
                system.put_file(str(copy), path)


@contextmanager
def _store(place: str, what: str) -> Iterator[None]:
    """Turn every error of a store into InvalidInput, since each store's library has its own exceptions."""
    try:
        yield
    except FileNotFoundError as error:
        raise InvalidInput(f"{place}: expected a file, found none") from error
    except Exception as error:
        raise InvalidInput(f"{place}: cannot be {what} ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or one_line(error)
