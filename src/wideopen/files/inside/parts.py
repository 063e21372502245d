"""What phones store inside photos besides the picture, as arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from wideopen.checks import F32
from wideopen.disparity.depth_map import Kind

__all__ = ["DepthMap", "Embedded", "Findings", "Found", "Kind", "Part"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DepthMap:
    """How far everything is, as a photo's file tells it."""

    values: F32  # (h, w), upright, of the photo's aspect but not its size; NaN where the file knows nothing
    kind: Kind  # disparity: 1 / metre, 0 = infinitely far; depth_m: metres; relative_disparity: largest = nearest
    name: str  # how it was stored: "HEIC auxiliary disparity", "JPEG appended depth", "GDepth", ...
    accuracy: str | None = None  # Apple's word: "absolute", or "relative" when the metres are only roughly so


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedded:
    """The parts inside one photo file. Mattes are (h, w) float32 in [0, 1], upright, of the photo's aspect."""

    depth: DepthMap | None = None
    portrait_matte: F32 | None = None  # 1 = the people
    semantic: Mapping[str, F32] = field(default_factory=dict)  # "hair", "skin", "teeth", "glasses", "sky"
    ignored: tuple[str, ...] = ()  # depth and mattes that are there and cannot be used, with the reason, a line each
    others: tuple[str, ...] = ()  # what else is there: a gain map, a preview, a second depth map, ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """One part as decoded, still as the file has it: not turned, not compared with the photo."""

    role: str  # "depth", "portrait", or a key of `Embedded.semantic`
    name: str
    values: NDArray[Any]  # (h, w) float32
    kind: Kind | None = None  # of a depth
    accuracy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Findings:
    """What one reader found; two of them add up, the preferred one first."""

    parts: tuple[Part, ...] = ()
    ignored: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def __add__(self, more: "Findings") -> "Findings":
        """Both, these first."""
        return Findings(
            parts=self.parts + more.parts, ignored=self.ignored + more.ignored, others=self.others + more.others
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What is in a file."""

    size: tuple[int, int]  # (H, W) of the photo's pixels as stored, before `orientation`
    orientation: int = 1  # EXIF's number, to be applied to photo and parts alike
    findings: Findings = field(default_factory=Findings)
