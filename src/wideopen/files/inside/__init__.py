"""Depth and mattes that phones store inside photos: read, assigned to their roles, turned upright.

An unusable part never fails the photo: it is left out, with a line in `Embedded.ignored`. docs/depth.md lists the
parts.
"""

import os
from dataclasses import replace

import numpy as np

from wideopen.checks import F32, require
from wideopen.errors import InvalidInput
from wideopen.files.containers.jpeg import JpegHead, read_head
from wideopen.files.formats import read_bytes, readable_path, sniff
from wideopen.files.inside.parts import Embedded, Findings, Part
from wideopen.files.raster import require_aspect, turn

_SAMSUNG = b"DualShot_DepthMap"


def read_embedded(path: str | os.PathLike[str]) -> Embedded:
    """Return depth and mattes inside the photo at `path`; an empty `Embedded` for formats without them.

    The photo itself is not decoded. Raises InvalidInput if the file cannot be read; any other problem is a line in
    `ignored`.
    """
    return embedded_in(read_bytes(readable_path(path), expected="a photo"))


def embedded_in(data: bytes) -> Embedded:
    """`read_embedded` for the bytes of a file."""
    name = sniff(data[:64])
    try:
        if name == "JPEG":
            head = read_head(data)
            return _assembled(_in_jpeg(data, head), head.size, head.orientation)
        if name == "HEIC":
            from wideopen.files.inside.apple import read_auxiliary

            size, found = read_auxiliary(data)
            return _assembled(found, size, orientation=1)  # libheif has already rotated them
    except InvalidInput as error:
        return Embedded(ignored=(str(error),))
    return Embedded()


def _in_jpeg(data: bytes, head: JpegHead) -> Findings:
    """Return Apple's appended pictures, Dynamic Depth and GDepth."""
    from wideopen.files.inside.apple import read_appended
    from wideopen.files.inside.google import read_dynamic_depth, read_gdepth

    found = Findings()
    read_appended(data, head, found)
    xmp, complaint = head.properties()
    found.ignored += [complaint] if complaint is not None else []
    read_dynamic_depth(data, xmp, found)
    read_gdepth(xmp, found)
    if data[-4:] == b"SEFT" and _SAMSUNG in data[-1_000_000:]:
        found.ignored.append("Samsung's trailer: holds a depth map in a format that is not published")
    return found


def _assembled(found: Findings, size: tuple[int, int], orientation: int) -> Embedded:
    """Return the first valid part of each role, upright; `size` (H, W) is the photo's before `orientation`."""
    kept: dict[str, Part] = {}
    for part in found.parts:
        if part.role in kept:
            found.others.append(f"{part.name}: a second one; {kept[part.role].name} is used")
            continue
        try:
            kept[part.role] = replace(part, values=_upright(part, size, orientation))
        except InvalidInput as error:
            found.ignored.append(f"{part.name}: {error}")
    depth, portrait = kept.pop("depth", None), kept.pop("portrait", None)
    return Embedded(
        depth=depth,
        portrait_matte=None if portrait is None else portrait.values,
        semantic={role: part.values for role, part in kept.items()},
        ignored=tuple(found.ignored),
        others=tuple(found.others),
    )


def _upright(part: Part, size: tuple[int, int], orientation: int) -> F32:
    """Check a part against the photo and rotate it as the photo is displayed."""
    require_aspect(part.values.shape, size)
    values = np.ascontiguousarray(turn(part.values, orientation), np.float32)
    if part.role != "depth":
        return np.clip(values, 0, 1)
    valid = np.isfinite(values)
    if part.kind == "depth_m":
        valid &= values > 0
    require(bool(valid.any()), "expected depth somewhere, found none that is valid")
    return values if valid.all() else np.where(valid, values, np.float32(np.nan))
