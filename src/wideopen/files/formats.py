"""The supported photo formats: recognised by content when reading, chosen by extension when writing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wideopen.checks import require
from wideopen.errors import InvalidInput, require_packages

EXTENSIONS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WebP",
    ".heic": "HEIC",
    ".heif": "HEIC",
    ".avif": "AVIF",
    ".jxl": "JPEG XL",
    ".exr": "OpenEXR",
}
RAW_EXTENSIONS = (".dng", ".arw", ".cr2", ".cr3", ".nef", ".orf", ".pef", ".raf", ".rw2")
NAMES = ", ".join([*dict.fromkeys(EXTENSIONS.values()), "camera raw"])
BITS = {  # bits per channel when writing; 32 are floats, as are OpenEXR's 16
    "JPEG": (8,),
    "PNG": (8, 16),
    "TIFF": (8, 16, 32),
    "WebP": (8,),
    "HEIC": (8, 10),
    "AVIF": (8, 10),
    "JPEG XL": (8, 16),
    "OpenEXR": (16, 32),
}
# Formats with optional libraries: the libraries and the extra that installs them.
_EXTRAS = {
    "JPEG XL": (("OpenImageIO", "imagecodecs"), "jxl"),
    "OpenEXR": (("OpenImageIO",), "exr"),
    "camera raw": (("rawpy",), "raw"),
}
_STARTS = {  # RAF, RW2 and ORF; other camera raw files are TIFF inside
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "JPEG XL": (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"),
    "OpenEXR": (b"\x76\x2f\x31\x01",),
    "camera raw": (b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR"),
}
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")


def require_library(name: str) -> None:
    """Raise InvalidInput, naming the extra, if a library for a format is not installed."""
    if name in _EXTRAS:
        modules, extra = _EXTRAS[name]
        require_packages(name, extra, *modules)


def format_of_extension(path: Path) -> str:
    """Return the format of the extension of `path`; InvalidInput for an unknown extension."""
    name = EXTENSIONS.get(path.suffix.lower())
    if name is None:
        found = path.suffix or "no extension"
        raise InvalidInput(f"{path}: expected one of {', '.join(EXTENSIONS)}, found {found}")
    return name


def sniff(head: bytes) -> str | None:
    """Return the format of a file that begins with `head` (64 bytes), or None."""
    name = next((name for name, starts in _STARTS.items() if head.startswith(starts)), None)
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
    try:
        require(path.exists(), f"{path}: expected {expected}, found no such file")
        require(not path.is_dir(), f"{path}: expected {expected}, found a folder")
        require(path.is_file(), f"{path}: expected {expected}, found something other than a file")
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read ({error.strerror or error})") from error
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
