"""ICC profiles: read and written if made of a matrix and three curves, else applied by a colour management system.

Reference: ICC.1:2022 (profile version 4.4), clauses 7 (layout), 9.2 (tags), 10 (tag types). Only profiles common in
photos are read: RGB with colorants and curves, grey with a curve. Profiles are untrusted: every offset is checked, and
invalid data raise `BadProfileError`.

CMYK, Lab, and RGB whose profile has only lookup tables are converted to sRGB by Little CMS: relative colorimetric with
black point compensation, as in photo programs. Pillow converts 8 bits; imagecodecs (the extra jxl), if installed, 16.
"""

import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import astuple, dataclass
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wideopen.color import (
    D50_XYZ,
    D65_TO_D50,
    F64,
    SRGB,
    SRGB_XYZ_D50,
    Curve,
    Encoding,
    ParametricCurve,
    SampledCurve,
    to_srgb_matrix,
)

if TYPE_CHECKING:
    from PIL.Image import Image

_HEADER = 128
_MAX_TAGS = 200
_MAX_SAMPLES = 65536
# Parameters of curve types 0 to 4 in file order (ICC.1:2022, Table 68).
_PARAMETRIC = ("g", "gab", "gabc", "gabcd", "gabcdef")


class BadProfileError(ValueError):
    """The data are not a profile, or contradict themselves."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The properties of a profile."""

    space: str  # colour space of the picture: "RGB", "GRAY", "CMYK", "Lab"
    name: str  # its printable description, or "unnamed profile"
    encoding: Encoding | None  # None without an invertible matrix and curves


def parse_profile(data: bytes) -> Profile:
    """Return the profile in `data`. Raises BadProfileError for damaged data."""
    _need(len(data) >= _HEADER + 4 and data[36:40] == b"acsp", "no ICC profile")
    try:
        tags = _tags(data)
        space = data[16:20].decode("ascii").strip()
        name = _description(tags.get(b"desc", b""))
        return Profile(space, name, _encoding(space, name, tags))
    except (struct.error, UnicodeDecodeError, OverflowError, IndexError) as error:
        raise BadProfileError(f"damaged ICC profile ({error})") from error


def _need(ok: bool, otherwise: str) -> None:
    if not ok:
        raise BadProfileError(otherwise)


def profile_name(icc: bytes | None) -> str | None:
    """Return the name of a profile, or why it is unreadable; None without one."""
    try:
        return parse_profile(icc).name if icc else None
    except BadProfileError as error:
        return f"unreadable ({error})"


