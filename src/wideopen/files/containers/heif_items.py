"""The items of a HEIF file: which belong to which, and their small payloads.

Reference: ISO/IEC 14496-12:2022, 8.11 (meta, iloc, iinf, iref, iprp); ISO/IEC 23008-12, 6.5.8 (auxC) and 9. Only what
tells auxiliary pictures and their metadata apart; libheif decodes. Every length is checked: a box that does not fit
into the one around it ends the search there.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from wideopen.errors import InvalidInput

__all__ = ["HeifItems", "parse_items"]

_MOST_ITEMS = 20_000
_TURNS = (b"irot", b"imir", b"clap")


@dataclass(slots=True)
class HeifItems:
    """What the meta box says of the items; ids are the file's."""

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)  # b"hvc1", b"grid", b"mime", ...
    content_types: dict[int, bytes] = field(default_factory=dict)  # of mime items
    references: list[tuple[bytes, int, tuple[int, ...]]] = field(default_factory=list)  # (b"auxl", from, to)
    properties: dict[int, tuple[tuple[bytes, bytes], ...]] = field(default_factory=dict)  # (b"auxC", payload), ...
    payloads: dict[int, bytes] = field(default_factory=dict)  # of mime items

    def auxiliary(self) -> dict[int, str]:
        """The type (a URN) of every auxiliary picture of the primary one, in the file's order."""
        own = [source for kind, source, to in self.references if kind == b"auxl" and self.primary in to]
        return {item: urn for item in own if (urn := self._urn(item)) is not None}

    def xmp_of(self, item: int) -> bytes | None:
        """The XMP packet that describes `item`."""
        for kind, source, to in self.references:
            if kind == b"cdsc" and item in to and self.content_types.get(source) == b"application/rdf+xml":
                return self.payloads.get(source)
        return None

    def turns(self, item: int) -> tuple[tuple[bytes, bytes], ...]:
        """How `item` is turned, mirrored and cut for display."""
        return tuple(found for found in self.properties.get(item, ()) if found[0] in _TURNS[:2])

    def _urn(self, item: int) -> str | None:
        for kind, payload in self.properties.get(item, ()):
            if kind == b"auxC":
                return payload[4:].split(b"\0", 1)[0].decode("ascii", "replace")
        return None


def parse_items(data: bytes) -> HeifItems:
    """Return the items of the HEIF file `data`; InvalidInput when its meta box is missing or damaged."""
    meta = next((body for kind, body in _boxes(data) if kind == b"meta"), None)
    if meta is None:
        raise InvalidInput("HEIF without a meta box")
    boxes = dict(_boxes(meta[4:]))
    items = HeifItems()
    try:
        _read_primary(boxes.get(b"pitm", b""), items)
        _read_infos(boxes.get(b"iinf", b""), items)
        _read_references(boxes.get(b"iref", b""), items)
        _read_properties(boxes.get(b"iprp", b""), items)
        _read_payloads(boxes.get(b"iloc", b""), data, boxes.get(b"idat", b""), items)
    except (struct.error, IndexError) as error:
        raise InvalidInput(f"HEIF items: damaged ({error})") from error
    return items


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (kind, payload) of the boxes in `data`."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        header = 8
        if size == 1 and at + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, at + 8)
            header = 16
        elif size == 0:  # to the end
            size = len(data) - at
        if size < header or at + size > len(data):
            return
        yield kind, data[at + header : at + size]
        at += size


class _Reader:
    """Big-endian numbers one after the other; struct.error behind the end."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def number(self, width: int) -> int:
        """The next number of `width` bytes; 0 for a width of 0."""
        if self.at + width > len(self.data):
            raise struct.error("numbers beyond the end of their box")
        self.at += width
        return int.from_bytes(self.data[self.at - width : self.at], "big")

    def count(self, width: int) -> range:
        """A range over the count that comes next."""
        count = self.number(width)
        if count > _MOST_ITEMS:
            raise struct.error(f"{count} items")
        return range(count)


def _read_primary(body: bytes, items: HeifItems) -> None:
    reader = _Reader(body, 4)
    items.primary = reader.number(4 if body[:1] != b"\0" else 2)


def _read_infos(body: bytes, items: HeifItems) -> None:
    reader = _Reader(body, 4)
    reader.number(4 if body[:1] != b"\0" else 2)  # their count; boxes tell where they end
    for kind, info in _boxes(body[reader.at :]):
        if kind != b"infe" or info[:1] not in (b"\2", b"\3"):
            continue
        fields = _Reader(info, 4)
        item = fields.number(4 if info[0] == 3 else 2)
        items.kinds[item] = info[fields.at + 2 : fields.at + 6]
        if items.kinds[item] == b"mime":
            items.content_types[item] = info[fields.at + 6 :].split(b"\0")[1] if b"\0" in info[fields.at + 6 :] else b""


def _read_references(body: bytes, items: HeifItems) -> None:
    width = 4 if body[:1] == b"\1" else 2
    for kind, reference in _boxes(body[4:]):
        reader = _Reader(reference)
        source = reader.number(width)
        items.references.append((kind, source, tuple(reader.number(width) for _ in reader.count(2))))


def _read_properties(body: bytes, items: HeifItems) -> None:
    boxes = list(_boxes(body))
    known = [found for kind, container in boxes if kind == b"ipco" for found in _boxes(container)]
    for kind, table in boxes:
        if kind != b"ipma":
            continue
        reader = _Reader(table, 4)
        wide_ids, wide_indices = table[:1] != b"\0", bool(table[3] & 1)
        for _ in reader.count(4):
            item = reader.number(4 if wide_ids else 2)
            indices = [
                reader.number(2) & 0x7FFF if wide_indices else reader.number(1) & 0x7F for _ in range(reader.number(1))
            ]
            items.properties[item] = tuple(known[i - 1] for i in indices if 0 < i <= len(known))


def _read_payloads(body: bytes, data: bytes, idat: bytes, items: HeifItems) -> None:
    """Join the extents of mime items; one that lies beyond the file is left out."""
    version = body[:1]
    reader = _Reader(body, 4)
    sizes = reader.number(2)
    offset_width, length_width, base_width, index_width = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    for _ in reader.count(2 if version in (b"\0", b"\1") else 4):
        item = reader.number(2 if version in (b"\0", b"\1") else 4)
        method = reader.number(2) & 15 if version != b"\0" else 0
        reader.number(2)  # data reference
        base = reader.number(base_width)
        extents = []
        for _ in reader.count(2):
            if version != b"\0":
                reader.number(index_width)
            extents.append((base + reader.number(offset_width), reader.number(length_width)))
        source = {0: data, 1: idat}.get(method, b"")
        total = sum(length for _, length in extents)
        if items.kinds.get(item) == b"mime" and total <= len(source) and len(extents) <= 64:
            payload = b"".join(source[start : start + length] for start, length in extents)
            if len(payload) == total:
                items.payloads[item] = payload
