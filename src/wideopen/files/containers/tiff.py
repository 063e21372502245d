"""TIFF directories, read and extended; EXIF blocks; and a writer of TIFF files of 8 and 16 bits and floats.

An EXIF block is a TIFF file without pixels, and JPEG's multi-picture directory is one with a single directory: this
module reads them all. It extends them and never rewrites them, because makers' notes hold absolute offsets that a
rewrite breaks. Values that need more room go to the end, in a new first directory that still points at the old values.
Pillow cannot write 16-bit colour, and tifffile cannot write the EXIF directories. So a written file begins with the
unchanged EXIF block, followed by a directory that describes the pixels and by one strip of pixels. Reference: TIFF 6.0,
sections 2, 4 and 6; CIPA DC-008-2023 (Exif 3.0), 4.5 and 4.6.
"""

import struct
from collections.abc import Collection, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wideopen.files.containers import Pieces
from wideopen.photo import Metadata

Tag = tuple[int, int, bytes]  # type, count and value as bytes, in the byte order of the block
EMPTY = b"II*\0\x08\0\0\0\0\0\0\0\0\0"  # a block with no tags
ORIENTATION = 0x0112
_EXIF_IFD, _GPS_IFD, _INTEROP_IFD = 0x8769, 0x8825, 0xA005
_SOFTWARE, _ASCII = 0x0131, 2
_COMPRESSION, _OLD_JPEG = 0x0103, 6
_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_COLOR_SPACE, _WIDTH, _HEIGHT, _INTEROP_INDEX = 0xA001, 0xA002, 0xA003, 0x0001
_CUSTOM_RENDERED, _APPLE_PORTRAIT = 0xA401, 8
_MAKER_NOTE, _APPLE_GAIN = 0x927C, (0x21, 0x30)
_BYTE, _SHORT, _LONG, _UNDEFINED, _SRATIONAL = 1, 3, 4, 7, 10
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
_MOST_COPIED = 8 * 2**20
_MOST_BYTES = 2**32 - 2**24  # of pixels; the rest is for the metadata before them
_ICC, _XMP, _IPTC, _STRIP_OFFSETS = 34675, 700, 33723, 273
# Tags about how pixels are stored, not about the photo: layout, tiles, colour, other pictures, profiles, blocks that
# are written anew, raw data (DNG).
_LAYOUT = (*range(254, 260), *range(262, 267), 273, *range(277, 282), 284, *range(288, 294), 297, 301)
_OTHERS = (*range(317, 351), 400, 401, 402, *range(512, 522), *range(529, 533), 32995, 32996, 32997)
_BLOCKS = (_XMP, _IPTC, 33421, 33422, 34377, _ICC, 37724, *range(50706, 52600))
_STRUCTURE = frozenset(_LAYOUT + _OTHERS + _BLOCKS)


class Entry(NamedTuple):
    """One row of a directory."""

    tag: int
    kind: int
    length: int  # number of values
    at: int  # offset of its last four bytes: the value, or the offset to it

    @property
    def size(self) -> int:
        """The size of its value in bytes; 0 for an unknown type."""
        return _TYPE_BYTES.get(self.kind, 0) * self.length


def is_tiff(block: bytes | bytearray) -> bool:
    """Whether `block` begins as TIFF and EXIF do, and is long enough for a directory."""
    return block[:4] in (b"II*\0", b"MM\0*") and len(block) >= len(EMPTY)


def byte_order(block: bytes | bytearray) -> Literal["<", ">"]:
    """Return the byte order of the block, in the notation of `struct`."""
    return "<" if block[:2] == b"II" else ">"


def first(block: bytes | bytearray) -> int:
    """Return the offset of the first directory."""
    return int(struct.unpack_from(byte_order(block) + "I", block, 4)[0])


def directory(block: bytes | bytearray, start: int | None) -> dict[int, Entry]:
    """Return the entries of the directory at `start` by tag, as far as the data reach; empty if `start` is None."""
    if start is None or start < 8 or start + 2 > len(block):
        return {}
    order = byte_order(block)
    (count,) = struct.unpack_from(order + "H", block, start)
    places = range(start + 2, min(start + 2 + 12 * count, len(block) - 11), 12)
    rows = (struct.unpack_from(order + "HHI", block, at) for at in places)
    return {tag: Entry(tag, kind, length, at + 8) for at, (tag, kind, length) in zip(places, rows, strict=True)}


