"""Write linear light to photo files, with one encoder per format.

Encoders take codes (H, W, 3): uint8, uint16 if the format holds more than 8 bits, or floats of linear light if it holds
floats. They return the pieces of the file in order, with EXIF, ICC, XMP and IPTC.
"""

import hashlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32, require, require_rgb, require_unit_map
from wideopen.color import SRGB, SRGB_LINEAR, chromaticities, linear
from wideopen.errors import InvalidInput
from wideopen.files.atomic import atomic_file, check_target
from wideopen.files.containers import Pieces, isobmff, jpeg, png, tiff, xmp
from wideopen.files.containers.icc import build_profile
from wideopen.files.formats import FORMATS, format_of_extension, naming, readable_path, require_library
from wideopen.files.gain_metadata import SEGMENTS, code_map, with_list
from wideopen.files.optional import encode_exr, encode_jxl
from wideopen.files.refocusable import Keep, in_jpeg, sidecar_of, sidecar_pieces
from wideopen.hdr import GainMap, Hdr
from wideopen.photo import JpegCoding, Metadata, Photo

LOG = logging.getLogger(__name__)
HOLD_HDR = "JPEG, AVIF, OpenEXR and TIFF of 32 bits"
HdrOut = Literal["auto", "keep", "off"]
_PQ_STEPS = 2**15  # of the table, over the fourth root of light
_HALF_HOLDS = 10  # bits of display-encoded codes
_THUMBNAIL_PX, _THUMBNAIL_QUALITY = 160, 80
_AVIF_SPEED = 9  # 9 MP portrait: 0.7 s; speed 6 takes 4 s for 0.1 dB and 10 % less
# Of x265. The simplest choice of modes takes 0.9 of the time, for 0.03 dB and 1 % less; "superfast" takes three times
# as long for 1 dB and 4 % less. No blocks below 32 pixels: half the time, for 0.1 to 1.3 dB (of 50) and 1 to 15 % more.
# No larger ones than 16 would take half, too, but HEVC has none above 2.2 megapixels (level 5).
_HEIC_CODING = {"preset": "ultrafast", "x265:ctu": "32", "x265:min-cu-size": "32", "x265:rd": "1"}


def check_output(
    path: str | os.PathLike[str],
    *,
    like: Photo | None = None,
    quality: int | None = None,
    bits: int | None = None,
    overwrite: bool = False,
    keep: bool = False,
    hdr: HdrOut = "auto",
) -> Path:
    """Raise the InvalidInput that `write` would raise, before any work; return the path."""
    file = readable_path(path)
    name = check_format(file, quality=quality, bits=bits, hdr=hdr)
    check_target(file, inputs=[like.source] if like is not None and like.source else (), overwrite=overwrite)
    if keep and name != "JPEG":
        check_target(sidecar_of(file), overwrite=overwrite)
    return file


def check_format(file: Path, *, quality: int | None = None, bits: int | None = None, hdr: HdrOut = "auto") -> str:
    """Return the format of the extension of `file`.

    Raises InvalidInput if it cannot be written, lacks its library, or does not have that quality, bit depth or HDR.
    """
    name = format_of_extension(file)
    if quality is not None:
        require(FORMATS[name].quality is not None, f"{file}: {name} is lossless, expected no quality, found {quality}")
        require(1 <= quality <= 100, f"quality: expected 1 to 100, found {quality}")
    if bits is not None:
        known = " or ".join(map(str, FORMATS[name].bits))
        require(bits in FORMATS[name].bits, f"{file}: expected {known} bits in {name}, found {bits}")
    can = name in ("JPEG", "AVIF", "OpenEXR") or (name == "TIFF" and bits == 32)
    require(hdr != "keep" or can, f"{file}: expected {HOLD_HDR} for HDR, found {name}")
    with naming(file):
        require_library(name)
    return name


