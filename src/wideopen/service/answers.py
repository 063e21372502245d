"""Results as responses: an image, or its report, the image and the maps as parts."""

import json
import secrets
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from fastapi.responses import StreamingResponse

from wideopen.service.kinds import FORMATS, PARTS
from wideopen.service.work import DISPARITY, MATTE

_PIECE = 1 << 18


def image(file: Path, word: str, report: dict[str, Any]) -> StreamingResponse:
    """The image in `file`, of the format `word`. The file may be removed at once: it is open."""
    return _stream([file.open("rb")], [], FORMATS[word][2], report)


def parts(file: Path, word: str, report: dict[str, Any]) -> StreamingResponse:
    """The report as JSON, the image in `file`, and the maps beside it, as multipart/form-data."""
    boundary = secrets.token_hex(16)  # so long that no file holds it
    named = [("image", file, FORMATS[word][2])]
    named += [(name, file.parent / f"{name}.png", "image/png") for name in (MATTE, DISPARITY)]
    heads = [_head(boundary, "report", None, "application/json") + json.dumps(report).encode() + b"\r\n"]
    heads += [_head(boundary, name, f"{name}{path.suffix}", kind) for name, path, kind in named]
    files = [path.open("rb") for _, path, _ in named]
    heads[1] = heads[0] + heads[1]
    tail = f"--{boundary}--\r\n".encode()
    return _stream(files, [*heads[1:], tail], f"{PARTS}; boundary={boundary}", report)


def _head(boundary: str, name: str, filename: str | None, kind: str) -> bytes:
    file = f'; filename="{filename}"' if filename else ""
    disposition = f'Content-Disposition: form-data; name="{name}"{file}'
    return f"--{boundary}\r\n{disposition}\r\nContent-Type: {kind}\r\n\r\n".encode()


def _stream(files: list[BufferedReader], heads: list[bytes], kind: str, report: dict[str, Any]) -> StreamingResponse:
    """Files, each after its head and before a line's end; or, without heads, one file."""
    length = sum(file.seek(0, 2) for file in files) + sum(map(len, heads)) + (2 * len(files) if heads else 0)
    headers = {"Content-Length": str(length), "Server-Timing": _timing(report["seconds"]), "Vary": "Accept"}
    return StreamingResponse(_pieces(files, heads), media_type=kind, headers=headers)


def _pieces(files: list[BufferedReader], heads: list[bytes]) -> Iterator[bytes]:
    try:
        for number, file in enumerate(files):
            file.seek(0)
            yield from heads[number : number + 1]
            while piece := file.read(_PIECE):
                yield piece
            if heads:
                yield b"\r\n"
        yield from heads[len(files) :]
    finally:
        for file in files:
            file.close()


def _timing(seconds: dict[str, float]) -> str:
    return ", ".join(f"{name};dur={value * 1000:.1f}" for name, value in seconds.items())