def number(block: bytes | bytearray, rows: Mapping[int, Entry], tag: int) -> int | None:
    """Return the number in `tag`; None if the tag is missing or is not a whole number."""
    entry = rows.get(tag)
    if entry is None or entry.kind not in (_SHORT, _LONG):
        return None
    code = "H" if entry.kind == _SHORT else "I"
    return int(struct.unpack_from(byte_order(block) + code, block, entry.at)[0])


def set_number(block: bytearray, rows: Mapping[int, Entry], tag: int, value: int) -> None:
    """Change the number in `tag` in place; do nothing if the tag is missing or `value` does not fit."""
    entry = rows.get(tag)
    if entry is not None and entry.kind == _SHORT and value < 65536:
        struct.pack_into(byte_order(block) + "H", block, entry.at, value)
    elif entry is not None and entry.kind == _LONG:
        struct.pack_into(byte_order(block) + "I", block, entry.at, value)


def value_of(block: bytes | bytearray, entry: Entry) -> bytes | None:
    """Return the bytes of the value of `entry`; None if they lie outside the block."""
    at = entry.at if entry.size <= 4 else struct.unpack_from(byte_order(block) + "I", block, entry.at)[0]
    return bytes(block[at : at + entry.size]) if at + entry.size <= len(block) else None


def link(block: bytes | bytearray, start: int) -> int | None:
    """Return the offset of the link to the next directory in the one at `start`; None if the data end before it."""
    if start < 8 or start + 2 > len(block):
        return None
    (count,) = struct.unpack_from(byte_order(block) + "H", block, start)
    at = start + 2 + 12 * int(count)
    return at if at + 4 <= len(block) else None


def with_tags(block: bytes | None, tags: Mapping[int, Tag], *, without: Collection[int] = ()) -> bytes:
    """Return `block` with `tags` set and those in `without` removed, in a new first directory at its end.

    Everything else stays in place, so offsets remain valid. The length of the result is even.
    """
    out = bytearray(block or EMPTY)
    old = first(out)
    at = link(out, old)
    following = bytes(4) if at is None else bytes(out[at : at + 4])
    kept = (entry for tag, entry in directory(out, old).items() if tag not in without)
    rows = {entry.tag: bytes(out[entry.at - 8 : entry.at + 4]) for entry in kept}
    start = append_directory(out, rows, tags, following)
    struct.pack_into(byte_order(out) + "I", out, 4, start)
    return bytes(out)


def append_directory(
    block: bytearray, rows: dict[int, bytes], tags: Mapping[int, Tag], following: bytes = bytes(4)
) -> int:
    """Append a directory of finished `rows` and of `tags` to `block`; return its offset."""
    order = byte_order(block)
    block += bytes(len(block) % 2)
    for tag, (kind, count, value) in tags.items():
        field = value.ljust(4, b"\0")
        if len(value) > 4:
            field = struct.pack(order + "I", len(block))
            block += value + bytes(len(value) % 2)
        rows[tag] = struct.pack(order + "HHI", tag, kind, count) + field
    start = len(block)
    block += struct.pack(order + "H", len(rows)) + b"".join(rows[tag] for tag in sorted(rows)) + following
    return start


def strip_prefix(exif: bytes | None) -> bytes | None:
    """Return EXIF from its TIFF header on, or None if there is none."""
    body = (exif or b"").removeprefix(b"Exif\0\0")
    return body if is_tiff(body) else None


def _main(exif: bytes | bytearray) -> dict[int, Entry]:
    return directory(exif, first(exif))


def _exif_ifd(exif: bytes | bytearray) -> dict[int, Entry]:
    return directory(exif, number(exif, _main(exif), _EXIF_IFD))


def orientation(exif: bytes) -> int | None:
    """Return the number in the orientation tag (1 to 8 if valid), or None."""
    return number(exif, _main(exif), ORIENTATION)


def taken_in_portrait_mode(exif: bytes | None) -> bool:
    """Whether CustomRendered has the value of iPhone portraits, whose background may already be blurred."""
    body = strip_prefix(exif)
    return body is not None and number(body, _exif_ifd(body), _CUSTOM_RENDERED) == _APPLE_PORTRAIT


