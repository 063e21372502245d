"""The simple methods of benchmarks/: their effect on a flat field, on what is in focus, and on a point."""

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from lens import baselines

LENS = {"focus_disparity": 1.0, "full_radius_px": 6.0}


def methods(photo, matte, disparity):
    yield baselines.uniform_gaussian(photo, matte, disparity, **LENS)
    yield baselines.blur_and_paste(photo, matte, disparity, **LENS)
    yield baselines.gather(photo, disparity, **LENS)
    yield baselines.scatter(photo, disparity, **LENS)


def test_a_flat_field_stays_flat():
    disparity = np.linspace(0, 1, 30 * 40, dtype=np.float32).reshape(30, 40)
    for out in methods(np.full((30, 40, 3), 0.3, np.float32), (disparity > 0.7).astype(np.float32), disparity):
        assert_allclose(out, 0.3, rtol=0, atol=1e-5)


def test_gather_and_gaussian_spread_a_point_as_far_as_the_disk():
    photo, zero = np.zeros((41, 41, 3), np.float32), np.zeros((41, 41), np.float32)
    photo[20, 20] = 1
    for out in (baselines.gather(photo, zero, **LENS), baselines.uniform_gaussian(photo, zero, zero, **LENS)):
        _, x = np.mgrid[-20:21, -20:21]
        assert out[..., 0].sum() == pytest.approx(1, abs=1e-3)
        assert (out[..., 0] * x**2).sum() == pytest.approx(6**2 / 4, rel=0.05)


def test_gather_leaves_what_is_in_focus():
    photo = np.random.default_rng(2).random((30, 40, 3), np.float32)
    disparity = np.zeros((30, 40), np.float32)
    disparity[:, 20:] = 1
    out = baselines.gather(photo, disparity, **LENS)
    assert_allclose(out[:, 20:], photo[:, 20:], rtol=0, atol=1e-6)
    assert np.abs(out[:, :20] - photo[:, :20]).mean() > 0.1
