"""Formats whose libraries are optional: JPEG XL, OpenEXR and camera raw.

JPEG XL (the extra jxl) is decoded and encoded by OpenImageIO, with EXIF and XMP in boxes. OpenImageIO decodes a picture
when it opens it, and opens only named files. So its limit is first one megabyte: it refuses a larger picture with its
size, which is checked before decoding is allowed. Colours follow libjxl: sRGB and Display P3, with their curve or
linear, by number; all others by their ICC profile. The decoder applies the codestream's orientation; EXIF only repeats
it (ISO/IEC 18181-2, 9.5).

OpenEXR (the extra exr) holds linear light as floats, with its primaries, but no EXIF, XMP or IPTC. The channels R, G, B
(and A, which premultiplies them), or Y, are read; R, G, B are written. Reference: OpenEXR's "Standard Attributes"
(chromaticities), and "Technical Introduction", alpha.

Camera raw files (the extra raw) are developed by LibRaw.
"""

import re
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from io import BytesIO, StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32, require
from wideopen.color import DISPLAY_P3, SRGB, SRGB_LINEAR, Encoding, linear, primaries_to_xyz_d50, to_srgb_matrix
from wideopen.files.containers import Pieces
from wideopen.files.containers.isobmff import boxes
from wideopen.files.containers.tiff import exif_of_tiff
from wideopen.files.raster import Raster, SizeCheck, several
from wideopen.photo import Metadata

_LOCK = threading.Lock()  # OpenImageIO's limit is a global setting
_LIMIT = "limits:imagesize_MB"
_LARGEST_PIXEL = 16  # bytes: RGBA floats
_SIZE = re.compile(r"\b(\d+)x(\d+)\b")  # in the message that refuses a large picture
_SHORTEST = 128  # bytes in the shortest file that OpenImageIO accepts
_LARGEST_BOX = 16 * 2**20  # of unpacked metadata
_SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"
_CONTAINER = _SIGNATURE + b"\0\0\0\x14ftypjxl \0\0\0\0jxl "
_PRIMARIES = {0: SRGB, 1: SRGB, 12: DISPLAY_P3}  # ITU-T H.273; 0 for a grey picture
_LINEAR, _SRGB, _HDR = 8, 13, {16: "PQ", 18: "HLG"}
_DEPTHS = {np.dtype(np.uint8): 8, np.dtype(np.uint16): 16, np.dtype(np.float32): 32}
_EFFORT = 4  # of 9
_CLIPPED = 0.001  # of a raw file's pixels


def decode_jxl(data: bytes, check_size: SizeCheck) -> Raster:
    """Return the picture of a JPEG XL file; the last one of an animation."""
    with TemporaryDirectory() as folder, _LOCK, _own_limit():
        path = Path(folder) / "photo.jxl"
        path.write_bytes(data.ljust(_SHORTEST, b"\0"))
        file = _opened(path, check_size)
        spec = file.spec()
        codes = file.read_image(spec.format)
        file.close()
    if codes is None:
        raise ValueError("its pixels cannot be decoded")
    encoding, icc = _jxl_colours(spec)
    codes = codes.astype(np.float32) if codes.dtype == np.float16 else codes
    depth = _DEPTHS.get(codes.dtype)
    if depth is None or codes.ndim != 3 or codes.shape[2] > 4:
        raise ValueError(f"expected grey or RGB of 8 or 16 bits or floats, found {codes.dtype} {codes.shape}")
    codes = codes[..., 0] if codes.shape[2] == 1 else codes
    damaged = data.startswith(_SIGNATURE) and max(end for _, _, end in boxes(data)) != len(data)
    notes = ("the end of the file is damaged, what stood there is ignored",) if damaged else ()
    raster = Raster(codes=codes, bit_depth=depth, format="JPEG XL", encoding=encoding, icc=icc, notes=notes)
    return replace(raster.with_metadata(*_jxl_metadata(data)), orientation=None)