def _tags(data: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", data, _HEADER)
    _need(count <= _MAX_TAGS, f"ICC profile with {count} tags")
    tags = {}
    for i in range(count):
        key, offset, size = struct.unpack_from(">4sII", data, _HEADER + 4 + 12 * i)
        _need(offset + size <= len(data), "ICC profile cut short")
        tags[key] = data[offset : offset + size]
    return tags


def _description(tag: bytes) -> str:
    text = ""
    if tag[:4] == b"desc":
        (count,) = struct.unpack_from(">I", tag, 8)
        text = tag[12 : 12 + count].decode("latin-1")
    elif tag[:4] == b"mluc":
        length, offset = struct.unpack_from(">II", tag, 20)
        text = tag[offset : offset + length].decode("utf-16-be", errors="replace")
    printable = "".join(ch for ch in text if ch.isprintable()).strip()
    return printable[:80] or "unnamed profile"


def _encoding(space: str, name: str, tags: dict[bytes, bytes]) -> Encoding | None:
    if space == "GRAY" and b"kTRC" in tags:
        return Encoding(name, (_curve(tags[b"kTRC"]),) * 3, SRGB.to_srgb)
    curves, primaries = (b"rTRC", b"gTRC", b"bTRC"), (b"rXYZ", b"gXYZ", b"bXYZ")
    if space != "RGB" or not tags.keys() >= {*curves, *primaries}:
        return None
    red, green, blue = (_curve(tags[key]) for key in curves)
    matrix = np.array([_xyz(tags[key]) for key in primaries]).T
    white = abs(np.linalg.det(matrix)) >= 1e-3 and np.abs(matrix.sum(axis=1) - D50_XYZ).max() <= 0.05
    _need(white, "ICC profile whose primaries do not add up to white")
    known = next((known for known in ("sRGB", "Display P3", "Adobe RGB") if name.startswith(known)), name)
    return Encoding(known, (red, green, blue), to_srgb_matrix(matrix))


def _xyz(tag: bytes) -> list[float]:
    _need(tag[:4] == b"XYZ ", "ICC profile with an unreadable primary")
    return [v / 65536 for v in struct.unpack_from(">3i", tag, 8)]


def _curve(tag: bytes) -> Curve:
    if tag[:4] == b"curv":
        return _sampled(tag)
    (kind,) = struct.unpack_from(">H", tag, 8) if tag[:4] == b"para" else (len(_PARAMETRIC),)
    _need(kind < len(_PARAMETRIC), "ICC profile with an unknown kind of curve")
    names = _PARAMETRIC[kind]
    values = [v / 65536 for v in struct.unpack_from(f">{len(names)}i", tag, 12)]
    p = dict(zip(names, values, strict=True))
    _need(0 < p["g"] <= 10, f"ICC profile with gamma {p['g']:g}")
    if kind in (1, 2):  # the power starts where its base is 0; below it the curve is the constant c
        _need(p["a"] != 0, "ICC profile with a flat curve")
        offset = p.pop("c", 0.0)
        p |= {"d": -p["b"] / p["a"], "e": offset, "f": offset}
    return ParametricCurve(**p)


def _sampled(tag: bytes) -> Curve:
    (count,) = struct.unpack_from(">I", tag, 8)
    _need(count <= _MAX_SAMPLES, f"ICC profile with a curve of {count} samples")
    values = struct.unpack_from(f">{count}H", tag, 12)
    if count == 0:
        return ParametricCurve(1.0)
    if count == 1:
        _need(values[0] > 0, "ICC profile with gamma 0")
        return ParametricCurve(values[0] / 256)
    return SampledCurve(tuple(v / 65535 for v in values))


def build_profile(encoding: Encoding) -> bytes:
    """Return a version 4 display profile for `encoding`, for files that only hinted at it."""
    xyz: F64 = SRGB_XYZ_D50 @ np.array(encoding.to_srgb)
    tags = {
        b"desc": _text(encoding.name),
        b"cprt": _text("No copyright, use freely"),
        b"wtpt": _xyz_tag(D50_XYZ),
        b"chad": b"sf32" + struct.pack(">I9i", 0, *_fixed(D65_TO_D50.ravel())),
    }
    for channel, curve, column in zip(b"rgb", encoding.curves, xyz.T, strict=True):
        tags[bytes([channel]) + b"XYZ"] = _xyz_tag(column)
        tags[bytes([channel]) + b"TRC"] = _curve_tag(curve)
    table, body = b"", b""
    start = _HEADER + 4 + 12 * len(tags)
    for key, value in tags.items():
        table += struct.pack(">4sII", key, start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    header = struct.pack(
        ">I4xI4s4s4s6H4s28x3i48x",
        start + len(body), 0x04400000, b"mntr", b"RGB ", b"XYZ ", 2026, 1, 1, 0, 0, 0, b"acsp",
        *_fixed(D50_XYZ),
    )  # fmt: skip
    return header + struct.pack(">I", len(tags)) + table + body


def _text(text: str) -> bytes:
    coded = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">III2s2sII", 0, 1, 12, b"en", b"US", len(coded), 28) + coded


def _fixed(values: Iterable[float]) -> list[int]:
    return [round(float(v) * 65536) for v in values]


def _xyz_tag(xyz: Iterable[float]) -> bytes:
    return b"XYZ " + struct.pack(">I3i", 0, *_fixed(xyz))


def _curve_tag(curve: Curve) -> bytes:
    if isinstance(curve, SampledCurve):
        values = [round(v * 65535) for v in curve.samples]
        return b"curv" + struct.pack(f">II{len(values)}H", 0, len(values), *values)
    return b"para" + struct.pack(">IHH7i", 0, 4, 0, *_fixed(astuple(curve)))


def image_to_srgb(image: "Image", icc: bytes | None) -> tuple["Image", str]:
    """Return (`image` as sRGB, a note on the conversion), by its profile or by a plain rule."""
    converted = _by_profile(image, icc) if icc is not None else None
    if converted is not None:
        return converted, f"{image.mode} converted to sRGB with its own profile"
    note = f"{image.mode} without a profile converted to sRGB by a plain rule"
    if icc is not None:
        note = f"{image.mode} converted to sRGB without its profile, which is unreadable"
    plain = _by_profile(image, None) if image.mode == "LAB" else None
    return plain or image.convert("RGB"), note


def codes_to_srgb(codes: NDArray[Any], bit_depth: int, icc: bytes) -> tuple[NDArray[Any] | None, int]:
    """Return (grey or RGB `codes` as sRGB (H, W, 3), their bits); None if the profile does not fit."""
    from PIL import Image

    top = 2**bit_depth - 1
    if bit_depth > 8 and codes.ndim == 3 and find_spec("imagecodecs"):
        wide = codes if bit_depth == 16 else np.rint(codes * (65535 / top)).astype(np.uint16)
        return _deep_by_profile(wide, icc), 16
    eight = codes if bit_depth == 8 else ((codes.astype(np.uint32) * 255 + top // 2) // top)
    converted = _by_profile(Image.fromarray(eight.astype(np.uint8)), icc)
    return None if converted is None else np.asarray(converted), 8


def _deep_by_profile(codes: NDArray[np.uint16], icc: bytes) -> NDArray[np.uint16] | None:
    import imagecodecs
    from PIL import ImageCms

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with suppress(RuntimeError, ValueError, TypeError):
        return imagecodecs.cms_transform(
            codes, icc, srgb, colorspace="rgb", outcolorspace="rgb", outdtype="uint16",
            intent=ImageCms.Intent.RELATIVE_COLORIMETRIC.value, flags=ImageCms.Flags.BLACKPOINTCOMPENSATION.value,
        )  # fmt: skip
    return None


def _by_profile(image: "Image", icc: bytes | None) -> "Image | None":
    """Return `image` as sRGB, by its profile or as standard Lab; None if the profile is unreadable or does not fit."""
    from PIL import ImageCms

    try:
        return ImageCms.profileToProfile(
            image,
            ImageCms.createProfile("LAB") if icc is None else ImageCms.ImageCmsProfile(BytesIO(icc)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