def write(
    path: str | os.PathLike[str],
    rgb: F32,
    *,
    like: Photo | None = None,
    quality: int | None = None,
    bits: int | None = None,
    overwrite: bool = False,
    keep: Keep | None = None,
    hdr: HdrOut = "auto",
) -> Path:
    """Write linear light `rgb` (H, W, 3) to `path`, in the format of its extension; return the path.

    `like` is the photo that `rgb` was made from: its encoding, EXIF, ICC profile, XMP and IPTC are kept, as are its
    depth if the format has it, and the tables and chroma of a JPEG. Without it the result is sRGB, 8 bits. `quality` is
    1 to 100 for JPEG (if None, as `like`, or 95), WebP, HEIC, AVIF and JPEG XL (100: lossless). `bits` per channel are
    those of `files.formats`; 32, and OpenEXR's 16, are floats of linear light. `keep` are the maps to store with
    the result so that it can be refocused: see `files.refocusable`.

    Light above white, if `like` has it (`Photo.hdr`), is kept by `hdr` "auto" in JPEG (as a gain map behind the
    standard picture), OpenEXR and TIFF of 32 bits, and in AVIF (as PQ) if the photo was coded as PQ or HLG itself;
    "keep" asks for it in AVIF of any photo, and of light without `like`; "off" writes the standard picture.

    Raises InvalidInput if the target exists (unless `overwrite`), is the photo's own file (always), cannot be written,
    has another extension, or needs a missing library. A failure leaves the folder unchanged.
    """
    how: dict[str, Any] = {"quality": quality, "bits": bits, "hdr": hdr}
    file = check_output(path, like=like, overwrite=overwrite, keep=keep is not None, **how)
    with atomic_file(file, overwrite=overwrite) as out:
        digest = hashlib.sha256()
        for piece in _encoded(file, rgb, like, quality, bits, keep, hdr):
            out.write(piece)
            if keep is not None:
                digest.update(piece)
        if keep is not None and format_of_extension(file) != "JPEG":
            original = like.source if like is not None else None
            maps = sidecar_pieces(keep, original=original, result=file, digest=digest.hexdigest())
            with atomic_file(sidecar_of(file), overwrite=overwrite) as beside:
                beside.writelines(maps)
    return file


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached(Metadata):
    """The metadata of the result; `jpeg` and `chroma` are the original's."""

    segments: bytes = b""  # further segments of a JPEG
    pq: int | None = None  # the primaries (ITU-T H.273) of codes in PQ
    primaries: tuple[float, ...] = ()  # CIE xy of R, G, B and white


def keeps_hdr(name: str, photo: Photo, bits: int | None, hdr: HdrOut) -> bool:
    """Whether a result in the format `name` of `bits` (None = the photo's) keeps the photo's light above white."""
    if photo.hdr is None or hdr == "off":
        return False
    if name == "AVIF":
        return hdr == "keep" or photo.hdr.kind in ("PQ", "HLG")
    return name in ("JPEG", "OpenEXR") or (name == "TIFF" and (bits or _depth(name, photo.metadata.bit_depth)) == 32)


def lost_hdr(file: Path, photo: Photo, bits: int | None, hdr: HdrOut) -> str | None:
    """The note for a result that loses the photo's light above white without being asked to, or None."""
    name = format_of_extension(file)
    if photo.hdr is None or hdr == "off" or keeps_hdr(name, photo, bits, hdr):
        return None
    how = "AVIF keeps it with --hdr keep, " if name == "AVIF" else ""
    return f"{name} written without the photo's light above white; {how}{HOLD_HDR} keep it"


