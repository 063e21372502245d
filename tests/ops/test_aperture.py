"""Shapes: area, antialiasing, continuity, orientation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen.lens import Aperture
from wideopen.ops.aperture import antialiased_spans, binary_spans, kernel

DISK = Aperture()


@pytest.mark.parametrize("radius", [0.5, 0.7, 1.0, 2.3, 8.0, 40.5])
def test_antialiased_disk_has_the_area_of_a_disk(radius):
    spans = antialiased_spans(DISK, radius)
    assert_allclose((spans.right - spans.left).sum(), np.pi * radius**2, rtol=5e-3, atol=0)


@pytest.mark.parametrize(("blades", "factor"), [(3, 3 * np.sqrt(3) / 4), (4, 2.0), (6, 3 * np.sqrt(3) / 2)])
def test_polygon_has_the_area_of_the_inscribed_polygon(blades, factor):
    spans = antialiased_spans(Aperture(blades=blades, rotation_deg=7), 20.0)
    assert_allclose((spans.right - spans.left).sum(), factor * 20**2, rtol=5e-3, atol=0)


def test_kernel_matches_a_supersampled_disk():
    K = kernel(antialiased_spans(DISK, 3.3))
    fine = (np.arange(9 * 100) + 0.5) / 100 - 4.5
    truth = (np.hypot(*np.meshgrid(fine, fine)) <= 3.3).reshape(9, 100, 9, 100).mean((1, 3))
    truth /= truth.sum()
    # Worst seen 6.2e-3, of a full weight of 1 / 34 = 0.029: where the edge is nearly horizontal a span is a coarse fit.
    assert_allclose(np.pad(K, (9 - len(K)) // 2), truth, rtol=0, atol=7e-3)
    assert_allclose(K.sum(), 1, rtol=0, atol=1e-6)


def test_kernel_changes_continuously_with_the_radius():
    radii = np.arange(0.4, 6, 0.01)
    padded = []
    for radius in radii:
        K = kernel(antialiased_spans(DISK, float(radius)))
        padded.append(np.pad(K, 8 - len(K) // 2))
    steps = np.abs(np.diff(padded, axis=0)).sum((1, 2))
    assert steps.max() < 0.1  # worst seen 0.061; a binary disk jumps by up to 0.8 where a ring of pixels joins


def test_below_half_a_pixel_the_kernel_is_the_identity():
    assert_allclose(kernel(antialiased_spans(DISK, 0.49)), [[1]], rtol=0, atol=0)


def test_triangle_points_up_behind_the_focus_and_down_in_front():
    behind = kernel(antialiased_spans(Aperture(blades=3), 10.0))
    front = kernel(antialiased_spans(Aperture(blades=3), -10.0))
    width = (behind > 0).sum(1)
    assert width[3] < width[12]
    assert_allclose(front, behind[::-1, ::-1], rtol=0, atol=1e-6)


def test_rotation_by_one_side_is_the_same_shape():
    a = kernel(antialiased_spans(Aperture(blades=6, rotation_deg=10), 9.0))
    b = kernel(antialiased_spans(Aperture(blades=6, rotation_deg=70), 9.0))
    assert_allclose(a, b, rtol=0, atol=1e-6)


@pytest.mark.parametrize("radius", [0, 1, 2, 3, 7, 20])
def test_binary_disk_is_the_pixels_within_the_radius(radius):
    K = kernel(binary_spans(DISK, radius))
    d = np.arange(-radius, radius + 1)
    assert_allclose(K > 0, d[:, None] ** 2 + d[None] ** 2 <= radius**2, rtol=0, atol=0)
    assert len(np.unique(K[K > 0])) == 1
