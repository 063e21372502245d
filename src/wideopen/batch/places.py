"""Where photos and results are: local paths, and URLs of anything that fsspec knows (s3://, gs://, abfs://, ...).

A place is a string. What is at a URL is copied to a local file, worked on there, and the result is copied back: object
stores show a new object whole or not at all.
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
from wideopen.errors import InvalidInput

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_EXTRAS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}
_VERSIONS = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "last_modified", "updated", "created")


class Status(NamedTuple):
    """What tells a file from a later one of its name: bytes, and its time and number, or the store's own tag."""

    size: int
    version: str


def is_url(place: str) -> bool:
    """Whether a place is no local path. `file://` URLs are: see `plain`."""
    return _URL.match(place) is not None


def plain(place: str) -> str:
    """`place` without file://, and without a / at its end."""
    if place.startswith("file://"):
        place = place.removeprefix("file://")
    return place.rstrip("/") or "/"


def join(folder: str, relative: str) -> str:
    """The place of `relative`, which has / between its parts, in a folder."""
    return f"{folder}/{relative}" if is_url(folder) else str(Path(folder, *relative.split("/")))


def file_system(url: str) -> tuple[Any, str]:
    """(fsspec's file system, the path in it). Raises InvalidInput for a kind of URL that cannot be opened here."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise InvalidInput(f"{url}: URLs need fsspec; pip install 'wideopen[cluster]'") from error
    scheme = url.partition("://")[0]
    try:
        system, path = url_to_fs(url)
    except ImportError as error:
        library = _EXTRAS.get(scheme, "another library")
        raise InvalidInput(f"{url}: {scheme}:// needs {library}, found it not installed; pip install it") from error
    except ValueError as error:
        raise InvalidInput(f"{url}: expected a URL that fsspec can open, found {error}") from error
    return system, path


def status_of(place: str) -> Status | None:
    """The file at a place; None where there is none. Raises InvalidInput where that cannot be found out."""
    if not is_url(place):
        try:
            found = os.stat(place)  # noqa: PTH116  names may be bytes that are no Unicode
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise InvalidInput(f"{place}: cannot be looked at ({_reason(error)})") from error
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "something that is no file"  # a pipe, a device
        require(stat.S_ISREG(found.st_mode), f"{place}: expected a file, found {kind}")
        # The inode tells a file from one that replaced it within one tick of the file system's clock.
        return Status(found.st_size, f"{found.st_mtime_ns}-{found.st_ino}")
    system, path = file_system(place)
    with _store(place, "looked at"):
        system.invalidate_cache()
        try:
            info = system.info(path)
        except FileNotFoundError:
            return None
    version = next((str(info[key]) for key in _VERSIONS if info.get(key)), "")
    return Status(int(info["size"] or 0), version.strip('"'))


def digest_of(place: str) -> str:
    """What the file at a place holds: SHA-256 of a local file, for a URL the store's own tag. Raises InvalidInput."""
    if is_url(place):
        found = status_of(place)
        if found is None:
            raise InvalidInput(f"{place}: expected a photo, found no such file")
        return f"{found.size}:{found.version}"
    try:
        with open(place, "rb") as file:  # noqa: PTH123
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InvalidInput(f"{place}: cannot be read ({_reason(error)})") from error


@contextmanager
def local_copy(place: str) -> Iterator[Path]:
    """Yield a local file of the same name that holds what is at `place`: itself, or a copy for as long as the block."""
    if not is_url(place):
        yield Path(place)
        return
    system, path = file_system(place)
    with tempfile.TemporaryDirectory(prefix="wideopen-") as folder:
        copy = Path(folder) / path.rpartition("/")[2]
        with _store(place, "read"):
            system.get_file(path, str(copy))
        yield copy


@contextmanager
def local_result(place: str) -> Iterator[Path]:
    """Yield the local path to write a result to; one for a URL is copied there when the block ends well."""
    if not is_url(place):
        yield Path(place)
        return
    system, path = file_system(place)
    with tempfile.TemporaryDirectory(prefix="wideopen-") as folder:
        copy = Path(folder) / path.rpartition("/")[2]
        yield copy
        with _store(place, "written"):
            system.makedirs(path.rpartition("/")[0], exist_ok=True)
            system.put_file(str(copy), path)


@contextmanager
def _store(place: str, what: str) -> Iterator[None]:
    """Raise InvalidInput for whatever goes wrong with a store: each one's library has errors of its own."""
    try:
        yield
    except FileNotFoundError as error:
        raise InvalidInput(f"{place}: expected a file, found none") from error
    except Exception as error:
        raise InvalidInput(f"{place}: cannot be {what} ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
