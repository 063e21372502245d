"""Depth maps and mattes stored inside photos, as arrays, and the decoding of their pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32, require
from wideopen.disparity.depth_map import Kind
from wideopen.files.decode_pillow import DECODERS, png_codes
from wideopen.files.formats import sniff
from wideopen.files.raster import grey, guarded

Codes = NDArray[Any]  # uint8 or uint16
MOST_MEGAPIXELS = 64.0  # of a part; phones store at most a quarter of the photo


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredDepth:
    """A depth map stored in a photo file."""

    values: F32  # (h, w), upright, of the photo's aspect, not its size; NaN where unknown
    kind: Kind  # disparity: 1 / metre, 0 = infinitely far; depth_m: metres; relative_disparity: largest = nearest
    name: str  # how it was stored: "HEIC auxiliary disparity", "JPEG appended depth", "GDepth", ...
    accuracy: str | None = None  # Apple's term: "absolute", or "relative" if the metres are approximate


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedded:
    """The parts inside one photo file. Mattes are (h, w) float32 in [0, 1], upright, of the photo's aspect."""

    depth: StoredDepth | None = None
    portrait_matte: F32 | None = None  # 1 = the people
    semantic: Mapping[str, F32] = field(default_factory=dict)  # "hair", "skin", "teeth", "glasses", "sky"
    ignored: tuple[str, ...] = ()  # unusable depth and mattes, one line each with the reason
    others: tuple[str, ...] = ()  # other parts: a gain map, a preview, a second depth map, ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part(StoredDepth):
    """One decoded part, depth or a matte, not yet rotated or compared with the photo."""

    role: str  # "depth", "portrait", or a key of `Embedded.semantic`
    kind: Kind = "relative_disparity"  # of a depth


@dataclass(slots=True)
class Findings:
    """What the readers add to: decoded parts, of each role the preferred one first, and lines about the others."""

    parts: list[Part] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def check_part_size(width: int, height: int) -> None:
    """Refuse a part that is too large, before it is decoded."""
    fits = 0 < width * height <= MOST_MEGAPIXELS * 1e6
    require(fits, f"expected at most {MOST_MEGAPIXELS:g} megapixels, found {width} x {height} pixels")


def auxiliary_codes(file: Any, item: int, picture: Any = None) -> Codes:
    """Return the codes (h, w) of an auxiliary picture of pillow-heif's `file`, or of an opened `picture` of it.

    libheif stretches pictures deeper than 8 bits, which only depth can be, to 16. Raises InvalidInput.
    """
    with guarded("cannot be opened"):
        picture = picture if picture is not None else file.get_aux_image(item)
    check_part_size(*picture.size)
    with guarded("damaged or incomplete"):
        codes: Codes = np.array(picture)
    require(codes.ndim == 2, f"expected a grey picture, found {codes.shape}")
    return codes


def grey_picture(data: bytes) -> Codes:
    """Return the codes (h, w), uint8 or uint16, of a grey JPEG or PNG.

    Raises InvalidInput for another format, colours, too many pixels, and damaged or truncated data.
    """
    name = sniff(data[:64])
    require(name in ("JPEG", "PNG"), f"expected a JPEG or PNG, found {name or 'neither'}")
    with guarded(f"damaged or incomplete {name}"):
        codes = png_codes(data, check_part_size) if name == "PNG" else DECODERS["JPEG"](data, check_part_size).codes
    require(codes.dtype in (np.uint8, np.uint16), f"expected 8 or 16 bits, found {codes.dtype}")
    return grey(codes, np.iinfo(codes.dtype).max)


def levels(codes: Codes) -> NDArray[np.float64]:
    """Return the value of every code of the type of `codes`: 0 for the first, 1 for the last."""
    top = int(np.iinfo(codes.dtype).max)
    return np.arange(top + 1, dtype=np.float64) / top


def looked_up(codes: Codes, table: NDArray[Any]) -> F32:
    """Return `table`, one value per code, at `codes` (h, w), as float32. Much faster than computing on every pixel."""
    if codes.dtype == np.uint8:
        import cv2

        return np.asarray(cv2.LUT(np.ascontiguousarray(codes), table.astype(np.float32)), np.float32)
    return np.asarray(table.astype(np.float32)[codes], np.float32)
