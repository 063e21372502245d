"""Formats whose libraries are optional: JPEG XL, OpenEXR and camera raw.

OpenImageIO (the extras jxl and exr) decodes a picture when it opens it, and opens only named files. So its limit is
first one megabyte: it refuses a larger picture with its size, which is checked before decoding is allowed.

JPEG XL holds EXIF and XMP in boxes. Colours follow libjxl: sRGB and Display P3, with their curve or linear, by number;
all others by their ICC profile. The decoder applies the codestream's orientation; EXIF only repeats it (ISO/IEC
18181-2, 9.5).

OpenEXR holds linear light as floats, with its primaries, but no EXIF, XMP or IPTC. The channels R, G, B (and A, which
premultiplies them), or Y, are read; R, G, B are written. Reference: OpenEXR's "Standard Attributes" (chromaticities),
and "Technical Introduction", alpha.

LibRaw (the extra raw) develops camera raw files.
"""

import re
import struct
import threading
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import require
from wideopen.color import DISPLAY_P3, SRGB, SRGB_LINEAR, Encoding, linear, primaries_to_xyz_d50, to_srgb_matrix
from wideopen.files.containers import Pieces
from wideopen.files.containers.isobmff import boxes
from wideopen.files.containers.tiff import exif_of_tiff
from wideopen.files.raster import Raster, SizeCheck, several
from wideopen.photo import Metadata

_LOCK = threading.Lock()  # OpenImageIO's limit is a global setting
_LIMIT = "limits:imagesize_MB"
_LARGEST_CHANNEL = 4  # bytes
_SIZE = re.compile(r"\b(\d+)x(\d+), (\d+)-channel")  # in the message that refuses a large picture
_SHORTEST = 128  # bytes in the shortest file that OpenImageIO accepts
_MOST_CHANNELS = 4  # that are read; OpenImageIO puts R, G, B and A first
_LARGEST_BOX = 16 * 2**20  # of unpacked metadata
_SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"
_CONTAINER = _SIGNATURE + b"\0\0\0\x14ftypjxl \0\0\0\0jxl "
_PRIMARIES = {0: SRGB, 1: SRGB, 12: DISPLAY_P3}  # ITU-T H.273; 0 for a grey picture
_LINEAR, _SRGB, _HDR = 8, 13, {16: "PQ", 18: "HLG"}
_DEPTHS = {np.dtype(np.uint8): 8, np.dtype(np.uint16): 16, np.dtype(np.float32): 32}
_EFFORT = 4  # of 9
_CLIPPED = 0.001  # of a raw file's pixels


