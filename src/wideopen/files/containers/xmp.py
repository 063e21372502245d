"""XMP packets: read as plain values, written, updated, and stripped of data that the result lacks.

A packet without stale data keeps its bytes, except its size and orientation. Packets are untrusted: document types, and
with them all entities ("bombs"), are refused, and the depth and number of elements are limited. Reference: ISO
16684-1:2019 (XMP part 1), 7; Adobe, XMP part 3, 1.1.3.1 (extended XMP: `containers/jpeg.py`).
"""

import re
from collections.abc import Iterator
from typing import Any, TypeAlias
from xml.dom.expatbuilder import ExpatBuilderNS
from xml.parsers.expat import ExpatError

from wideopen.checks import require
from wideopen.errors import InvalidInput

Element: TypeAlias = Any  # of xml.dom.minidom, whose types are loose
OURS = "https://github.com/wideopen/wideopen/ns/1.0/"
_RDF_URI = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_RDF = "{" + _RDF_URI + "}"
_XMLNS = "http://www.w3.org/2000/xmlns/"
_TEXT = (3, 4)  # text and CDATA nodes
NOTE = "http://ns.adobe.com/xmp/note/"
EXTENDED_XMP = "{" + NOTE + "}HasExtendedXMP"
_CAMERA = "http://ns.google.com/photos/1.0/camera/"
_APPLE = ("http://ns.apple.com/depthData/", "http://ns.apple.com/pixeldatainfo/", "http://ns.apple.com/HDRGainMap/")
# Properties of data outside the picture, or of a blur that this result does not have.
_STALE = (
    "http://ns.adobe.com/hdr-gain-map/",
    "http://ns.google.com/photos/1.0/depthmap/",
    "http://ns.google.com/photos/1.0/image/",
    "http://ns.google.com/photos/1.0/focus/",
    "http://ns.google.com/photos/1.0/container/",
    "http://ns.google.com/photos/dd/1.0/",
    *_APPLE,
    OURS,
)
_OF_GAIN_MAPS = (_STALE[0].encode(), b"http://ns.google.com/photos/1.0/container/", b"http://ns.apple.com/")
_MARKS = (*(uri.encode() for uri in _STALE), b"HasExtendedXMP", b"MotionPhoto", b"MicroVideo")
_EMPTY = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="' + _RDF_URI.encode() + b'"></rdf:RDF></x:xmpmeta>'
    b'<?xpacket end="w"?>'
)
_DEEPEST, _MOST_ELEMENTS, _MOST_ATTRIBUTES = 40, 20_000, 50_000
_DAMAGED = "XMP dropped: it does not parse, and describes a gain map, depth or video that the result lacks"
_REMOVED_REST = "XMP about depth or video, and the reference to an extension, removed: the result has none"
_REMOVED = "XMP about a gain map, depth or video removed: the result has none"


def resized(xmp: bytes, size: tuple[int, int]) -> bytes:
    """Return `xmp` with orientation 1 and `size` (H, W) wherever it has an orientation or size."""
    for name, value in (
        (b"tiff:Orientation", 1),
        (b"tiff:ImageWidth", size[1]),
        (b"tiff:ImageLength", size[0]),
        (b"exif:PixelXDimension", size[1]),
        (b"exif:PixelYDimension", size[0]),
    ):
        number = rb"\g<1>%d" % value
        xmp = re.sub(rb"(\b" + name + rb"\s*=\s*[\"'])\d+", number, xmp)
        xmp = re.sub(rb"(<" + name + rb">\s*)\d+", number, xmp)
    return xmp


def cleaned(xmp: bytes, *, gain_map: bool = False) -> tuple[bytes | None, str | None]:
    """Return (`xmp` without data that the result lacks, None or a note); (None, note) if it does not parse.

    gain_map: the photo's gain map is known from elsewhere, so its description is no loss.
    """
    if not any(mark in xmp for mark in _MARKS):
        return xmp, None
    try:
        document = _parse(xmp)
    except InvalidInput:
        return None, _DAMAGED
    for element in document.getElementsByTagName("*"):
        if _is_stale(element):
            element.parentNode.removeChild(element)
            continue
        for attribute in list(element.attributes.values()):
            if _is_stale(attribute) or (attribute.prefix == "xmlns" and attribute.value.startswith(_STALE)):
                element.removeAttributeNode(attribute)
    others = (mark for mark in _MARKS if not mark.startswith(_OF_GAIN_MAPS))
    note = _REMOVED if not gain_map else _REMOVED_REST if any(mark in xmp for mark in others) else None
    return "".join(node.toxml() for node in document.childNodes).encode(), note


def parse_xmp(packet: bytes | None) -> dict[str, Any]:
    """Return the properties of an XMP packet by `{namespace}name`, none without one; InvalidInput if it is invalid.

    A value is a text, a structure (a dict) or an array (a list).
    """
    if packet is None:
        return {}
    document = _parse(packet)
    root = document.documentElement
    top = root if _name(root) == _RDF + "RDF" else next(_children(root, "RDF"), None)
    if top is not None:
        descriptions = list(_children(top, "Description"))
    else:
        descriptions = document.getElementsByTagNameNS(_RDF_URI, "Description")
    merged: dict[str, Any] = {}
    for description in descriptions:
        merged = _structure(description) | merged
    return merged


