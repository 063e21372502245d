"""XMP packets to plain values, without trusting them.

Reference: Adobe XMP Specification Part 1 (ISO 16684-1), 7, for the RDF forms, and Part 3, 1.1.3.1, for packets over
several JPEG segments. A packet is data from a stranger: document types, and with them every entity, are refused, and
its depth and number of elements are bounded.
"""

from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from wideopen.checks import require
from wideopen.errors import InvalidInput

__all__ = ["as_dict", "as_list", "as_number", "as_text", "parse_xmp"]

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_MOST_DEPTH, _MOST_ELEMENTS, _MOST_ATTRIBUTES = 40, 20_000, 50_000


def parse_xmp(packet: bytes) -> dict[str, Any]:
    """Return the properties of an XMP packet by `{namespace}name`; InvalidInput for what is no sound one."""
    root = _tree(packet)
    merged: dict[str, Any] = {}
    descriptions = [root] if root.tag == _RDF + "Description" else root.iter(_RDF + "Description")
    top = root if root.tag == _RDF + "RDF" else root.find(_RDF + "RDF")
    for description in descriptions if top is None else top.findall(_RDF + "Description"):
        merged = _structure(description) | merged
    return merged


def as_text(value: Any) -> str | None:
    """Return a property's text, stripped; None for none, an empty one, a structure or an array."""
    return value.strip() or None if isinstance(value, str) else None


def as_number(value: Any) -> float | None:
    """Return a property's number; None where it is none. May be infinite or NaN."""
    text = as_text(value)
    if text is None or len(text) > 64:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def as_dict(value: Any) -> dict[str, Any]:
    """Return a structure; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return an array; what is no array is one of a single element, nothing an empty one."""
    if isinstance(value, list):
        return value
    return [] if value is None or value == "" else [value]


def _tree(packet: bytes) -> Element:
    """The element tree of `packet`, names as `{namespace}name`."""
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    level = elements = attributes = 0

    def start(name: str, found: dict[str, str]) -> None:
        nonlocal level, elements, attributes
        level, elements, attributes = level + 1, elements + 1, attributes + len(found)
        require(level <= _MOST_DEPTH, f"XMP: expected at most {_MOST_DEPTH} levels of elements, found more")
        require(
            elements <= _MOST_ELEMENTS and attributes <= _MOST_ATTRIBUTES,
            f"XMP: expected at most {_MOST_ELEMENTS} elements, found more",
        )
        builder.start(_clark(name), {_clark(key): value for key, value in found.items()})

    def end(name: str) -> None:
        nonlocal level
        level -= 1
        builder.end(_clark(name))

    def refuse(*_: object) -> None:
        raise InvalidInput("XMP: expected no document type, found one (it could hold an entity bomb)")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.buffer_text = True
    try:
        parser.Parse(packet.strip(b"\0 \t\r\n"), True)
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"XMP: unreadable ({error})") from error
    return builder.close()


def _clark(name: str) -> str:
    return "{" + name if "}" in name else name


def _structure(element: Element) -> dict[str, Any]:
    """The fields that an element's attributes and children make, without RDF's own attributes."""
    fields: dict[str, Any] = {
        key: text for key, text in element.attrib.items() if key[:1] == "{" and not key.startswith(_RDF)
    }
    for child in element:
        fields[child.tag] = _value(child)
    return fields


def _value(element: Element) -> Any:
    """The value of a property element: text, structure or array."""
    children = list(element)
    if not children or element.get(_RDF + "parseType") == "Resource":
        fields = _structure(element)
        return fields or element.get(_RDF + "resource") or element.text or ""
    first = children[0]
    if first.tag in (_RDF + "Seq", _RDF + "Bag", _RDF + "Alt"):
        return [_value(item) for item in first if item.tag == _RDF + "li"]
    if first.tag == _RDF + "Description":
        return _structure(first)
    return _structure(element)  # without parseType, as some writers have it
