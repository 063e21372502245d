"""Read photo files: choose the decoder by content, then convert codes to linear light."""

import os
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32, require
from wideopen.color import (
    ADOBE_RGB,
    HDR_PRIMARIES,
    SRGB,
    SRGB_LINEAR,
    Encoding,
    for_display,
    hlg_decode,
    hlg_display,
    luminance_of,
    pq_decode,
)
from wideopen.files.containers import tiff, xmp
from wideopen.files.containers.icc import BadProfileError, codes_to_srgb, parse_profile, profile_name
from wideopen.files.formats import EXTENSIONS, NAMES, naming, read_bytes, readable_path, require_library, sniff
from wideopen.files.raster import HDR_TRANSFER, Facts, Raster, SizeCheck, guarded, turn
from wideopen.hdr import Hdr
from wideopen.photo import Metadata, Photo
from wideopen.settings import MAX_MEGAPIXELS

if TYPE_CHECKING:
    from wideopen.files.inside.gain_maps import FoundGainMap

_MAX_MEGAPIXELS_OF_FACTS = 400.0
# ITU-T H.273: supported colour primaries and transfer characteristics.
_PRIMARIES = {**HDR_PRIMARIES, 2: SRGB}
_NEGATIVE = 1e-3  # negative light beyond this gets a note


def read(path: str | os.PathLike[str], *, max_megapixels: float = MAX_MEGAPIXELS) -> Photo:
    """Return the photo in the file at `path`, in one of the formats of `files.formats`, whatever its extension.

    The photo is upright and without alpha (over white). It keeps its own primaries if they are known; `metadata.notes`
    lists all conversions and losses. Floats are linear light, unless a profile says otherwise. Light exceeds 1 in
    floats, PQ and HLG, and with a gain map, and `hdr` says so. Raises InvalidInput, with one line, if there is no
    readable photo of at most `max_megapixels`.
    """
    from wideopen.files.inside.gain_maps import find_gain_map

    require(max_megapixels > 0, f"max_megapixels: expected more than 0, found {max_megapixels:g}")
    file = readable_path(path)
    data = read_bytes(file, expected="a photo")
    raster = raster_in(data, file, max_megapixels=max_megapixels)
    found = find_gain_map(data, raster.exif)
    del data
    if EXTENSIONS.get(file.suffix.lower(), raster.format) != raster.format:
        raster = raster.noted(f"named {file.suffix}, but {raster.format} inside")
    with naming(file):
        raster = _with_encoding(raster)
    encoding = raster.encoding or SRGB
    rgb, notes = _light(raster, encoding)
    hdr, more = _above_white(raster, rgb, found, encoding)
    notes += more
    stored = encoding
    if raster.icc is None:
        encoding = SRGB if encoding.has_srgb_primaries else for_display(encoding)
    plain = raster.codes.dtype == np.uint8 and raster.codes.ndim == 3 and raster.alpha is None and stored == encoding
    codes = raster.codes if plain else None
    packet, dropped = raster.xmp, None
    if packet:
        packet = xmp.resized(packet, (rgb.shape[0], rgb.shape[1]))
        packet, dropped = xmp.cleaned(packet, gain_map=found.gain is not None)
    raster = raster.noted(*notes, *([dropped] if dropped else ()), xmp=packet)
    metadata = Metadata(**{field.name: getattr(raster, field.name) for field in fields(Metadata)})
    return Photo(rgb=rgb, codes=codes, encoding=encoding, metadata=metadata, source=file, hdr=hdr)


def load_raster(path: Path, *, max_megapixels: float, expected: str = "a photo") -> Raster:
    """Return the first picture in the file at `path`, upright, whatever its extension.

    The size is checked before decoding. Raises InvalidInput, with one line, if there is no readable picture.
    """
    return raster_in(read_bytes(path, expected=expected), path, max_megapixels=max_megapixels, expected=expected)


def read_facts(path: str | os.PathLike[str]) -> Facts:
    """Return the properties of the picture in the file at `path`; InvalidInput if it is not a readable photo."""
    from wideopen.files.decode_pillow import facts_in
    from wideopen.files.inside.gain_maps import find_gain_map

    file = readable_path(path)
    data = read_bytes(file, expected="a photo")
    with naming(file):
        facts = facts_in(data)
    if facts is not None and facts.hdr is None:
        found = find_gain_map(data, facts.exif)
        return replace(facts, hdr=found.kind or None, headroom=found.headroom)
    known = read(file, max_megapixels=_MAX_MEGAPIXELS_OF_FACTS).hdr
    if facts is None:
        raster = raster_in(data, file, max_megapixels=_MAX_MEGAPIXELS_OF_FACTS)
        (height, width), profile = raster.codes.shape[:2], profile_name(raster.icc)
        facts = Facts(format=raster.format, width=width, height=height, bit_depth=raster.bit_depth, profile=profile)
    return replace(facts, hdr=known.kind if known else None, headroom=known.headroom if known else 1.0)