def apple_gain(exif: bytes | None) -> tuple[float, float] | None:
    """Return the values of tags 0x21 and 0x30 of Apple's maker note, which give its gain map's headroom, or None.

    Portrait mode leaves out the second; it counts as 0.
    """
    body = strip_prefix(exif)
    entry = _exif_ifd(body).get(_MAKER_NOTE) if body is not None else None
    note = (body and entry and value_of(body, entry)) or b""
    if not note.startswith(b"Apple iOS\0"):
        return None
    block = b"MM\0*" + note[4:]  # its directory lies at 14, behind name, version and byte order
    rows = directory(block, 14)
    values = [_fraction(block, rows[tag]) if tag in rows else None for tag in _APPLE_GAIN]
    return None if values[0] is None else (values[0], values[1] or 0.0)


def _fraction(block: bytes, entry: Entry) -> float | None:
    stored = (value_of(block, entry) if entry.kind == _SRATIONAL else None) or b""
    above, below = struct.unpack(">ii", stored) if len(stored) == 8 else (0, 0)
    return above / below if below else None


def adobe_rgb_hint(exif: bytes) -> bool:
    """Whether a camera indicates Adobe RGB without a profile: uncalibrated and "R03" (DCF 2.0)."""
    sub = _exif_ifd(exif)
    index = directory(exif, number(exif, sub, _INTEROP_IFD)).get(_INTEROP_INDEX)
    uncalibrated = number(exif, sub, _COLOR_SPACE) == 0xFFFF
    return uncalibrated and index is not None and exif[index.at : index.at + 3] == b"R03"


def is_damaged(exif: bytes) -> bool:
    """Whether the first, EXIF or GPS directory, or a value in one, lies outside the block."""
    starts = [first(exif), *(number(exif, _main(exif), tag) for tag in (_EXIF_IFD, _GPS_IFD))]
    for start in starts:
        if start is None:
            continue
        if link(exif + bytes(4), start) is None:  # some writers omit the link after the directory
            return True
        if any(value_of(exif, entry) is None for entry in directory(exif, start).values()):
            return True
    return False


def upright(exif: bytes, size: tuple[int, int]) -> bytes:
    """Return `exif` for a photo turned upright: orientation 1, `size` (H, W), no thumbnail.

    The thumbnail would show the old photo; its bytes are set to zero, or cut off at the end.
    """
    out = bytearray(exif)
    set_number(out, _main(out), ORIENTATION, 1)
    sub = _exif_ifd(out)
    set_number(out, sub, _HEIGHT, size[0])
    set_number(out, sub, _WIDTH, size[1])
    _drop_thumbnail(out)
    return bytes(out)


def _drop_thumbnail(exif: bytearray) -> None:
    place = link(exif, first(exif))
    if place is None:
        return
    (second,) = struct.unpack_from(byte_order(exif) + "I", exif, place)
    rows = directory(exif, second)
    struct.pack_into(byte_order(exif) + "I", exif, place, 0)
    offset, length = (number(exif, rows, tag) for tag in (_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH))
    if offset is None or length is None or offset < place + 4 or offset + length > len(exif):
        return
    if offset + length == len(exif):
        alone = 8 <= second < offset and offset == second + 2 + 12 * len(rows) + 4
        del exif[second if alone else offset :]
    else:
        exif[offset : offset + length] = bytes(length)


def signed(exif: bytes | None, software: str) -> bytes:
    """Return `exif`, or a new block, whose Software tag is `software` (ASCII)."""
    text = software.encode("ascii") + b"\0"
    block = exif or EMPTY
    entry = _main(block).get(_SOFTWARE)
    if entry is not None and value_of(block, entry) == text:
        return block
    return with_tags(block, {_SOFTWARE: (_ASCII, len(text), text)})


