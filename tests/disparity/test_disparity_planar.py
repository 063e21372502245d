"""Disparity from the matte alone: planes, feet on the floor, the horizon, several people, busts."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen.disparity.planar import HORIZON_DISPARITY, LEAST_SUBJECT_DISPARITY, extent, planar

HEIGHT, WIDTH = 240, 200


def person(x, top, bottom, wide=None):
    """A matte: a body and a head above it; `bottom` may lie below the photo."""
    alpha, tall = np.zeros((HEIGHT, WIDTH), np.float32), bottom - top
    half = (wide or tall / 4) / 2
    alpha[int(top + 0.15 * tall) : min(bottom, HEIGHT), int(x - half) : int(x + half)] = 1
    alpha[top : int(top + 0.15 * tall), int(x - half / 2) : int(x + half / 2)] = 1
    return alpha


STANDING = person(60, 40, 200)
BUST = person(70, 60, HEIGHT, wide=120)
FAR = person(170, 54, 118)  # 0.4 times as tall, its eyes at the same row


def at(d, x, y):
    return float(d[y, x])


def floor(d):
    """A column with nobody in it, (H,)."""
    return d[:, -1]


def test_a_person_is_one_plane():
    d = planar(STANDING)
    assert np.ptp(d[STANDING == 1]) == 0
    assert at(d, 60, 100) >= LEAST_SUBJECT_DISPARITY


def test_the_floor_passes_under_the_feet():
    d = planar(STANDING)
    assert floor(d)[198] < at(d, 60, 100) < floor(d)[201]


def test_the_floor_recedes_to_the_horizon_at_the_eyes():
    d = floor(planar(STANDING))
    assert (np.diff(d) >= 0).all()
    assert_allclose(d[: 40 + 24], HORIZON_DISPARITY, rtol=0, atol=1e-6)
    assert_allclose(np.diff(d[66:190]), d[101] - d[100], rtol=0, atol=1e-5)  # linear in the row
    assert d[101] > d[100]


def test_the_floor_before_the_feet_is_nearer():
    d = planar(STANDING)
    assert floor(d)[-1] > at(d, 60, 100) + 0.1
    assert d.max() <= 1


def test_a_bust_is_nearest_and_its_floor_lies_below_the_photo():
    d = planar(BUST)
    assert_allclose(d[BUST == 1], 1, rtol=0, atol=1e-6)
    assert HORIZON_DISPARITY < floor(d)[-1] < 0.6


def test_a_full_figure_at_the_lower_edge_is_not_a_bust():
    d = planar(person(60, 60, HEIGHT))
    assert floor(d)[-1] > 0.75


def test_people_higher_in_the_photo_are_farther_by_the_floors_disparity():
    d = planar(np.maximum(STANDING, FAR))
    near, far = at(d, 60, 100), at(d, 170, 100)
    assert_allclose(far - HORIZON_DISPARITY, 0.4 * (near - HORIZON_DISPARITY), rtol=0.02, atol=0)
    row = planar(np.maximum(STANDING, FAR))[:, 0]
    assert row[116] < far < row[119]
    assert row[198] < near < row[201]


def test_a_bust_is_nearer_than_people_behind_it():
    d = planar(np.maximum(BUST, FAR))
    assert at(d, 70, 200) == 1
    assert at(d, 170, 100) < 0.4


def test_two_busts_share_one_distance():
    d = planar(np.maximum(person(45, 60, HEIGHT, wide=80), person(150, 80, HEIGHT, wide=80)))
    assert at(d, 45, 200) == at(d, 150, 200) == 1


@pytest.mark.parametrize("where", [(slice(150, 165), slice(86, 98)), (slice(204, 208), slice(60, 75))])
def test_a_held_thing_and_a_separate_shoe_stay_with_their_owner(where):
    alpha = np.maximum(STANDING, FAR)
    alone = planar(alpha)
    alpha[where] = 1
    d = planar(alpha)
    assert np.ptp(d[where]) == 0
    assert d[where].max() == at(d, 60, 100) == at(alone, 60, 100)


def test_a_person_behind_a_wire_is_one_plane():
    cut = STANDING.copy()
    cut[110:112] = 0
    d = planar(cut)
    assert np.ptp(d[cut == 1]) == 0
    assert_allclose(d[cut == 1], planar(STANDING)[cut == 1], rtol=0, atol=1e-6)


def test_soft_edges_belong_to_their_own_part():
    alpha = cv2.GaussianBlur(np.maximum(STANDING, FAR), (0, 0), 2)
    d, row = planar(alpha), planar(np.maximum(STANDING, FAR))
    for x, own in ((60, at(d, 60, 100)), (170, at(d, 170, 100))):
        columns = slice(x - 26, x + 27)
        a, behind = alpha[90:120, columns], row[90:120, :1]
        assert_allclose(d[90:120, columns], a * own + (1 - a) * behind, rtol=0, atol=0.03)


def test_twice_the_size_gives_the_same():
    alpha = np.maximum(STANDING, FAR)
    big = planar(alpha.repeat(2, 0).repeat(2, 1))
    assert_allclose(big.reshape(HEIGHT, 2, WIDTH, 2).mean((1, 3)), planar(alpha), rtol=0, atol=0.01)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_empty_or_full_matte_gives_a_floor(value):
    d = planar(np.full((40, 30), value, np.float32))
    assert d[0, 0] < 0.1
    assert d[-1, 0] > 0.9
    assert extent(np.zeros((40, 30), np.float32)) is None


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (3, 2), (33, 48)])
def test_tiny_photos_and_speckles(size):
    alpha = (np.random.default_rng(5).random(size) > 0.6).astype(np.float32)
    d = planar(alpha)
    assert d.shape == size
    assert np.isfinite(d).all()
    assert d.min() >= 0
    assert d.max() <= 1
