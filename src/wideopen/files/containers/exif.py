"""EXIF as bytes: read the orientation, set it to 1, drop the old thumbnail, name the software.

EXIF is patched in place; `containers/tiff.py` gives the reason. Reference: CIPA DC-008-2023 (Exif 3.0), 4.5 and 4.6.
"""

import struct

from wideopen.files.containers import tiff

_SOFTWARE, _ASCII = 0x0131, 2
_COMPRESSION, _OLD_JPEG = 0x0103, 6
ORIENTATION, _EXIF_IFD, _INTEROP_IFD = 0x0112, 0x8769, 0xA005
_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_COLOR_SPACE, _WIDTH, _HEIGHT, _INTEROP_INDEX = 0xA001, 0xA002, 0xA003, 0x0001
_CUSTOM_RENDERED, _APPLE_PORTRAIT = 0xA401, 8
_SHORT, _LONG = 3, 4


def strip_prefix(exif: bytes | None) -> bytes | None:
    """Return EXIF from its TIFF header on, or None if there is none."""
    body = (exif or b"").removeprefix(b"Exif\0\0")
    return body if tiff.is_tiff(body) else None


def _main(exif: bytes | bytearray) -> dict[int, tiff.Entry]:
    return tiff.directory(exif, tiff.first(exif))


def _exif_ifd(exif: bytes | bytearray) -> dict[int, tiff.Entry]:
    return tiff.directory(exif, tiff.number(exif, _main(exif), _EXIF_IFD))


def orientation(exif: bytes) -> int | None:
    """Return the number in the orientation tag (1 to 8 if valid), or None."""
    return tiff.number(exif, _main(exif), ORIENTATION)


def taken_in_portrait_mode(exif: bytes | None) -> bool:
    """Whether CustomRendered has the value of iPhone portraits, whose background may already be blurred."""
    body = strip_prefix(exif)
    return body is not None and tiff.number(body, _exif_ifd(body), _CUSTOM_RENDERED) == _APPLE_PORTRAIT


def adobe_rgb_hint(exif: bytes) -> bool:
    """Whether a camera indicates Adobe RGB without a profile: uncalibrated and "R03" (DCF 2.0)."""
    sub = _exif_ifd(exif)
    index = tiff.directory(exif, tiff.number(exif, sub, _INTEROP_IFD)).get(_INTEROP_INDEX)
    uncalibrated = tiff.number(exif, sub, _COLOR_SPACE) == 0xFFFF
    return uncalibrated and index is not None and exif[index.at : index.at + 3] == b"R03"


def is_damaged(exif: bytes) -> bool:
    """Whether the first, EXIF or GPS directory, or a value in one, lies outside the block."""
    starts = [tiff.first(exif), *(tiff.number(exif, _main(exif), tag) for tag in tiff.POINTERS[:2])]
    return any(_is_broken(exif, start) for start in starts if start is not None)


def _is_broken(exif: bytes, start: int) -> bool:
    # Some writers omit the link after the directory.
    if tiff.link(exif + bytes(4), start) is None:
        return True
    return any(tiff.value_of(exif, entry) is None for entry in tiff.entries(exif, start))


def upright(exif: bytes, size: tuple[int, int]) -> bytes:
    """Return `exif` for a photo turned upright: orientation 1, `size` (H, W), no thumbnail.

    The thumbnail would show the old photo; its bytes are set to zero, or cut off at the end.
    """
    out = bytearray(exif)
    tiff.set_number(out, _main(out), ORIENTATION, 1)
    sub = _exif_ifd(out)
    tiff.set_number(out, sub, _HEIGHT, size[0])
    tiff.set_number(out, sub, _WIDTH, size[1])
    _drop_thumbnail(out)
    return bytes(out)


def _drop_thumbnail(exif: bytearray) -> None:
    link = tiff.link(exif, tiff.first(exif))
    if link is None:
        return
    (second,) = struct.unpack_from(tiff.byte_order(exif) + "I", exif, link)
    rows = tiff.directory(exif, second)
    struct.pack_into(tiff.byte_order(exif) + "I", exif, link, 0)
    offset, length = (tiff.number(exif, rows, tag) for tag in (_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH))
    if offset is None or length is None or offset < link + 4 or offset + length > len(exif):
        return
    if offset + length == len(exif):
        alone = 8 <= second < offset and offset == second + 2 + 12 * len(rows) + 4
        del exif[second if alone else offset :]
    else:
        exif[offset : offset + length] = bytes(length)


def signed(exif: bytes | None, software: str) -> bytes:
    """Return `exif`, or a new block, whose Software tag is `software` (ASCII)."""
    text = software.encode("ascii") + b"\0"
    block = exif or tiff.EMPTY
    entry = _main(block).get(_SOFTWARE)
    if entry is not None:
        (at,) = struct.unpack_from(tiff.byte_order(block) + "I", block, entry.at)
        if block[at : at + len(text)] == text:
            return block
    return tiff.with_tags(block, {_SOFTWARE: (_ASCII, len(text), text)})


def with_thumbnail(exif: bytes, jpeg: bytes) -> bytes:
    """Return `exif` (upright, so without a thumbnail) with a second directory that holds `jpeg`."""
    block = bytearray(exif + bytes(len(exif) % 2))
    link = tiff.link(block, tiff.first(block))
    if link is None:
        return exif
    order, start = tiff.byte_order(block), len(block)
    rows = ((_COMPRESSION, _SHORT, _OLD_JPEG), (_THUMBNAIL_OFFSET, _LONG, 0), (_THUMBNAIL_LENGTH, _LONG, len(jpeg)))
    struct.pack_into(order + "I", block, link, start)
    block += struct.pack(order + "H", len(rows)) + bytes(12 * len(rows) + 4)
    for row, (tag, kind, value) in enumerate(rows):
        code = "HHIH" if kind == _SHORT else "HHII"
        stored = len(block) if tag == _THUMBNAIL_OFFSET else value
        struct.pack_into(order + code, block, start + 2 + 12 * row, tag, kind, 1, stored)
    return bytes(block + jpeg)
