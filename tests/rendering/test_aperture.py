"""Shapes: area, antialiasing, continuity, orientation, bulging blades, cat's eyes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen.lens import Aperture
from wideopen.optics import Pupil
from wideopen.rendering.aperture import antialiased_spans, binary_spans, field_nodes, kernel

DISK = Aperture()


def _area(spans):
    return float((spans.right.astype(np.float64) - spans.left).sum())


@pytest.mark.parametrize("radius", [0.5, 0.7, 1.0, 2.3, 8.0, 40.5])
def test_antialiased_disk_has_the_area_of_a_disk(radius):
    spans = antialiased_spans(Pupil(aperture=DISK), radius)
    assert_allclose((spans.right - spans.left).sum(), np.pi * radius**2, rtol=5e-3, atol=0)


@pytest.mark.parametrize(("blades", "factor"), [(3, 3 * np.sqrt(3) / 4), (4, 2.0), (6, 3 * np.sqrt(3) / 2)])
def test_polygon_has_the_area_of_the_inscribed_polygon(blades, factor):
    spans = antialiased_spans(Pupil(aperture=Aperture(blades=blades, rotation_deg=7)), 20.0)
    assert_allclose((spans.right - spans.left).sum(), factor * 20**2, rtol=5e-3, atol=0)


def test_kernel_matches_a_supersampled_disk():
    K = kernel(antialiased_spans(Pupil(aperture=DISK), 3.3))
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
        K = kernel(antialiased_spans(Pupil(aperture=DISK), float(radius)))
        padded.append(np.pad(K, 8 - len(K) // 2))
    steps = np.abs(np.diff(padded, axis=0)).sum((1, 2))
    assert steps.max() < 0.1  # worst seen 0.061; a binary disk jumps by up to 0.8 where a ring of pixels joins


def test_below_half_a_pixel_the_kernel_is_the_identity():
    assert_allclose(kernel(antialiased_spans(Pupil(aperture=DISK), 0.49)), [[1]], rtol=0, atol=0)


def test_triangle_points_up_behind_the_focus_and_down_in_front():
    behind = kernel(antialiased_spans(Pupil(aperture=Aperture(blades=3)), 10.0))
    front = kernel(antialiased_spans(Pupil(aperture=Aperture(blades=3)), -10.0))
    width = (behind > 0).sum(1)
    assert width[3] < width[12]
    assert_allclose(front, behind[::-1, ::-1], rtol=0, atol=1e-6)


def test_rotation_by_one_side_is_the_same_shape():
    a = kernel(antialiased_spans(Pupil(aperture=Aperture(blades=6, rotation_deg=10)), 9.0))
    b = kernel(antialiased_spans(Pupil(aperture=Aperture(blades=6, rotation_deg=70)), 9.0))
    assert_allclose(a, b, rtol=0, atol=1e-6)


@pytest.mark.parametrize("radius", [0, 1, 2, 3, 7, 20])
def test_binary_disk_is_the_pixels_within_the_radius(radius):
    K = kernel(binary_spans(Pupil(aperture=DISK), radius))
    d = np.arange(-radius, radius + 1)
    assert_allclose(K > 0, d[:, None] ** 2 + d[None] ** 2 <= radius**2, rtol=0, atol=0)
    assert len(np.unique(K[K > 0])) == 1


@pytest.mark.parametrize("blades", range(3, 17))
def test_bulging_sides_have_the_area_of_their_segments(blades):
    radius, curvature = 40.0, 0.4
    chord = 2 * radius * np.sin(np.pi / blades)
    sagitta = curvature * radius * (1 - np.cos(np.pi / blades))
    arc = (chord**2 / 4 + sagitta**2) / (2 * sagitta)
    angle = 2 * np.arcsin(chord / 2 / arc)
    polygon = blades / 2 * radius**2 * np.sin(2 * np.pi / blades)
    want = polygon + blades * arc**2 / 2 * (angle - np.sin(angle))
    spans = antialiased_spans(Pupil(aperture=Aperture(blades=blades, rotation_deg=11, curvature=curvature)), radius)
    assert_allclose(_area(spans), want, rtol=1e-3, atol=0)  # worst seen 2e-5


@pytest.mark.parametrize("blades", [3, 4, 5, 6, 7, 9, 16])
@pytest.mark.parametrize("rotation", [0, 13.0, 90.0])
def test_area_grows_from_the_polygon_to_the_disk(blades, rotation):
    shapes = [
        Aperture(blades=blades, rotation_deg=rotation, curvature=c) for c in (0, 1e-7, 1e-5, 0.01, 0.3, 0.6, 0.9, 1)
    ]
    spans = [antialiased_spans(Pupil(aperture=shape), 23.4) for shape in shapes]
    areas = [_area(s) for s in spans]
    assert areas == sorted(areas)
    assert areas[-2] > areas[3] > areas[0]
    assert_allclose(kernel(spans[1]), kernel(spans[0]), rtol=0, atol=1e-9)
    assert_allclose(kernel(spans[2]), kernel(spans[0]), rtol=0, atol=2e-6)  # worst seen 7e-7
    assert_allclose(kernel(spans[-1]), kernel(antialiased_spans(Pupil(aperture=DISK), 23.4)), rtol=0, atol=1e-7)


@pytest.mark.parametrize("curvature", [0.05, 0.5, 1.0])
def test_corners_stay_where_they_are(curvature):
    spans = antialiased_spans(Pupil(aperture=Aperture(blades=5, curvature=curvature)), 50.3)
    top = spans.dy[0]
    assert top == -50
    assert abs(spans.left[0] + spans.right[0]) < 1e-4


def test_nodes_mix_to_one_and_the_centre_is_a_node():
    for shape in [(1, 1), (1, 40), (37, 24), (24, 37), (300, 400), (400, 267)]:
        nodes = field_nodes(shape, 0.7)
        assert_allclose(nodes.hats_y.sum(0), 1, rtol=0, atol=1e-6)
        assert_allclose(nodes.hats_x.sum(0), 1, rtol=0, atol=1e-6)
        rows, columns = nodes.cuts.shape[:2]
        assert_allclose(nodes.cuts[rows // 2, columns // 2], 0, rtol=0, atol=1e-12)
        assert_allclose(np.hypot(*nodes.cuts[0, 0]), 0.7, rtol=0, atol=1e-12)
        assert (nodes.cuts[0, 0] > 0).all()  # the upper left corner is cut by a disk nearer to the photo's centre
        assert_allclose(nodes.cuts, -nodes.cuts[::-1, ::-1], rtol=0, atol=1e-12)
    assert field_nodes((300, 400), 0.7).cuts.shape[:2] == (13, 17)


def test_without_a_cat_eye_there_is_one_node():
    nodes = field_nodes((30, 40), 0.0)
    assert nodes.cuts.shape == (1, 1, 2)
    assert (nodes.hats_y == 1).all()
    assert (nodes.hats_x == 1).all()


@pytest.mark.parametrize("angle", [0, 30, 135, 270])
@pytest.mark.parametrize("shift", [0.3, 1.0])
def test_cut_disk_is_the_overlap_of_two_disks(angle, shift):
    radius, distance = 30.0, 30.0 * shift
    want = 2 * radius**2 * np.arccos(distance / 2 / radius) - distance / 2 * np.sqrt(4 * radius**2 - distance**2)
    cut = (shift * np.cos(np.deg2rad(angle)), shift * np.sin(np.deg2rad(angle)))
    assert_allclose(
        _area(antialiased_spans(Pupil(aperture=DISK), radius, cut)), want, rtol=2e-3, atol=0
    )  # worst seen 3e-4
    assert_allclose(_area(binary_spans(Pupil(aperture=DISK), 30, cut)), want, rtol=2e-2, atol=0)


@pytest.mark.parametrize("aperture", [DISK, Aperture(blades=5, rotation_deg=7), Aperture(blades=3, curvature=0.5)])
def test_cut_kernel_lies_within_the_shape_and_on_the_side_of_the_cut(aperture):
    whole = (
        kernel(antialiased_spans(Pupil(aperture=aperture), 13.0)) > 0
    )  # a pixel larger: a span averages the edges of its row
    cut = kernel(antialiased_spans(Pupil(aperture=aperture), 12.0, (0.8, 0.0)))
    cut = np.pad(cut, (len(whole) - len(cut)) // 2)
    assert not (cut[~whole] > 0).any()
    d = np.arange(len(cut)) - len(cut) // 2
    assert (cut.sum(0) * d).sum() > 2  # most of it to the right
    front = kernel(antialiased_spans(Pupil(aperture=aperture), -12.0, (0.8, 0.0)))
    assert_allclose(np.pad(front, (len(whole) - len(front)) // 2), cut[::-1, ::-1], rtol=0, atol=1e-7)


@pytest.mark.parametrize("make", [antialiased_spans, binary_spans])
@pytest.mark.parametrize("blades", [0, 3, 4, 16])
def test_the_centre_is_never_cut_away(make, blades):
    for radius in (0, 1, 2, 5):
        for angle in np.linspace(0, 2 * np.pi, 37):
            spans = make(Pupil(aperture=Aperture(blades=blades)), radius, (np.cos(angle), np.sin(angle)))
            middle = np.flatnonzero(spans.dy == 0)
            assert middle.size == 1
            assert spans.left[middle[0]] < spans.right[middle[0]]
