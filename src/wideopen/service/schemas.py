"""What the service takes and gives as JSON. The schemas are published; `session.settings` has the last word on values.

Every unknown key is refused. `tests/service/test_service_schemas.py` holds the lens's fields and defaults to the jobs'.
"""

from typing import Annotated, Any, Literal

from fastapi import UploadFile
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError, from_json

from wideopen.session.settings import LensSettings, MapSettings, OutputSettings

SETTINGS_BYTES = 16_384
"""Of the JSON of one group of settings in a form."""
Share = Annotated[float, Field(ge=0, le=1)]
Constant = Annotated[float, Field(ge=-1000, le=1000)]
Exponent = Annotated[float, Field(gt=0, le=32)]
Size = Annotated[list[int], Field(min_length=2, max_length=2, description="Width and height, as displayed.")]
_RADIUS = r"^([0-9]{1,5}(\.[0-9]{1,6})?px|(1?[0-9]|2[0-4])(\.[0-9]{1,6})?%|25%)$"
_FOCUS = r"^(subject|[0-9]{1,6}(\.[0-9]{1,6})?,[0-9]{1,6}(\.[0-9]{1,6})?|d=(0(\.[0-9]{1,6})?|1(\.0{1,6})?))$"
_APERTURE = r"^(disk|polygon:([3-9]|1[0-6])(@-?[0-9]{1,4}(\.[0-9]{1,6})?)?(~(0?\.[0-9]{1,6}|0|1))?)$"
_GRAIN = r"^(auto|off|[12]?[0-9](\.[0-9]{1,6})?|3[01](\.[0-9]{1,6})?|32)$"


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


class Paper(_Strict):
    """Constants of the paper's look, Eqs. (3) and (4)."""

    radius_scale: float = Field(default=1.0, gt=0, le=10)
    delta: Constant = 0.0
    a1: Constant = 1.0
    b1: Constant = 0.0
    a2: Constant = 1.0
    b2: Constant = 0.0
    alpha1: Exponent = 4.0
    alpha2: Exponent = 4.0


class Lens(_Strict):
    """The lens: the words and defaults of `wideopen render`."""

    look: Literal["thin-lens", "paper"] = "thin-lens"
    blur: str = Field(
        default="2.4%", pattern=_RADIUS, description="Blur radius: pixels (40px) or of the long side (2.5%)."
    )
    focus: str = Field(default="subject", pattern=_FOCUS, description="subject, X,Y (pixels, as displayed) or d=0.8.")
    focus_range: Share | None = Field(
        default=None, description="Half-width in disparity that stays sharp; not with `paper`."
    )
    planes: int = Field(default=32, ge=2, le=256)
    aperture: str = Field(
        default="disk", pattern=_APERTURE, description="disk, or polygon:SIDES[@DEGREES][~CURVATURE]."
    )
    cat_eye: Share = 0.0
    highlights: float = Field(default=1.0, ge=0, le=10, description="Radiance given back to clipped lights.")
    grain: str = Field(default="auto", pattern=_GRAIN, description="auto, off, or 0 to 32 (8-bit codes).")
    quality: Literal["exact", "fast"] = "fast"
    paper: Paper | None = None

    def settings(self) -> LensSettings:
        """As the jobs take it. Raises InvalidInput for what fits the schema and still cannot be."""
        return LensSettings.from_dict(self.model_dump(), where="lens")


class Maps(_Strict):
    """Where matte and disparity come from. Networks are the operator's choice: no name, path or URL is taken."""

    depth: Literal["auto", "embedded", "planar"] | None = Field(
        default=None, description="Default: as the service is set."
    )
    matting: Literal["auto", "embedded", "mobile"] | None = Field(
        default=None, description="Default: as the service is set."
    )
    filter_disparity: bool = True

    def settings(self, default: MapSettings) -> MapSettings:
        """`default` with what the request chose."""
        chosen = {name: value for name, value in self.model_dump().items() if value is not None}
        return MapSettings.from_dict(default.to_dict() | chosen, where="maps")


class Output(_Strict):
    """How the result is coded."""

    format: Literal["jpeg", "png", "tiff", "webp", "heic", "avif", "jxl", "exr"] | None = Field(
        default=None, description="Default: what Accept names, else as the photo."
    )
    quality: int | None = Field(default=None, ge=1, le=100)
    bits: Literal[8, 10, 16, 32] | None = None
    keep_depth: bool = Field(default=False, description="Keep the maps inside the result; JPEG only.")

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
