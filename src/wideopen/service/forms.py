"""A photo with its maps and settings, from a multipart form to files with names of ours."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import python_multipart
from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from wideopen.files.formats import RAW_EXTENSIONS, sniff
from wideopen.service.kinds import FORMATS
from wideopen.service.limits import pieces, small_body
from wideopen.service.operation import Limits, ServeConfig
from wideopen.service.problems import Problem
from wideopen.service.schemas import Lens, Maps, Model, Output, parse
from wideopen.service.work import Source

FILES = ("photo", "matte", "disparity")
MODELS = {"lens": Lens, "maps": Maps, "output": Output}
_SETTINGS_BYTES = 16_384
_MAPS = ("PNG", "TIFF", "WebP", "JPEG", "HEIC", "AVIF")
_EXTENSIONS = {name: extension for name, extension, _ in FORMATS.values()} | {"camera raw": RAW_EXTENSIONS[0]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a request brought: files in its folder, named by us, and settings."""

    photo: str
    photo_format: str  # a name of io.formats
    matte: str | None
    disparity: str | None
    lens: Lens
    maps: Maps
    output: Output

    def source(self, folder: Path, config: ServeConfig) -> Source:
        """The files, in `folder`, for a worker."""
        return Source(
            folder=folder,
            photo=self.photo,
            matte=self.matte,
            disparity=self.disparity,
            maps=self.maps.settings(config.maps),
            backend=config.backend,
            max_megapixels=config.limits.megapixels,
        )


async def read_form(request: Request, folder: Path, limits: Limits, *, fields: tuple[str, ...]) -> Form:
    """Read the body into `folder`. `fields` are the settings that the route knows; all else is refused.

    Raises Problem (400, 408, 413, 415, 422), ClientGone.
    """
    _require_kind(request, "multipart/form-data")
    files: dict[str, UploadFile] = {}
    texts: dict[str, bytes] = {}
    form = await _parsed(request, pieces(request, limits))
    try:
        for name, value in form:
            _require_new_and_known(name, {*files, *texts}, fields)
            if name in FILES:
                files[name] = _file(name, value)
            else:
                texts[name] = await _text(name, value)
        if "photo" not in files:
            raise Problem("refused", "form: expected a file in the field photo, found none")
        formats = {name: _save(name, file, folder) for name, file in files.items()}
    finally:
        for _, value in form:
            if isinstance(value, UploadFile):
                await value.close()
    names = {name: f"{name}{_EXTENSIONS[found]}" for name, found in formats.items()}
    return Form(
        photo=names["photo"],
        photo_format=formats["photo"],
        matte=names.get("matte"),
        disparity=names.get("disparity"),
        lens=_settings(Lens, "lens", texts),
        maps=_settings(Maps, "maps", texts),
        output=_settings(Output, "output", texts),
    )


async def read_json(request: Request, model: type[Model], limits: Limits) -> Model:
    """A small JSON body. Raises as `read_form`."""
    _require_kind(request, "application/json")
    return parse(model, await small_body(request, limits, most=2 * _SETTINGS_BYTES), where="body")


def _require_kind(request: Request, wanted: str) -> None:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != wanted:
        detail = f"Content-Type: expected {wanted}, found {kind[:80] or 'none'}"
        raise Problem("not-a-photo", detail)


async def _parsed(request: Request, stream: AsyncIterator[bytes]) -> list[tuple[str, UploadFile | str]]:
    most = len(FILES) + len(MODELS)
    parser = MultiPartParser(
        request.headers,
        stream,  # type: ignore[arg-type]  # an async generator is what it is
        max_files=most,
        max_fields=most,
        max_part_size=_SETTINGS_BYTES,
    )
    try:
        return (await parser.parse()).multi_items()
    except MultiPartException as error:
        raise Problem("bad-request", f"form: {error.message}") from error
    except (ValueError, python_multipart.exceptions.FormParserError) as error:
        raise Problem("bad-request", "form: expected multipart/form-data") from error


def _require_new_and_known(name: str, seen: set[str], fields: tuple[str, ...]) -> None:
    known = (*FILES, *fields)
    if name not in known:
        raise Problem("refused", f"form: expected fields among {', '.join(known)}, found {name[:80]!r}")
    if name in seen:
        raise Problem("refused", f"form: expected one field {name}, found two")


def _file(name: str, value: UploadFile | str) -> UploadFile:
    if isinstance(value, str):
        raise Problem("refused", f"{name}: expected a file, found text")
    return value


async def _text(name: str, value: UploadFile | str) -> bytes:
    """JSON, as a text field or, as browsers send a Blob, as a file."""
    if isinstance(value, str):
        return value.encode()
    if (value.size or 0) > _SETTINGS_BYTES:
        raise Problem("too-large", f"{name}: expected at most {_SETTINGS_BYTES} bytes, found {value.size}")
    return await value.read()


def _save(name: str, file: UploadFile, folder: Path) -> str:
    """Write an upload under a name of ours, after a look at its first bytes; returns its format."""
    file.file.seek(0)
    found = sniff(file.file.read(64))
    known = _EXTENSIONS if name == "photo" else _MAPS
    if found is None or found not in known:
        raise Problem("not-a-photo", f"{name}: expected one of {', '.join(known)}, found {found or 'none of them'}")
    file.file.seek(0)
    with (folder / f"{name}{_EXTENSIONS[found]}").open("xb") as out:
        shutil.copyfileobj(file.file, out, 1 << 20)
    return found


def _settings(model: type[Model], name: str, texts: dict[str, bytes]) -> Model:
    return parse(model, texts[name], where=name) if name in texts else model()