def _decoded(data: bytes, name: str, check_size: SizeCheck) -> tuple[Any, NDArray[Any]]:
    """Return OpenImageIO's (spec, codes (H, W, C)) of a file, whose extension is that of `name`."""
    import OpenImageIO

    with TemporaryDirectory() as folder, _LOCK:
        path = Path(folder) / name
        path.write_bytes(data.ljust(_SHORTEST, b"\0"))
        before = OpenImageIO.get_int_attribute(_LIMIT)
        OpenImageIO.attribute(_LIMIT, 1)
        try:
            file = _opened(path)
            if isinstance(file, str):
                found = _SIZE.search(file)
                if found is None:
                    raise ValueError(file)
                width, height, channels = map(int, found.groups())
                check_size(width, height)
                OpenImageIO.attribute(_LIMIT, width * height * channels * _LARGEST_CHANNEL // 2**20 + 1)
                file = _opened(path)
            if isinstance(file, str):
                raise ValueError(file)
            spec = file.spec()
            check_size(spec.width, spec.height)
            codes = file.read_image(0, 0, 0, min(spec.nchannels, _MOST_CHANNELS), spec.format)
            file.close()
        finally:
            OpenImageIO.attribute(_LIMIT, before)
    if codes is None:
        raise ValueError("its pixels cannot be decoded")
    return spec, codes.astype(np.float32) if codes.dtype == np.float16 else codes


def _opened(path: Path) -> Any:
    """Return OpenImageIO's file at `path`, or the reason why it cannot be opened."""
    import OpenImageIO

    plain = OpenImageIO.ImageSpec()
    plain.attribute("oiio:UnassociatedAlpha", 1)
    return OpenImageIO.ImageInput.open(str(path), plain) or OpenImageIO.geterror().replace(f"{path.parent}/", "")


def _encoded(codes: NDArray[Any], spec: Any, name: str) -> bytes:
    """Return the bytes of OpenImageIO's file of `codes` (H, W, 3), in the format of the extension of `name`."""
    import OpenImageIO

    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        file = OpenImageIO.ImageOutput.create(str(path))
        done = file is not None and file.open(str(path), spec) and file.write_image(codes) and file.close()
        if not done:
            raise ValueError(OpenImageIO.geterror() or "no file could be made")
        return path.read_bytes()


def decode_jxl(data: bytes, check_size: SizeCheck) -> Raster:
    """Return the picture of a JPEG XL file; the last one of an animation."""
    spec, codes = _decoded(data, "photo.jxl", check_size)
    encoding, icc = _jxl_colours(spec)
    depth = _DEPTHS.get(codes.dtype)
    if depth is None or spec.nchannels > 4:
        found = f"{spec.nchannels} channels of {codes.dtype}"
        raise ValueError(f"expected grey or RGB of 8 or 16 bits or floats, found {found}")
    codes = codes[..., 0] if codes.shape[2] == 1 else codes
    damaged = data.startswith(_SIGNATURE) and max(end for _, _, end in boxes(data)) != len(data)
    notes = ("the end of the file is damaged and ignored",) if damaged else ()
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
    stream = _encoded(codes, spec, "result.jxl")
    pieces: Pieces = [stream]
    if not stream.startswith(_SIGNATURE):
        pieces = [_CONTAINER, struct.pack(">I4sQ", 1, b"jxlc", len(stream) + 16), stream]
    if attached.exif is not None:
        pieces += [struct.pack(">I4sI", len(attached.exif) + 12, b"Exif", 0), attached.exif]
    if attached.xmp is not None:
        pieces += [struct.pack(">I4s", len(attached.xmp) + 8, b"xml "), attached.xmp]
    return pieces


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
    spec, codes = _decoded(data, "photo.exr", check_size)
    channels = dict(zip(spec.channelnames, np.moveaxis(codes, 2, 0), strict=False))
    colour = ("R", "G", "B") if all(name in channels for name in "RGB") else ("Y",)
    require(colour[0] in channels, f"expected channels R, G, B or Y, found {', '.join(sorted(spec.channelnames))}")
    light = np.stack([channels[name] for name in (*colour, "A") if name in channels], axis=-1).astype(np.float32)
    if "A" in channels:
        light[..., :-1] /= np.maximum(light[..., -1:], np.float32(1e-6))
    light = light[..., 0] if light.shape[2] == 1 else light
    encoding, notes = _exr_encoding(spec.getattribute("chromaticities"))
    notes += several(spec.getattribute("oiio:subimages") or 1)
    return Raster(codes=light, bit_depth=32, format="OpenEXR", encoding=encoding, notes=notes)


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
    import OpenImageIO

    height, width, channels = light.shape
    spec = OpenImageIO.ImageSpec(width, height, channels, "half" if light.dtype == np.float16 else "float")
    spec.attribute("compression", "zip")
    spec.attribute("chromaticities", OpenImageIO.TypeDesc("float[8]"), primaries)
    spec.attribute("DateTime", "")  # the same light makes the same file
    return [_encoded(np.ascontiguousarray(light), spec, "result.exr")]


def decode_raw(data: bytes, check_size: SizeCheck) -> Raster:
    """Return the photo of a camera raw file: 16-bit linear light in Display P3's primaries.

    The development is plain and upright: camera white balance, demosaicing, clipped highlights and no curve. The gain
    clips 0.1 % of the pixels; LibRaw's own clips 1 %, which removes the highlights that make bokeh.
    """
    import rawpy

    try:
        with rawpy.imread(BytesIO(data)) as raw:
            check_size(raw.sizes.width, raw.sizes.height)
            how: Any = {"gamma": (1, 1), "output_bps": 16, "output_color": rawpy.ColorSpace.P3D65}
            codes = raw.postprocess(**how, use_camera_wb=True, auto_bright_thr=_CLIPPED)
    except rawpy.LibRawError as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise ValueError(reason) from error
    return Raster(
        codes=np.ascontiguousarray(codes),
        bit_depth=16,
        format="camera raw",
        exif=exif_of_tiff(data),
        encoding=linear(DISPLAY_P3),
        notes=("raw file developed with the camera's white balance and without a tone curve",),
    )
