"""OpenEXR reader and writer: linear light as floats, with its primaries (the extra exr).

It reads the channels R, G, B (and A, which premultiplies them), or Y. It writes R, G, B: half floats for photos of up
to 10 bits, full floats above. OpenEXR cannot hold EXIF, XMP or IPTC. Reference: OpenEXR's "Standard Attributes"
(chromaticities), and "Technical Introduction", alpha.
"""

from contextlib import redirect_stdout
from io import BytesIO, StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32, require
from wideopen.color import SRGB_LINEAR, Encoding, primaries_to_xyz_d50, to_srgb_matrix
from wideopen.files.raster import Raster, SizeCheck, several

_LARGEST_HALF = 65504.0


def decode_exr(data: bytes, check_size: SizeCheck) -> Raster:
    """Return the first part of an OpenEXR file."""
    import OpenEXR

    with OpenEXR.File(BytesIO(data), header_only=True) as file:
        low, high = file.header()["dataWindow"]
        check_size(int(high[0]) - int(low[0]) + 1, int(high[1]) - int(low[1]) + 1)
        count = len(file.parts)
    # The library prints errors to stdout, which may carry JSON output, and continues without pixels.
    with redirect_stdout(StringIO()), OpenEXR.File(BytesIO(data), separate_channels=True) as file:
        codes = _codes({name: channel.pixels for name, channel in file.channels().items()})
        encoding, notes = _encoding(file.header())  # empty once the file is closed
    notes += several(count)
    return Raster(codes=codes, bit_depth=32, format="OpenEXR", encoding=encoding, notes=notes)


def _codes(channels: dict[str, NDArray[Any]]) -> F32:
    colour = ("R", "G", "B") if all(name in channels for name in "RGB") else ("Y",)
    require(colour[0] in channels, f"expected channels R, G, B or Y, found {', '.join(sorted(channels)) or 'none'}")
    shapes = {channels[name].shape for name in colour}
    require(len(shapes) == 1, "expected channels of one size, found some at a lower resolution")
    names = (*colour, "A") if "A" in channels and channels["A"].shape in shapes else colour
    codes = np.stack([channels[name].astype(np.float32) for name in names], axis=-1)
    if names[-1] == "A":
        codes[..., :-1] /= np.maximum(codes[..., -1:], np.float32(1e-6))
    return codes if len(names) > 1 else codes[..., 0]


def _encoding(header: dict[str, Any]) -> tuple[Encoding, tuple[str, ...]]:
    stored = header.get("chromaticities")
    if stored is None:
        return SRGB_LINEAR, ()
    numbers = np.array(stored, np.float64).reshape(-1)  # xy of R, G, B, white
    try:
        xyz = primaries_to_xyz_d50(numbers[:6].reshape(3, 2).tolist(), numbers[6:8].tolist())
        if not np.isfinite(xyz).all() or abs(np.linalg.det(xyz)) < 1e-3:
            raise ValueError("no basis")
    except (ValueError, ArithmeticError, np.linalg.LinAlgError):
        return SRGB_LINEAR, ("primaries of the OpenEXR file unusable; treated as sRGB's",)
    return Encoding("linear primaries of OpenEXR", SRGB_LINEAR.curves, to_srgb_matrix(xyz)), ()


def encode_exr(light: NDArray[Any], *, primaries: tuple[float, ...] | None) -> list[bytes | memoryview]:
    """Return the pieces of an OpenEXR file of linear `light` (H, W, 3), float16 or float32."""
    import OpenEXR

    header: dict[str, Any] = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    if primaries is not None:
        header["chromaticities"] = tuple(float(v) for v in primaries)
    with TemporaryDirectory() as folder:  # the library writes only to named files
        path = Path(folder) / "result.exr"
        with OpenEXR.File(header, {"RGB": np.ascontiguousarray(light)}) as file:
            file.write(str(path))
        return [path.read_bytes()]


def half(light: F32) -> NDArray[np.float16]:
    """Return `light` as half floats; larger values become the largest half float."""
    return np.minimum(light, np.float32(_LARGEST_HALF)).astype(np.float16)
