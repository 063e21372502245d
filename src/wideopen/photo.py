"""A photo in memory: linear light, and the metadata of its file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wideopen.checks import F32, U8
from wideopen.color import SRGB, Encoding
from wideopen.hdr import Hdr

_ROWS = 256  # rows converted at a time: a few MB instead of a copy of the photo
_SAME_CURVE = 1e-4  # of light: a third of the first step of 8 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegCoding:
    """The coding of a JPEG file, so that a result can be coded alike."""

    tables: tuple[tuple[int, ...], ...]  # quantisation steps, 64 each, row by row
    chroma: str = "4:4:4"  # or 4:2:2, 4:2:0
    progressive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a photo's file holds besides its pixels. Bytes are kept as they were, except for the orientation."""

    exif: bytes | None = None  # from its TIFF header on; orientation 1, no thumbnail
    icc: bytes | None = None  # the profile that defines the photo's `encoding`
    xmp: bytes | None = None
    iptc: bytes | None = None  # records of IPTC-IIM
    jpeg: JpegCoding | None = None  # of JPEG files
    chroma: str | None = None  # of HEIC files: 4:2:0, 4:2:2 or 4:4:4
    format: str = "PNG"  # one of `files.formats`
    bit_depth: int = 8  # of the file: 8, 10, 12 or 16; 32 for floats
    notes: tuple[str, ...] = ()  # what was converted, ignored or dropped, for the user


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Photo:
    """A photo, upright."""

    rgb: F32  # (H, W, 3) linear light in the photo's own primaries, 1.0 = white
    codes: U8 | None = None  # (H, W, 3), what `rgb` was decoded from, if the file has 8 bits
    hdr: Hdr | None = None  # if the light above white is known
    encoding: Encoding = SRGB  # how `rgb` is written back to a file
    metadata: Metadata = Metadata()
    source: Path | None = None  # the file it was read from, which must not be overwritten


def srgb_u8(photo: Photo) -> U8:
    """Return the photo's standard picture as sRGB (H, W, 3) uint8, for networks and previews; wider colours clip."""
    from wideopen.arrays import transfer
    from wideopen.hdr.standard import standard_light

    rgb = photo.rgb if photo.hdr is None else standard_light(photo.rgb, photo.hdr, photo.encoding)
    if photo.encoding.has_srgb_primaries:
        return np.asarray(transfer.encode(rgb, SRGB, bit_depth=8), np.uint8)
    matrix = np.array(photo.encoding.to_srgb, np.float32).T
    out = np.empty(rgb.shape, np.uint8)
    for top in range(0, len(out), _ROWS):
        light = rgb[top : top + _ROWS] @ matrix
        out[top : top + _ROWS] = transfer.encode(light, SRGB, bit_depth=8)
    return out


def display_u8(photo: Photo) -> tuple[U8, Encoding]:
    """Return (the photo's standard picture (H, W, 3) uint8, its encoding): as in the file if it has 8 bits, else sRGB.

    The encoding has the curve of sRGB, but may have other primaries: good enough to follow edges, and free.
    """
    from wideopen.arrays.transfer.reference import light_of_codes

    codes = photo.codes if photo.hdr is None else photo.hdr.standard
    if codes is None or codes.dtype != np.uint8 or codes.shape != photo.rgb.shape:
        return srgb_u8(photo), SRGB
    apart = np.abs(light_of_codes(photo.encoding, 8) - light_of_codes(SRGB, 8)).max()
    return (codes, photo.encoding) if apart < _SAME_CURVE else (srgb_u8(photo), SRGB)


def to_srgb(picture: U8, encoding: Encoding) -> U8:
    """Return a picture of `display_u8` (H, W, 3), of any size, as sRGB; wider colours clip."""
    from wideopen.arrays import transfer

    if encoding.has_srgb_primaries:
        return picture
    return srgb_u8(Photo(rgb=transfer.decode(picture, encoding, bit_depth=8), encoding=encoding))