def raster_in(data: bytes, path: Path, *, max_megapixels: float, expected: str = "a photo") -> Raster:
    """`load_raster` for the bytes of the file at `path`."""

    def check_size(width: int, height: int) -> None:
        found = f"{width} x {height} pixels ({width * height / 1e6:.3g} megapixels)"
        require(width > 0 and height > 0, f"expected at least one pixel, found {found}")
        most = f"at most {max_megapixels:g} megapixels (max_megapixels)"
        require(width * height <= max_megapixels * 1e6, f"expected {most}, found {found}")

    with naming(path):
        name = sniff(data[:64])
        require(name is not None, f"expected {expected} ({NAMES}), found another kind of file")
        require_library(name or "")
        with guarded(f"damaged or incomplete {name} file"):
            return _upright(_decoder(name or "")(data, check_size))


def _decoder(name: str) -> Callable[[bytes, SizeCheck], Raster]:
    from wideopen.files import decode_pillow, decode_tiff, optional

    others = {
        "TIFF": decode_tiff.decode_tiff,
        "camera raw": optional.decode_raw,
        "JPEG XL": optional.decode_jxl,
        "OpenEXR": optional.decode_exr,
    }
    return others.get(name) or decode_pillow.DECODERS[name]


def _upright(raster: Raster) -> Raster:
    """Return the picture turned for display, its transparency apart from its codes."""
    number = 1 if raster.orientation is None else raster.orientation
    if not 1 <= number <= 8:
        raster = raster.noted(f"EXIF orientation {number} is not one of 1 to 8, ignored")
        number = 1
    codes, alpha = turn(raster.codes, number), None
    size = codes.shape[0], codes.shape[1]
    if codes.ndim == 3 and codes.shape[2] in (2, 4):
        share = np.asarray(codes[..., -1] / np.float32(raster.top), np.float32)
        alpha = None if share.min() == 1 else np.clip(share, 0, 1)
        codes = codes[..., 0] if codes.shape[2] == 2 else codes[..., :3]
    block = raster.exif and tiff.upright(raster.exif, size)
    return replace(raster, codes=np.ascontiguousarray(codes), alpha=alpha, orientation=1, exif=block)


def _with_encoding(raster: Raster) -> Raster:
    """Return the picture with the encoding of its codes, and only with a profile that describes a result, too.

    Its codes become sRGB if only a colour management system can interpret the profile.
    """
    if raster.encoding is not None:
        return raster
    if raster.icc is None or _transfer(raster) is not None:
        return _without_profile(raster)
    from wideopen.arrays.transfer.reference import is_invertible

    try:
        profile = parse_profile(raster.icc)
    except BadProfileError as error:
        return raster.noted(f"{error}; treated as sRGB", icc=None, encoding=SRGB)
    name, encoding = profile.name, profile.encoding
    if profile.space not in (("RGB", "GRAY") if raster.codes.ndim == 2 else ("RGB",)):
        note = f"ICC profile for {profile.space} does not fit; treated as sRGB"
        return raster.noted(note, icc=None, encoding=SRGB)
    if raster.bit_depth == 32 and encoding is None:
        note = f"ICC profile ({name}) is made of tables; floats taken as linear sRGB light"
        return raster.noted(note, icc=None, encoding=SRGB_LINEAR)
    if raster.bit_depth == 32 and encoding is not None:
        return replace(raster, icc=None if encoding.is_linear else raster.icc, encoding=encoding)
    if encoding is None or not is_invertible(encoding):
        return _converted(raster, name)
    if profile.space == "GRAY":  # a grey profile cannot describe a result in colour
        return raster.noted(f"grey profile ({name}) converted to sRGB", icc=None, encoding=encoding)
    return replace(raster, encoding=encoding)


def _converted(raster: Raster, name: str) -> Raster:
    srgb, bits = codes_to_srgb(raster.codes, raster.bit_depth, raster.icc or b"")
    if srgb is None:
        return raster.noted(f"ICC profile ({name}) unusable; treated as sRGB", icc=None, encoding=SRGB)
    note = f"ICC profile ({name}) is made of tables; converted to sRGB at {bits} bits"
    if bits < raster.bit_depth:
        note += " (at 16 with pip install 'wideopen[jxl]')"
    return raster.noted(note, codes=srgb, bit_depth=bits, icc=None, encoding=SRGB)


