"""What the service takes and gives as JSON. The schemas are published; `wideopen.settings` has the last word on values.

Every unknown key is refused. Lens, maps and output are made from the options there.
"""

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import UploadFile
from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator
from pydantic_core import PydanticCustomError, from_json

from wideopen.lens import PaperLook
from wideopen.matting.inference import INSIDE, NETWORK
from wideopen.options import Option, Settings, options_of
from wideopen.settings import DEPTHS, LensSettings, MapSettings, OutputSettings

SETTINGS_BYTES = 16_384
"""Of the JSON of one group of settings in a form."""
Size = Annotated[list[int], Field(min_length=2, max_length=2, description="Width and height, as displayed.")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _from_form(cls, value: Any) -> Any:
        """The value of a form's field: JSON, as text or, as browsers send a Blob, as a file."""
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
    """A model with the options of `settings`: their types, defaults, ranges and help.

    changed: where any are given, only these options, each with what changes of it.
    """
    chosen = [one for one in options_of(settings) if not changed or one.name in changed]
    fields = (_field(replace(one, **changed.get(one.name, {}))) for one in chosen)
    return create_model(settings.__name__, __base__=_Strict, **dict(fields))


def _field(one: Option) -> tuple[str, Any]:
    """(name, what `create_model` takes)."""
    is_number = one.kind in (int, float) and one.text is None
    about: dict[str, Any] = (
        {"ge": one.least, "gt": one.above, "le": one.most} if is_number else {"pattern": one.pattern}
    )
    about = {key: value for key, value in about.items() if value is not None}
    if one.text is not None:
        return one.name, (str, Field(default=one.text.write(one.default), description=one.help, **about))
    hint: Any = Literal[one.words] if one.words else Paper if issubclass(one.kind, Settings) else one.kind
    return one.name, (hint | None if one.optional else hint, Field(default=one.default, description=one.help, **about))


class Paper(_model(PaperLook)):  # type: ignore[misc]  # made from options
    """Constants of the paper's look, Eqs. (3) and (4)."""


class Lens(_model(LensSettings)):  # type: ignore[misc]
    """The lens: the words and defaults of `wideopen render`."""

    def settings(self) -> LensSettings:
        """As the jobs take it. Raises InvalidInput for what fits the schema and still cannot be."""
        return LensSettings.from_dict(self.model_dump(), where="lens")


_AS_SET = {"default": None, "optional": True}
_DEPTH = _AS_SET | {"words": DEPTHS, "help": "Source of the disparity. Default: as the service is set."}
_MATTING = _AS_SET | {"words": (*INSIDE, NETWORK), "help": "Source of the matte. Default: as the service is set."}
_KEEP = {"help": "Keep the maps inside the result; JPEG only."}


class Maps(_model(MapSettings, depth=_DEPTH, matting=_MATTING, filter_disparity={})):  # type: ignore[misc]
    """Where matte and disparity come from. Networks are the operator's choice: no name, path or URL is taken."""

    def settings(self, default: MapSettings) -> MapSettings:
        """`default` with what the request chose."""
        chosen = {name: value for name, value in self.model_dump().items() if value is not None}
        return MapSettings.from_dict(default.to_dict() | chosen, where="maps")


class Output(
    _model(  # type: ignore[misc]
        OutputSettings, output_quality={"name": "quality"}, output_bits={"name": "bits"}, keep_depth=_KEEP
    )
):
    """How the result is coded."""

    format: Literal["jpeg", "png", "tiff", "webp", "heic", "avif", "jxl", "exr"] | None = Field(
        default=None, description="Default: what Accept names, else as the photo."
    )

    def settings(self) -> OutputSettings:
        """As the jobs take it."""
        return OutputSettings(output_quality=self.quality, output_bits=self.bits, keep_depth=self.keep_depth)


class SceneRender(_Strict):
    """One rendering of an analysed scene."""

    lens: Lens = Field(default_factory=Lens)
    output: Output = Field(default_factory=Output)


class Analysis(BaseModel):
    """An analysed scene."""

    id: str = Field(description="Whoever knows it may render the scene, or remove it.")
    expires_in_s: float = Field(description="Without use.")
    size: Size
    matte: str = Field(description="Where the matte came from.")
    disparity: str = Field(description="Where the disparity came from.")
    filtered: bool
    notes: list[str]
    seconds: dict[str, float]


class Report(BaseModel):
    """What was done with a photo: what `wideopen render --json` prints, without paths."""

    size: Size
    look: str
    matte: str
    disparity: str
    filtered: bool
    focus_disparity: float
    focus_range: float
    radius_px: float
    grain: float
    backend: str
    notes: list[str]
    seconds: dict[str, float]


class Info(BaseModel):
    """What the service is and allows."""

    version: str
    formats_in: list[str]
    formats_out: list[str]
    most_mb: float
    most_megapixels: float
    request_s: float
    workers: int
    waiting: int
    scenes: int
    scene_idle_s: float
    maps: dict[str, Any]


class ProblemBody(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