def encode_jxl(codes: NDArray[Any], attached: Metadata, *, quality: int | None) -> Pieces:
    """Return the pieces of a JPEG XL file of `codes` (H, W, 3), uint8 or uint16; quality 100 is lossless.

    Without a profile the codes are sRGB.
    """
    import OpenImageIO

    height, width, channels = codes.shape
    spec = OpenImageIO.ImageSpec(width, height, channels, str(codes.dtype))
    spec.attribute("compression", f"jpegxl:{quality}")
    spec.attribute("jpegxl:effort", _EFFORT)
    spec.attribute("jpegxl:use_boxes", 0)
    if attached.icc is not None:
        kind = OpenImageIO.TypeDesc(f"uint8[{len(attached.icc)}]")
        spec.attribute("ICCProfile", kind, np.frombuffer(attached.icc, np.uint8))
    with TemporaryDirectory() as folder:  # the library writes only to named files
        path = Path(folder) / "result.jxl"
        file = OpenImageIO.ImageOutput.create(str(path))
        done = file is not None and file.open(str(path), spec) and file.write_image(codes) and file.close()
        stream = path.read_bytes() if done else b""
    if not stream:
        raise ValueError("no JPEG XL could be made")
    pieces: Pieces = [stream]
    if not stream.startswith(_SIGNATURE):
        pieces = [_CONTAINER, struct.pack(">I4sQ", 1, b"jxlc", len(stream) + 16), stream]
    if attached.exif is not None:
        pieces += [struct.pack(">I4sI", len(attached.exif) + 12, b"Exif", 0), attached.exif]
    if attached.xmp is not None:
        pieces += [struct.pack(">I4s", len(attached.xmp) + 8, b"xml "), attached.xmp]
    return pieces


@contextmanager
def _own_limit() -> Iterator[None]:
    import OpenImageIO

    before = OpenImageIO.get_int_attribute(_LIMIT)
    try:
        yield
    finally:
        OpenImageIO.attribute(_LIMIT, before)


