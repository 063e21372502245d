"""Results as responses: by the Accept header, either an image or a multipart of report, image and maps."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse

from wideopen.errors import InvalidInput
from wideopen.files.formats import BITS, require_library
from wideopen.service.problems import Problem
from wideopen.service.schemas import Report
from wideopen.service.work import DISPARITY, MATTE

FORMATS = {  # value of `output.format`: (name in files.formats, file extension, media type)
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
"""This type, not multipart/mixed, because a browser's `Response.formData()` can read it."""
_BY_TYPE = {media: word for word, (_, _, media) in FORMATS.items()}
_WORDS = {name: word for word, (name, _, _) in FORMATS.items()} | {"camera raw": "tiff"}
_PIECE = 1 << 18

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What an Accept header requests."""

    parts: bool  # report, image and maps together
    format: str | None  # a key of FORMATS if the header names one image type, else None


def accepted_by(request: Request) -> Accepted:
    """Read the Accept header; the first supported type with the highest q wins. Raises Problem (406)."""
    ranked = sorted(_kinds(request.headers.get("accept", "*/*")), key=lambda item: -item[1])
    for kind, weight in ranked:
        if weight <= 0:
            continue
        if kind in (PARTS, "multipart/*"):
            return Accepted(parts=True, format=None)
        if kind in ("*/*", "image/*"):
            return Accepted(parts=False, format=None)
        if kind in _BY_TYPE:
            return Accepted(parts=False, format=_BY_TYPE[kind])
    raise Problem("not-acceptable", f"Accept: expected image/*, {', '.join(_BY_TYPE)} or {PARTS}")


def _kinds(accept: str) -> Iterator[tuple[str, float]]:
    for item in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in item.split(";"))
        weights = [text[2:] for text in parameters if text.startswith("q=")]
        try:
            yield kind, float(weights[0]) if weights else 1.0
        except ValueError:
            yield kind, 0.0


def format_of(asked: str | None, accepted: Accepted, photo: str) -> str:
    """Choose the key of FORMATS for a result by `output.format`, Accept, and `photo`, a name of files.formats.

    Raises Problem (406) if the first two contradict each other, Problem (422) if the format's library is not installed.
    """
    if asked and accepted.format and asked != accepted.format:
        raise Problem("not-acceptable", f"Accept and output.format: expected the same, found {asked} in the latter")
    word = asked or accepted.format or _WORDS[photo]
    if not _has_library(FORMATS[word][0]):
        raise Problem("refused", f"output.format: {FORMATS[word][0]} is not available here")
    return word


def formats_out() -> list[str]:
    """Return the keys of the formats that this service can write."""
    return [word for word, (name, _, _) in FORMATS.items() if name in BITS and _has_library(name)]


def formats_in() -> list[str]:
    """Return the names of the formats that this service can read."""
    return [name for name in _WORDS if _has_library(name)]


def _has_library(name: str) -> bool:
    try:
        require_library(name)
    except InvalidInput:
        return False
    return True


def response(file: Path, word: str, report: dict[str, Any], *, parts: bool) -> StreamingResponse:
    """Return the image in `file`, in the format `word`; with `parts`, also the report and the maps stored beside it.

    The files may be removed as soon as this returns: they are already open.
    """
    media = FORMATS[word][2]
    if not parts:
        return _stream([file.open("rb")], media, report)
    boundary = secrets.token_hex(16)  # long enough not to occur in any file
    pieces: list[bytes | BufferedReader] = [
        _head(boundary, "report", "", "application/json") + json.dumps(report).encode() + b"\r\n"
    ]
    maps = [(name, file.parent / f"{name}.png", "image/png") for name in (MATTE, DISPARITY)]
    for name, path, kind in [("image", file, media), *maps]:
        pieces += [_head(boundary, name, f'; filename="{name}{path.suffix}"', kind), path.open("rb"), b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    return _stream(pieces, f"{PARTS}; boundary={boundary}", report)


def _head(boundary: str, name: str, filename: str, kind: str) -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"{filename}'
    return f"--{boundary}\r\n{disposition}\r\nContent-Type: {kind}\r\n\r\n".encode()


def _stream(pieces: list[bytes | BufferedReader], media: str, report: dict[str, Any]) -> StreamingResponse:
    length = sum(len(piece) if isinstance(piece, bytes) else piece.seek(0, 2) for piece in pieces)
    timing = ", ".join(f"{name};dur={value * 1000:.1f}" for name, value in report["seconds"].items())
    headers = {"Content-Length": str(length), "Server-Timing": timing, "Vary": "Accept"}
    return StreamingResponse(_contents(pieces), media_type=media, headers=headers)


def _contents(pieces: list[bytes | BufferedReader]) -> Iterator[bytes]:
    try:
        for piece in pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                piece.seek(0)
                while part := piece.read(_PIECE):
                    yield part
    finally:
        for piece in pieces:
            if not isinstance(piece, bytes):
                piece.close()