def _encoded(
    file: Path, rgb: F32, like: Photo | None, quality: int | None, bits: int | None, keep: Keep | None, hdr: HdrOut
) -> Pieces:
    name = format_of_extension(file)
    photo = like if like is not None else Photo(rgb=rgb)
    if like is None and hdr == "keep":
        photo = replace(photo, hdr=Hdr(kind="floats", headroom=max(1.0, float(rgb.max()))))
    depth = bits or _depth(name, photo.metadata.bit_depth)
    above = keeps_hdr(name, photo, bits, hdr)
    if above and name == "AVIF":
        codes, attached = _as_pq(rgb, photo)
    else:
        codes, gain = _codes(name, rgb, photo, depth, above)
        attached = _attached(name, codes, photo, depth)
    if like is None:
        attached = replace(attached, exif=None)
    if keep is not None:
        require_unit_map("matte to keep", keep.matte, like=codes)
        require_unit_map("disparity to keep", keep.disparity, like=codes)
        if name == "JPEG":
            packet, segments = in_jpeg(attached.xmp, keep, original=photo.source, result=file)
            attached = replace(attached, xmp=packet, segments=segments)
    try:
        if name == "JPEG" and photo.metadata.exif is not None and attached.exif:
            attached = replace(attached, exif=_with_thumbnail(attached.exif, codes))
        if name == "JPEG" and above and gain is not None and photo.hdr is not None:
            return _encode_ultra_hdr(codes, attached, quality, gain, photo.hdr.headroom)
        return ENCODERS[name](codes, attached, quality if name == "JPEG" else quality or FORMATS[name].quality)
    except (OSError, RuntimeError, ValueError) as error:
        raise InvalidInput(f"{file}: cannot be written as {name} ({error})") from error


def _depth(name: str, photo_bits: int) -> int:
    """Return the bits to write for a photo of `photo_bits`: no fewer if the format has them."""
    if name == "OpenEXR":  # half floats hold 11 bits of precision
        return 16 if photo_bits <= _HALF_HOLDS else 32
    return next((bits for bits in FORMATS[name].bits if bits >= photo_bits), FORMATS[name].bits[-1])


def _codes(name: str, rgb: F32, photo: Photo, depth: int, above: bool) -> tuple[NDArray[Any], GainMap | None]:
    """Return (the codes to store, or the light for formats of floats; the gain map that leads from them to `rgb`).

    If not `above`, the codes are those of a standard picture. Raises InvalidInput for invalid light.
    """
    from wideopen.arrays import transfer

    hdr, floats = photo.hdr, name == "OpenEXR" or depth == 32
    plain = hdr is None or (hdr.kind == "floats" and not above)
    if plain and not floats:
        return transfer.encode(rgb, photo.encoding, bit_depth=depth), None
    light = require_rgb("rgb", rgb)
    if hdr is None or plain or (floats and above):
        if hdr is not None and not above:
            light = np.minimum(light, 1)
        return (light if depth == 32 else np.minimum(light, np.finfo(np.float16).max).astype(np.float16)), None
    from wideopen.hdr.standard import to_standard

    own = photo.rgb if hdr.needs_light or light is not photo.rgb else None  # the result may lie in the photo's array
    codes, gain = to_standard(light, own, hdr, photo.encoding, bit_depth=16 if floats else depth)
    if floats:
        codes = transfer.decode(codes, photo.encoding, bit_depth=16)
    return codes, gain


def _as_pq(rgb: F32, photo: Photo) -> tuple[NDArray[Any], Attached]:
    """Return (codes of 10 bits in PQ, metadata); primaries that the format has no number for become Rec. 2020's."""
    from wideopen.color import HDR_PRIMARIES, HDR_WHITE, REC2020, pq_encode

    light, encoding = require_rgb("rgb", rgb), photo.encoding
    same = (n for n, known in HDR_PRIMARIES.items() if np.allclose(known.to_srgb, encoding.to_srgb, atol=2e-3))
    number = next(same, None)
    if number is None:
        number = 9
        light = light @ np.linalg.solve(REC2020.to_srgb, np.array(encoding.to_srgb)).T.astype(np.float32)
    most = 10_000 / HDR_WHITE
    table = np.rint(pq_encode(np.linspace(0, 1, _PQ_STEPS) ** 4 * most) * 1023).astype(np.uint16)
    at = np.sqrt(np.sqrt(np.clip(light * np.float32(1 / most), 0, 1))) * np.float32(_PQ_STEPS - 1)
    codes = table[np.rint(at).astype(np.int32)]
    return codes, replace(_attached("AVIF", codes, photo, 10), icc=None, pq=number)


