"""Light behind hair: a clipped sky is measured, strands keep their own colour, what is in focus stays."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen import Lens, analyze, render
from wideopen.arrays.maps import Place
from wideopen.settings import MapSettings
from wideopen.sheets.white import MOST, limit_radiance, measure_white, unclip

DARK = np.array([0.06, 0.04, 0.03], np.float32)


def _strands(size=(120, 160), seed=0):
    """Exact coverage (H, W) of a head's disk with strands that stand out of it, none wider than a pixel."""
    rng = np.random.default_rng(seed)
    fine = np.zeros([side * 8 for side in size], np.uint8)
    middle = np.array([size[1] / 2, size[0] / 2])
    cv2.circle(fine, tuple(int(8 * x) for x in middle), 8 * 24, 255, -1)
    for angle in rng.uniform(0, 2 * np.pi, 320):
        turned = angle + rng.normal(0, 0.5)
        start = middle + 22 * np.array([np.cos(angle), np.sin(angle)])
        end = start + rng.uniform(6, 26) * np.array([np.cos(turned), np.sin(turned)])
        cv2.line(fine, *(tuple(int(8 * x) for x in p) for p in (start, end)), 255, 6)
    return (cv2.resize(fine, size[::-1], interpolation=cv2.INTER_AREA) / 255).astype(np.float32)


def _photo(alpha, radiance):
    """Dark hair before a flat sky, clipped at white as a camera does."""
    a = alpha[..., None]
    return np.minimum(a * DARK + (1 - a) * np.float32(radiance), 1).astype(np.float32)


def _measured(photo, alpha):
    return measure_white(photo, alpha, photo, alpha)


def _scene(alpha, photo):
    return analyze(photo, matte=alpha, disparity=np.where(alpha > 0.5, 0.9, 0.1).astype(np.float32))


@pytest.mark.parametrize("radiance", [1.5, 2.5, 3.5])
def test_radiance_of_the_sky_is_measured_through_the_hair(radiance):
    alpha = _strands()
    white = _measured(_photo(alpha, radiance), alpha)
    assert white is not None
    assert_allclose(np.median(white.radiance[alpha == 0]), radiance, rtol=0.05)  # worst seen 0.2%
    assert_allclose(np.median(white.own[alpha == 0], axis=0), DARK, rtol=0, atol=0.005)


@pytest.mark.parametrize("radiance", [0.6, 1.0])
def test_white_that_is_not_brighter_than_white_stays_white(radiance):
    alpha = _strands()
    assert _measured(_photo(alpha, radiance), alpha) is None


def test_radiance_is_bounded():
    alpha = _strands()
    white = _measured(_photo(alpha, 12.0), alpha)
    assert white is None or white.radiance.max() <= MOST


def test_without_blur_the_sheets_show_the_photo():
    alpha = _strands()
    photo = _photo(alpha, 2.5)
    image = render(_scene(alpha, photo), Lens(focus_disparity=0.5, max_radius=0.0, grain=0.0))
    assert image.max() > 2  # else nothing was measured
    assert_allclose(np.minimum(image, 1), photo, rtol=0, atol=0.01)  # from 8-bit code 254 on a pixel counts as white


@pytest.mark.parametrize(("strength", "sky"), [(1.0, 2.5), (0.0, 1.0)])
def test_strands_out_of_focus_are_as_dark_as_they_are(strength, sky):
    alpha = _strands()
    scene = _scene(alpha, _photo(alpha, 2.5))
    lens = Lens(focus_disparity=0.1, max_radius=0.02, highlights=strength, grain=0.0)
    image = render(scene, lens)
    # only the subject is blurred: its coverage as blurred by the same lens, before a flat sky
    grey = np.full((*alpha.shape, 3), 0.5, np.float32)
    over_black = analyze(
        np.where(alpha[..., None] > 0, alpha[..., None] * grey, 0).astype(np.float32),
        MapSettings(filter_disparity=False),
        matte=alpha,
        disparity=scene.disparity,
    )
    cover = render(over_black, lens)[..., :1] / 0.5
    want = np.minimum(cover * DARK + (1 - cover) * sky, 1)
    beside = (alpha < 0.5) & (cv2.dilate(alpha, np.ones((9, 9))) > 0.5)
    assert np.abs(np.minimum(image, 1) - want)[beside].mean() < 0.04


def test_a_matte_that_is_too_wide_leaves_no_dark_rim_before_a_white_wall():
    alpha = _strands()
    wide = np.clip(cv2.GaussianBlur(cv2.dilate(alpha, np.ones((3, 3))), (0, 0), 1.0), 0, 1)
    image = render(_scene(wide, _photo(alpha, 1.0)), Lens(focus_disparity=0.9, max_radius=0.05, grain=0.0))
    open_ = cv2.dilate(alpha, np.ones((3, 3))) == 0
    assert np.minimum(image, 1)[open_].min() > 0.97


def test_limiting_light_keeps_flat_fields_flat_and_dim_pixels_unchanged():
    rng = np.random.default_rng(0)
    dim = rng.random((20, 30, 3), np.float32)
    assert_allclose(limit_radiance(dim, None, 0.0), dim, rtol=0, atol=1e-6)
    bright = np.full((20, 30, 3), 3, np.float32)
    assert_allclose(limit_radiance(bright, None, 0.0), 1, rtol=0, atol=1e-6)
    assert_allclose(limit_radiance(bright, None, 0.25), 1.5, rtol=0, atol=1e-6)
    assert_allclose(limit_radiance(bright, None, 1.0), bright, rtol=0, atol=1e-6)


def test_on_an_edge_the_brighter_side_is_limited_not_the_mixture():
    edge = np.full((9, 9, 3), 0.1, np.float32)
    edge[:, 5:], edge[:, 4] = 3.1, 1.6  # half covered
    assert_allclose(limit_radiance(edge, None, 0.0)[:, 4], 0.55, rtol=0, atol=1e-5)


def test_a_clipped_pixel_beside_a_dark_one_counts_half():
    alpha = _strands()
    photo = _photo(alpha, 3.0)
    photo[:, :8] = 0.1  # a trunk in the sky
    white = _measured(photo, alpha)
    assert white is not None
    out = unclip(photo, alpha, white, Place.of_all(alpha.shape))
    L = white.radiance[60, 20]
    assert_allclose(out[60, 8], (1 + L) / 2, rtol=1e-5)
    assert_allclose(out[60, 12], L, rtol=1e-5)
