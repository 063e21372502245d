"""Photos and maps that clients upload: their forms, and the files they are saved to."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import UploadFile
from pydantic import BaseModel, ConfigDict, Field

from wideopen.files.formats import RAW_EXTENSIONS, sniff
from wideopen.service.problems import Problem
from wideopen.service.results import FORMATS
from wideopen.service.schemas import SETTINGS_BYTES, Lens, Maps, Output

_MAPS = ("PNG", "TIFF", "WebP", "JPEG", "HEIC", "AVIF")
_EXTENSIONS = {name: extension for name, extension, _ in FORMATS.values()} | {"camera raw": RAW_EXTENSIONS[0]}
_IMAGES = "image/jpeg, image/png, image/tiff, image/webp, image/heic, image/avif"
_EXAMPLES = {
    "lens": {"blur": "3%", "aperture": "polygon:7~0.4", "cat_eye": 0.5},
    "maps": {"depth": "planar"},
    "output": {"format": "jpeg", "quality": 92},
}


class AnalyzeForm(BaseModel):
    """A photo, perhaps with maps, and where others come from; `maps` is JSON."""

    model_config = ConfigDict(extra="forbid")

    photo: UploadFile = Field(description="JPEG, PNG, TIFF, WebP, HEIC, AVIF; its name is not used.")
    matte: UploadFile | None = Field(default=None, description="The subject's matte, a grey picture.")
    disparity: UploadFile | None = Field(default=None, description="A grey picture, the largest value nearest.")
    maps: Maps = Field(default_factory=Maps)


class RenderForm(AnalyzeForm):
    """A photo, perhaps with maps, and how to render it; `lens`, `maps` and `output` are JSON."""

    lens: Lens = Field(default_factory=Lens)
    output: Output = Field(default_factory=Output)


FORM_LIMITS: Any = {
    "max_files": len(RenderForm.model_fields),
    "max_fields": len(RenderForm.model_fields),
    "max_part_size": SETTINGS_BYTES,
}
"""Passed to the framework's form parser."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A photo and its maps, saved under names that the service chooses."""

    photo: Path
    photo_format: str  # a name of files.formats
    matte: Path | None
    disparity: Path | None


def save(form: AnalyzeForm, folder: Path) -> Uploaded:
    """Save the files of a form in `folder` after checking their first bytes. Raises Problem (415)."""
    photo, photo_format = _save("photo", form.photo, folder)
    matte, disparity = (
        None if file is None else _save(name, file, folder)[0]
        for name, file in (("matte", form.matte), ("disparity", form.disparity))
    )
    return Uploaded(photo=photo, photo_format=photo_format, matte=matte, disparity=disparity)


def _save(name: str, file: UploadFile, folder: Path) -> tuple[Path, str]:
    file.file.seek(0)
    found = sniff(file.file.read(64))
    known = _EXTENSIONS if name == "photo" else _MAPS
    if found is None or found not in known:
        raise Problem("not-a-photo", f"{name}: expected one of {', '.join(known)}, found {found or 'none of them'}")
    file.file.seek(0)
    path = folder / f"{name}{_EXTENSIONS[found]}"
    with path.open("xb") as out:
        shutil.copyfileobj(file.file, out, 1 << 20)
    return path, found


def openapi_of(form: type[AnalyzeForm]) -> dict[str, Any]:
    """Return what OpenAPI needs for a form beyond its schema: the media types of its parts, and example settings."""
    examples = {name: _EXAMPLES[name] for name in form.model_fields if name in _EXAMPLES}
    kinds = {name: "application/json" if name in examples else _IMAGES for name in form.model_fields}
    content = {
        "encoding": {name: {"contentType": kind} for name, kind in kinds.items()},
        "examples": {"settings": {"value": examples}},
    }
    return {"requestBody": {"content": {"multipart/form-data": content}}}
