"""EXIF as bytes: read the orientation, set it to 1, drop the old thumbnail, name the software.

EXIF is patched in place, never parsed and rewritten: makers' notes hold absolute offsets that a
rewrite breaks. What needs more room goes to the end: a new first directory that still points at the
old values. Reference: CIPA DC-008-2023 (Exif 3.0), 4.5 and 4.6; TIFF 6.0, section 2.
"""

import struct
from collections.abc import Collection, Iterator, Mapping
from typing import Literal, NamedTuple

__all__ = [
    "ORIENTATION",
    "Tag",
    "adobe_rgb_hint",
    "byte_order",
    "copied",
    "is_damaged",
    "orientation",
    "set_number",
    "signed",
    "strip_prefix",
    "upright",
    "with_tags",
    "with_thumbnail",
]

Tag = tuple[int, int, bytes]  # type, count and value as bytes, in the byte order of the block
_EMPTY = b"II*\0\x08\0\0\0\0\0\0\0\0\0"  # a block with no tags
_SOFTWARE, _ASCII = 0x0131, 2
_COMPRESSION, _OLD_JPEG = 0x0103, 6
ORIENTATION, _EXIF_IFD, _INTEROP_IFD = 0x0112, 0x8769, 0xA005
_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_COLOR_SPACE, _WIDTH, _HEIGHT, _INTEROP_INDEX = 0xA001, 0xA002, 0xA003, 0x0001
_SHORT, _LONG = 3, 4
_POINTERS = (_EXIF_IFD, 0x8825, _INTEROP_IFD)  # EXIF, GPS, interoperability
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
_MOST_COPIED = 8 * 2**20


class _Entry(NamedTuple):
    tag: int
    kind: int
    at: int  # where the value, or the offset to it, lies in the bytes


def strip_prefix(exif: bytes | None) -> bytes | None:
    """Return EXIF from its TIFF header on, or None when there is none to be found."""
    body = (exif or b"").removeprefix(b"Exif\0\0")
    return body if body[:4] in (b"II*\0", b"MM\0*") and len(body) >= 14 else None


def byte_order(exif: bytes | bytearray) -> Literal["<", ">"]:
    """Return the byte order of the block, as `struct` writes it."""
    return "<" if exif[:2] == b"II" else ">"


def _entries(exif: bytes | bytearray, start: int) -> Iterator[_Entry]:
    """Yield the entries of the directory at `start`; stops where the bytes end."""
    order = byte_order(exif)
    if start < 8 or start + 2 > len(exif):
        return
    (count,) = struct.unpack_from(order + "H", exif, start)
    for at in range(start + 2, min(start + 2 + 12 * count, len(exif) - 11), 12):
        tag, kind = struct.unpack_from(order + "HH", exif, at)
        yield _Entry(tag, kind, at + 8)


def _number(exif: bytes | bytearray, entry: _Entry) -> int | None:
    code = {_SHORT: "H", _LONG: "I"}.get(entry.kind)
    return None if code is None else int(struct.unpack_from(byte_order(exif) + code, exif, entry.at)[0])


def _directory(exif: bytes | bytearray, start: int | None) -> dict[int, _Entry]:
    return {} if start is None else {entry.tag: entry for entry in _entries(exif, start)}


def _first(exif: bytes | bytearray) -> int:
    return int(struct.unpack_from(byte_order(exif) + "I", exif, 4)[0])


def _value(exif: bytes | bytearray, directory: dict[int, _Entry], tag: int) -> int | None:
    return _number(exif, directory[tag]) if tag in directory else None


def orientation(exif: bytes) -> int | None:
    """Return the number in the orientation tag (1 to 8 when valid), None without one."""
    return _value(exif, _directory(exif, _first(exif)), ORIENTATION)


def is_damaged(exif: bytes) -> bool:
    """Whether the first, EXIF or GPS directory, or a value in one, lies outside of the block."""
    first = _first(exif)
    starts = [first, *(_value(exif, _directory(exif, first), tag) for tag in _POINTERS[:2])]
    return any(_is_broken(exif, start) for start in starts if start is not None)


