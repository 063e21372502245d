"""Read and write mattes and disparity as files: one number per pixel, upright.

Map files hold plain numbers, not display-encoded light: a code is divided by the maximum of its type. The XMP of a
matte written by this project states its origin, so that a network's matte is recognised when it is given back.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32, require, require_unit_map
from wideopen.errors import InvalidInput
from wideopen.files.atomic import atomic_file, check_target
from wideopen.files.containers import png, tiff, xmp
from wideopen.files.formats import naming, read_bytes, readable_path
from wideopen.files.raster import grey, require_aspect
from wideopen.files.read import load_raster
from wideopen.matting import Outline
from wideopen.photo import Metadata

MAP_EXTENSIONS = (".png", ".tif", ".tiff", ".npy")
MAX_MAP_MEGAPIXELS = 400.0  # the largest picture of a map; its size may differ from the photo's
OUTLINE = "MatteOutline"  # property of XMP in the namespace of this project


def stated_outline(properties: Mapping[str, Any]) -> Outline | None:
    """Return what `properties` say about a matte's outline; None if nothing known."""
    with suppress(KeyError, ValueError):
        return Outline(properties[OUTLINE])
    return None


def read_matte(
    path: str | os.PathLike[str], *, size: tuple[int, int], max_megapixels: float = MAX_MAP_MEGAPIXELS
) -> F32:
    """Return the alpha (H, W) in [0, 1] at `path`, resized to `size` (H, W).

    The file is a grey picture (1 = subject), a cutout, whose transparency is used, or a `.npy` of floats in [0, 1].
    Raises InvalidInput for a coloured opaque picture, another aspect, too many pixels, or an unreadable file.
    """
    return read_matte_and_outline(path, size=size, max_megapixels=max_megapixels)[0]


def read_matte_and_outline(
    path: str | os.PathLike[str], *, size: tuple[int, int], max_megapixels: float
) -> tuple[F32, Outline | None]:
    """Return the alpha as `read_matte` does, and its origin if the file states it."""
    return _read(readable_path(path), "a matte", size, max_megapixels, transparency=True)


def read_disparity(
    path: str | os.PathLike[str], *, size: tuple[int, int], max_megapixels: float = MAX_MAP_MEGAPIXELS
) -> F32:
    """Return the disparity (H, W) in [0, 1], 1 = nearest, at `path`, resized to `size` (H, W).

    The file is a grey picture, or a `.npy` of floats in [0, 1]. Raises InvalidInput for values outside the range, NaN,
    another aspect, too many pixels, or an unreadable file.
    """
    return _read(readable_path(path), "a disparity map", size, max_megapixels, transparency=False)[0]


def read_depth_m(path: str | os.PathLike[str], *, size: tuple[int, int]) -> F32:
    """Return the disparity (H, W) in [0, 1], 1 = nearest, of the metric depth in a `.npy` file.

    Depth is in metres and may be infinite; `depth_map.from_depth_m` converts it. Raises InvalidInput for NaN, depth
    <= 0, another aspect, or an unreadable file.
    """
    file = readable_path(path)
    require(file.suffix.lower() == ".npy", f"{file}: expected depth in metres as a .npy file")
    from wideopen.disparity.depth_map import from_depth_m

    with naming(file):
        return _fit(from_depth_m(_load_npy(file, "depth in metres")), size)


def write_map(
    path: str | os.PathLike[str], values: F32, *, outline: Outline | None = None, overwrite: bool = False
) -> Path:
    """Write `values` (H, W) in [0, 1] to `path` and return it.

    `.png` and `.tif` hold 16-bit grey and, of a matte, its `outline`; `.npy` holds float32. Raises InvalidInput for
    another extension or range, an existing file (unless `overwrite`), or a folder that cannot be written.
    """
    file = readable_path(path)
    kind = file.suffix.lower()
    require(kind in MAP_EXTENSIONS, f"{file}: expected a map as .png, .tif or .npy, found {kind or 'no extension'}")
    check_target(file, overwrite=overwrite)
    checked = require_unit_map("map", values)
    with atomic_file(file, overwrite=overwrite) as out:
        if kind == ".npy":
            np.save(out, checked, allow_pickle=False)
        else:
            encode = png.encode_png if kind == ".png" else tiff.encode_tiff
            stated = {} if outline is None else {f"wideopen:{OUTLINE}": outline.value}
            packet = xmp.with_description(None, {"wideopen": xmp.OURS}, stated) if stated else None
            out.writelines(encode(np.rint(checked * np.float32(65535)).astype(np.uint16), Metadata(xmp=packet)))
    return file


def _read(
    file: Path, expected: str, size: tuple[int, int], max_megapixels: float, *, transparency: bool
) -> tuple[F32, Outline | None]:
    """The map (H, W) in [0, 1] in `file`, and its outline if stated; transparency is refused unless `transparency`."""
    outline = None
    with naming(file):
        if file.suffix.lower() == ".npy":
            values: NDArray[Any] = _load_npy(file, expected)
        else:
            raster = load_raster(file, max_megapixels=max_megapixels, expected=expected)
            require(transparency or raster.alpha is None, "expected a grey disparity map, found transparency")
            values = grey(raster.codes, raster.top) / np.float32(raster.top) if raster.alpha is None else raster.alpha
            with suppress(InvalidInput):
                stated = xmp.parse_xmp(raster.xmp)
                outline = stated_outline({name.removeprefix(f"{{{xmp.OURS}}}"): text for name, text in stated.items()})
        return _fit(require_unit_map(str(file), np.asarray(values, np.float32)), size), outline


def _load_npy(file: Path, expected: str) -> F32:
    data = read_bytes(file, expected=expected)
    try:
        array = np.load(BytesIO(data), allow_pickle=False)
    except (EOFError, OSError, ValueError, TypeError, SyntaxError, MemoryError) as error:
        raise InvalidInput(f"expected {expected}, found no readable .npy file") from error
    found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "an archive"
    fits = isinstance(array, np.ndarray) and array.ndim == 2 and array.dtype.kind == "f"
    require(fits, f"expected {expected}, floats of shape (H, W), found {found}")
    require(array.size > 0, f"expected at least one pixel, found shape {array.shape}")
    with np.errstate(over="ignore"):  # values beyond float32 become infinity
        return np.ascontiguousarray(array, np.float32)


def _fit(values: F32, size: tuple[int, int]) -> F32:
    """Return `values` resized to `size` (H, W); InvalidInput if the aspect differs."""
    from wideopen.arrays.maps import resize_map

    require_aspect(values.shape, size)
    return np.clip(resize_map(values, size), 0, 1)
