"""What a photo's file says about its picture, mostly without decoding it."""

import os
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from wideopen.errors import InvalidInput
from wideopen.files.containers import png
from wideopen.files.decode import load_raster
from wideopen.files.decode_pillow import avif_bits, strict_pillow
from wideopen.files.formats import read_bytes, readable_path, sniff
from wideopen.files.metadata import exif as exif_tools
from wideopen.files.metadata.exif import taken_in_portrait_mode
from wideopen.files.metadata.icc import BadProfileError, parse_profile
from wideopen.files.raster import guarded

__all__ = ["Facts", "facts_in", "read_facts", "taken_in_portrait_mode"]

_MAX_MEGAPIXELS = 400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The picture of a photo file."""

    format: str
    width: int  # as displayed
    height: int
    bit_depth: int  # per channel
    orientation: int | None  # EXIF's number, valid or not; None where the file names none
    profile: str | None  # the ICC profile's name
    portrait_mode: bool = False  # an iPhone's: its background may be blurred already


def read_facts(path: str | os.PathLike[str]) -> Facts:
    """Return what the file at `path` says about its picture; InvalidInput for what is no readable photo."""
    file = readable_path(path)
    try:
        facts = facts_in(read_bytes(file, expected="a photo"))
    except InvalidInput as error:
        raise error if str(file) in str(error) else InvalidInput(f"{file}: {error}") from error
    if facts is not None:
        return facts
    raster = load_raster(file, max_megapixels=_MAX_MEGAPIXELS)
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
    """`read_facts` for the bytes of a file; None for formats that have to be decoded for it, and for no photo."""
    name = sniff(data[:64]) or ""
    if name == "HEIC":
        return guarded(lambda: _heif(data), "damaged or incomplete HEIC file")
    if name in ("JPEG", "PNG", "WebP", "AVIF"):
        return guarded(lambda: _pillow(name, data), f"damaged or incomplete {name} file")
    return None


def _heif(data: bytes) -> Facts:
    import pillow_heif

    with strict_pillow():
        file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False)
        info = file.info
    return Facts(
        format="HEIC",
        width=file.size[0],  # libheif turns the picture; EXIF only repeats it
        height=file.size[1],
        bit_depth=int(info.get("bit_depth", 8)),
        orientation=_orientation(info.get("exif")),
        profile=_profile(info.get("icc_profile")),
        portrait_mode=taken_in_portrait_mode(info.get("exif")),
    )


def _pillow(name: str, data: bytes) -> Facts:
    from importlib import import_module

    word = name.capitalize() if name in ("JPEG", "AVIF") else {"PNG": "Png", "WebP": "WebP"}[name]
    opener: Any = getattr(import_module(f"PIL.{word}ImagePlugin"), f"{word}ImageFile")
    with strict_pillow():
        image = opener(BytesIO(data))
        width, height = image.size
        info = image.info
    exif = info.get("exif")
    orientation = _orientation(exif)
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    bits = png.read_header(data).bit_depth if name == "PNG" else avif_bits(data) if name == "AVIF" else 8
    return Facts(
        format=name,
        width=width,
        height=height,
        bit_depth=bits,
        orientation=orientation,
        profile=_profile(info.get("icc_profile")),
        portrait_mode=taken_in_portrait_mode(exif),
    )


def _orientation(exif: bytes | None) -> int | None:
    body = exif_tools.strip_prefix(exif)
    return exif_tools.orientation(body) if body else None


def _profile(icc: bytes | None) -> str | None:
    try:
        return parse_profile(icc).name if icc else None
    except BadProfileError as error:
        return f"unreadable ({error})"