def _is_broken(exif: bytes, start: int) -> bool:
    if _link(exif, start) is None and not _ends_with(exif, start):
        return True
    order = byte_order(exif)
    for entry in _entries(exif, start):
        (count,) = struct.unpack_from(order + "I", exif, entry.at - 4)
        size = _TYPE_BYTES.get(entry.kind, 0) * count
        if size > 4 and struct.unpack_from(order + "I", exif, entry.at)[0] + size > len(exif):
            return True
    return False


def _ends_with(exif: bytes, start: int) -> bool:
    """Whether the directory at `start` is whole but for the link behind it, which some writers leave out."""
    if start < 8 or start + 2 > len(exif):
        return False
    (count,) = struct.unpack_from(byte_order(exif) + "H", exif, start)
    return start + 2 + 12 * int(count) <= len(exif)


def adobe_rgb_hint(exif: bytes) -> bool:
    """Whether a camera says Adobe RGB without a profile: uncalibrated and "R03" (DCF 2.0)."""
    sub = _directory(exif, _value(exif, _directory(exif, _first(exif)), _EXIF_IFD))
    interop = _directory(exif, _value(exif, sub, _INTEROP_IFD))
    index = interop.get(_INTEROP_INDEX)
    return _value(exif, sub, _COLOR_SPACE) == 0xFFFF and index is not None and exif[index.at : index.at + 3] == b"R03"


def set_number(exif: bytearray, tag: int, value: int) -> None:
    """Change the number in `tag` of the first directory, in place; nothing without that tag."""
    _set(exif, _directory(exif, _first(exif)), tag, value)


def upright(exif: bytes, size: tuple[int, int]) -> bytes:
    """Return `exif` for a photo turned upright: orientation 1, `size` (H, W), no thumbnail.

    The thumbnail would show the photo as it was; its bytes are zeroed, or cut off at the end.
    """
    out = bytearray(exif)
    set_number(out, ORIENTATION, 1)
    first = _directory(out, _first(out))
    sub = _directory(out, _value(out, first, _EXIF_IFD))
    _set(out, sub, _HEIGHT, size[0])
    _set(out, sub, _WIDTH, size[1])
    _drop_thumbnail(out)
    return bytes(out)


def _set(exif: bytearray, directory: dict[int, _Entry], tag: int, value: int) -> None:
    entry = directory.get(tag)
    if entry is None or entry.kind not in (_SHORT, _LONG):
        return
    if entry.kind == _SHORT and value < 65536:
        struct.pack_into(byte_order(exif) + "H", exif, entry.at, value)
    elif entry.kind == _LONG:
        struct.pack_into(byte_order(exif) + "I", exif, entry.at, value)


def _drop_thumbnail(exif: bytearray) -> None:
    link = _link(exif, _first(exif))
    if link is None:
        return
    (second,) = struct.unpack_from(byte_order(exif) + "I", exif, link)
    directory = _directory(exif, second)
    struct.pack_into(byte_order(exif) + "I", exif, link, 0)
    offset = _value(exif, directory, _THUMBNAIL_OFFSET)
    length = _value(exif, directory, _THUMBNAIL_LENGTH)
    if offset is None or length is None or offset < link + 4 or offset + length > len(exif):
        return
    if offset + length == len(exif):
        alone = 8 <= second < offset and offset == second + 2 + 12 * len(directory) + 4
        del exif[second if alone else offset :]
    else:
        exif[offset : offset + length] = bytes(length)


def signed(exif: bytes | None, software: str) -> bytes:
    """Return `exif`, or a block of its own, whose Software tag says `software` (ASCII)."""
    text = software.encode("ascii") + b"\0"
    block = exif or _EMPTY
    entry = _directory(block, _first(block)).get(_SOFTWARE)
    if entry is not None:
        (at,) = struct.unpack_from(byte_order(block) + "I", block, entry.at)
        if block[at : at + len(text)] == text:
            return block
    return with_tags(block, {_SOFTWARE: (_ASCII, len(text), text)})


