"""The colour formulas: published numbers, and encoding as the inverse of decoding."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen import color


def test_srgb_curve_at_published_points():
    encoded = np.array([0.0, 0.04045, 0.5, 1.0])
    linear = np.array([0.0, 0.0031308, 0.2140411, 1.0])
    assert_allclose(color.srgb_decode(encoded), linear, rtol=0, atol=5e-8)
    assert_allclose(color.srgb_encode(linear), encoded, rtol=0, atol=5e-7)


def test_srgb_curve_and_its_inverse_cancel_above_white_too():
    values = np.linspace(0, 4, 4001)
    back = color.srgb_encode(color.srgb_decode(values))
    assert_allclose(back, values, rtol=0, atol=3e-8)  # worst seen 1e-8, where the two pieces meet


def test_the_srgb_encoding_uses_the_srgb_formula():
    values = np.linspace(0, 1, 1001)
    for curve in color.SRGB.curves:
        assert_allclose(curve.decode(values), color.srgb_decode(values), rtol=0, atol=1e-15)


def test_sampled_curve_is_exact_at_its_samples_and_straight_between():
    curve = color.SampledCurve((0.0, 0.1, 1.0))
    assert_allclose(curve.decode([0, 0.25, 0.5, 0.75, 1]), [0, 0.05, 0.1, 0.55, 1], rtol=0, atol=1e-15)


# The makers' ICC profiles hold these colorants (D50), to four decimals.
SRGB_PUBLISHED = [[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]]
P3_PUBLISHED = [[0.5151, 0.2920, 0.1571], [0.2412, 0.6922, 0.0666], [-0.0011, 0.0419, 0.7841]]
ADOBE_PUBLISHED = [[0.6097, 0.2053, 0.1492], [0.3111, 0.6257, 0.0632], [0.0195, 0.0609, 0.7446]]


@pytest.mark.parametrize(
    ("xyz", "published"),
    [(color.SRGB_XYZ_D50, SRGB_PUBLISHED), (color.P3_XYZ_D50, P3_PUBLISHED), (color.ADOBE_XYZ_D50, ADOBE_PUBLISHED)],
)
def test_primaries_adapted_to_d50_match_the_published_profiles(xyz, published):
    assert_allclose(xyz, published, rtol=0, atol=3e-4)


@pytest.mark.parametrize("encoding", [color.SRGB, color.DISPLAY_P3, color.ADOBE_RGB])
def test_white_stays_white_in_srgb(encoding):
    assert_allclose(np.array(encoding.to_srgb) @ np.ones(3), 1, rtol=0, atol=1e-12)


def test_only_srgb_has_srgb_primaries():
    assert color.SRGB.has_srgb_primaries
    assert not color.DISPLAY_P3.has_srgb_primaries
    assert not color.ADOBE_RGB.has_srgb_primaries
