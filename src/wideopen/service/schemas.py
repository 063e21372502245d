"""What the service takes and returns as JSON and as forms, for its published schema.

Lens, maps and output are made from the options in `wideopen.settings`, which has the last word on their values. Unknown
keys are refused.
"""

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import UploadFile
from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator
from pydantic_core import PydanticCustomError, from_json

from wideopen.lens import PaperLook
from wideopen.matting import Outline
from wideopen.matting.inference import INSIDE, NETWORK
from wideopen.options import Option, Settings, options_of
from wideopen.service import ServeSettings
from wideopen.settings import DEPTHS, LensSettings, MapSettings, OutputSettings

SETTINGS_BYTES = 16_384  # largest size of the JSON of one group of settings in a form
Size = Annotated[list[int], Field(min_length=2, max_length=2, description="Width and height, as displayed.")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _from_form(cls, value: Any) -> Any:
        """Parse the JSON in a form's field: text or, as browsers send a Blob, a file."""
        if isinstance(value, UploadFile):
            value = value.file.read(SETTINGS_BYTES + 1)
        if not isinstance(value, str | bytes):
            return value
        try:
            found = from_json(value, allow_inf_nan=False) if len(value) <= SETTINGS_BYTES else None
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise PydanticCustomError("json_invalid", "expected a JSON object")
        return found


def _model(settings: type[Settings], **changed: dict[str, Any]) -> Any:
    """Return a model with the options of `settings`: their types, defaults, ranges and help.

    changed: if any are given, only these options, each with the properties that differ.
    """
    chosen = [one for one in options_of(settings) if not changed or one.name in changed]
    fields = (_field(replace(one, **changed.get(one.name, {}))) for one in chosen)
    return create_model(settings.__name__, __base__=_Strict, **dict(fields))


def _field(one: Option) -> tuple[str, Any]:
    """Return (name, definition) for `create_model`."""
    is_number = one.kind in (int, float) and one.text is None
    limits = {"ge": one.least, "gt": one.above, "le": one.most} if is_number else {"pattern": one.pattern}
    about: dict[str, Any] = {key: value for key, value in limits.items() if value is not None}
    about["description"] = one.help
    if one.text is not None:
        return one.name, (str, Field(default=one.text.write(one.default), **about))
    hint: Any = Literal[one.words] if one.words else PaperModel if issubclass(one.kind, Settings) else one.kind
    return one.name, (hint | None if one.optional else hint, Field(default=one.default, **about))


class PaperModel(_model(PaperLook)):  # type: ignore[misc]  # made from options
    """Constants of the paper look, Eqs. (3) and (4)."""


class LensModel(_model(LensSettings)):  # type: ignore[misc]
    """The lens, with the names and defaults of `wideopen render`."""

    def settings(self) -> LensSettings:
        """Return the settings. Raises InvalidInput for values that fit the schema but not each other."""
        return LensSettings.from_dict(self.model_dump(), where="lens")


_OPTIONAL = {"default": None, "optional": True}
_DEPTH = _OPTIONAL | {"words": DEPTHS, "help": "Source of the disparity. Default: the service's."}
_MATTING = _OPTIONAL | {"words": (*INSIDE, NETWORK), "help": "Source of the matte. Default: the service's."}
_OUTPUT = {one.name: one.name.removeprefix("output_") for one in options_of(OutputSettings)}
_RENAMED = {name: {"name": word} for name, word in _OUTPUT.items()}
_RENAMED["keep_depth"]["help"] = "Store matte and disparity inside the result; JPEG only."


class MapsModel(_model(MapSettings, depth=_DEPTH, matting=_MATTING, filter_disparity={})):  # type: ignore[misc]
    """Sources of matte and disparity. The operator chooses networks: names, paths and URLs of others are refused."""

    def settings(self, default: MapSettings) -> MapSettings:
        """Return `default` with the values that the request has."""
        chosen = {name: value for name, value in self.model_dump().items() if value is not None}
        return MapSettings.from_dict(default.to_dict() | chosen, where="maps")


class OutputModel(_model(OutputSettings, **_RENAMED)):  # type: ignore[misc]
    """Format and encoding of the result."""

    format: Literal["jpeg", "png", "tiff", "webp", "heic", "avif", "jxl", "exr"] | None = Field(
        default=None, description="Format of the image. Default: the one named by Accept, else the photo's."
    )

    def settings(self) -> OutputSettings:
        """Return the settings."""
        return OutputSettings(**{name: getattr(self, word) for name, word in _OUTPUT.items()})


class SceneRender(_Strict):
    """Lens and output for one rendering of an analysed scene."""

    lens: LensModel = Field(default_factory=LensModel)
    output: OutputModel = Field(default_factory=OutputModel)


class AnalyzeForm(BaseModel):
    """A photo with optional maps, and the sources of missing maps; `maps` is JSON."""

    model_config = ConfigDict(extra="forbid")

    photo: UploadFile = Field(description="JPEG, PNG, TIFF, WebP, HEIC or AVIF; the file's name is ignored.")
    matte: UploadFile | None = Field(default=None, description="The subject's matte, a grey picture.")
    matte_hint: UploadFile | None = Field(
        default=None, description="A hint for the matting network: a rough mask or scribble, grey where unknown."
    )
    disparity: UploadFile | None = Field(default=None, description="A grey picture; the largest value is nearest.")
    maps: MapsModel = Field(default_factory=MapsModel)


class RenderForm(AnalyzeForm):
    """A photo with optional maps, and settings for rendering it; `lens`, `maps` and `output` are JSON."""

    lens: LensModel = Field(default_factory=LensModel)
    output: OutputModel = Field(default_factory=OutputModel)


FORM_LIMITS: Any = {
    "max_files": len(RenderForm.model_fields),
    "max_fields": len(RenderForm.model_fields),
    "max_part_size": SETTINGS_BYTES,
}
"""Passed to the framework's form parser."""
_IMAGES = "image/jpeg, image/png, image/tiff, image/webp, image/heic, image/avif"
_EXAMPLES = {
    "lens": {"blur": "3%", "aperture": "polygon:7~0.4", "cat_eye": 0.5},
    "maps": {"depth": "planar"},
    "output": {"format": "jpeg", "quality": 92},
}


def openapi_of(form: type[AnalyzeForm]) -> dict[str, Any]:
    """Return what OpenAPI needs for a form beyond its schema: the media types of its parts, and example settings."""
    examples = {name: _EXAMPLES[name] for name in form.model_fields if name in _EXAMPLES}
    kinds = {name: "application/json" if name in examples else _IMAGES for name in form.model_fields}
    content = {
        "encoding": {name: {"contentType": kind} for name, kind in kinds.items()},
        "examples": {"settings": {"value": examples}},
    }
    return {"requestBody": {"content": {"multipart/form-data": content}}}


class Found(BaseModel):
    """What an analysis finds."""

    size: Size
    matte: str = Field(description="Source of the matte.")
    outline: Outline = Field(description="Origin of the matte: found by a network or a phone, given, or exact.")
    disparity: str = Field(description="Source of the disparity.")
    filtered: bool = Field(description="Whether the disparity was filtered along the matte's outline.")
    notes: list[str]
    seconds: dict[str, float] = Field(description="Time of each step.")


class Analysis(Found):
    """An analysed scene."""

    id: str = Field(description="Id of the scene; anyone who knows it can render or delete the scene.")
    expires_in_s: float = Field(description="Seconds without use after which the scene is deleted.")


class Report(Found):
    """The report that `wideopen render --json` prints, without paths."""

    look: str
    focus_disparity: float
    focus_range: float
    radius_px: float
    grain: float
    backend: str


LIMITS = ("max_mb", "max_megapixels", "request_timeout", "scenes", "scene_minutes")


class Info(_model(ServeSettings, **{name: {} for name in LIMITS})):  # type: ignore[misc]
    """Version, formats and limits of the service; limits are named like the flags of `wideopen serve`."""

    version: str
    formats_in: list[str]
    formats_out: list[str]
    workers: int
    waiting: int
    maps: dict[str, Any]
