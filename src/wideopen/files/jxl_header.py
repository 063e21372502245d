"""What a JPEG XL codestream says first: size, depth, and the colours that its pixels are in.

Reference: ISO/IEC 18181-1:2024, Annex D (size and image metadata), E.2 (colour encoding); the container
is ISO/IEC 18181-2, clause 9. Needed because the decoder that we use tells neither colours nor size.
Untrusted: whatever ends too early or is not understood raises ValueError.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from wideopen.color import DISPLAY_P3, SRGB, Encoding, linear

__all__ = ["Header", "boxes", "codestream", "read_header", "with_srgb_curve"]

_CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_U32 = tuple[tuple[int, int], ...]  # (offset, bits) for each of four selectors
_SIZE: _U32 = ((1, 9), (1, 13), (1, 18), (1, 30))
_ENUM: _U32 = ((0, 0), (1, 0), (2, 4), (18, 6))
_LINEAR, _SRGB, _HDR = 8, 13, {16: "PQ", 18: "HLG"}
_D65, _SRGB_PRIMARIES, _P3_PRIMARIES = 1, 1, 11


class Header(NamedTuple):
    """Size as stored, and the encoding of its pixels, or a note why that is unknown."""

    width: int
    height: int
    encoding: Encoding | None
    note: str | None


class _Bits:
    """Bits of the codestream, the least significant of each byte first."""

    def __init__(self, data: bytes) -> None:
        self._value, self._end = int.from_bytes(data, "little"), 8 * len(data)
        self.at = 0

    def u(self, bits: int) -> int:
        if self.at + bits > self._end:
            raise ValueError("the header ends too early")
        value = self._value >> self.at & ((1 << bits) - 1)
        self.at += bits
        return value

    def u32(self, table: _U32) -> int:
        offset, bits = table[self.u(2)]
        return offset + self.u(bits)


def boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (type, start, end) of the contents of a container's boxes; stops where the bytes end."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        start, end = at + 8, at + size
        if size == 1 and at + 16 <= len(data):
            start, end = at + 16, at + struct.unpack_from(">Q", data, at + 8)[0]
        elif size == 0:
            end = len(data)
        if not start <= end <= len(data):
            return
        yield kind, start, end
        at = end


def codestream(data: bytes) -> int:
    """Return where the codestream begins: at 0, or inside of the first box of it in a container."""
    if not data.startswith(_CONTAINER):
        return 0
    for kind, start, _ in boxes(data):
        if kind in (b"jxlc", b"jxlp"):
            return start + (4 if kind == b"jxlp" else 0)
    raise ValueError("no picture in the container")


def read_header(data: bytes) -> Header:
    """Return what a file says first."""
    bits = _bits_of(data)
    width, height = _size(bits)
    if bits.u(1):  # all as by default
        return Header(width, height, SRGB, None)
    try:
        _skip_to_colours(bits)
        return Header(width, height, *_colours(bits))
    except ValueError as error:
        return Header(width, height, None, str(error))


def with_srgb_curve(data: bytes) -> bytes:
    """Return a file that says its codes are light as one that says they are sRGB's; its pixels stay the same.

    For codes that were sRGB's all along: the encoder calls everything above 8 bits light.
    """
    bits = _bits_of(data)
    _size(bits)
    if bits.u(1):
        raise ValueError("codes called sRGB's already")
    _skip_to_colours(bits)
    encoding, _ = _colours(bits)
    if encoding is None or not encoding.is_linear:
        raise ValueError("codes not called light")
    at = 8 * (codestream(data) + 2) + bits.at - 4  # both are 2 + 4 bits: "2 or more", and how much more
    value = int.from_bytes(data[at // 8 : at // 8 + 2], "little")
    value ^= ((_LINEAR - 2) ^ (_SRGB - 2)) << at % 8
    return data[: at // 8] + value.to_bytes(2, "little") + data[at // 8 + 2 :]


def _bits_of(data: bytes) -> _Bits:
    at = codestream(data)
    if data[at : at + 2] != b"\xff\x0a":
        raise ValueError("no JPEG XL codestream")
    return _Bits(data[at + 2 : at + 512])


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.u(1)
    height = 8 * (bits.u(5) + 1) if small else bits.u32(_SIZE)
    ratio = bits.u(3)
    if ratio:
        over, under = _RATIOS[ratio]
        return height * over // under, height
    return (8 * (bits.u(5) + 1) if small else bits.u32(_SIZE)), height


def _skip_to_colours(bits: _Bits) -> None:
    if bits.u(1):  # extra fields
        bits.u(3)  # orientation
        if bits.u(1):
            _size(bits)  # intrinsic
        if bits.u(1) or bits.u(1):
            raise ValueError("a preview or an animation hides its colours")
    _skip_depth(bits)
    bits.u(1)  # modular 16-bit buffers
    for _ in range(bits.u32(((0, 0), (1, 0), (2, 4), (1, 12)))):
        if not bits.u(1):
            _skip_channel(bits)
    bits.u(1)  # XYB


def _skip_depth(bits: _Bits) -> None:
    if bits.u(1):  # floats
        bits.u32(((32, 0), (16, 0), (24, 0), (1, 6)))
        bits.u(4)
    else:
        bits.u32(((8, 0), (10, 0), (12, 0), (1, 6)))


def _skip_channel(bits: _Bits) -> None:
    kind = bits.u32(_ENUM)
    _skip_depth(bits)
    bits.u32(((0, 0), (3, 0), (4, 0), (1, 3)))
    bits.u(8 * bits.u32(((0, 0), (0, 4), (16, 5), (48, 10))))
    if kind == 0:  # alpha: is it premultiplied
        bits.u(1)
    elif kind == 2:  # spot colour
        bits.u(64)
    elif kind == 5:  # colour filter array
        bits.u32(((1, 0), (0, 2), (3, 4), (19, 8)))


def _colours(bits: _Bits) -> tuple[Encoding | None, str | None]:
    if bits.u(1):
        return SRGB, None
    has_profile, space = bits.u(1), bits.u32(_ENUM)
    if has_profile:
        return None, "its ICC profile cannot be read"
    if space > 1:
        return None, "its colour space is neither RGB nor grey"
    white = bits.u32(_ENUM)
    if white != _D65:
        return None, "its white is not D65"
    primaries = _SRGB_PRIMARIES if space == 1 else bits.u32(_ENUM)
    if primaries not in (_SRGB_PRIMARIES, _P3_PRIMARIES):
        return None, "its primaries are neither sRGB's nor Display P3's"
    known = SRGB if primaries == _SRGB_PRIMARIES else DISPLAY_P3
    transfer = None if bits.u(1) else bits.u32(_ENUM)
    if transfer in _HDR:
        return None, f"it is HDR ({_HDR[transfer]})"
    if transfer not in (_LINEAR, _SRGB):
        return None, "its transfer function is neither sRGB's nor linear"
    return (linear(known) if transfer == _LINEAR else known), None
