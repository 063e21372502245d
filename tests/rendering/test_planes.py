"""Planes: Eqs. (3), (5)-(9), and where the thin lens puts its planes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen.optics import Optics
from wideopen.rendering.planes import (
    Mpi,
    composite,
    paper_alpha,
    paper_planes,
    plane_position,
    plane_weight,
    thin_lens_planes,
)
from wideopen.rendering.reference import paper_radii

RNG = np.random.default_rng(1)


def test_paper_planes_are_midpoints_of_equal_bins():
    mids, extent = paper_planes(np.array([[0.2, 1.0]], np.float32), 4)
    assert_allclose(mids, [0.3, 0.5, 0.7, 0.9], rtol=0, atol=1e-6)
    assert_allclose(extent, 0.8, rtol=0, atol=1e-6)


def test_equation_3_equals_values_computed_by_hand():
    # |0.25 - 0.75| * 41 = 20.5, + delta 0.4 = 20.9: floor 20
    radii = paper_radii(np.array([0.25, 0.75], np.float32), focus_disparity=0.75, radius_px=41, delta=0.4)
    assert radii.tolist() == [20, 0]


def test_equation_5_equals_values_computed_by_hand():
    alpha = paper_alpha(np.array([[0.5, 0.25, 1.0]], np.float32), 0.5, 1.0)
    assert_allclose(alpha, [[1, 0.5, 1 - np.sqrt(0.5)]], rtol=0, atol=1e-6)


def test_constant_disparity_makes_every_plane_opaque():
    assert_allclose(paper_alpha(np.full((2, 2), 0.3, np.float32), 0.3, 0.0), 1, rtol=0, atol=0)


def test_far_pixel_sees_planes_at_0_29_of_the_range():
    """Eq. (5) as printed, N = 32: a pixel at the far end takes its colour from planes that lie, in the mean, 0.29 of
    the range from the near end (the square root makes every plane partly visible everywhere)."""
    mids, extent = paper_planes(np.array([[0.0, 1.0]], np.float32), 32)
    alpha = np.array([paper_alpha(np.zeros((1, 1), np.float32), m, extent)[0, 0] for m in mids])
    from_near = 1 - mids
    planes = np.stack([from_near * alpha, alpha, alpha, alpha], 1).astype(np.float32).reshape(32, 1, 1, 4)
    seen = composite(Mpi(planes, np.ones((32, 1, 1), np.float32), np.arange(32)))
    assert_allclose(seen[0, 0, 0], 0.29, rtol=0, atol=0.005)


def test_composite_is_equations_6_to_9_written_as_a_loop():
    n, h, w = 5, 3, 4
    alpha = RNG.random((n, h, w, 1), np.float32)
    colour = RNG.random((n, h, w, 3), np.float32)
    A, C = alpha[0], colour[0]  # index 0 = farthest = the paper's plane N
    for a, c in zip(alpha[1:], colour[1:], strict=True):
        A_new = a + A * (1 - a)
        C = (c * a + C * A * (1 - a)) / A_new
        A = A_new
    mpi = Mpi(np.concatenate([colour * alpha, alpha], 3), np.ones((n, h, w), np.float32), np.arange(n))
    assert_allclose(composite(mpi), C, rtol=0, atol=1e-6)


def test_planes_of_one_sheet_add_up():
    half = np.full((2, 1, 1, 4), 0.5, np.float32)
    mpi = Mpi(half, np.full((2, 1, 1), 0.5, np.float32), np.zeros(2, int))
    assert_allclose(composite(mpi), 1, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("low", "high"), [(-30.0, 80.0), (0.0, 96.0), (-5.0, 0.0), (3.0, 90.0), (0.0, 0.0), (-0.1, 500)]
)
@pytest.mark.parametrize("count", [2, 3, 32])
def test_thin_lens_planes_cover_the_range_with_one_in_focus(low, high, count):
    radii = thin_lens_planes(low, high, count)
    assert len(radii) <= max(count, 3)
    assert (np.diff(radii) < 0).all()
    assert (radii == 0).sum() == 1
    assert_allclose([radii.min(), radii.max()], [min(low, 0), max(high, 0)], rtol=1e-5, atol=1e-5)


def test_weights_of_a_pixel_sum_to_one_and_average_to_its_radius():
    radii = thin_lens_planes(-20, 60, 16)
    target = RNG.uniform(-20, 60, (4, 50)).astype(np.float32)
    position = plane_position(target, radii)
    weights = np.stack([plane_weight(position, k) for k in range(len(radii))])
    assert_allclose(weights.sum(0), 1, rtol=0, atol=1e-6)
    assert_allclose((weights * radii[:, None, None]).sum(0), target, rtol=0, atol=1e-4)


def test_signed_radius_is_zero_within_the_focus_range_and_grows_from_its_edge():
    d = np.array([[0.5, 0.58, 0.62, 0.3]], np.float32)
    r = Optics(focus_disparity=0.5, focus_range=0.1, radius_px=100).signed_radius(d)
    assert_allclose(r, [[0, 0, -2, 10]], rtol=0, atol=1e-4)
