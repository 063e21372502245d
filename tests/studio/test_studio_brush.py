"""The brush: strokes stay on their side of the photo's edges, are the same at every size, and can be undone."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from wideopen.errors import InvalidInput
from wideopen.studio.brush import History, MapPair, Stroke, paint

SIZE = 120


def two_halves(size=SIZE):
    """A photo that is red on the left and blue-grey on the right, a little noisy; matte 0, disparity 0.2 / 0.6."""
    rng = np.random.default_rng(3)
    left = np.arange(size) < size // 2
    rgb = np.where(left[None, :, None], (0.5, 0.1, 0.1), (0.15, 0.18, 0.2)) + rng.normal(0, 0.01, (size, size, 3))
    disparity = np.broadcast_to(np.where(left, 0.2, 0.6), (size, size)).astype(np.float32).copy()
    return np.clip(rgb, 0, 1).astype(np.float32), MapPair(np.zeros((size, size), np.float32), disparity)


def stroke(kind="add", x=0.42, radius=0.15, **rest):
    """Down along the edge, which lies at 0.5: a third of it is on the other side."""
    return Stroke(kind=kind, points=((x, 0.3), (x, 0.7)), radius=radius, **rest)


def test_a_stroke_stops_at_the_edge_that_it_crosses():
    rgb, maps = two_halves()
    painted, _ = paint(rgb, maps, stroke())
    middle = painted.matte[SIZE // 2]
    assert middle[int(0.36 * SIZE) : SIZE // 2 - 2].min() > 0.9
    assert middle[SIZE // 2 + 2 :].max() < 0.1  # without snapping it would be 1 up to 0.57


def test_a_stroke_fades_where_inside_and_outside_look_alike():
    _, maps = two_halves()
    painted, _ = paint(np.full((SIZE, SIZE, 3), 0.3, np.float32), maps, stroke())
    middle = painted.matte[SIZE // 2]
    assert middle[int(0.42 * SIZE)] == 1
    assert 0 < middle[int(0.54 * SIZE)] < 1
    assert middle[int(0.65 * SIZE)] == 0


def test_take_is_the_opposite_of_add():
    rgb, maps = two_halves()
    added, _ = paint(rgb, maps, stroke("add"))
    taken, _ = paint(rgb, MapPair(1 - maps.matte, maps.disparity), stroke("take"))
    assert_allclose(taken.matte, 1 - added.matte, rtol=0, atol=1e-6)


def test_an_added_area_takes_the_disparity_of_the_subject_beside_it():
    rgb, maps = two_halves()
    maps.matte[:, 70:] = 1  # the subject, at 0.6
    painted, _ = paint(rgb, maps, stroke(x=0.42))
    assert_allclose(painted.disparity[SIZE // 2, int(0.42 * SIZE)], 0.6, rtol=0, atol=1e-6)
    assert painted.disparity[SIZE // 2, int(0.1 * SIZE)] == np.float32(0.2)


@pytest.mark.parametrize(("kind", "moved"), [("nearer", 0.25), ("farther", -0.2)])
def test_nearer_and_farther_move_disparity_alone(kind, moved):
    rgb, maps = two_halves()
    painted, _ = paint(rgb, maps, stroke(kind, strength=0.25))
    assert_array_equal(painted.matte, maps.matte)
    change = painted.disparity - maps.disparity
    assert_allclose(change[SIZE // 2, int(0.42 * SIZE)], moved, rtol=0, atol=1e-6)  # never below 0
    assert abs(change[SIZE // 2, SIZE // 2 + 2 :]).max() < 0.1 * abs(moved)


def test_the_same_stroke_at_twice_the_size_covers_the_same_part():
    rgb, maps = two_halves()
    large, large_maps = two_halves(2 * SIZE)
    small = paint(rgb, maps, stroke())[0].matte
    finer = paint(large, large_maps, stroke())[0].matte
    coarse = finer.reshape(SIZE, 2, SIZE, 2).mean(axis=(1, 3))
    assert abs(coarse - small).mean() < 0.01
    assert small.mean() > 0.05


def test_undo_restores_the_maps_exactly():
    rgb, maps = two_halves()
    history = History(10)
    first = history.paint(rgb, maps, stroke())
    second = history.paint(rgb, first, stroke("take", x=0.6))
    third = history.paint(rgb, second, stroke("nearer"))
    for expected in (second, first, maps):
        third = history.undo(third)
        for found, values in zip(third, expected, strict=True):
            assert_array_equal(found, values)
    assert_array_equal(history.undo(third).matte, maps.matte)


def test_painting_leaves_its_input_unchanged():
    rgb, maps = two_halves()
    before = maps.matte.copy()
    paint(rgb, maps, stroke())
    assert_array_equal(maps.matte, before)


@pytest.mark.parametrize("points", [((-0.5, -0.5),), ((1.7, 0.5), (1.9, 0.5)), ((0.0, 0.0),), ((0.999, 0.999),)])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (33, 48)])
def test_strokes_at_and_beyond_the_border_keep_maps_in_range(points, size):
    rng = np.random.default_rng(5)
    rgb, maps = rng.random((*size, 3), np.float32), MapPair(rng.random(size, np.float32), rng.random(size, np.float32))
    for kind in ("add", "take", "nearer", "farther"):
        painted, _ = paint(rgb, maps, Stroke(kind=kind, points=points, radius=0.2))
        for values in painted:
            assert values.shape == size
            assert values.dtype == np.float32
            assert values.min() >= 0
            assert values.max() <= 1


def test_strokes_beyond_the_limit_are_refused():
    rgb, maps = two_halves()
    history = History(1)
    history.paint(rgb, maps, stroke())
    with pytest.raises(InvalidInput, match="at most 1 strokes"):
        history.paint(rgb, maps, stroke())


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"kind": "add", "points": [], "radius": 0.1},
        {"kind": "erase", "points": [[0, 0]], "radius": 0.1},
        {"kind": "add", "points": [[0, float("nan")]], "radius": 0.1},
        {"kind": "add", "points": [[0]], "radius": 0.1},
        {"kind": "add", "points": [[0, 1e9]], "radius": 0.1},
        {"kind": "add", "points": [[0, 0]], "radius": 7},
        {"kind": "add", "points": "far", "radius": 0.1},
    ],
)
def test_an_invalid_stroke_is_refused(data):
    with pytest.raises(InvalidInput, match="brush"):
        Stroke.from_page(data)
