"""Shapes: area, antialiasing, continuity, orientation, bulging blades, cat's eyes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen.lens import Aperture
from wideopen.optics import Pupil
from wideopen.rendering.aperture import Spans, antialiased_spans, barrel, binary_spans, kernel

DISK = Aperture()


def _area(spans):
    return float((spans.right.astype(np.float64) - spans.left).sum())


@pytest.mark.parametrize("radius", [1.5, 1.7, 2.3, 8.0, 40.5])
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


@pytest.mark.parametrize("radius", [0.65, 0.8, 1.0, 1.2, -1.0])
@pytest.mark.parametrize("pupil", [Pupil(), Pupil(squeeze=1.5), Pupil(aperture=Aperture(blades=5))])
def test_a_small_kernel_blurs_by_the_variance_of_the_shape(radius, pupil):
    def variances(radius):
        K = kernel(antialiased_spans(pupil, radius)).astype(np.float64)
        at = np.arange(len(K)) - len(K) // 2
        return np.array([(K.sum(axis) * at**2).sum() for axis in (0, 1)])

    assert_allclose(variances(radius) / radius**2, variances(40.0) / 40**2, rtol=0.01, atol=0)  # once 0 to 1.6 times


def test_below_a_quarter_of_a_pixel_the_kernel_is_the_identity():
    for radius, cut in ((0.28, False), (0.49, True)):
        assert_allclose(kernel(antialiased_spans(Pupil(aperture=DISK), radius, cut=cut)), [[1]], rtol=0, atol=0)


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


def _cut(pupil, radius, cat_eye, at, *, shape=(300, 400), swirl=0.0):
    """Spans as the pixel written at (y, x) takes them."""
    cut, spans = barrel(shape, pupil, cat_eye, swirl), antialiased_spans(pupil, radius, cut=True)
    ends = [cut.chord(int(dy), radius, *map(np.float64, at)) for dy in spans.dy]
    left, right = np.maximum([e[0] for e in ends], spans.left), np.minimum([e[1] for e in ends], spans.right)
    some = left < right
    return Spans(spans.dy[some], left[some], right[some], spans.weight[some])


def test_barrel_opens_at_the_centre_and_cuts_towards_it_elsewhere():
    cut = barrel((300, 400), Pupil(), 0.7)
    y, x = (np.array(v) for v in ([150.0, 0, 300, 0], [200.0, 0, 400, 400]))
    shift = cut.shift @ np.stack([np.ones(4), y, x])
    assert_allclose(np.hypot(*shift), [0, 0.7, 0.7, 0.7], rtol=0, atol=1e-12)
    assert (shift[:, 1] > 0).all()  # the upper left corner is cut by a disk nearer to the photo's centre
    assert (shift[:, 2] < 0).all()
    overlap = (2 * np.arccos(0.35) - 0.35 * np.sqrt(4 - 0.49)) / np.pi
    assert_allclose(cut.open_share(y, x), [1, overlap, overlap, overlap], rtol=0, atol=1e-4)
    assert barrel((30, 40), Pupil(), 0.0) is None


@pytest.mark.parametrize("swirl", [0.0, 30.0])
@pytest.mark.parametrize("at", [(0, 0), (300, 400), (150, 0), (0, 230)])
@pytest.mark.parametrize("squeeze", [1.0, 1.6])
def test_cut_disk_is_the_overlap_of_two_disks(at, swirl, squeeze):
    distance = 30.0 * np.hypot(at[0] - 150, at[1] - 200) / 250
    want = 2 * 30.0**2 * np.arccos(distance / 60) - distance / 2 * np.sqrt(4 * 30.0**2 - distance**2)
    pupil = Pupil(aperture=DISK, squeeze=squeeze, squeeze_deg=20.0)
    got = _area(_cut(pupil, 30.0, 1.0, at, swirl=swirl))
    assert_allclose(got, want / squeeze, rtol=5e-3, atol=0)  # worst seen 3e-3, where the cut is level


@pytest.mark.parametrize("aperture", [DISK, Aperture(blades=5, rotation_deg=7), Aperture(blades=3, curvature=0.5)])
def test_cut_kernel_lies_within_the_shape_and_on_the_side_of_the_cut(aperture):
    pupil = Pupil(aperture=aperture)
    whole = kernel(antialiased_spans(pupil, 13.0)) > 0  # a pixel larger: a span averages the edges of its row
    cut = kernel(_cut(pupil, 12.0, 0.8, (150, 0)))
    cut = np.pad(cut, (len(whole) - len(cut)) // 2)
    assert not (cut[~whole] > 0).any()
    d = np.arange(len(cut)) - len(cut) // 2
    assert (cut.sum(0) * d).sum() > 2  # most of it to the right
    front = kernel(_cut(pupil, -12.0, 0.8, (150, 0)))
    assert_allclose(np.pad(front, (len(whole) - len(front)) // 2), cut[::-1, ::-1], rtol=0, atol=1e-7)


@pytest.mark.parametrize("blades", [0, 3, 4, 16])
def test_the_centre_is_never_cut_away(blades):
    for radius in (0.5, 1, 2, 5):
        for at in ((0, 0), (0, 400), (300, 200), (300, 400), (150, 0)):
            spans = _cut(Pupil(aperture=Aperture(blades=blades)), radius, 1.0, at)
            assert (spans.dy == 0).sum() == 1
