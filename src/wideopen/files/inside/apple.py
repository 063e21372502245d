"""Apple's auxiliary pictures in HEIC and appended to JPEG: disparity, depth and mattes.

Their own XMP packets name and scale them. The properties are not published; this module was checked against HEIC and
JPEG photos of iPhones. A code c means FloatMinValue + (FloatMaxValue - FloatMinValue) * (c - IntMinValue) /
(IntMaxValue - IntMinValue); disparity is in 1/metre, depth in metres (AVDepthData). A portrait matte in a JPEG has the
AuxiliaryImageType "depth"; only its AuxiliaryImageSubType identifies it. Reference: ISO/IEC 23008-12, 6.4.4 (auxiliary
images), decoded by libheif; for depth without Apple's XMP ISO/IEC 23008-2, G.14.2.6 (depth representation information),
of which only near and far are used: its units are not metres.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import require
from wideopen.disparity.depth_map import Kind
from wideopen.errors import InvalidInput
from wideopen.files.containers.isobmff import Items, parse_items
from wideopen.files.containers.jpeg import JpegHead, appended_pictures, read_head
from wideopen.files.containers.xmp import as_number, as_text, parse_xmp
from wideopen.files.decode_pillow import strict_pillow
from wideopen.files.inside.parts import Codes, Findings, Part, auxiliary_codes, grey_picture, levels, looked_up
from wideopen.files.raster import guarded

_APDI = "{http://ns.apple.com/pixeldatainfo/1.0/}"
_DEPTH_DATA = "{http://ns.apple.com/depthData/1.0/}"
_MATTE_URN = re.compile(
    r"(?:urn:com:apple:photo:\d{4}:aux:)?(portraiteffects|semantic(hair|skin|teeth|glasses|sky))matte"
)
_DEPTH_URNS = (
    "urn:mpeg:hevc:2015:auxid:2",
    "urn:mpeg:avc:2015:auxid:2",
    "urn:mpeg:mpegb:cicp:systems:auxiliary:depth",
    "depth",
    "disparity",
)
_UNIFORM_Z = 2  # depth_representation_type
_MOST_PICTURES = 32  # each must be decoded; phones store up to 8
_GAIN_MAP = ("hdrgainmap", "http://ns.adobe.com/hdr-gain-map/1.0/")


def read_appended(data: bytes, head: JpegHead, found: Findings) -> None:
    """Add the pictures in the multi-picture directory of the JPEG `data`."""
    pictures, complaints = appended_pictures(data, head)
    found.ignored += complaints
    for number, picture in enumerate(pictures, start=2):
        try:
            packet = read_head(picture).xmp
            xmp = parse_xmp(packet or None)
            role = auxiliary_kind(xmp)
            if role is not None:
                found.parts.append(part_of(role, grey_picture(picture), xmp, container="JPEG appended"))
                continue
            is_gain_map = any(name.encode() in (packet or b"") for name in _GAIN_MAP)
            other = "a gain map for HDR" if is_gain_map else "a preview or another view"
            found.others.append(f"JPEG picture {number}: {other}")
        except InvalidInput as error:
            found.ignored.append(f"JPEG picture {number}: {error}")


def read_auxiliary(data: bytes) -> tuple[tuple[int, int], Findings]:
    """Return (the size (H, W) of the photo, its auxiliary pictures), all upright; InvalidInput for a damaged HEIF."""
    import pillow_heif

    found = Findings()
    with strict_pillow():
        with guarded("damaged or incomplete HEIC"):
            file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False)
            require(len(file) > 0, "expected a picture in the HEIC, found none that can be read")
        width, height = file.size
        items = parse_items(data)
        listed = items.auxiliary()
        if len(listed) > _MOST_PICTURES:
            found.ignored.append(f"HEIC: expected at most {_MOST_PICTURES} auxiliary pictures, found {len(listed)}")
        for item, urn in list(listed.items())[:_MOST_PICTURES]:
            try:
                _read_item(file, items, item, urn, found)
            except InvalidInput as error:
                found.ignored.append(f"HEIC auxiliary picture {urn.rsplit(':', 1)[-1]}: {error}")
    return (height, width), found


def _read_item(file: Any, items: Items, item: int, urn: str, found: Findings) -> None:
    xmp = parse_xmp(items.xmp_of(item))
    role = auxiliary_kind(xmp, urn)
    if role is None:
        other = "a gain map for HDR" if _GAIN_MAP[0] in urn else f"of a kind that is not read ({urn})"
        found.others.append(f"HEIC auxiliary picture: {other}")
        return
    require(items.turns(item) == items.turns(items.primary), "stored without the rotation of the photo")
    only = _only_depth(file, items) if role == "depth" else None
    if only is not None and not xmp:  # its codes may be distances: their direction is unknown
        kind = (only.info.get("metadata") or {}).get("representation_type")
        require(kind != _UNIFORM_Z, "expected disparity, found distances without a unit")
    found.parts.append(part_of(role, auxiliary_codes(file, item, only), xmp, container="HEIC auxiliary"))


def _only_depth(file: Any, items: Items) -> Any:
    """Return libheif's depth picture with its metadata, or None if there are several: libheif lists only the last."""
    listed = file.info.get("depth_images") or []
    depths = [urn for urn in items.auxiliary().values() if auxiliary_kind({}, urn) == "depth"]
    return listed[0] if len(listed) == len(depths) == 1 else None