def _opened(path: Path, check_size: SizeCheck) -> Any:
    """Open and decode the file after checking its size."""
    import OpenImageIO

    plain = OpenImageIO.ImageSpec()
    plain.attribute("oiio:UnassociatedAlpha", 1)
    OpenImageIO.attribute(_LIMIT, 1)
    file = OpenImageIO.ImageInput.open(str(path), plain)
    if file is None:
        error = OpenImageIO.geterror()
        found = _SIZE.search(error)
        if found is None:
            raise ValueError(error)
        width, height = map(int, found.groups())
        check_size(width, height)
        OpenImageIO.attribute(_LIMIT, width * height * _LARGEST_PIXEL // 2**20 + 1)
        file = OpenImageIO.ImageInput.open(str(path), plain)
    if file is None:
        raise ValueError(OpenImageIO.geterror())
    check_size(file.spec().width, file.spec().height)
    return file


def _jxl_colours(spec: Any) -> tuple[Encoding | None, bytes | None]:
    """Return the encoding in the file, or its profile. Refuses HDR."""
    primaries, transfer = (spec.getattribute("CICP") or (2, 2))[:2]
    require(transfer not in _HDR, f"expected a photo of standard range, found HDR ({_HDR.get(transfer)})")
    if primaries in _PRIMARIES and transfer in (_LINEAR, _SRGB):
        known = _PRIMARIES[primaries]
        return (linear(known) if transfer == _LINEAR else known), None
    profile = spec.getattribute("ICCProfile")
    return (SRGB, None) if profile is None else (None, np.asarray(profile, np.uint8).tobytes())


def _jxl_metadata(data: bytes) -> tuple[bytes | None, bytes | None]:
    """The EXIF (from its TIFF header on) and XMP in a container's boxes."""
    found: dict[bytes, bytes] = {}
    for kind, start, end in boxes(data) if data.startswith(_SIGNATURE) else ():
        packed = kind == b"brob"
        name = data[start : start + 4] if packed else kind
        if name in (b"Exif", b"xml "):
            found.setdefault(name, _brotli(data[start + 4 : end]) if packed else data[start:end])
    return found.get(b"Exif", b"")[4:] or None, found.get(b"xml ")


def _brotli(packed: bytes) -> bytes:
    import imagecodecs

    try:
        return bytes(imagecodecs.brotli_decode(packed, out=_LARGEST_BOX))
    except (RuntimeError, ValueError):
        return b""


def decode_exr(data: bytes, check_size: SizeCheck) -> Raster:
    """Return the first part of an OpenEXR file."""
    import OpenEXR

    with OpenEXR.File(BytesIO(data), header_only=True) as file:
        low, high = file.header()["dataWindow"]
        check_size(int(high[0]) - int(low[0]) + 1, int(high[1]) - int(low[1]) + 1)
        count = len(file.parts)
    # The library prints errors to stdout, which may carry JSON output, and continues without pixels.
    with redirect_stdout(StringIO()), OpenEXR.File(BytesIO(data), separate_channels=True) as file:
        codes = _exr_codes({name: channel.pixels for name, channel in file.channels().items()})
        encoding, notes = _exr_encoding(file.header().get("chromaticities"))  # no header once the file is closed
    return Raster(codes=codes, bit_depth=32, format="OpenEXR", encoding=encoding, notes=notes + several(count))


def _exr_codes(channels: dict[str, NDArray[Any]]) -> F32:
    colour = ("R", "G", "B") if all(name in channels for name in "RGB") else ("Y",)
    require(colour[0] in channels, f"expected channels R, G, B or Y, found {', '.join(sorted(channels)) or 'none'}")
    shapes = {channels[name].shape for name in colour}
    require(len(shapes) == 1, "expected channels of one size, found some at a lower resolution")
    names = (*colour, "A") if "A" in channels and channels["A"].shape in shapes else colour
    codes = np.stack([channels[name].astype(np.float32) for name in names], axis=-1)
    if names[-1] == "A":
        codes[..., :-1] /= np.maximum(codes[..., -1:], np.float32(1e-6))
    return codes if len(names) > 1 else codes[..., 0]


def _exr_encoding(chromaticities: Any) -> tuple[Encoding, tuple[str, ...]]:
    """Return (the encoding, notes) for the CIE xy of R, G, B and white in the header, if any."""
    if chromaticities is None:
        return SRGB_LINEAR, ()
    numbers = np.array(chromaticities, np.float64).reshape(-1)
    try:
        xyz = primaries_to_xyz_d50(numbers[:6].reshape(3, 2).tolist(), numbers[6:8].tolist())
        if not np.isfinite(xyz).all() or abs(np.linalg.det(xyz)) < 1e-3:
            raise ValueError("no basis")
    except (ValueError, ArithmeticError, np.linalg.LinAlgError):
        return SRGB_LINEAR, ("primaries of the OpenEXR file unusable; treated as sRGB's",)
    return Encoding("linear primaries of OpenEXR", SRGB_LINEAR.curves, to_srgb_matrix(xyz)), ()


def encode_exr(light: NDArray[Any], primaries: tuple[float, ...]) -> Pieces:
    """Return the pieces of an OpenEXR file of linear `light` (H, W, 3), float16 or float32.

    `primaries` are the CIE xy of R, G, B and white: 8 numbers.
    """
    import OpenEXR

    header = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "chromaticities": primaries,
    }
    with TemporaryDirectory() as folder:  # the library writes only to named files
        path = Path(folder) / "result.exr"
        with OpenEXR.File(header, {"RGB": np.ascontiguousarray(light)}) as file:
            file.write(str(path))
        return [path.read_bytes()]


def decode_raw(data: bytes, check_size: SizeCheck) -> Raster:
    """Return the photo of a camera raw file: 16-bit linear light in Display P3's primaries.

    The development is plain and upright: camera white balance, demosaicing, clipped highlights and no curve. The gain
    clips 0.1 % of the pixels; LibRaw's own clips 1 %, which removes the highlights that make bokeh.
    """
    import rawpy

    try:
        with rawpy.imread(BytesIO(data)) as raw:
            check_size(raw.sizes.width, raw.sizes.height)
            codes = raw.postprocess(
                gamma=(1, 1),
                output_bps=16,
                output_color=rawpy.ColorSpace.P3D65,
                use_camera_wb=True,
                auto_bright_thr=_CLIPPED,
            )
    except rawpy.LibRawError as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise ValueError(reason) from error
    return Raster(
        codes=np.ascontiguousarray(codes),
        bit_depth=16,
        format="camera raw",
        exif=exif_of_tiff(data),
        encoding=linear(DISPLAY_P3),
        notes=("raw file developed plainly: the camera's white balance, no tone curve",),
    )
