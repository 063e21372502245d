"""Profiles: another reader reads ours, we read others', and damaged ones are refused."""

import struct
from io import BytesIO

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import ImageCms

from wideopen.color import ADOBE_RGB, DISPLAY_P3, SRGB, Encoding, ParametricCurve, SampledCurve
from wideopen.files.containers.icc import BadProfileError, build_profile, parse_profile

GRID = np.linspace(0, 1, 257)
MIXED = Encoding(
    "Mixed – curves", (ParametricCurve(1.8), SampledCurve((0.0, 0.125, 0.5, 1.0)), SRGB.curves[0]), DISPLAY_P3.to_srgb
)


@pytest.mark.parametrize("encoding", [SRGB, DISPLAY_P3, ADOBE_RGB, MIXED], ids=lambda e: e.name)
def test_a_written_profile_reads_back_the_same(encoding):
    profile = parse_profile(build_profile(encoding))
    assert (profile.space, profile.encoding.name) == ("RGB", encoding.name)
    assert_allclose(profile.encoding.to_srgb, encoding.to_srgb, rtol=0, atol=1e-4)
    for got, want in zip(profile.encoding.curves, encoding.curves, strict=True):
        assert_allclose(got.decode(GRID), want.decode(GRID), rtol=0, atol=3e-5)


@pytest.mark.parametrize("encoding", [DISPLAY_P3, ADOBE_RGB, MIXED], ids=lambda e: e.name)
def test_littlecms_reads_our_profiles_the_same(encoding, rng):
    from PIL import Image

    inside = rng.integers(60, 190, (8, 8, 3), np.uint8)  # not so saturated as to leave sRGB
    inside[..., 1:] = (inside[..., 1:] + inside[..., :1].astype(int)) // 2
    profile = ImageCms.ImageCmsProfile(BytesIO(build_profile(encoding)))
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    got = ImageCms.profileToProfile(
        Image.fromarray(inside), profile, ImageCms.createProfile("sRGB"), renderingIntent=intent
    )
    light = np.stack([encoding.curves[c].decode(inside[..., c] / 255) for c in range(3)], axis=-1)
    srgb = np.clip(light @ np.array(encoding.to_srgb).T, 0, 1)
    codes = 255 * np.where(srgb <= 0.0031308, srgb * 12.92, 1.055 * srgb ** (1 / 2.4) - 0.055)
    assert np.abs(np.asarray(got) - codes).max() < 2.0  # worst seen 1.2: 8-bit steps of lcms


def test_littlecms_srgb_is_srgb_to_us():
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    encoding = parse_profile(data).encoding
    assert encoding.name == "sRGB"
    assert encoding.has_srgb_primaries
    assert_allclose(encoding.curves[0].decode(GRID), SRGB.curves[0].decode(GRID), rtol=0, atol=3e-5)


def replace_tag(data, key, content):
    """Return the profile with the tag's data replaced by `content`, put at the end."""
    out = bytearray(data)
    (count,) = struct.unpack_from(">I", out, 128)
    for i in range(count):
        at = 132 + 12 * i
        if out[at : at + 4] == key:
            struct.pack_into(">II", out, at + 4, len(out), len(content))
    return bytes(out + content)


def curve(*values):
    return b"curv" + struct.pack(f">II{len(values)}H", 0, len(values), *values)


def parametric(kind, *values):
    fixed = [round(v * 65536) for v in values]
    return b"para" + struct.pack(f">IHH{len(values)}i", 0, kind, 0, *fixed)


@pytest.mark.parametrize(
    ("tag", "want"),
    [
        (curve(), lambda x: x),
        (curve(0x0233), lambda x: x ** (563 / 256)),
        (curve(0, 16384, 65535), lambda x: np.interp(x, [0, 0.5, 1], [0, 16384 / 65535, 1])),
        (parametric(0, 2.2), lambda x: x**2.2),
        (parametric(1, 2, 1.25, -0.25), lambda x: np.where(x >= 0.2, (1.25 * x - 0.25) ** 2, 0)),
        (parametric(2, 2, 1.25, -0.25, 0.125), lambda x: np.where(x >= 0.2, (1.25 * x - 0.25) ** 2, 0) + 0.125),
        (parametric(3, 2, 1, 0, 0.5, 0.5), lambda x: np.where(x >= 0.5, x**2, x / 2)),
        (parametric(4, 2, 1, 0, 0.5, 0.5, 0.125, 0.25), lambda x: np.where(x >= 0.5, x**2 + 0.125, x / 2 + 0.25)),
    ],
)
def test_every_kind_of_curve_is_decoded(tag, want):
    data = replace_tag(build_profile(SRGB), b"gTRC", tag)
    got = parse_profile(data).encoding.curves[1].decode(GRID)
    assert_allclose(got, want(GRID), rtol=0, atol=5e-5)


GOOD = build_profile(DISPLAY_P3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a profile",
        bytes(200),
        GOOD[:131],
        GOOD[:300],
        GOOD[:128] + b"\xff\xff\xff\xff" + GOOD[132:],
        replace_tag(GOOD, b"rXYZ", b"XYZ " + bytes(4)),
        replace_tag(GOOD, b"rXYZ", b"what" + bytes(16)),
        replace_tag(GOOD, b"rXYZ", b"XYZ " + struct.pack(">I3i", 0, 9 << 16, 1, 1)),
        replace_tag(GOOD, b"bTRC", b"curv" + struct.pack(">II", 0, 4_000_000_000)),
        replace_tag(GOOD, b"bTRC", curve(0)),
        replace_tag(GOOD, b"bTRC", b"sfnt" + bytes(40)),
        replace_tag(GOOD, b"bTRC", parametric(9, 1)),
        replace_tag(GOOD, b"bTRC", parametric(0, -1)),
        replace_tag(GOOD, b"bTRC", parametric(1, 2, 0, 0)),
        replace_tag(GOOD, b"bTRC", b"para"),
    ],
)
def test_damaged_profiles_are_refused(data):
    with pytest.raises(BadProfileError):
        parse_profile(data)


def test_damaged_profiles_raise_only_bad_profile_error(rng):
    for length in range(0, len(GOOD), 7):
        with pytest.raises(BadProfileError):
            parse_profile(GOOD[:length])
    for at in rng.integers(0, len(GOOD), 1500):
        data = bytearray(GOOD)
        data[at] = rng.integers(0, 256)
        try:
            parse_profile(bytes(data))
        except BadProfileError:
            continue