def _without_profile(raster: Raster) -> Raster:
    if raster.bit_depth == 32:
        return raster.noted("floats without a profile taken as linear sRGB light", encoding=SRGB_LINEAR)
    if raster.cicp is None:
        is_adobe = raster.exif is not None and tiff.adobe_rgb_hint(raster.exif)
        return replace(raster, encoding=ADOBE_RGB if is_adobe else SRGB)
    primaries, _ = raster.cicp
    if primaries in _PRIMARIES:
        return replace(raster, icc=None, encoding=_PRIMARIES[primaries])
    return raster.noted(f"colour primaries {primaries} of ITU-T H.273 treated as sRGB", icc=None, encoding=SRGB)


def _transfer(raster: Raster) -> str | None:
    """PQ or HLG, if the codes are encoded so."""
    return HDR_TRANSFER.get(raster.cicp[1]) if raster.cicp is not None and raster.bit_depth < 32 else None


def _light(raster: Raster, encoding: Encoding) -> tuple[F32, tuple[str, ...]]:
    """Return (linear light (H, W, 3), notes); transparent parts are composited over white."""
    from wideopen.arrays import transfer

    colour = _in_colour(raster.codes)
    if raster.bit_depth == 32:
        rgb, notes = _light_of_floats(colour, encoding)
    elif (curve := _transfer(raster)) is not None:
        rgb, notes = _light_of_hdr(colour, curve, raster.top, encoding), ()
    else:
        rgb, notes = transfer.decode(colour, encoding, bit_depth=raster.bit_depth), ()
    if raster.alpha is None:
        return rgb, notes
    rgb -= 1
    rgb *= raster.alpha[..., None]
    rgb += 1
    return rgb, (*notes, "transparent parts placed over white")


def _in_colour(codes: NDArray[Any]) -> NDArray[Any]:
    return codes if codes.ndim == 3 else np.repeat(codes[..., None], 3, axis=2)  # (H, W, 3)


def _light_of_hdr(codes: NDArray[Any], curve: str, top: float, encoding: Encoding) -> F32:
    """Light (H, W, 3), 1 = white, of codes in PQ or HLG."""
    table = (pq_decode if curve == "PQ" else hlg_decode)(np.arange(top + 1) / top).astype(np.float32)
    light: F32 = table[codes]
    if curve == "HLG":
        luminance = light @ np.array(luminance_of(encoding), np.float32)
        light *= hlg_display(luminance).astype(np.float32)[..., None]
    return light


def _above_white(
    raster: Raster, rgb: F32, found: "FoundGainMap", encoding: Encoding
) -> tuple[Hdr | None, tuple[str, ...]]:
    """Return (what makes the photo brighter than white, notes); `rgb` (H, W, 3) is changed by a gain map."""
    gain, notes = found.gain, []
    if found.pictures > 0:
        notes.append("pictures stored after the photo (preview, depth) are not kept")
    notes += [found.note] if found.note is not None else []
    if gain is not None and raster.alpha is not None:
        gain, found = None, replace(found, reason="the photo is transparent")
    if found.reason is not None:
        notes.append(f"the photo is read without its gain map: {found.reason}")
    curve = _transfer(raster)
    if gain is None:
        kind = "floats" if raster.bit_depth == 32 and rgb.max(initial=0) > 1 else curve
        return (Hdr(kind=kind, headroom=max(1.0, float(rgb.max(initial=0)))) if kind else None), tuple(notes)
    from wideopen.arrays import transfer
    from wideopen.hdr.standard import brighten, darken

    bits = 8 if raster.bit_depth == 8 else 16
    if found.base_is_hdr:
        light = rgb.copy()
        darken(light, gain)
        standard = transfer.encode(light, for_display(encoding), bit_depth=bits)
    elif raster.bit_depth in (8, 16):
        standard = _in_colour(raster.codes)
    else:
        standard = transfer.encode(rgb, encoding, bit_depth=bits)
    if not found.base_is_hdr:
        brighten(rgb, gain)
    remade = not found.base_is_hdr
    hdr = Hdr(kind=found.kind, headroom=found.headroom, gain=gain, standard=standard, bit_depth=bits, remade=remade)
    return hdr, tuple(notes)


def _light_of_floats(values: F32, encoding: Encoding) -> tuple[F32, tuple[str, ...]]:
    """Return (light >= 0, finite, notes). Only codes that are linear light may exceed 1."""
    notes = []
    light = np.array(values, np.float32)
    if not np.isfinite(light).all():
        notes.append("pixels that are not finite numbers set to black")
        light[~np.isfinite(light)] = 0
    if light.min(initial=0) < -_NEGATIVE:
        notes.append("negative light (colours outside the file's primaries) set to 0")
    np.maximum(light, 0, out=light)
    if encoding.is_linear:
        return light, tuple(notes)
    if light.max(initial=0) > 1:
        notes.append(f"floats above 1 clipped: their profile ({encoding.name}) ends there")
    for channel, curve in enumerate(encoding.curves):
        light[..., channel] = curve.decode(np.clip(light[..., channel], 0, 1))
    return light, tuple(notes)
