"""A picture as its file holds it: integer codes, turned upright, with the metadata as bytes."""

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
# What decoders raise on damaged data; they are not consistent about it.
DAMAGE = (
    ArithmeticError, AttributeError, EOFError, LookupError, MemoryError,
    OSError, RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error, lzma.LZMAError,
)  # fmt: skip


_ASPECT_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Raster(Metadata):
    """Codes of one picture, with the metadata as its file has them."""

    codes: NDArray[Any]  # (H, W) grey or (H, W, 2, 3 or 4), the last of 2 and 4 alpha
    orientation: int | None = None  # still to be applied; the file's number, valid or not
    cicp: tuple[int, int] | None = None  # ITU-T H.273 (primaries, transfer), where a file has them
    encoding: Encoding | None = None  # where the format says it by itself: OpenEXR, JPEG XL, camera raw

    def noted(self, *notes: str, **changes: Any) -> "Raster":
        """Return the picture with further notes, and other `changes`."""
        return replace(self, notes=self.notes + notes, **changes)

    @property
    def top(self) -> float:
        """The code that stands for 1."""
        return 1.0 if self.bit_depth == 32 else 2.0**self.bit_depth - 1

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is alpha."""
        return self.codes.ndim == 3 and self.codes.shape[2] in (2, 4)


def several(count: int, which: str = "first") -> tuple[str, ...]:
    """Return the note about a file of more than one picture."""
    return (f"the file holds {count} pictures, the {which} was read",) if count > 1 else ()


def one_line(error: BaseException) -> str:
    """What an error says, short and without line breaks."""
    return " ".join(str(error).split())[:120] or type(error).__name__


def guarded(decode: Callable[[], T], complaint: str) -> T:
    """Return what `decode` returns; what decoders raise on damaged data becomes InvalidInput with `complaint`."""
    try:
        return decode()
    except InvalidInput:
        raise
    except DAMAGE as error:
        raise InvalidInput(f"{complaint} ({one_line(error)})") from error


def require_aspect(found: tuple[int, ...], size: tuple[int, int], name: str = "") -> None:
    """Raise InvalidInput, after `name`, when a map of the shape `found` has not the aspect of `size` (H, W)."""
    (height, width), (rows, columns) = size, found
    require(
        abs(rows - columns * height / width) <= max(_ASPECT_TOLERANCE * rows, 0.5),
        f"{name}expected the aspect of the photo, {width} x {height}, found {columns} x {rows}",
    )


def turn(image: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return a view of `image` (H, W, ...) as it is to be displayed (EXIF orientation 1 to 8)."""
    if orientation >= 5:  # rows and columns change places
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image
