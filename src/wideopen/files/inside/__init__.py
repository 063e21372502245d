"""Depth and mattes that phones store inside photos: read, told apart, turned upright.

A part that cannot be used never fails the photo: it is left out with a line in `Embedded.ignored`. What is there:
docs/embedded.md.
"""

import os
from collections.abc import Callable

import numpy as np

from wideopen.checks import F32, require
from wideopen.errors import InvalidInput
from wideopen.files.formats import read_bytes, readable_path, sniff
from wideopen.files.inside.parts import DepthMap, Embedded, Found, Part

__all__ = ["DepthMap", "Embedded", "embedded_in", "read_embedded"]

_ASPECT_TOLERANCE = 0.01


def read_embedded(path: str | os.PathLike[str]) -> Embedded:
    """Return depth and mattes inside the photo at `path`; an empty `Embedded` for formats that hold none.

    The photo itself is not decoded. Raises InvalidInput when the file cannot be read; whatever else is wrong with it is
    a line in `ignored`.
    """
    return embedded_in(read_bytes(readable_path(path), expected="a photo"))


def embedded_in(data: bytes) -> Embedded:
    """`read_embedded` for the bytes of a file."""
    reader = _reader(sniff(data[:64]))
    if reader is None:
        return Embedded()
    try:
        return _assembled(reader(data))
    except InvalidInput as error:
        return Embedded(ignored=(str(error),))


def _reader(name: str | None) -> Callable[[bytes], Found] | None:
    if name == "JPEG":
        from wideopen.files.inside.in_jpeg import read_jpeg

        return read_jpeg
    if name == "HEIC":
        from wideopen.files.inside.in_heif import read_heif

        return read_heif
    return None


def _assembled(found: Found) -> Embedded:
    """The first sound part of each role, upright."""
    kept: dict[str, Part] = {}
    upright: dict[str, F32] = {}
    ignored, others = list(found.findings.ignored), list(found.findings.others)
    for part in found.findings.parts:
        if part.role in kept:
            others.append(f"{part.name}: a second one; {kept[part.role].name} is used")
            continue
        try:
            upright[part.role] = _upright(part, found)
        except InvalidInput as error:
            ignored.append(f"{part.name}: {error}")
            continue
        kept[part.role] = part
    depth = kept.get("depth")
    semantic = {role: values for role, values in upright.items() if role not in ("depth", "portrait")}
    return Embedded(
        depth=None if depth is None else _depth_map(depth, upright["depth"]),
        portrait_matte=upright.get("portrait"),
        semantic=semantic,
        ignored=tuple(ignored),
        others=tuple(others),
    )


def _depth_map(part: Part, values: F32) -> DepthMap:
    assert part.kind is not None  # readers of depth always say what they read
    return DepthMap(values=values, kind=part.kind, name=part.name, accuracy=part.accuracy)


def _upright(part: Part, found: Found) -> F32:
    """Check a part against the photo and turn it as the photo is displayed."""
    from wideopen.files.raster import turn

    height, width = found.size
    rows, columns = part.values.shape
    require(
        abs(rows - columns * height / width) <= max(_ASPECT_TOLERANCE * rows, 0.5),
        f"expected the aspect of the photo, {width} x {height}, found {columns} x {rows}",
    )
    values = np.ascontiguousarray(turn(part.values, found.orientation), np.float32)
    if part.role != "depth":
        return np.clip(values, 0, 1)
    valid = np.isfinite(values)
    if part.kind == "depth_m":
        valid &= values > 0
    require(bool(valid.any()), "expected depth somewhere, found none that is valid")
    return values if valid.all() else np.where(valid, values, np.float32(np.nan))
