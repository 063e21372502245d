"""What a photographer can set, as plain values: the words of the command line, of a JSON file, of a form.

Each dataclass checks itself when made, so that nothing is refused after a photo was read; only the focus needs a scene.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from wideopen.checks import require
from wideopen.disparity.find_disparity import require_depth
from wideopen.errors import InvalidInput
from wideopen.lens import Aperture, Focus, Lens, PaperLook, parse_blur, parse_grain
from wideopen.matting.find_matte import require_matting
from wideopen.matting.net.variants import Inference
from wideopen.pipeline import Scene

MAX_MEGAPIXELS = 150.0
_ANY_SIZE = 10**9  # a long side at which a radius in pixels is no reason to refuse a blur


class _Words:
    """To and from a dictionary of JSON values; keys that are no field are refused."""

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON values."""
        return asdict(self)  # type: ignore[call-overload]  # every heir is a dataclass

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str) -> Self:
        """The settings that `values` holds; fields it lacks have their defaults.

        Raises InvalidInput, which begins with `where`, for unknown keys and values that cannot be.
        """
        known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        for key in values:
            require(key in known, f"{where}: expected keys among {', '.join(sorted(known))}, found {key!r}")
        try:
            return cls(**values)
        except InvalidInput as error:
            raise InvalidInput(f"{where}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class LensSettings(_Words):
    """The lens. Fields as the options of `wideopen render`."""

    look: str = "thin-lens"
    blur: str = "2.4%"
    focus: str = "subject"
    focus_range: float | None = None  # None = the subject's own, or 0 for a point
    planes: int = 32
    aperture: str = "disk"
    cat_eye: float = 0.0
    highlights: float = 1.0
    grain: str = "auto"
    quality: str = "fast"
    paper: PaperLook | Mapping[str, float] | None = None  # the paper look's constants; None = as `highlights` says

    def __post_init__(self) -> None:
        _require_kinds(self, text=("look", "blur", "focus", "aperture", "grain", "quality"))
        _require_kinds(self, number=("cat_eye", "highlights"), whole=("planes",), maybe_number=("focus_range",))
        object.__setattr__(self, "paper", _paper(self.paper))  # from JSON it is a mapping
        require(
            self.focus_range is None or self.look != "paper",
            f"focus_range: expected with look thin-lens, found {self.focus_range} (the paper's equations have none)",
        )
        Focus.parse(self.focus)
        self._lens(0.0, 0.0, long_side_px=_ANY_SIZE)

    def lens(self, scene: Scene) -> Lens:
        """The lens for a scene. Raises InvalidInput for a focus outside the photo, or a blur too large for it."""
        focus, focus_range = Focus.parse(self.focus).resolve(scene)
        return self._lens(focus, focus_range, long_side_px=max(scene.rgb.shape[:2]))

    def _lens(self, focus: float, focus_range: float, *, long_side_px: int) -> Lens:
        return Lens(
            focus_disparity=focus,
            focus_range=focus_range if self.focus_range is None else self.focus_range,
            max_radius=parse_blur(self.blur, long_side_px),
            look=self.look,  # type: ignore[arg-type]  # Lens refuses other words
            planes=self.planes,
            aperture=Aperture.parse(self.aperture),
            cat_eye=self.cat_eye,
            highlights=self.highlights,
            grain=parse_grain(self.grain),
            quality=self.quality,  # type: ignore[arg-type]
            paper=_paper(self.paper),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSettings(_Words):
    """Where matte and disparity come from. Fields as the options of `wideopen render`."""

    depth: str = "auto"
    offline: bool = False  # never download a model
    filter_disparity: bool = True
    matting: str = "auto"
    matting_size: int | None = None
    matting_stages: int | None = None
    matting_edges: bool = True
    matting_tiles: bool = False
    matting_refiner: str | None = None
    matting_backend: str = "auto"
    device: str = "auto"

    def __post_init__(self) -> None:
        from wideopen.session.matte_source import INSIDE

        _require_kinds(self, text=("depth", "matting", "matting_backend", "device"))
        _require_kinds(self, truth=("offline", "filter_disparity", "matting_edges", "matting_tiles"))
        _require_kinds(self, maybe_whole=("matting_size", "matting_stages"))
        require_depth(self.depth)
        require_matting(self.matting, words=INSIDE)
        require(self.device in ("auto", "cpu", "cuda"), f"device: expected auto, cpu or cuda, found {self.device!r}")
        _ = self.inference  # checks itself

    @property
    def inference(self) -> Inference:
        """How the matting network runs."""
        return Inference(
            size=self.matting_size,
            stages=self.matting_stages,
            edges=self.matting_edges,
            tiles=self.matting_tiles,
            refiner=self.matting_refiner,
            backend=self.matting_backend,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSettings(_Words):
    """How a result is written. Fields as the options of `wideopen render`; None = as the photo."""

    output_quality: int | None = None  # 1 to 100
    output_bits: int | None = None
    keep_depth: bool = False  # keep matte and disparity with the result

    def __post_init__(self) -> None:
        _require_kinds(self, maybe_whole=("output_quality", "output_bits"), truth=("keep_depth",))


def _paper(values: PaperLook | Mapping[str, float] | None) -> PaperLook | None:
    """The constants, checked. Raises InvalidInput."""
    if values is None or isinstance(values, PaperLook):
        return values
    require(isinstance(values, Mapping), f"paper: expected constants by name, found {values!r}")
    known = [field.name for field in fields(PaperLook)]
    for key in values:
        require(key in known, f"paper: expected keys among {', '.join(known)}, found {key!r}")
    return PaperLook(**values)


def _require_kinds(settings: object, **names: tuple[str, ...]) -> None:
    """Refuse values of the wrong kind, which a JSON file can hold; ranges are checked where values are used."""
    for kind, of_kind in names.items():
        for name in of_kind:
            value = getattr(settings, name)
            wanted, fits = _KINDS[kind]
            require(fits(value), f"{name}: expected {wanted}, found {value!r}")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_KINDS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "text": ("text", lambda value: isinstance(value, str)),
    "truth": ("true or false", lambda value: isinstance(value, bool)),
    "whole": ("a whole number", _is_whole),
    "number": ("a number", _is_number),
    "maybe_whole": ("a whole number or nothing", lambda value: value is None or _is_whole(value)),
    "maybe_number": ("a number or nothing", lambda value: value is None or _is_number(value)),
}
