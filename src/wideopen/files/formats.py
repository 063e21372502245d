"""The supported photo formats: recognised by content when reading, chosen by extension when writing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from wideopen.checks import require
from wideopen.errors import InvalidInput, require_packages, system_errors


class Format(NamedTuple):
    """One photo format: how it is recognised and named, and what it holds."""

    name: str
    extensions: tuple[str, ...]  # the first one names new files
    media: str = ""  # its type over HTTP
    bits: tuple[int, ...] = ()  # per channel when writing; 32 are floats, as are OpenEXR's 16; empty: cannot be written
    quality: int | None = None  # by default; None: lossless
    starts: tuple[bytes, ...] = ()  # first bytes of a file
    extra: str = ""  # what installs the optional libraries that it needs
    needs: tuple[str, ...] = ()


RAW_EXTENSIONS = (".dng", ".arw", ".cr2", ".cr3", ".nef", ".orf", ".pef", ".raf", ".rw2")
_RAW_STARTS = (b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR")  # RAF, RW2, ORF; others are TIFF inside
_TIFF_STARTS, _JXL_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
_TABLE = (
    Format("JPEG", (".jpg", ".jpeg"), "image/jpeg", (8,), 95, (b"\xff\xd8\xff",)),
    Format("PNG", (".png",), "image/png", (8, 16), None, (b"\x89PNG\r\n\x1a\n",)),
    Format("TIFF", (".tif", ".tiff"), "image/tiff", (8, 16, 32), None, _TIFF_STARTS),
    Format("WebP", (".webp",), "image/webp", (8,), 92),
    Format("HEIC", (".heic", ".heif"), "image/heic", (8, 10), 70),
    Format("AVIF", (".avif",), "image/avif", (8, 10), 85),
    Format("JPEG XL", (".jxl",), "image/jxl", (8, 16), 92, _JXL_STARTS, "jxl", ("OpenImageIO", "imagecodecs")),
    Format("OpenEXR", (".exr",), "image/x-exr", (16, 32), None, (b"\x76\x2f\x31\x01",), "exr", ("OpenImageIO",)),
    Format("camera raw", RAW_EXTENSIONS, starts=_RAW_STARTS, extra="raw", needs=("rawpy",)),
)
FORMATS = {one.name: one for one in _TABLE}
EXTENSIONS = {extension: one.name for one in _TABLE if one.bits for extension in one.extensions}
"""The formats that can be written, by extension."""
PHOTO_EXTENSIONS = (*EXTENSIONS, *RAW_EXTENSIONS)
NAMES = ", ".join(FORMATS)
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")


def require_library(name: str) -> None:
    """Raise InvalidInput, naming the extra, if a library for a format is not installed."""
    if name in FORMATS:
        require_packages(name, FORMATS[name].extra, *FORMATS[name].needs)


def format_of_extension(path: Path) -> str:
    """Return the format of the extension of `path`; InvalidInput for an unknown extension."""
    name = EXTENSIONS.get(path.suffix.lower())
    if name is None:
        found = path.suffix or "no extension"
        raise InvalidInput(f"{path}: expected one of {', '.join(EXTENSIONS)}, found {found}")
    return name


def sniff(head: bytes) -> str | None:
    """Return the format of a file that begins with `head` (64 bytes), or None."""
    name = next((one.name for one in _TABLE if one.starts and head.startswith(one.starts)), None)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if name is not None or head[4:8] != b"ftyp":
        return name
    if head[8:12] in (b"avif", b"avis"):
        return "AVIF"
    if head[8:12] == b"crx ":  # CR3
        return "camera raw"
    if head[8:12] not in _HEIF_BRANDS:
        return None
    brands = head[16 : min(int.from_bytes(head[:4], "big"), len(head))]
    return "AVIF" if b"avif" in brands and b"heic" not in brands else "HEIC"


def read_bytes(path: Path, *, expected: str) -> bytes:
    """Return the content of the file; InvalidInput if it does not exist or cannot be read."""
    with system_errors(f"{path}: cannot be read"):
        require(path.exists(), f"{path}: expected {expected}, found no such file")
        require(not path.is_dir(), f"{path}: expected {expected}, found a folder")
        require(path.is_file(), f"{path}: expected {expected}, found something other than a file")
        data = path.read_bytes()
    require(bool(data), f"{path}: expected {expected}, found an empty file")
    return data


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let every InvalidInput raised in the block begin with `path`, unless it names it already."""
    try:
        yield
    except InvalidInput as error:
        raise error if str(path) in str(error) else InvalidInput(f"{path}: {error}") from error


def readable_path(path: str | os.PathLike[str]) -> Path:
    """Return `path` as a Path; a leading ~ stands for the home folder."""
    return Path(path).expanduser()
