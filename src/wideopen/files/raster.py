"""A decoded picture: integer codes and the metadata as bytes."""

import lzma
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from numpy.typing import NDArray

from wideopen.checks import require
from wideopen.color import Encoding
from wideopen.errors import InvalidInput
from wideopen.photo import Metadata

T = TypeVar("T")
SizeCheck = Callable[[int, int], None]
# Exceptions that decoders raise on damaged data; they are inconsistent.
DAMAGE = (
    ArithmeticError, AttributeError, EOFError, LookupError, MemoryError,
    OSError, RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error, lzma.LZMAError,
)  # fmt: skip


_ASPECT_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Raster(Metadata):
    """The codes of one picture with its metadata as stored."""

    codes: NDArray[Any]  # (H, W) grey or (H, W, 2, 3 or 4); the last of 2 and 4 is alpha
    orientation: int | None = None  # not yet applied; the file's number, valid or not
    cicp: tuple[int, int] | None = None  # ITU-T H.273 (primaries, transfer), if in the file
    encoding: Encoding | None = None  # if the format defines it: OpenEXR, JPEG XL, camera raw

    def noted(self, *notes: str, **changes: Any) -> "Raster":
        """Return the picture with further notes, and other `changes`."""
        return replace(self, notes=self.notes + notes, **changes)

    @property
    def top(self) -> float:
        """The code for the value 1."""
        return 1.0 if self.bit_depth == 32 else 2.0**self.bit_depth - 1

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is alpha."""
        return self.codes.ndim == 3 and self.codes.shape[2] in (2, 4)


def several(count: int, which: str = "first") -> tuple[str, ...]:
    """Return the note for a file with more than one picture."""
    return (f"the file holds {count} pictures, the {which} was read",) if count > 1 else ()


def one_line(error: BaseException) -> str:
    """Return the message of an error, shortened, without line breaks."""
    return " ".join(str(error).split())[:120] or type(error).__name__


def guarded(decode: Callable[[], T], complaint: str) -> T:
    """Return `decode()`; errors of decoders on damaged data become InvalidInput with `complaint`."""
    try:
        return decode()
    except InvalidInput:
        raise
    except DAMAGE as error:
        raise InvalidInput(f"{complaint} ({one_line(error)})") from error


def require_aspect(found: tuple[int, ...], size: tuple[int, int], name: str = "") -> None:
    """Raise InvalidInput, after `name`, if a map of the shape `found` differs in aspect from `size` (H, W)."""
    (height, width), (rows, columns) = size, found
    require(
        abs(rows - columns * height / width) <= max(_ASPECT_TOLERANCE * rows, 0.5),
        f"{name}expected the aspect of the photo, {width} x {height}, found {columns} x {rows}",
    )


def turn(image: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return a view of `image` (H, W, ...) rotated for display (EXIF orientation 1 to 8)."""
    if orientation >= 5:  # swap rows and columns
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image