def with_tags(exif: bytes | None, tags: Mapping[int, Tag], *, without: Collection[int] = ()) -> bytes:
    """Return `exif` with `tags` set, and those in `without` gone, in a first directory at its end.

    All else stays where it was, so offsets remain right. The length of the result is even.
    """
    block = bytearray(exif or _EMPTY)
    old = _first(block)
    link = _link(block, old)
    second = bytes(4) if link is None else bytes(block[link : link + 4])
    rows = {entry.tag: bytes(block[entry.at - 8 : entry.at + 4]) for entry in _entries(block, old)}
    for tag in without:
        rows.pop(tag, None)
    start = _append(block, rows, tags, second)
    struct.pack_into(byte_order(block) + "I", block, 4, start)
    return bytes(block)


def _append(block: bytearray, rows: dict[int, bytes], tags: Mapping[int, Tag], link: bytes = bytes(4)) -> int:
    """Put a directory of finished `rows` and of `tags` at the end of `block`; return where it starts."""
    order = byte_order(block)
    block += bytes(len(block) % 2)
    for tag, (kind, count, value) in tags.items():
        field = value.ljust(4, b"\0")
        if len(value) > 4:
            field = struct.pack(order + "I", len(block))
            block += value + bytes(len(value) % 2)
        rows[tag] = struct.pack(order + "HHI", tag, kind, count) + field
    start = len(block)
    block += struct.pack(order + "H", len(rows)) + b"".join(rows[tag] for tag in sorted(rows)) + link
    return start


def copied(data: bytes, *, without: Collection[int]) -> bytes | None:
    """Return an EXIF block with the tags of the TIFF file `data` but those in `without`; None without any.

    Values are copied as bytes. A maker's note goes along, but what it points at outside of it does not.
    """
    if strip_prefix(data) is None:
        return None
    block = bytearray(data[:4] + _first_at_8(data))
    tags = {tag: value for tag, value in _copied_tags(data, block, _first(data)).items() if tag not in without}
    return with_tags(bytes(block), tags) if tags else None


def _first_at_8(data: bytes) -> bytes:
    return struct.pack(byte_order(data) + "I", 8) + bytes(6)


def _copied_tags(data: bytes, block: bytearray, start: int, depth: int = 0) -> dict[int, Tag]:
    """The directory at `start` of `data`; the directories it points at are appended to `block`."""
    order, tags, taken = byte_order(data), {}, 0
    for entry in _entries(data, start):
        (count,) = struct.unpack_from(order + "I", data, entry.at - 4)
        size = _TYPE_BYTES.get(entry.kind, 0) * count
        at = entry.at if size <= 4 else struct.unpack_from(order + "I", data, entry.at)[0]
        taken += size
        if not size or at + size > len(data) or taken > _MOST_COPIED:
            continue
        value = data[at : at + size]
        if entry.tag in _POINTERS:
            if depth > 1 or size != 4:
                continue
            inner = _copied_tags(data, block, struct.unpack(order + "I", value)[0], depth + 1)
            value = struct.pack(order + "I", _append(block, {}, inner))
        tags[entry.tag] = (entry.kind, count, value)
    return tags


def with_thumbnail(exif: bytes, jpeg: bytes) -> bytes:
    """Return `exif` (upright, so without a thumbnail) with a second directory that holds `jpeg`."""
    block = bytearray(exif + bytes(len(exif) % 2))
    link = _link(block, _first(block))
    if link is None:
        return exif
    order, start = byte_order(block), len(block)
    rows = [(_COMPRESSION, _SHORT, _OLD_JPEG), (_THUMBNAIL_OFFSET, _LONG, 0), (_THUMBNAIL_LENGTH, _LONG, len(jpeg))]
    struct.pack_into(order + "I", block, link, start)
    block += struct.pack(order + "H", len(rows)) + bytes(12 * len(rows) + 4)
    rows[1] = (_THUMBNAIL_OFFSET, _LONG, len(block))
    for row, (tag, kind, value) in enumerate(rows):
        code = "HHIH" if kind == _SHORT else "HHII"
        struct.pack_into(order + code, block, start + 2 + 12 * row, tag, kind, 1, value)
    return bytes(block + jpeg)


def _link(exif: bytes | bytearray, start: int) -> int | None:
    """Where the directory at `start` names the next one; None where the bytes end before."""
    if start < 8 or start + 2 > len(exif):
        return None
    (count,) = struct.unpack_from(byte_order(exif) + "H", exif, start)
    link = start + 2 + 12 * int(count)
    return link if link + 4 <= len(exif) else None