def auxiliary_kind(xmp: Mapping[str, Any], urn: str | None = None) -> str | None:
    """Return the role of an auxiliary picture: "depth", "portrait", a semantic name, or None.

    `urn` is the type of a HEIC item, `xmp` the picture's own properties.
    """
    names = [as_text(xmp.get(_APDI + "AuxiliaryImageSubType")), urn, as_text(xmp.get(_APDI + "AuxiliaryImageType"))]
    for name in filter(None, names):
        matte = _MATTE_URN.fullmatch(name.lower())
        if matte:
            return matte[2] or "portrait"
        if name.lower() in _DEPTH_URNS:
            return "depth"
    return None


def part_of(role: str, codes: Codes, xmp: Mapping[str, Any], *, container: str) -> Part:
    """Return the part for a picture of `codes` (h, w); InvalidInput for an impossible range.

    `container` begins its name: "HEIC auxiliary", "JPEG appended".
    """
    if role != "depth":
        return Part(role=role, name=f"{container} {role} matte", values=looked_up(codes, levels(codes)))
    word = as_text(xmp.get(_APDI + "AuxiliaryImageType"))
    name = f"{container} {'depth' if word == 'depth' else 'disparity'}"
    low, high = (as_number(xmp.get(f"{_APDI}Float{end}Value")) for end in ("Min", "Max"))
    if low is None or high is None:  # disparity without a range is still linear; depth is not
        require(word != "depth", "expected the range of its values, found none")
        return Part(role="depth", name=name, values=looked_up(codes, levels(codes)), kind="relative_disparity")
    sound = bool(np.isfinite([low, high]).all()) and low < high
    require(sound, f"expected a range of values, found {low:g} to {high:g}")
    kind: Kind = "depth_m" if word == "depth" else "disparity"
    values = looked_up(codes, low + _share(codes, xmp) * (high - low))
    accuracy = as_text(xmp.get(_DEPTH_DATA + "Accuracy"))
    return Part(role="depth", name=name, values=values, kind=kind, accuracy=accuracy)


def _share(codes: Codes, xmp: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the position of every code within its range, in [0, 1]."""
    top = int(np.iinfo(codes.dtype).max)
    first, last = (as_number(xmp.get(f"{_APDI}Int{end}Value")) for end in ("Min", "Max"))
    first, last = 0.0 if first is None else first, float(top) if last is None else last
    require(0 <= first < last <= top, f"expected a range of codes within 0 to {top}, found {first:g} to {last:g}")
    return np.clip((levels(codes) * top - first) / (last - first), 0, 1)