def as_text(value: Any) -> str | None:
    """Return a property's text, stripped; None for an empty one, a structure or an array."""
    return value.strip() or None if isinstance(value, str) else None


def as_number(value: Any) -> float | None:
    """Return a property's number, or None. May be infinite or NaN."""
    text = as_text(value)
    if text is None or len(text) > 64:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def as_dict(value: Any) -> dict[str, Any]:
    """Return a structure; an empty one for other values."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return an array; a single value becomes an array of one, None or an empty text an empty one."""
    if isinstance(value, list):
        return value
    return [] if value is None or value == "" else [value]


def with_description(
    xmp: bytes | None, namespaces: dict[str, str], values: dict[str, str], elements: str = ""
) -> bytes:
    """Return `xmp`, or a new packet, with one more description.

    `namespaces` maps prefixes to namespace names, `values` prefixed names to plain ASCII without quotes; `elements` is
    what the description holds besides.
    """
    declared = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in namespaces.items())
    written = "".join(f' {name}="{value}"' for name, value in values.items())
    description = (
        f'<rdf:Description xmlns:rdf="{_RDF_URI}" rdf:about=""{declared}{written}>{elements}</rdf:Description>'.encode()
    )
    packet = xmp or _EMPTY
    end = packet.rfind(b"</rdf:RDF>")
    if end < 0:  # another prefix or no RDF: the description cannot be added
        packet, end = _EMPTY, _EMPTY.rfind(b"</rdf:RDF>")
    return packet[:end] + description + packet[end:]


class _Builder(ExpatBuilderNS):
    """minidom's builder with limits and without document types."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._count = self._attributes = 0

    def start_doctype_decl_handler(self, *_: Any) -> None:
        """Refuse a document type."""
        raise InvalidInput("XMP: expected no document type, found one (it could hold an entity bomb)")

    def start_element_handler(self, name: str, attributes: list[str]) -> None:
        """Count the element; refuse too many."""
        self._depth += 1
        self._count += 1
        self._attributes += len(attributes) // 2
        require(self._depth <= _DEEPEST, f"XMP: expected at most {_DEEPEST} levels of elements, found more")
        few = self._count <= _MOST_ELEMENTS and self._attributes <= _MOST_ATTRIBUTES
        require(few, f"XMP: expected at most {_MOST_ELEMENTS} elements, found more")
        super().start_element_handler(name, attributes)

    def end_element_handler(self, name: str) -> None:
        """Reduce the depth."""
        self._depth -= 1
        super().end_element_handler(name)


def _parse(packet: bytes) -> Element:
    """Return the document (of minidom) in `packet`; InvalidInput if it is unsafe or cannot be parsed."""
    try:
        return _Builder().parseString(packet.strip(b"\0 \r\n\t"))
    except InvalidInput:
        raise
    except (ExpatError, ValueError, LookupError, AssertionError) as error:
        raise InvalidInput(f"XMP: unreadable ({error})") from error


def _name(node: Element) -> str:
    return f"{{{node.namespaceURI}}}{node.localName}" if node.namespaceURI else node.nodeName


def _children(element: Element, name: str | None = None) -> Iterator[Element]:
    """Yield the child elements of `element`; if given, only those that RDF calls `name`."""
    for node in element.childNodes:
        if node.nodeType == node.ELEMENT_NODE and (name is None or _name(node) == _RDF + name):
            yield node


def _structure(element: Element) -> dict[str, Any]:
    """Return the fields in an element's attributes and children, without RDF's own attributes."""
    fields: dict[str, Any] = {
        _name(attribute): attribute.value
        for attribute in element.attributes.values()
        if attribute.namespaceURI not in (None, _XMLNS, _RDF_URI)
    }
    for child in _children(element):
        fields[_name(child)] = _value(child)
    return fields


def _value(element: Element) -> Any:
    """Return the value of a property element: text, structure or array."""
    first = next(_children(element), None)
    if first is None or element.getAttributeNS(_RDF_URI, "parseType") == "Resource":
        text = "".join(node.data for node in element.childNodes if node.nodeType in _TEXT)
        return _structure(element) or element.getAttributeNS(_RDF_URI, "resource") or text
    if _name(first) in (_RDF + "Seq", _RDF + "Bag", _RDF + "Alt"):
        return [_value(item) for item in _children(first, "li")]
    return _structure(first if _name(first) == _RDF + "Description" else element)  # the latter: without parseType


def _is_stale(node: Element) -> bool:
    uri, name = node.namespaceURI or "", node.localName or ""
    video = uri == _CAMERA and name.startswith(("MotionPhoto", "MicroVideo"))
    return video or uri.startswith(_STALE) or (uri == NOTE and name == "HasExtendedXMP")
