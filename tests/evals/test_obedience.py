"""LVCorr and the blur's error by their definitions, on pictures whose blur is known."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen.evals.judge import best_blur
from wideopen.evals.obedience import blur_error_px, laplacian_variance, lvcorr

RNG = np.random.default_rng(3)


def photo(height=120, width=160):
    """Linear light with detail of several sizes, below white."""
    layers = [cv2.resize(RNG.random((height // s, width // s, 3), np.float32), (width, height)) for s in (2, 6, 20)]
    return np.asarray(0.8 * sum(layers) / 3, np.float32)


def disk_blurred(rgb, radius):
    """An exact disk, 16 x 16 points a pixel: none of our kernels."""
    n, reach = 16, int(np.ceil(radius)) + 1
    f = (np.arange((2 * reach + 1) * n) + 0.5) / n - reach - 0.5
    inside = f[:, None] ** 2 + f[None] ** 2 <= radius**2
    kernel = inside.reshape(2 * reach + 1, n, 2 * reach + 1, n).mean((1, 3))
    return cv2.filter2D(rgb, -1, (kernel / kernel.sum()).astype(np.float32))


@pytest.mark.parametrize("radius", [1.5, 3.0, 6.0])
@pytest.mark.parametrize("asked", [1.0, 1.25, 0.75])
def test_blur_error_is_the_gap_to_what_was_asked(radius, asked):
    sharp = photo(240, 320)
    error = blur_error_px(disk_blurred(sharp, radius), sharp, np.full(sharp.shape[:2], radius * asked, np.float32))
    assert_allclose(error, abs(radius * (asked - 1)), rtol=0, atol=0.2)  # worst seen 0.11


def test_each_half_is_asked_for_its_own_radius():
    sharp = photo(240, 320)
    picture, asked = disk_blurred(sharp, 4.0), np.full(sharp.shape[:2], 4.0, np.float32)
    picture[:, :160], asked[:, :160] = sharp[:, :160], 0
    assert blur_error_px(picture, sharp, asked) < 0.15
    assert blur_error_px(picture, sharp, asked[:, ::-1].copy()) > 2.5


def test_windows_across_an_edge_of_depth_are_left_out():
    sharp, stripes = photo(240, 320), (np.arange(320) // 26) % 2 == 1
    blurred = disk_blurred(sharp * stripes[None, :, None], 4.0) + sharp * ~stripes[None, :, None]  # light adds up
    asked = np.broadcast_to(np.float32(4) * stripes, (240, 320)).copy()
    assert blur_error_px(blurred, sharp, asked) < 0.3  # 0.84 over all windows


def test_a_flat_photo_has_no_blur_error():
    flat = np.full((60, 80, 3), 0.4, np.float32)
    assert blur_error_px(flat, flat, np.full((60, 80), 2.0, np.float32)) is None


def test_lvcorr_is_one_for_a_blur_that_follows_and_minus_one_for_its_opposite():
    assert lvcorr([1, 2, 3], [30, 20, 10]) == pytest.approx(1)
    assert lvcorr([1, 2, 3], [10, 20, 30]) == pytest.approx(-1)
    assert lvcorr([1, 2, 3, 4], [30, 10, 20, 5]) == pytest.approx(-np.corrcoef([1, 2, 3, 4], [30, 10, 20, 5])[0, 1])
    assert lvcorr([1, 2], [2, 1]) is None
    assert lvcorr([1, 2, 3], [5, 5, 5]) is None


def test_laplacian_variance_is_opencvs_on_codes():
    shown = photo()
    grey = cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY).astype(np.float64) * 255
    want = (np.roll(grey, 1, 0) + np.roll(grey, -1, 0) + np.roll(grey, 1, 1) + np.roll(grey, -1, 1) - 4 * grey)[
        1:-1, 1:-1
    ]
    inner = np.ascontiguousarray(shown[1:-1, 1:-1])
    assert laplacian_variance(shown) == pytest.approx(want.var(), rel=0.05)  # borders differ
    assert laplacian_variance(disk_blurred(shown, 3)) < 0.2 * laplacian_variance(inner)


def test_the_search_finds_the_best_blur():
    asked = []

    def score(radius):
        asked.append(radius)
        return -abs(np.log(radius / 0.017))

    assert best_blur(score) == pytest.approx(0.017, rel=0.06)
    assert len(asked) <= 9
