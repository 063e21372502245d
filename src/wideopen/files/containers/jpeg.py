"""JPEG segments, the head of the file, IPTC, extended XMP, and appended pictures. Others decode the pixels.

Reference: ITU-T T.81, annex B (markers); CIPA DC-008 (Exif) and DC-007-2009, 5.2 (multi-picture format); Adobe XMP part
3, 1.1.3 (extended XMP); IPTC-IIM 4.2 in Photoshop's resource 0x0404 (Adobe Photoshop File Formats, "Image Resource
Section"). Files are untrusted: all lengths and offsets are checked.
"""

import hashlib
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.files.containers import tiff
from wideopen.files.containers.xmp import EXTENDED_XMP, as_text, parse_xmp
from wideopen.photo import JpegCoding

if TYPE_CHECKING:
    from PIL.JpegImagePlugin import JpegImageFile

_LARGEST = 65533  # bytes in a segment after its length field
EXIF_LIMIT, XMP_LIMIT = _LARGEST - 6, _LARGEST - 29  # without the identifiers before EXIF and XMP
_SOI, _EOI, _SOS, _APP1, _APP2, _APP13 = 0xD8, 0xD9, 0xDA, 0xE1, 0xE2, 0xED
_START = b"\xff\xd8\xff"
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # in a scan: not a stuffed byte, restart or fill byte
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1\0"
_GUID = 32
_PART = 65400  # bytes of extended XMP per segment, as in other writers
_PHOTOSHOP, _IPTC = b"Photoshop 3.0\0", 0x0404
_CHROMA = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
_MP_ENTRIES = 0xB002
_MOST_PICTURES = 16  # each may have to be decoded; phones append up to 8


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker with its payload."""

    marker: int
    at: int  # offset of its payload
    payload: bytes


@dataclass(frozen=True, slots=True)
class JpegHead:
    """The metadata before a JPEG's pixels."""

    size: tuple[int, int]  # (H, W)
    orientation: int  # 1 to 8; 1 if EXIF has none or an invalid one
    xmp: bytes | None
    extended: tuple[bytes, ...]  # the bodies of extended XMP segments
    mpf: Segment | None
    gain_map: bytes | None = None  # ISO 21496-1's block

    def properties(self) -> tuple[dict[str, Any], str | None]:
        """Return (the properties in the XMP and its extension, the reason why a part of them is unreadable)."""
        found: dict[str, Any] = {}
        try:
            if self.xmp is not None:
                found = parse_xmp(self.xmp)
                guid = as_text(found.get(EXTENDED_XMP))
                found = found if guid is None else parse_xmp(extended_xmp(self.extended, guid)) | found
        except InvalidInput as error:
            return found, str(error)
        return found, None


def segments(data: bytes, start: int = 0) -> Iterator[Segment]:
    """Yield the segments of the JPEG that begins at `start`, its end marker last; stop at malformed data.

    The pixels after the header of a scan are skipped.
    """
    at = start + 2
    while at + 2 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker == _EOI:
            yield Segment(marker, at + 2, b"")
        if marker in (_EOI, _SOI, 0) or at + 4 > len(data):
            return
        (length,) = struct.unpack_from(">H", data, at + 2)
        if length < 2 or at + 2 + length > len(data):
            return
        yield Segment(marker, at + 4, data[at + 4 : at + 2 + length])
        at += 2 + length
        if marker == _SOS:
            found = _NEXT_MARKER.search(data, at)
            if found is None:
                return
            at = found.start()


def read_head(data: bytes) -> JpegHead:
    """Return the metadata before the pixels of the JPEG `data`; InvalidInput if it has no size."""
    size = xmp = mpf = gain_map = None
    orientation, extended = 1, []
    for segment in takewhile(lambda segment: segment.marker != _SOS, segments(data)):
        body = segment.payload
        if segment.marker in _FRAMES and len(body) >= 5:
            size = size or struct.unpack_from(">HH", body, 1)
        elif segment.marker == _APP1 and body.startswith(b"Exif\0\0"):
            block = tiff.strip_prefix(body)
            number = tiff.orientation(block) if block else None
            orientation = number if number is not None and 1 <= number <= 8 else orientation
        elif segment.marker == _APP1 and body.startswith(_XMP):
            xmp = xmp or body[len(_XMP) :]
        elif segment.marker == _APP1 and body.startswith(_EXTENDED):
            extended.append(body[len(_EXTENDED) :])
        elif segment.marker == _APP2 and body.startswith(b"MPF\0"):
            mpf = mpf or segment
        elif segment.marker == _APP2 and body.startswith(ISO_GAIN_MAP):
            gain_map = gain_map or body[len(ISO_GAIN_MAP) :]
    if size is None or 0 in size:
        raise InvalidInput("JPEG: expected a header with the size, found none")
    return JpegHead((size[0], size[1]), orientation, xmp, tuple(extended), mpf, gain_map)


def image_end(data: bytes, start: int = 0) -> int | None:
    """Return the offset after the end marker of the JPEG that begins at `start`; None without an end marker."""
    return next((segment.at for segment in segments(data, start) if segment.marker == _EOI), None)


def appended_pictures(data: bytes, head: JpegHead) -> tuple[list[bytes], list[str]]:
    """Return (the JPEGs after the first, notes on errors in the multi-picture directory).

    Editors that do not know the directory leave its offsets wrong. The pictures are then found by walking from the end
    of one to the start of the next. A truncated picture is returned as it is; its decoder reports the damage.
    """
    if head.mpf is None:
        return [], []
    base = head.mpf.at + 4  # offsets count from the byte order mark
    places = dict.fromkeys(_listed_pictures(head.mpf.payload[4:]))  # each once
    wrong = [(offset, size) for offset, size in places if size < 4 or data[base + offset : base + offset + 3] != _START]
    if places and not wrong:
        return [data[base + offset : base + offset + size] for offset, size in places], []
    walked = _walked_pictures(data)
    if not places and not walked:
        return [], ["multi-picture directory: unreadable or without pictures"]
    return walked, ["multi-picture directory: points where no picture is; pictures were looked for one after the other"]


