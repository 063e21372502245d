"""Depth and mattes inside a JPEG: Apple's appended pictures, Dynamic Depth, GDepth."""

from typing import Any

from wideopen.errors import InvalidInput
from wideopen.files.containers.jpeg_segments import JpegHead, read_head
from wideopen.files.containers.mpf import appended_pictures
from wideopen.files.inside.apple import auxiliary_kind, part_of
from wideopen.files.inside.dynamic_depth import read_dynamic_depth
from wideopen.files.inside.gdepth import read_gdepth
from wideopen.files.inside.parts import Findings, Found
from wideopen.files.inside.pixels import grey_picture
from wideopen.files.metadata.extended_xmp import joined
from wideopen.files.metadata.xmp_values import as_text, parse_xmp

__all__ = ["read_jpeg"]

_EXTENDED = "{http://ns.adobe.com/xmp/note/}HasExtendedXMP"
_GAIN_MAP = ("hdrgainmap", "http://ns.adobe.com/hdr-gain-map/1.0/")
_SAMSUNG = b"DualShot_DepthMap"


def read_jpeg(data: bytes) -> Found:
    """Return what is in the JPEG `data`; InvalidInput when it has no size."""
    head = read_head(data)
    xmp, complaints = _properties(head)
    found = _apple(data, head) + Findings(ignored=complaints) + read_dynamic_depth(data, xmp) + read_gdepth(xmp)
    if data[-4:] == b"SEFT" and _SAMSUNG in data[-1_000_000:]:
        found += Findings(ignored=("Samsung's trailer: holds a depth map in a format that is not published",))
    return Found(size=head.size, orientation=head.orientation, findings=found)


def _apple(data: bytes, head: JpegHead) -> Findings:
    """The pictures that the multi-picture directory names, told apart by their own XMP."""
    pictures, complaints = appended_pictures(data, head)
    found = Findings(ignored=tuple(complaints))
    for number, picture in enumerate(pictures, start=2):
        try:
            packet = read_head(picture).xmp
            xmp = parse_xmp(packet) if packet else {}
            role = auxiliary_kind(xmp)
            if role is None:
                found += Findings(others=(f"JPEG picture {number}: {_other(packet or b'')}",))
                continue
            found += Findings(parts=(part_of(role, grey_picture(picture), xmp, container="JPEG appended"),))
        except InvalidInput as error:
            found += Findings(ignored=(f"JPEG picture {number}: {error}",))
    return found


def _other(packet: bytes) -> str:
    """What an appended picture is that is no part."""
    return "a gain map for HDR" if any(name.encode() in packet for name in _GAIN_MAP) else "a preview or another view"


def _properties(head: JpegHead) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The photo's XMP with its extension; what cannot be read of it, as lines."""
    if head.xmp is None:
        return {}, ()
    try:
        xmp = parse_xmp(head.xmp)
    except InvalidInput as error:
        return {}, (str(error),)
    guid = as_text(xmp.get(_EXTENDED))
    if guid is None:
        return xmp, ()
    try:
        return parse_xmp(joined(head.extended, guid)) | xmp, ()
    except InvalidInput as error:
        return xmp, (str(error),)
