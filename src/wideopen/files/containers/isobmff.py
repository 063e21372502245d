"""Boxes of HEIF, AVIF and JPEG XL files, and how the items of a HEIF or AVIF file refer to each other.

Reference: ISO/IEC 14496-12:2022, 4.2 (boxes), 8.11 (meta, iloc, iinf, iref, iprp); ISO/IEC 23008-12, 6.5 (colr, pixi,
auxC) and 9. libheif decodes, but gives neither the XMP packet of each auxiliary picture nor the ids of depth pictures,
so this module reads the items. It checks every length: parsing stops at a box that exceeds its parent.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from wideopen.errors import InvalidInput

_MOST_ITEMS = 20_000
_MOST_EXTENTS = 64


@dataclass(slots=True)
class Items:
    """The items that the meta box describes, by the ids in the file."""

    primary: int = 0
    types: dict[int, bytes] = field(default_factory=dict)  # b"hvc1", b"mime", b"tmap", ...
    content_types: dict[int, bytes] = field(default_factory=dict)  # of mime items
    references: list[tuple[bytes, int, tuple[int, ...]]] = field(default_factory=list)  # (b"auxl", from, to)
    properties: dict[int, tuple[tuple[bytes, bytes], ...]] = field(default_factory=dict)  # (b"auxC", payload), ...
    payloads: dict[int, bytes] = field(default_factory=dict)  # of mime items and gain maps' descriptions

    def auxiliary(self) -> dict[int, str]:
        """The type (a URN) of every auxiliary picture of the primary one, in the file's order."""
        own = [source for kind, source, to in self.references if kind == b"auxl" and self.primary in to]
        types = {item: self.property_of(item, b"auxC") for item in own}
        return {item: urn[4:].split(b"\0", 1)[0].decode("ascii", "replace") for item, urn in types.items() if urn}

    def xmp_of(self, item: int) -> bytes | None:
        """The XMP packet that describes `item`."""
        for kind, source, to in self.references:
            if kind == b"cdsc" and item in to and self.content_types.get(source) == b"application/rdf+xml":
                return self.payloads.get(source) or None
        return None

    def property_of(self, item: int, kind: bytes, start: bytes = b"") -> bytes | None:
        """The payload of the first property `kind` of `item` that begins with `start`."""
        properties = self.properties.get(item, ())
        return next((payload for name, payload in properties if name == kind and payload.startswith(start)), None)

    @property
    def bits(self) -> int:
        """The bits per channel of the primary picture; 8 if they are not stated."""
        bits = self.property_of(self.primary, b"pixi") or b""
        return bits[5] if len(bits) > 5 else 8

    def nclx_of(self, item: int) -> tuple[int, int] | None:
        """The primaries and transfer function (ITU-T H.273) of `item`, if stated."""
        found = self.property_of(item, b"colr", b"nclx") or b""
        return (int.from_bytes(found[4:6], "big"), int.from_bytes(found[6:8], "big")) if len(found) >= 8 else None

    def gain_map(self) -> tuple[int, int, bytes] | None:
        """(The primary picture with its gain map applied, the gain map, its description): ISO/IEC 23008-12, 6.6.2.4.2.

        The first two are items.
        """
        for kind, source, to in self.references:
            if kind == b"dimg" and self.types.get(source) == b"tmap" and len(to) == 2 and to[0] == self.primary:
                return source, to[1], self.payloads.get(source, b"")
        return None

    def turns(self, item: int) -> tuple[tuple[bytes, bytes], ...]:
        """The rotation and mirroring of `item` for display."""
        return tuple(found for found in self.properties.get(item, ()) if found[0] in (b"irot", b"imir"))


def boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, start, end) of the contents of the boxes in `data`; stop at one that does not fit."""
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


def parse_items(data: bytes) -> Items:
    """Return the items of the HEIF or AVIF file `data`; InvalidInput if its meta box is missing or damaged."""
    meta = next((body for kind, body in _contents(data) if kind == b"meta"), None)
    if meta is None:
        raise InvalidInput("HEIF: expected a meta box, found none")
    parts = dict(_contents(meta[4:]))
    items = Items()
    try:
        primary = parts.get(b"pitm", b"")
        items.primary = _Reader(primary, 4).number(4 if primary[:1] != b"\0" else 2)
        _read_infos(parts.get(b"iinf", b""), items)
        _read_references(parts.get(b"iref", b""), items)
        _read_properties(parts.get(b"iprp", b""), items)
        _read_payloads(parts.get(b"iloc", b""), data, parts.get(b"idat", b""), items)
    except (struct.error, IndexError) as error:
        raise InvalidInput(f"HEIF items: damaged ({error})") from error
    return items


def with_primary(data: bytes, item: int) -> bytes:
    """Return the file `data` with another primary picture, no longer hidden, for decoders that give only that."""
    out = bytearray(data)

    def within(start: int, end: int) -> list[tuple[bytes, int, int]]:
        return [(kind, start + at, start + stop) for kind, at, stop in boxes(data[start:end])]

    for _, start, end in (box for box in boxes(data) if box[0] == b"meta"):
        for kind, at, stop in within(start + 4, end):
            width = 2 if data[at] == 0 else 4
            if kind == b"pitm" and stop - at >= 4 + width and item < 256**width:
                out[at + 4 : at + 4 + width] = item.to_bytes(width, "big")
            for name, info, last in within(at + 4 + width, stop) if kind == b"iinf" else ():
                size = 4 if data[info] == 3 else 2
                number = data[info + 4 : min(info + 4 + size, last)]
                if name == b"infe" and number == item.to_bytes(size, "big"):
                    out[info + 3] &= 0xFE  # the flag that hides it
    return bytes(out)


def with_colours(data: bytes, primaries: int, transfer: int) -> bytes:
    """Return the file `data`, of one picture with an nclx box, with other colours (ITU-T H.273) and the same matrix."""
    at = data.index(b"colrnclx") + 8
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


def without_gain_map(data: bytes) -> bytes:
    """Return the file `data` with its gain map's description unknown to decoders, which refuse a damaged one."""
    end = max((end for kind, _, end in boxes(data) if kind in (b"ftyp", b"meta")), default=0)
    return data[:end].replace(b"tmap", b"none") + data[end:] if b"tmap" in data[:end] else data


def _contents(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    return ((kind, data[start:end]) for kind, start, end in boxes(data))


class _Reader:
    """A reader of consecutive big-endian numbers; struct.error at the end of the data."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def number(self, width: int) -> int:
        """The next number of `width` bytes; 0 for a width of 0."""
        if self.at + width > len(self.data):
            raise struct.error("numbers beyond the end of their box")
        self.at += width
        return int.from_bytes(self.data[self.at - width : self.at], "big")

    def count(self, width: int) -> range:
        """A range over the count that is read next."""
        count = self.number(width)
        if count > _MOST_ITEMS:
            raise struct.error(f"{count} items")
        return range(count)


def _read_infos(body: bytes, items: Items) -> None:
    reader = _Reader(body, 4)
    reader.number(4 if body[:1] != b"\0" else 2)  # their count; the boxes themselves end the list
    for kind, info in _contents(body[reader.at :]):
        if kind == b"infe" and info[:1] in (b"\2", b"\3"):
            fields = _Reader(info, 4)
            item = fields.number(4 if info[0] == 3 else 2)
            fields.number(2)  # protection
            items.types[item] = info[fields.at : fields.at + 4]
            if items.types[item] == b"mime":
                _, content_type, *_ = *info[fields.at + 4 :].split(b"\0"), b""  # behind the name
                items.content_types[item] = content_type


def _read_references(body: bytes, items: Items) -> None:
    width = 4 if body[:1] == b"\1" else 2
    for kind, reference in _contents(body[4:]):
        reader = _Reader(reference)
        source = reader.number(width)
        items.references.append((kind, source, tuple(reader.number(width) for _ in reader.count(2))))


def _read_properties(body: bytes, items: Items) -> None:
    parts = list(_contents(body))
    known = [found for kind, container in parts if kind == b"ipco" for found in _contents(container)]
    for table in (table for kind, table in parts if kind == b"ipma"):
        reader = _Reader(table, 4)
        id_width, index_width = 4 if table[:1] != b"\0" else 2, 2 if table[3] & 1 else 1
        for _ in reader.count(4):
            item = reader.number(id_width)
            indices = [reader.number(index_width) & (0x7FFF if index_width == 2 else 0x7F) for _ in reader.count(1)]
            items.properties[item] = tuple(known[i - 1] for i in indices if 0 < i <= len(known))


def _read_payloads(body: bytes, data: bytes, idat: bytes, items: Items) -> None:
    """Join the extents of mime and tmap items; leave out extents beyond the end of the file."""
    version = body[:1]
    count_width = 2 if version in (b"\0", b"\1") else 4
    reader = _Reader(body, 4)
    sizes = reader.number(2)
    offset_width, length_width, base_width, index_width = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    for _ in reader.count(count_width):
        item = reader.number(count_width)
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
        wanted = items.types.get(item) in (b"mime", b"tmap")
        if wanted and total <= len(source) and len(extents) <= _MOST_EXTENTS:
            payload = b"".join(source[start : start + length] for start, length in extents)
            if len(payload) == total:
                items.payloads[item] = payload
