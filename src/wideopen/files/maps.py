"""Mattes and disparity read from and written to files: one number per pixel, upright.

Map files hold plain numbers, not display-encoded light: a code is divided by the maximum of its type.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32, require, require_unit_map
from wideopen.errors import InvalidInput
from wideopen.files.atomic import atomic_file, check_target
from wideopen.files.decode import load_raster
from wideopen.files.formats import read_bytes, readable_path
from wideopen.files.raster import Raster, require_aspect

__all__ = ["read_depth_m", "read_disparity", "read_matte", "write_map"]

MAX_MAP_MEGAPIXELS = 400.0
"""The largest picture of a map; its size may differ from the photo's."""
_GREY_TOLERANCE = 0.02  # of full scale: lossy formats store grey as nearly grey


def read_matte(
    path: str | os.PathLike[str], *, size: tuple[int, int], max_megapixels: float = MAX_MAP_MEGAPIXELS
) -> F32:
    """Return the alpha (H, W) in [0, 1] at `path`, resized to `size` (H, W).

    The file is a grey picture (1 = subject), a cutout, whose transparency is used, or a `.npy` of floats in [0, 1].
    Raises InvalidInput for a coloured opaque picture, another aspect, too many pixels, or an unreadable file.
    """
    return _read(readable_path(path), "a matte", size, max_megapixels, transparency=True)


def read_disparity(
    path: str | os.PathLike[str], *, size: tuple[int, int], max_megapixels: float = MAX_MAP_MEGAPIXELS
) -> F32:
    """Return the disparity (H, W) in [0, 1], 1 = nearest, at `path`, resized to `size` (H, W).

    The file is a grey picture, or a `.npy` of floats in [0, 1]. Raises InvalidInput for values outside the range, NaN,
    another aspect, too many pixels, or an unreadable file.
    """
    return _read(readable_path(path), "a disparity map", size, max_megapixels, transparency=False)


def read_depth_m(path: str | os.PathLike[str], *, size: tuple[int, int]) -> F32:
    """Return the disparity (H, W) in [0, 1], 1 = nearest, of the metric depth in a `.npy` file.

    Depth is in metres and may be infinite; `disparity.from_depth_m` converts it. Raises InvalidInput for NaN, depth <=
    0, another aspect, or an unreadable file.
    """
    file = readable_path(path)
    require(file.suffix.lower() == ".npy", f"{file}: expected depth in metres as a .npy file")
    from wideopen.disparity import from_depth_m

    depth = _load_npy(file, "depth in metres")
    try:
        disparity = from_depth_m(depth)
    except InvalidInput as error:
        raise InvalidInput(f"{file}: {error}") from error
    return _fit(file, disparity, size)


def write_map(path: str | os.PathLike[str], values: F32, *, overwrite: bool = False) -> Path:
    """Write `values` (H, W) in [0, 1] to `path` and return it.

    `.png` and `.tif` hold 16-bit grey, `.npy` float32. Raises InvalidInput for another extension or range, an existing
    file (unless `overwrite`), or a folder that cannot be written.
    """
    file = readable_path(path)
    kind = file.suffix.lower()
    require(
        kind in (".png", ".tif", ".tiff", ".npy"),
        f"{file}: expected a map as .png, .tif or .npy, found {kind or 'no extension'}",
    )
    check_target(file, overwrite=overwrite)
    checked = require_unit_map("map", values)
    with atomic_file(file, overwrite=overwrite) as out:
        if kind == ".npy":
            np.save(out, checked, allow_pickle=False)
            return file
        codes = np.rint(checked * np.float32(65535)).astype(np.uint16)
        for piece in _encoded(codes, kind):
            out.write(piece)
    return file


def _read(file: Path, expected: str, size: tuple[int, int], max_megapixels: float, *, transparency: bool) -> F32:
    """The map (H, W) in [0, 1] in `file`; transparency, if any, is the map with `transparency`, else refused."""
    if file.suffix.lower() == ".npy":
        values: NDArray[Any] = _load_npy(file, expected)
    else:
        raster = load_raster(file, max_megapixels=max_megapixels, expected=expected)
        see_through = raster.has_alpha and int(raster.codes[..., -1].min()) < raster.top
        require(transparency or not see_through, f"{file}: expected a grey disparity map, found transparency")
        codes = raster.codes[..., -1] if see_through else _grey(file, raster)
        values = codes / np.float32(raster.top)
    return _fit(file, require_unit_map(str(file), np.asarray(values, np.float32)), size)


def _encoded(codes: NDArray[np.uint16], kind: str) -> list[bytes | memoryview]:
    from wideopen.files.encode import ENCODERS, Attached

    return ENCODERS["PNG" if kind == ".png" else "TIFF"](codes, Attached(), None)


def _grey(file: Path, raster: Raster) -> NDArray[Any]:
    codes = raster.codes
    if codes.ndim == 2:
        return codes
    if codes.shape[2] == 2:
        return codes[..., 0]
    spread = float((codes[..., :3].max(axis=2) - codes[..., :3].min(axis=2)).max())
    require(
        spread <= _GREY_TOLERANCE * raster.top,
        f"{file}: expected a grey map, found colours (channels differ by {spread:g})",
    )
    return codes[..., 1]


def _load_npy(file: Path, expected: str) -> F32:
    from io import BytesIO

    data = read_bytes(file, expected=expected)
    try:
        array = np.load(BytesIO(data), allow_pickle=False)
    except (EOFError, OSError, ValueError, TypeError, SyntaxError, MemoryError) as error:
        raise InvalidInput(f"{file}: expected {expected}, found no readable .npy file") from error
    found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "an archive"
    require(
        isinstance(array, np.ndarray) and array.ndim == 2 and array.dtype.kind == "f",
        f"{file}: expected {expected}, floats of shape (H, W), found {found}",
    )
    require(array.size > 0, f"{file}: expected at least one pixel, found shape {array.shape}")
    with np.errstate(over="ignore"):  # values beyond float32 become infinity
        return np.ascontiguousarray(array, np.float32)


def _fit(file: Path, values: F32, size: tuple[int, int]) -> F32:
    """Return `values` resized to `size` (H, W); InvalidInput if the aspect differs."""
    height, width = size
    rows, columns = values.shape
    if (rows, columns) == size:
        return values
    require_aspect(values.shape, size, f"{file}: ")
    import cv2

    shrinks = rows > height or columns > width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(values, (width, height), interpolation=how)
    return np.asarray(np.clip(resized, 0, 1), np.float32)
