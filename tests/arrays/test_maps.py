"""Guided filter, hole filling, disparity from metres and its filter along the matte (truth: test_disparity_filter)."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen.arrays.maps import enlarged_rows, fill_holes, guided_filter, nearest_value, resize_map, work_size
from wideopen.disparity.along_matte import filter_along_matte
from wideopen.disparity.depth_map import from_depth_m, normalise, subject_disparity
from wideopen.errors import InvalidInput

RNG = np.random.default_rng(8)
SIZES = [(1, 1), (7, 5), (16, 16), (33, 48)]


class TestGuidedFilter:
    @pytest.mark.parametrize("size", SIZES)
    def test_constant_target_comes_back_unchanged(self, size):
        guide, target = RNG.random(size, np.float32), np.full(size, 0.3, np.float32)
        assert_allclose(guided_filter(guide, target, radius_px=2, eps=1e-4), target, rtol=0, atol=1e-6)

    @pytest.mark.parametrize("size", [(7, 5), (12, 9)])
    def test_equals_the_definition_written_as_loops(self, size):
        I, p, c = (RNG.random(size) for _ in range(3))
        r, eps = 2, 1e-2
        a, b = np.zeros(size), np.zeros(size)
        windows = {}
        for y, x in np.ndindex(*size):
            w = windows[y, x] = (slice(max(0, y - r), y + r + 1), slice(max(0, x - r), x + r + 1))
            mean_I, mean_p = np.average(I[w], weights=c[w]), np.average(p[w], weights=c[w])
            cov = np.average(I[w] * p[w], weights=c[w]) - mean_I * mean_p
            a[y, x] = cov / (np.average(I[w] ** 2, weights=c[w]) - mean_I**2 + eps)
            b[y, x] = mean_p - a[y, x] * mean_I
        want = [a[windows[k]].mean() * I[k] + b[windows[k]].mean() for k in np.ndindex(*size)]
        got = guided_filter(
            *(m.astype(np.float32) for m in (I, p)), radius_px=r, eps=eps, confidence=c.astype(np.float32)
        )
        assert_allclose(got.ravel(), want, rtol=0, atol=2e-6)

    def test_pixels_without_confidence_are_ignored(self):
        guide, target = np.zeros((9, 9), np.float32), np.full((9, 9), 0.2, np.float32)
        confidence = np.ones((9, 9), np.float32)
        target[3:6, 3:6], confidence[3:6, 3:6] = 1, 0
        assert_allclose(
            guided_filter(guide, target, radius_px=3, eps=1e-4, confidence=confidence), 0.2, rtol=0, atol=1e-6
        )

    def test_bad_input_is_refused(self):
        m = np.zeros((4, 4), np.float32)
        for arguments in ({"radius_px": -1, "eps": 1e-3}, {"radius_px": 1, "eps": 0.0}):
            with pytest.raises(InvalidInput, match="expected"):
                guided_filter(m, m, **arguments)
        with pytest.raises(InvalidInput, match="expected"):
            guided_filter(m, m[:2], radius_px=1, eps=1e-3)


class TestFillHoles:
    @pytest.mark.parametrize("size", [*SIZES, (64, 3)])
    def test_known_pixels_stay_and_a_constant_continues(self, size):
        weight = (RNG.random(size) > 0.7).astype(np.float32)
        weight[0, 0] = 1
        values = np.where(weight > 0, np.float32(0.6), np.float32(-5))
        assert_allclose(fill_holes(values, weight), 0.6, rtol=0, atol=1e-5)

    def test_a_hole_between_two_values_is_filled_between_them(self):
        values = np.zeros((16, 32), np.float32)
        values[:, 24:] = 1
        weight = np.ones((16, 32), np.float32)
        weight[:, 8:24] = 0
        filled = fill_holes(values, weight)
        assert filled.min() >= -1e-6
        assert filled.max() <= 1 + 1e-6
        assert 0.25 < filled[8, 15:17].mean() < 0.75
        assert_allclose(filled[weight > 0], values[weight > 0], rtol=0, atol=1e-6)

    @pytest.mark.parametrize("size", SIZES)
    def test_nearest_value_is_that_of_the_nearest_pixel(self, size):
        known, values = RNG.random(size) > 0.8, RNG.random(size, np.float32)
        known[0, -1] = True
        got, points = nearest_value(values, known), np.argwhere(known)
        for p in np.ndindex(*size):
            away = np.hypot(*(points - p).T)
            close = points[away <= away.min() * 1.05 + 1e-6]  # the transform measures to about 2 percent
            assert np.abs(values[tuple(close.T)] - got[p]).min() == 0

    def test_nothing_known_changes_nothing(self):
        values = RNG.random((5, 6), np.float32)
        assert_allclose(fill_holes(values, np.zeros((5, 6), np.float32)), values, rtol=0, atol=0)


class TestDisparity:
    def test_from_metres_is_the_inverse_of_depth(self):
        depth = np.array([[1.0, 2.0], [4.0, np.inf]], np.float32)
        assert_allclose(from_depth_m(depth), [[1, 0.5], [0.25, 0]], rtol=0, atol=2e-3)

    @pytest.mark.parametrize("bad", [np.nan, 0.0, -1.0])
    def test_invalid_depths_in_metres_are_refused(self, bad):
        with pytest.raises(InvalidInput, match="depth_m"):
            from_depth_m(np.array([[1.0, bad]], np.float32))

    def test_normalise_ignores_one_wild_pixel_in_a_thousand(self):
        d = np.linspace(0, 1, 4096, dtype=np.float32).reshape(64, 64)
        d[0, 0] = 1000
        assert_allclose(normalise(d)[32], np.linspace(0, 1, 4096).reshape(64, 64)[32], rtol=0, atol=5e-3)

    def test_normalise_of_a_constant_is_zero(self):
        assert_allclose(normalise(np.full((3, 3), 7, np.float32)), 0, rtol=0, atol=0)

    @pytest.mark.parametrize("size", SIZES)
    def test_sizes_resize_to_what_was_asked(self, size):
        assert resize_map(RNG.random(size, np.float32), (5, 9)).shape == (5, 9)
        assert resize_map(RNG.random((*size, 3), np.float32), (1, 1)).shape == (1, 1, 3)
        assert max(work_size(size, 10)) <= 10


def _smeared(alpha, subject, background, spill_px):
    """Disparity as a network gives it: the subject `spill_px` too wide, its edge blurred."""
    import cv2

    wide = cv2.dilate(alpha, np.ones((2 * spill_px + 1,) * 2, np.uint8))
    soft = cv2.GaussianBlur(wide, (0, 0), spill_px / 3)
    return (background + soft * (subject - background)).astype(np.float32)


class TestFilterAlongMatte:
    def scene(self):
        y, x = np.mgrid[0:240, 0:320].astype(np.float32)
        alpha = np.clip((60 - np.hypot(x - 160, y - 120)) / 3 + 0.5, 0, 1)
        return alpha, 0.15 + 0.1 * y / 240

    def test_background_beside_the_subject_carries_background_disparity(self):
        alpha, floor = self.scene()
        d = _smeared(alpha, 0.8, floor, 5)
        after = filter_along_matte(d, alpha)
        beside = (alpha < 0.05) & (np.hypot(*np.meshgrid(np.arange(320) - 160, np.arange(240) - 120)) < 75)
        carries = lambda m: float((np.abs(m - floor) > 0.1)[beside].mean())  # noqa: E731
        assert carries(d) > 0.2
        assert carries(after) < 0.02

    def test_inside_the_subject_and_far_from_it_nothing_changes(self):
        alpha, floor = self.scene()
        d = _smeared(alpha, 0.8, floor, 5)
        after = filter_along_matte(d, alpha)
        assert_allclose(after[alpha > 0.5], d[alpha > 0.5], rtol=0, atol=0)
        assert_allclose(after[:, :60], d[:, :60], rtol=0, atol=0)

    def test_right_disparity_stays_right(self):
        alpha, floor = self.scene()
        d = np.where(alpha > 0.5, np.float32(0.8), floor).astype(np.float32)
        assert np.abs(filter_along_matte(d, alpha) - d).max() < 0.03

    def test_a_table_at_the_subjects_disparity_stays(self):
        alpha, floor = self.scene()
        d = _smeared(alpha, 0.8, floor, 5)
        d[150:200, 200:] = 0.8
        after = filter_along_matte(d, alpha)
        assert_allclose(after[160:190, 240:], 0.8, rtol=0, atol=1e-6)
        assert (after[155:195, 216:] > 0.75).mean() > 0.95

    def test_empty_and_full_mattes_change_nothing(self):
        d = RNG.random((20, 30), np.float32)
        for value in (0, 1):
            assert_allclose(filter_along_matte(d, np.full((20, 30), value, np.float32)), d, rtol=0, atol=0)

    @pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (3, 2)])
    def test_photos_of_a_few_pixels_are_filtered(self, size):
        alpha = np.zeros(size, np.float32)
        alpha[0, 0] = 1
        assert filter_along_matte(RNG.random(size, np.float32), alpha).shape == size

    def test_nan_and_unlike_sizes_are_refused(self):
        d = np.zeros((8, 8), np.float32)
        with pytest.raises(InvalidInput, match="NaN"):
            filter_along_matte(np.where(np.eye(8) > 0, np.nan, d).astype(np.float32), d)
        with pytest.raises(InvalidInput, match="expected"):
            filter_along_matte(d, d[:4])


def test_subject_disparity_is_the_median_and_its_spread():
    d = np.linspace(0, 1, 101, dtype=np.float32)[None]
    alpha = ((d > 0.395) & (d < 0.605)).astype(np.float32)
    middle, spread = subject_disparity(d, alpha)
    assert_allclose([middle, spread], [0.5, 0.09], rtol=0, atol=0.011)
    assert np.isnan(subject_disparity(d, np.zeros_like(d))[0])


@pytest.mark.parametrize("size", [(1, 1), (3, 4), (13, 9)])
def test_enlarged_rows_are_those_of_the_resized_map(size):
    x = np.random.default_rng(6).random(size, np.float32)
    whole = resize_map(x, (61, 40))
    for top, bottom in ((0, 61), (0, 7), (30, 31), (50, 61)):
        assert_allclose(enlarged_rows(x, (61, 40), top, bottom), whole[top:bottom], rtol=0, atol=1e-6)
