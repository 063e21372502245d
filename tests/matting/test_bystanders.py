"""Small parts that stand behind a main subject whose feet are in the photo are dropped; nothing else is."""

import numpy as np
import pytest

from wideopen import analyze
from wideopen.matting.clean import without_bystanders, without_nearer_parts

MAIN = np.s_[20:180, 60:100]
PASSER_BY = np.s_[60:110, 140:160]


def matte(*parts, height=200):
    alpha = np.zeros((height, 200), np.float32)
    for part in parts:
        alpha[part] = 1
    return alpha


def test_passer_by_behind_is_dropped_with_its_fringe():
    both = matte(MAIN, PASSER_BY)
    both[60:110, 160] = 0.3
    assert np.array_equal(without_bystanders(both), matte(MAIN))


def test_a_subject_that_all_but_touches_the_passer_by_stays_whole():
    beside = np.s_[60:110, 101:121]
    assert np.array_equal(without_bystanders(matte(MAIN, beside)), matte(MAIN))


@pytest.mark.parametrize(
    ("kept", "height"),
    [
        pytest.param(np.s_[120:175, 140:160], 200, id="a child beside it, on the same ground"),
        pytest.param(np.s_[60:150, 140:160], 200, id="half as tall or more"),
        pytest.param(np.s_[60:110, 110:180], 200, id="large"),
        pytest.param(PASSER_BY, 180, id="the main part is cut by the photo's lower edge"),
    ],
)
def test_parts_that_are_not_bystanders_stay(kept, height):
    both = matte(MAIN, kept, height=height)
    assert np.array_equal(without_bystanders(both), both)


@pytest.mark.parametrize("parts", [(), (MAIN,)])
def test_one_part_or_none_stays(parts):
    assert np.array_equal(without_bystanders(matte(*parts)), matte(*parts))


@pytest.mark.parametrize(("nearness", "stays"), [(0.9, False), (0.5, True), (0.1, True)])
def test_small_parts_much_nearer_than_the_main_one_are_not_the_subject(nearness, stays):
    both, disparity = np.zeros((300, 400), np.float32), np.full((300, 400), 0.1, np.float32)
    both[60:260, 100:220] = 1
    disparity[60:260, 100:220] = 0.45
    dog = both.copy()
    both[240:, 330:] = 1
    disparity[230:, 320:] = nearness
    assert np.array_equal(without_nearer_parts(both, disparity), both if stays else dog)


def test_a_near_part_of_the_matte_is_dropped_where_the_depth_is_the_photos_own():
    """The network takes a dog for the subject, and half of a blanket in front of it."""
    found, disparity = np.zeros((120, 160), np.float32), np.full((120, 160), 0.1, np.float32)
    found[20:100, 30:80] = 1
    disparity[found > 0] = 0.5
    dog = found.copy()
    found[90:, 130:] = 1
    disparity[80:, 120:] = 0.95
    photo = np.full((120, 160, 3), 0.2, np.float32)
    scene = analyze(photo, matte=lambda _: found, disparity=disparity, filter_disparity=False)
    assert np.array_equal(scene.matte, dog)
    scene = analyze(photo, matte=found, disparity=disparity, filter_disparity=False)
    assert np.array_equal(scene.matte, found)  # a given matte is what the user wants
