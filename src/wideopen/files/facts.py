"""Size, depth, orientation and profile of a photo file, mostly without decoding it."""

import os
from dataclasses import dataclass
from typing import Any

from wideopen.errors import InvalidInput
from wideopen.files.containers import png
from wideopen.files.decode import raster_in
from wideopen.files.decode_pillow import DECODERS, avif_bits, opened, strict_pillow
from wideopen.files.formats import read_bytes, readable_path, sniff
from wideopen.files.metadata import exif as exif_tools
from wideopen.files.metadata.icc import BadProfileError, parse_profile
from wideopen.files.raster import guarded

_MAX_MEGAPIXELS = 400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Properties of the picture in a photo file."""

    format: str
    width: int  # as displayed
    height: int
    bit_depth: int  # per channel
    orientation: int | None  # EXIF's number, valid or not; None if the file has none
    profile: str | None  # the ICC profile's name
    portrait_mode: bool = False  # of an iPhone: the background may already be blurred


def read_facts(path: str | os.PathLike[str]) -> Facts:
    """Return the properties of the picture in the file at `path`; InvalidInput if it is not a readable photo."""
    file = readable_path(path)
    data = read_bytes(file, expected="a photo")
    try:
        facts = facts_in(data)
    except InvalidInput as error:
        raise error if str(file) in str(error) else InvalidInput(f"{file}: {error}") from error
    if facts is not None:
        return facts
    raster = raster_in(data, file, max_megapixels=_MAX_MEGAPIXELS)
    height, width = raster.codes.shape[:2]
    return Facts(
        format=raster.format,
        width=width,
        height=height,
        bit_depth=raster.bit_depth,
        orientation=None,
        profile=_profile(raster.icc),
    )


def facts_in(data: bytes) -> Facts | None:
    """`read_facts` for the bytes of a file; None if the format must be decoded first or is not a photo."""
    name = sniff(data[:64]) or ""
    if name not in DECODERS:
        return None
    return guarded(lambda: _facts(name, data), f"damaged or incomplete {name} file")


def _facts(name: str, data: bytes) -> Facts:
    with strict_pillow():
        file = opened(name, data)
        (width, height), info = file.size, file.info
    exif = exif_tools.strip_prefix(info.get("exif"))
    orientation = exif_tools.orientation(exif) if exif else None
    if orientation in (5, 6, 7, 8) and name != "HEIC":  # libheif turns the picture; EXIF only repeats it
        width, height = height, width
    return Facts(
        format=name,
        width=width,
        height=height,
        bit_depth=_bits(name, data, info),
        orientation=orientation,
        profile=_profile(info.get("icc_profile")),
        portrait_mode=exif_tools.taken_in_portrait_mode(exif),
    )


def _bits(name: str, data: bytes, info: dict[str, Any]) -> int:
    if name == "PNG":
        return png.read_header(data).bit_depth
    return avif_bits(data) if name == "AVIF" else int(info.get("bit_depth", 8))


def _profile(icc: bytes | None) -> str | None:
    try:
        return parse_profile(icc).name if icc else None
    except BadProfileError as error:
        return f"unreadable ({error})"
