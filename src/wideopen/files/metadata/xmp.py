"""XMP as bytes: what it says of the picture's size and turn brought up to date, what is stale removed.

A packet with nothing stale keeps its bytes but for those numbers. Otherwise it is parsed, which a
packet with a document type (entities, so "bombs") or in another coding than UTF-8 never is.
Reference: ISO 16684-1:2019 (XMP part 1), 7; Adobe, XMP part 3, 1.1.3.1 (extended XMP).
"""

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

__all__ = ["APPLE", "OURS", "cleaned", "parse", "properties", "resized", "with_description"]

Element: TypeAlias = Any  # of xml.dom.minidom, whose types are loose
OURS = "https://github.com/wideopen/wideopen/ns/1.0/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_NOTE = "http://ns.adobe.com/xmp/note/"
_CAMERA = "http://ns.google.com/photos/1.0/camera/"
APPLE = ("http://ns.apple.com/depthData/", "http://ns.apple.com/pixeldatainfo/", "http://ns.apple.com/HDRGainMap/")
# What describes data after, beside or behind the picture, or a blur that is not this result's.
_STALE = (
    "http://ns.adobe.com/hdr-gain-map/",
    "http://ns.google.com/photos/1.0/depthmap/",
    "http://ns.google.com/photos/1.0/image/",
    "http://ns.google.com/photos/1.0/focus/",
    "http://ns.google.com/photos/1.0/container/",
    "http://ns.google.com/photos/dd/1.0/",
    *APPLE,
    OURS,
)
_MARKS = (*(uri.encode() for uri in _STALE), b"HasExtendedXMP", b"MotionPhoto", b"MicroVideo")
_EMPTY = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="' + _RDF.encode() + b'"></rdf:RDF></x:xmpmeta>'
    b'<?xpacket end="w"?>'
)
_DAMAGED = "XMP dropped: it does not parse, and describes a gain map, depth or video that the result lacks"
_REMOVED = "XMP about a gain map, depth or video removed: the result has none"


def resized(xmp: bytes, size: tuple[int, int]) -> bytes:
    """Return `xmp` with orientation 1 and `size` (H, W) wherever it names orientation and size."""
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


def cleaned(xmp: bytes) -> tuple[bytes | None, str | None]:
    """Return (`xmp` without what the result lacks, None or a note about it); no XMP when it does not parse."""
    if not any(mark in xmp for mark in _MARKS):
        return xmp, None
    document = parse(xmp)
    if document is None:
        return None, _DAMAGED
    for element in list(_elements(document)):
        if element.parentNode is not None and _is_stale(element):
            element.parentNode.removeChild(element)
            continue
        for attribute in list(element.attributes.values()):
            if _is_stale(attribute) or _declares_stale(attribute):
                element.removeAttributeNode(attribute)
    try:
        return "".join(node.toxml() for node in document.childNodes).encode(), _REMOVED
    except RecursionError:
        return None, _DAMAGED


def parse(xmp: bytes) -> Element | None:
    """Return the document in `xmp`, or None when it is none, or none that is safe to parse."""
    from xml.dom import minidom
    from xml.parsers.expat import ExpatError

    body = xmp.strip(b"\0 \r\n\t").removeprefix(b"\xef\xbb\xbf")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    if "<!DOCTYPE" in text or "<!ENTITY" in text or "\0" in text:
        return None
    try:
        return minidom.parseString(text.encode())  # noqa: S318  (no document type: no entities)
    except (ExpatError, LookupError, RecursionError, ValueError):
        return None


def properties(xmp: bytes, namespace: str) -> dict[str, str]:
    """Return the simple properties of `namespace` in `xmp`, attributes or elements, by local name."""
    document = parse(xmp)
    found: dict[str, str] = {}
    for element in _elements(document) if document is not None else ():
        if element.namespaceURI == namespace:
            found[element.localName] = "".join(
                node.data for node in element.childNodes if node.nodeType == node.TEXT_NODE
            )
        for attribute in element.attributes.values():
            if attribute.namespaceURI == namespace:
                found[attribute.localName] = attribute.value
    return found


def with_description(xmp: bytes | None, namespaces: dict[str, str], values: dict[str, str]) -> bytes:
    """Return `xmp`, or a packet of its own, with one more description.

    `namespaces` maps prefixes to their names, `values` prefixed names to plain ASCII without quotes.
    """
    declared = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in namespaces.items())
    written = "".join(f' {name}="{value}"' for name, value in values.items())
    description = f'<rdf:Description xmlns:rdf="{_RDF}" rdf:about=""{declared}{written}/>'.encode()
    packet = xmp or _EMPTY
    end = packet.rfind(b"</rdf:RDF>")
    if end < 0:  # another prefix, or no RDF at all: what it says cannot be joined with ours
        packet, end = _EMPTY, _EMPTY.rfind(b"</rdf:RDF>")
    return packet[:end] + description + packet[end:]


def _elements(document: Element) -> Iterator[Element]:
    """Yield the elements, parents first; without recursion, so depth does no harm."""
    stack = list(document.childNodes)
    while stack:
        node = stack.pop()
        if node.nodeType == node.ELEMENT_NODE:
            yield node
            stack.extend(node.childNodes)


def _is_stale(node: Element) -> bool:
    uri, name = node.namespaceURI or "", node.localName or ""
    video = uri == _CAMERA and name.startswith(("MotionPhoto", "MicroVideo"))
    return video or uri.startswith(_STALE) or (uri == _NOTE and name == "HasExtendedXMP")


def _declares_stale(attribute: Element) -> bool:
    return attribute.name.startswith("xmlns:") and attribute.value.startswith(_STALE)