def with_thumbnail(exif: bytes, jpeg: bytes) -> bytes:
    """Return `exif` (upright, so without a thumbnail) with a second directory that holds `jpeg`."""
    block = bytearray(exif + bytes(len(exif) % 2))
    place = link(block, first(block))
    if place is None:
        return exif
    order = byte_order(block)
    behind = len(block) + 2 + 3 * 12 + 4
    tags = {_COMPRESSION: _short(order, _OLD_JPEG), _THUMBNAIL_OFFSET: _long(order, behind)}
    tags[_THUMBNAIL_LENGTH] = _long(order, len(jpeg))
    struct.pack_into(order + "I", block, place, append_directory(block, {}, tags))
    return bytes(block + jpeg)


def _short(order: str, *values: int) -> Tag:
    return _SHORT, len(values), struct.pack(f"{order}{len(values)}H", *values)


def _long(order: str, value: int) -> Tag:
    return _LONG, 1, struct.pack(order + "I", value)


def exif_of_tiff(data: bytes) -> bytes | None:
    """Return an EXIF block with the photo metadata of the TIFF file `data`, or None.

    Values are copied as bytes. A maker's note is copied, but not the data outside it that it points at.
    """
    if not is_tiff(data):
        return None
    block = bytearray(data[:4] + struct.pack(byte_order(data) + "I", 8) + bytes(6))
    tags = {tag: value for tag, value in _copied(data, block, first(data)).items() if tag not in _STRUCTURE}
    return with_tags(bytes(block), tags) if tags else None


def _copied(data: bytes, block: bytearray, start: int, depth: int = 0) -> dict[int, Tag]:
    """The directory at `start` of `data`; the directories it points at are appended to `block`."""
    order, taken = byte_order(data), 0
    tags: dict[int, Tag] = {}
    for entry in directory(data, start).values():
        value = value_of(data, entry)
        taken += entry.size
        if not value or taken > _MOST_COPIED:
            continue
        if entry.tag in (_EXIF_IFD, _GPS_IFD, _INTEROP_IFD):
            if depth > 1 or len(value) != 4:
                continue
            inner = _copied(data, block, struct.unpack(order + "I", value)[0], depth + 1)
            value = struct.pack(order + "I", append_directory(block, {}, inner))
        tags[entry.tag] = (entry.kind, entry.length, value)
    return tags


def iptc_of_tiff(stored: bytes) -> bytes | None:
    """Return the IPTC record in the bytes of its tag, whose order some programs swap."""
    if stored[:1] == b"\x1c":
        return stored
    whole = stored[: len(stored) // 4 * 4]
    swapped = np.frombuffer(whole, ">u4").astype("<u4").tobytes()
    return swapped if swapped[:1] == b"\x1c" else None


def encode_tiff(codes: NDArray[Any], attached: Metadata) -> Pieces:
    """Return the pieces of a TIFF of `codes` (H, W) or (H, W, 3), uint8, uint16 or float32, uncompressed."""
    order = byte_order(attached.exif or EMPTY)
    pixels = np.ascontiguousarray(codes.astype(codes.dtype.newbyteorder(order), copy=False))
    if pixels.nbytes > _MOST_BYTES:
        raise ValueError(f"its offsets reach 4 GB, the pixels are {pixels.nbytes / 2**30:.1f}")

    samples = 1 if pixels.ndim == 2 else pixels.shape[2]
    height, width = pixels.shape[:2]
    tags = {
        256: _long(order, width),
        257: _long(order, height),
        258: _short(order, *[pixels.itemsize * 8] * samples),
        259: _short(order, 1),  # not compressed
        262: _short(order, 1 if samples == 1 else 2),  # black is zero, or RGB
        _STRIP_OFFSETS: _long(order, 0),
        277: _short(order, samples),
        278: _long(order, height),
        279: _long(order, pixels.nbytes),
        339: _short(order, *[3 if pixels.dtype.kind == "f" else 1] * samples),
    }
    blocks = ((_XMP, _BYTE, attached.xmp), (_IPTC, _UNDEFINED, attached.iptc), (_ICC, _UNDEFINED, attached.icc))
    tags |= {tag: (kind, len(block), block) for tag, kind, block in blocks if block is not None}
    head = bytearray(with_tags(attached.exif, tags, without=_STRUCTURE))
    head += bytes(-len(head) % 4)
    set_number(head, directory(head, first(head)), _STRIP_OFFSETS, len(head))  # the pixels follow
    return [bytes(head), pixels.data.cast("B")]