def _listed_pictures(block: bytes) -> list[tuple[int, int]]:
    """The (offset, size) of every picture but the first; empty if the directory is unreadable."""
    entry = tiff.directory(block, tiff.first(block)).get(_MP_ENTRIES) if tiff.is_tiff(block) else None
    stored = (entry and tiff.value_of(block, entry)) or b""
    rows = struct.iter_unpack(tiff.byte_order(block) + "III4x", stored[: len(stored) // 16 * 16])
    return [(offset, size) for _, size, offset in islice(rows, _MOST_PICTURES) if offset]


def _walked_pictures(data: bytes) -> list[bytes]:
    pictures: list[bytes] = []
    end = image_end(data)
    while end is not None and len(pictures) < _MOST_PICTURES:
        start = data.find(_START, end)
        if start < 0:
            break
        end = image_end(data, start)
        pictures.append(data[start:end])
    return pictures


def mpf_segment() -> bytes:
    """Return a multi-picture directory of two pictures, for `with_second_picture` to complete."""
    rows = [(0xB000, 7, 4, b"0100"), (0xB001, 4, 1, struct.pack(">I", 2)), (_MP_ENTRIES, 7, 32, struct.pack(">I", 50))]
    directory = b"".join(struct.pack(">HHI", tag, kind, count) + value for tag, kind, count, value in rows)
    return _segment(_APP2, b"MPF\0MM\0*" + struct.pack(">IH", 8, len(rows)) + directory + bytes(4 + 32))


def with_second_picture(main: bytes, second: bytes) -> bytes:
    """Return the JPEG `main`, which has the segment `mpf_segment`, followed by the JPEG `second`."""
    head = next(segment for segment in segments(main) if segment.payload.startswith(b"MPF\0"))
    base = head.at + 4  # offsets count from the byte order mark
    entries = struct.pack(">IIIHH", 0x30000, len(main), 0, 0, 0)
    entries += struct.pack(">IIIHH", 0, len(second), len(main) - base, 0, 0)
    return main[: base + 50] + entries + main[base + 50 + len(entries) :] + second


def gain_map_segment(block: bytes) -> bytes:
    """Return the segment that holds ISO 21496-1's block."""
    return _segment(_APP2, ISO_GAIN_MAP + block)


def coding(image: "JpegImageFile") -> JpegCoding | None:
    """Return how the picture was coded, to write a copy in the same way; None if its tables are unusual."""
    from PIL.JpegImagePlugin import get_sampling

    tables = tuple(tuple(table) for _, table in sorted(image.quantization.items()))
    usable = tables and all(len(table) == 64 and all(0 < step < 256 for step in table) for table in tables)
    if not usable or sorted(image.quantization) != list(range(len(tables))):
        return None
    return JpegCoding(
        tables=tables,
        chroma=_CHROMA.get(get_sampling(image), "4:4:4") if image.layers == 3 else "4:4:4",
        progressive="progressive" in image.info,
    )


def extended_xmp(bodies: Sequence[bytes], guid: str) -> bytes:
    """Return the extended packet named `guid`; InvalidInput if its pieces do not form one.

    `bodies` are from `JpegHead.extended`: name (32 hexadecimal digits), full length, offset, piece. The pieces must
    cover the packet without gaps or overlaps. No more memory is allocated than they hold.
    """
    name = guid.upper().encode("ascii", "replace")
    own = [body for body in bodies if body[:_GUID].upper() == name and len(body) > _GUID + 8]
    require(bool(own), "extended XMP: expected the packet that the photo's XMP names, found none of it")
    found = sorted((*struct.unpack_from(">II", body, _GUID), body[_GUID + 8 :]) for body in own)
    full = {length for length, _, _ in found}
    require(len(full) == 1, f"extended XMP: expected one length in all pieces, found {len(full)}")
    (length,) = full
    at = 0
    for _, offset, piece in found:
        require(offset == at, f"extended XMP: expected a piece at {at}, found one at {offset}")
        at += len(piece)
    require(at == length, f"extended XMP: expected {length} bytes, found {at}")
    return b"".join(piece for _, _, piece in found)


def extended_xmp_segments(packet: bytes) -> tuple[str, bytes]:
    """Return (the MD5 of `packet`, by which the main packet refers to it, and the segments that hold it)."""
    guid = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper()
    pieces = []
    for offset in range(0, len(packet), _PART):
        part = packet[offset : offset + _PART]
        pieces.append(_segment(_APP1, _EXTENDED + guid.encode() + struct.pack(">II", len(packet), offset) + part))
    return guid, b"".join(pieces)


def iptc(resources: object) -> bytes | None:
    """Return the IPTC record among Photoshop's resources, as Pillow lists them."""
    record = resources.get(_IPTC) if isinstance(resources, dict) else None
    return record if isinstance(record, bytes) and record[:1] == b"\x1c" else None


def iptc_segment(record: bytes | None) -> bytes:
    """Return the segment that holds an IPTC record; empty if there is no record or it is too long."""
    if record is None or len(record) > _LARGEST - 64:
        return b""
    resource = b"8BIM" + struct.pack(">HHI", _IPTC, 0, len(record)) + record + bytes(len(record) % 2)
    return _segment(_APP13, _PHOTOSHOP + resource)


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