def _attached(name: str, codes: NDArray[Any], like: Photo, depth: int) -> Attached:
    """Return the metadata of the result, in colours that the format can describe."""
    encoding, kept = like.encoding, like.metadata
    size = codes.shape[0], codes.shape[1]
    icc = kept.icc
    if depth == 32:
        icc = build_profile(SRGB_LINEAR if encoding.has_srgb_primaries else linear(encoding))
    elif icc is None and encoding != SRGB:
        icc = build_profile(encoding)
    exif, packet = _exif(kept.exif, size, name), kept.xmp and xmp.resized(kept.xmp, size)
    as_kept: dict[str, Any] = {"iptc": kept.iptc, "jpeg": kept.jpeg, "chroma": kept.chroma}
    return Attached(exif=exif, icc=icc, xmp=packet, primaries=chromaticities(encoding), **as_kept)


def _exif(block: bytes | None, size: tuple[int, int], name: str) -> bytes:
    """Return the photo's EXIF, or a new block, for a result: its size and the software."""
    upright = block and tiff.upright(block, size)
    signed = tiff.signed(upright, f"wideopen {version('wideopen')}")
    too_long = name == "JPEG" and len(signed) > jpeg.EXIF_LIMIT
    return upright if upright and too_long else signed


def _with_thumbnail(block: bytes, codes: NDArray[Any]) -> bytes:
    """Return the EXIF `block` with a thumbnail of the result, 160 pixels long as in cameras, if there is room."""
    import cv2

    every = max(1, max(codes.shape[:2]) // (8 * _THUMBNAIL_PX))  # the mean of 8 x 8 pixels is enough
    codes = np.ascontiguousarray(codes[::every, ::every])
    height, width = codes.shape[:2]
    scale = min(_THUMBNAIL_PX / max(height, width), 1)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = cv2.resize(codes, size, interpolation=cv2.INTER_AREA)
    (thumbnail,) = ENCODERS["JPEG"](small, Attached(), _THUMBNAIL_QUALITY)
    longer = tiff.with_thumbnail(block, bytes(thumbnail))
    return longer if len(longer) <= jpeg.EXIF_LIMIT else block


def _encode_jpeg(codes: NDArray[Any], attached: Attached, quality: int | None) -> Pieces:
    block = _fitting("EXIF", attached.exif, jpeg.EXIF_LIMIT)
    options = {
        "exif": b"Exif\0\0" + block if block else b"",
        "icc_profile": attached.icc,
        "xmp": _fitting("XMP", attached.xmp, jpeg.XMP_LIMIT),
        "extra": jpeg.iptc_segment(attached.iptc) + attached.segments,
        **_jpeg_coding(attached.jpeg, quality),
    }
    try:
        return _by_pillow(codes, "JPEG", **options)
    except OSError:  # Pillow's buffer for progressive files is too small for a noisy one
        if not options.get("progressive"):
            raise
        return _by_pillow(codes, "JPEG", **options | {"progressive": False})


def _encode_ultra_hdr(
    codes: NDArray[Any], attached: Attached, quality: int | None, gain: GainMap, headroom: float
) -> Pieces:
    coded = code_map(gain, headroom, lambda picture, **options: bytes(_by_pillow(picture, "JPEG", **options)[0]))
    attached = replace(attached, xmp=with_list(attached.xmp, coded), segments=attached.segments + SEGMENTS)
    return [jpeg.with_second_picture(b"".join(_encode_jpeg(codes, attached, quality)), coded)]


def _jpeg_coding(original: JpegCoding | None, quality: int | None) -> dict[str, Any]:
    """The original's tables, chroma and coding order; a given `quality` replaces the tables."""
    if original is None:  # full chroma: subsampled colour edges would show beside a sharp subject
        return {"quality": quality or FORMATS["JPEG"].quality, "subsampling": "4:4:4"}
    tables = {"qtables": [list(table) for table in original.tables]} if quality is None else {"quality": quality}
    return {"subsampling": original.chroma, "progressive": original.progressive, **tables}


def _fitting(name: str, block: bytes | None, limit: int) -> bytes | None:
    if block is not None and len(block) > limit:
        LOG.warning("%s of %d bytes left out: JPEG holds at most %d", name, len(block), limit)
        return None
    return block


def _by_pillow(codes: NDArray[Any], name: str, **options: Any) -> Pieces:
    from PIL import Image

    out = BytesIO()
    Image.fromarray(codes).save(out, name, **options)
    return [out.getbuffer()]


def _encode_webp(codes: NDArray[Any], attached: Attached, quality: int | None) -> Pieces:
    blocks = {"exif": attached.exif or b"", "icc_profile": attached.icc or b"", "xmp": attached.xmp or b""}
    return _by_pillow(codes, "WEBP", quality=quality, **blocks)


def _encode_avif(codes: NDArray[Any], attached: Attached, quality: int | None) -> Pieces:
    if codes.dtype != np.uint8:
        return _encode_deep_avif(codes, attached, quality)
    # Pillow rewrites EXIF that has an orientation, which breaks makers' notes; upright is the default.
    block = tiff.with_tags(attached.exif, {}, without=[tiff.ORIENTATION]) if attached.exif else b""
    blocks = {"exif": block, "icc_profile": attached.icc or b"", "xmp": attached.xmp or b""}
    return _by_pillow(codes, "AVIF", quality=quality, subsampling="4:4:4", speed=_AVIF_SPEED, **blocks)


def _encode_deep_avif(codes: NDArray[Any], attached: Attached, quality: int | None) -> Pieces:
    """10 bits, by OpenCV: Pillow writes 8. Chroma is 4:2:0."""
    import cv2

    kinds = (cv2.IMAGE_METADATA_EXIF, cv2.IMAGE_METADATA_XMP, cv2.IMAGE_METADATA_ICCP)
    blocks = zip(kinds, (attached.exif, attached.xmp, attached.icc), strict=True)
    held = {kind: np.frombuffer(block, np.uint8) for kind, block in blocks if block}
    pairs = (cv2.IMWRITE_AVIF_QUALITY, quality), (cv2.IMWRITE_AVIF_DEPTH, 10), (cv2.IMWRITE_AVIF_SPEED, _AVIF_SPEED)
    settings: Any = [number for pair in pairs for number in pair]
    bgr = cv2.cvtColor(codes, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencodeWithMetadata(".avif", bgr, list(held), list(held.values()), settings)
    if not done:
        raise ValueError("no AVIF could be made")
    return [data.data] if attached.pq is None else [isobmff.with_colours(data.tobytes(), attached.pq, 16)]


def _encode_heic(codes: NDArray[Any], attached: Attached, quality: int | None) -> Pieces:
    import pillow_heif

    height, width = codes.shape[:2]
    mode = "RGB" if codes.dtype == np.uint8 else "RGB;10"
    file = pillow_heif.from_bytes(mode, (width, height), codes.tobytes())
    if attached.icc is not None:
        file.info["icc_profile"] = attached.icc
    out = BytesIO()
    file.save(
        out,
        quality=quality,
        bit_depth=8 if mode == "RGB" else 10,
        chroma=(attached.chroma or "4:2:0").replace(":", ""),
        exif=attached.exif,
        xmp=attached.xmp,
        enc_params=_HEIC_CODING,
    )
    return [out.getbuffer()]


ENCODERS: dict[str, Callable[[NDArray[Any], Attached, int | None], Pieces]] = {
    "JPEG": _encode_jpeg,
    "PNG": lambda codes, attached, _: png.encode_png(codes, attached),
    "TIFF": lambda codes, attached, _: tiff.encode_tiff(codes, attached),
    "WebP": _encode_webp,
    "HEIC": _encode_heic,
    "AVIF": _encode_avif,
    "JPEG XL": lambda codes, attached, quality: encode_jxl(codes, attached, quality=quality),
    "OpenEXR": lambda codes, attached, _: encode_exr(codes, attached.primaries),
}
