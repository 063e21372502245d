"""Depth and mattes inside HEIC: auxiliary pictures, decoded by libheif, described by Apple's XMP.

Reference: ISO/IEC 23008-12, 6.4.4 (auxiliary images); for depth without Apple's XMP ISO/IEC 23008-2, G.14.2.6 (depth
representation information), of which only near and far are taken: its units are not metres.
"""

from typing import Any

import numpy as np

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.files.containers.isobmff import Items, parse_items
from wideopen.files.decode_pillow import strict_pillow
from wideopen.files.inside.apple import auxiliary_kind, part_of
from wideopen.files.inside.parts import Findings, Found, Part
from wideopen.files.inside.pixels import Codes, check_part_size, guarded
from wideopen.files.metadata.xmp_values import parse_xmp

__all__ = ["read_heif"]

_UNIFORM_Z = 2  # depth_representation_type
_MOST_PICTURES = 32  # each costs a decoding; phones store up to 8
_GAIN_MAP = "hdrgainmap"


def read_heif(data: bytes) -> Found:
    """Return what is in the HEIF file `data`; InvalidInput when it is no sound one."""
    with strict_pillow():
        file = guarded(lambda: _opened(data), "damaged or incomplete HEIC")
        width, height = file.size
        items = parse_items(data)
        parts, ignored, others = [], [], []
        found = items.auxiliary()
        if len(found) > _MOST_PICTURES:
            ignored.append(f"HEIC: expected at most {_MOST_PICTURES} auxiliary pictures, found {len(found)}")
        for item, urn in list(found.items())[:_MOST_PICTURES]:
            try:
                part = _part(file, items, item, urn)
            except InvalidInput as error:
                ignored.append(f"HEIC auxiliary picture {urn.rsplit(':', 1)[-1]}: {error}")
                continue
            if part is None:
                others.append(f"HEIC auxiliary picture: {_other(urn)}")
            else:
                parts.append(part)
    findings = Findings(parts=tuple(parts), ignored=tuple(ignored), others=tuple(others))
    return Found(size=(height, width), findings=findings)  # libheif has turned all of them


def _opened(data: bytes) -> Any:
    import pillow_heif

    file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False)
    require(len(file) > 0, "expected a picture in the HEIC, found none that can be read")
    return file


def _other(urn: str) -> str:
    return "a gain map for HDR" if _GAIN_MAP in urn else f"of a kind that is not read ({urn})"


def _part(file: Any, items: Items, item: int, urn: str) -> Part | None:
    packet = items.xmp_of(item)
    xmp = parse_xmp(packet) if packet else {}
    role = auxiliary_kind(xmp, urn)
    if role is None:
        return None
    require(items.turns(item) == items.turns(items.primary), "stored without the turn that the photo has")
    only = _only_depth(file, items) if role == "depth" else None
    if only is not None and not xmp:
        _require_disparity(only)
    return part_of(role, _codes(file, item, only), xmp, container="HEIC auxiliary")


def _only_depth(file: Any, items: Items) -> Any:
    """libheif's depth picture with its metadata, where it can be only one: of several it lists the last."""
    listed = file.info.get("depth_images") or []
    depths = [urn for urn in items.auxiliary().values() if auxiliary_kind({}, urn) == "depth"]
    return listed[0] if len(listed) == len(depths) == 1 else None


def _codes(file: Any, item: int, depth: Any) -> Codes:
    """The picture (h, w); deeper ones than 8 bits, which libheif gives for depth only, come stretched to 16."""
    picture = depth if depth is not None else guarded(lambda: file.get_aux_image(item), "cannot be opened")
    check_part_size(*picture.size)
    codes = guarded(lambda: np.array(picture), "damaged or incomplete")
    require(codes.ndim == 2, f"expected a grey picture, found {codes.shape}")
    return codes


def _require_disparity(depth: Any) -> None:
    """Refuse what the picture's own codes count as distance: their direction is not told."""
    told = depth.info.get("metadata") or {}
    require(told.get("representation_type") != _UNIFORM_Z, "expected disparity, found distances without a unit")
