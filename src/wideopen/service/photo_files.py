"""Photo files over HTTP: uploads saved under names that the service chooses, and results as responses.

By the Accept header, a response is either an image or a form of report, image and maps.
"""

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from fastapi import Request, UploadFile
from fastapi.responses import StreamingResponse

from wideopen.files.formats import FORMATS, sniff
from wideopen.service.problems import Problem
from wideopen.service.schemas import AnalyzeForm, Report
from wideopen.service.work import DISPARITY, HINT, MATTE
from wideopen.session.open_photo import Given

BY_WORD = {
    {"JPEG XL": "jxl", "OpenEXR": "exr"}.get(name, name.lower()): one for name, one in FORMATS.items() if one.bits
}
"""The formats by the values of `output.format`."""
PARTS = "multipart/form-data"  # this type, not multipart/mixed, because a browser's `Response.formData()` can read it
_BY_TYPE = {one.media: word for word, one in BY_WORD.items()}
_WORDS = {one.name: word for word, one in BY_WORD.items()} | {"camera raw": "tiff"}
_MAPS = ("PNG", "TIFF", "WebP", "JPEG", "HEIC", "AVIF")
_CHUNK = 1 << 18

_BINARY = {"type": "string", "format": "binary"}
_PARTS_SCHEMA = {
    "type": "object",
    "properties": {
        "report": Report.model_json_schema(),
        "image": _BINARY,
        "matte": {**_BINARY, "description": "16-bit PNG."},
        "disparity": {**_BINARY, "description": "16-bit PNG."},
    },
}
DOCUMENTED: dict[str, Any] = {
    "description": "The image, or with `Accept: multipart/form-data` report, image, matte and disparity.",
    "content": {**{media: {"schema": _BINARY} for media in _BY_TYPE}, PARTS: {"schema": _PARTS_SCHEMA}},
}


def save(form: AnalyzeForm, folder: Path, given: Given) -> tuple[Path, str, Given]:
    """Save the files of a form in `folder`, under names of the service's, after checking their first bytes.

    Return (the photo, its format, `given` with the form's maps). Raises Problem (415).
    """
    photo, photo_format = _save("photo", form.photo, folder, tuple(FORMATS))
    maps: dict[str, Any] = {
        name: _save(name, file, folder, _MAPS)[0]
        for name, file in ((MATTE, form.matte), (HINT, form.matte_hint), (DISPARITY, form.disparity))
        if file is not None
    }
    return photo, photo_format, replace(given, **maps)


def _save(name: str, file: UploadFile, folder: Path, known: tuple[str, ...]) -> tuple[Path, str]:
    file.file.seek(0)
    found = sniff(file.file.read(64))
    if found is None or found not in known:
        raise Problem("not-a-photo", f"{name}: expected one of {', '.join(known)}, found {found or 'none of them'}")
    file.file.seek(0)
    path = folder / f"{name}{FORMATS[found].extensions[0]}"
    with path.open("xb") as out:
        shutil.copyfileobj(file.file, out)
    return path, found


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What an Accept header requests."""

    parts: bool  # report, image and maps together
    format: str | None = None  # a key of BY_WORD if the header names one image type


def accepted_by(request: Request) -> Accepted:
    """Read the Accept header; the first supported type with the highest q wins. Raises Problem (406)."""
    ranked = []
    for item in request.headers.get("accept", "*/*").split(","):
        kind, *parameters = (part.strip().lower() for part in item.split(";"))
        weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        with suppress(ValueError):  # a q that is no number counts as 0
            ranked.append((-float(weight), kind))
    for order, kind in sorted(ranked, key=lambda item: item[0]):
        if order < 0 and kind in (PARTS, "multipart/*"):
            return Accepted(parts=True)
        if order < 0 and (kind in ("*/*", "image/*") or kind in _BY_TYPE):
            return Accepted(parts=False, format=_BY_TYPE.get(kind))
    raise Problem("not-acceptable", f"Accept: expected image/*, {', '.join(_BY_TYPE)} or {PARTS}")


def format_of(asked: str | None, accepted: Accepted, photo: str) -> str:
    """Choose the key of BY_WORD for a result by `output.format`, Accept, and `photo`, a name of files.formats.

    Raises Problem (406) if the first two contradict each other, Problem (422) if the format's library is not installed.
    """
    if asked and accepted.format and asked != accepted.format:
        raise Problem("not-acceptable", f"Accept and output.format: expected the same, found {asked} in the latter")
    word = asked or accepted.format or _WORDS[photo]
    if not _has_library(BY_WORD[word].name):
        raise Problem("refused", f"output.format: {BY_WORD[word].name} is not available here")
    return word


def known_formats() -> tuple[list[str], list[str]]:
    """Return (the names of the formats that this service can read, the keys of those that it can write)."""
    return [name for name in _WORDS if _has_library(name)], [w for w, one in BY_WORD.items() if _has_library(one.name)]


def _has_library(name: str) -> bool:
    return all(map(find_spec, FORMATS[name].needs))


def to_response(file: Path, word: str, report: dict[str, Any], *, parts: bool) -> StreamingResponse:
    """Return the image in `file`, in the format `word`; with `parts`, also the report and the maps stored beside it.

    The files may be removed as soon as this returns: the body is already open.
    """
    media = BY_WORD[word].media
    if parts:
        file, media = _form(file, media, report)
    timing = ", ".join(f"{name};dur={value * 1000:.1f}" for name, value in report["seconds"].items())
    headers = {"Content-Length": str(file.stat().st_size), "Server-Timing": timing, "Vary": "Accept"}
    return StreamingResponse(_chunks(file.open("rb")), media_type=media, headers=headers)


def _form(image: Path, media: str, report: dict[str, Any]) -> tuple[Path, str]:
    """Write report, image and maps as one multipart body beside the image; return (its file, its media type)."""
    boundary = secrets.token_hex(16)  # long enough not to occur in any file
    maps = ((name, image.parent / f"{name}.png", "image/png") for name in (MATTE, DISPARITY))
    body = image.parent / "parts"
    with body.open("wb") as out:
        out.write(_head(boundary, 'name="report"', "application/json") + json.dumps(report).encode() + b"\r\n")
        for name, path, kind in (("image", image, media), *maps):
            out.write(_head(boundary, f'name="{name}"; filename="{name}{path.suffix}"', kind))
            with path.open("rb") as part:
                shutil.copyfileobj(part, out)
            out.write(b"\r\n")
        out.write(f"--{boundary}--\r\n".encode())
    return body, f"{PARTS}; boundary={boundary}"


def _head(boundary: str, name: str, kind: str) -> bytes:
    return f"--{boundary}\r\nContent-Disposition: form-data; {name}\r\nContent-Type: {kind}\r\n\r\n".encode()


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        yield from iter(lambda: file.read(_CHUNK), b"")
