"""A decoded picture with its metadata as bytes, or only its properties, and the errors of decoders."""

import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32, require
from wideopen.color import Encoding
from wideopen.errors import InvalidInput, one_line
from wideopen.files.containers import tiff
from wideopen.photo import Metadata

SizeCheck = Callable[[int, int], None]
# Exceptions that decoders raise on damaged data; they are inconsistent.
DAMAGE = (
    ArithmeticError, AttributeError, EOFError, LookupError, MemoryError,
    OSError, RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error, lzma.LZMAError,
)  # fmt: skip
HDR_TRANSFER = {16: "PQ", 18: "HLG"}  # ITU-T H.273
_ASPECT_TOLERANCE, _GREY_TOLERANCE = 0.01, 0.02


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Raster(Metadata):
    """The codes of one picture with its metadata as stored."""

    codes: NDArray[Any]  # (H, W) grey or (H, W, 2, 3 or 4); the last of 2 and 4 is alpha until it is upright
    alpha: F32 | None = None  # (H, W) in [0, 1], of an upright picture that is not fully opaque
    orientation: int | None = None  # not yet applied; the file's number, valid or not
    cicp: tuple[int, int] | None = None  # ITU-T H.273 (primaries, transfer), if in the file
    encoding: Encoding | None = None  # if the format defines it: OpenEXR, JPEG XL, camera raw

    def noted(self, *notes: str, **changes: Any) -> "Raster":
        """Return the picture with further notes, and other `changes`."""
        return replace(self, notes=self.notes + notes, **changes)

    def with_metadata(self, exif: bytes | None, xmp: bytes | str | None) -> "Raster":
        """Return the picture with the EXIF and XMP of its file, and the orientation in the EXIF."""
        body = tiff.strip_prefix(exif)
        notes: tuple[str, ...] = ("EXIF unreadable, dropped",) if exif and body is None else ()
        if body is not None and tiff.is_damaged(body):
            notes = ("EXIF is damaged: tags that point outside it are ignored",)
        return self.noted(
            *notes,
            exif=body,
            xmp=xmp.encode() if isinstance(xmp, str) else xmp or None,
            orientation=tiff.orientation(body) if body else None,
        )

    @property
    def top(self) -> float:
        """The code for the value 1."""
        return 1.0 if self.bit_depth == 32 else 2.0**self.bit_depth - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Properties of the picture in a photo file."""

    format: str
    width: int  # as displayed
    height: int
    bit_depth: int  # per channel
    orientation: int | None = None  # EXIF's number, valid or not; None if the file has none
    profile: str | None  # the ICC profile's name
    exif: bytes | None = None
    portrait_mode: bool = False  # of an iPhone: the background may already be blurred
    hdr: str | None = None  # what records light above white: a kind of gain map, PQ, HLG or floats
    headroom: float = 1.0  # the brightest light, in units of white


def several(count: int, which: str = "first") -> tuple[str, ...]:
    """Return the note for a file with more than one picture."""
    return (f"the file holds {count} pictures, the {which} was read",) if count > 1 else ()


@contextmanager
def guarded(complaint: str) -> Iterator[None]:
    """Turn errors of decoders on damaged data in the block into InvalidInput with `complaint`."""
    try:
        yield
    except InvalidInput:
        raise
    except DAMAGE as error:
        raise InvalidInput(f"{complaint} ({one_line(error, 120)})") from error


def grey(codes: NDArray[Any], top: float) -> NDArray[Any]:
    """Return the grey values (H, W) of `codes` without alpha, `top` their code for white; InvalidInput for colours.

    Lossy formats store grey as nearly grey: channels may differ by 2 % of full scale, and the green one is returned.
    """
    if codes.ndim == 2 or codes.shape[2] < 3:
        return codes if codes.ndim == 2 else codes[..., 0]
    import cv2

    red, green, blue = (cv2.extractChannel(codes, channel) for channel in range(3))
    spread = max(cv2.norm(one, other, cv2.NORM_INF) for one, other in ((red, green), (green, blue), (red, blue)))
    require(spread <= _GREY_TOLERANCE * top, f"expected a grey picture, found colours (channels differ by {spread:g})")
    return np.asarray(green)


def require_aspect(found: tuple[int, ...], size: tuple[int, int]) -> None:
    """Raise InvalidInput if a map of the shape `found` differs in aspect from `size` (H, W)."""
    (height, width), (rows, columns) = size, found
    alike = abs(rows - columns * height / width) <= max(_ASPECT_TOLERANCE * rows, 0.5)
    require(alike, f"expected the aspect of the photo, {width} x {height}, found {columns} x {rows}")


def turn(image: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return a view of `image` (H, W, ...) rotated for display (EXIF orientation 1 to 8)."""
    if orientation >= 5:  # swap rows and columns
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image
