"""Small parts that stand behind a main subject whose feet are in the photo are dropped; nothing else is."""

import numpy as np
import pytest

from wideopen.matting.clean import without_bystanders

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
def test_others_stay(kept, height):
    both = matte(MAIN, kept, height=height)
    assert np.array_equal(without_bystanders(both), both)


@pytest.mark.parametrize("parts", [(), (MAIN,)])
def test_one_part_or_none_stays(parts):
    assert np.array_equal(without_bystanders(matte(*parts)), matte(*parts))
