"""Kinds of files and of answers: what a client may send, and what it gets by its Accept header."""

from dataclasses import dataclass

from wideopen.errors import InvalidInput
from wideopen.files.formats import BITS, require_library
from wideopen.service.problems import Problem

FORMATS = {  # the word in `output.format`: (name in io.formats, file extension, media type)
    "jpeg": ("JPEG", ".jpg", "image/jpeg"),
    "png": ("PNG", ".png", "image/png"),
    "tiff": ("TIFF", ".tif", "image/tiff"),
    "webp": ("WebP", ".webp", "image/webp"),
    "heic": ("HEIC", ".heic", "image/heic"),
    "avif": ("AVIF", ".avif", "image/avif"),
    "jxl": ("JPEG XL", ".jxl", "image/jxl"),
    "exr": ("OpenEXR", ".exr", "image/x-exr"),
}
PARTS = "multipart/form-data"
"""Not multipart/mixed: a browser's `Response.formData()` reads this one."""
_BY_TYPE = {media: word for word, (_, _, media) in FORMATS.items()}
_WORDS = {name: word for word, (name, _, _) in FORMATS.items()} | {"camera raw": "tiff"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an Accept header asks for."""

    parts: bool  # report, image and maps together
    format: str | None  # a word of FORMATS, where the header names one kind of image


def wanted(accept: str | None) -> Wanted:
    """Read an Accept header; the first kind of the highest q that we have wins. Raises Problem (406)."""
    ranked = sorted(enumerate(_kinds(accept or "*/*")), key=lambda item: (-item[1][1], item[0]))
    for _, (kind, weight) in ranked:
        if weight <= 0:
            continue
        if kind in (PARTS, "multipart/*"):
            return Wanted(parts=True, format=None)
        if kind in ("*/*", "image/*"):
            return Wanted(parts=False, format=None)
        if kind in _BY_TYPE:
            return Wanted(parts=False, format=_BY_TYPE[kind])
    raise Problem("not-acceptable", f"Accept: expected image/*, {', '.join(_BY_TYPE)} or {PARTS}")


def _kinds(accept: str) -> list[tuple[str, float]]:
    found = []
    for item in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in item.split(";"))
        weights = [text[2:] for text in parameters if text.startswith("q=")]
        try:
            weight = float(weights[0]) if weights else 1.0
        except ValueError:
            weight = 0.0
        found.append((kind, weight))
    return found


def format_of(asked: str | None, accepted: Wanted, photo: str) -> str:
    """The word of FORMATS for a result, from `output.format`, Accept, and the photo's own name in io.formats.

    Raises Problem (406) where the first two contradict, 422 for a format whose library is not here.
    """
    if asked and accepted.format and asked != accepted.format:
        raise Problem("not-acceptable", f"Accept and output.format: expected the same, found {asked} in the latter")
    word = asked or accepted.format or _WORDS[photo]
    try:
        require_library(FORMATS[word][0])
    except InvalidInput as error:
        raise Problem("refused", f"output.format: {FORMATS[word][0]} is not available here") from error
    return word


def formats_out() -> list[str]:
    """The words of the formats that this service can write."""
    return [word for word, (name, _, _) in FORMATS.items() if name in BITS and _has_library(name)]


def formats_in() -> list[str]:
    """The names of the formats that this service can read."""
    return [name for name in _WORDS if _has_library(name)]


def _has_library(name: str) -> bool:
    try:
        require_library(name)
    except InvalidInput:
        return False
    return True
