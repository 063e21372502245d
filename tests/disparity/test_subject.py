"""Depth of a small network, shaped by the matte."""

import numpy as np
import pytest

from wideopen.disparity.subject import shaped_by_matte

SUBJECT = (slice(60, 200), slice(120, 180))  # stands in the photo, touches no edge


@pytest.fixture
def alpha() -> np.ndarray:
    a = np.zeros((256, 320), np.float32)
    a[SUBJECT] = 1
    return a


@pytest.fixture
def disparity(alpha) -> np.ndarray:
    """A floor that rises to 0.6 under the feet, and a subject whose relief runs from 0.7 to 0.9."""
    d = np.repeat(np.linspace(0.0, 0.75, 256, dtype=np.float32)[:, None], 320, axis=1)
    d[SUBJECT] = np.linspace(0.7, 0.9, 60, dtype=np.float32)
    return d


def test_a_subject_keeps_a_fifth_of_its_relief(disparity, alpha):
    before, after = disparity[SUBJECT], shaped_by_matte(disparity, alpha)[SUBJECT]
    assert np.median(after) == pytest.approx(np.median(before), abs=0.01)
    assert np.ptp(after) < 0.25 * np.ptp(before)
    assert after[:, -1].mean() > after[:, 0].mean()


def test_the_floor_comes_up_to_the_feet_and_keeps_its_order(disparity, alpha):
    after = shaped_by_matte(disparity, alpha)
    assert disparity[203, 150] < 0.61
    assert after[203, 150] == pytest.approx(0.8, abs=0.02)
    floor = after[:, 10]
    assert (np.diff(floor) > 0).all()
    assert after.max() <= 1


def test_a_floor_that_the_network_has_at_the_foot_stays_there_when_the_subject_is_flattened(alpha):
    d = np.repeat(np.linspace(0.0, 0.9, 256, dtype=np.float32)[:, None], 320, axis=1)
    d[SUBJECT] = np.linspace(0.3, 0.7, 140, dtype=np.float32)[:, None]  # as someone who sits: the feet are nearest
    after = shaped_by_matte(d, alpha)
    assert after[203, 150] == pytest.approx(after[196, 150], abs=0.03)
    assert after[203, 150] < d[203, 150] - 0.1


def test_what_is_before_the_subject_stays_before_it(disparity, alpha):
    disparity[200:] = 0.98  # a parapet
    after = shaped_by_matte(disparity, alpha)
    assert after[210, 150] == pytest.approx(0.98, abs=0.01)


def test_two_people_keep_their_own_distances():
    a, d = np.zeros((200, 300), np.float32), np.full((200, 300), 0.1, np.float32)
    for columns, nearness in ((slice(40, 90), 0.9), (slice(200, 250), 0.5)):
        a[50:, columns], d[50:, columns] = 1, nearness
    after = shaped_by_matte(d, a)
    assert after[120, 60] == pytest.approx(0.9, abs=0.01)
    assert after[120, 220] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("edge", ["lower", "left"])
def test_a_subject_that_the_photo_cuts_off_stands_on_nothing_seen(disparity, alpha, edge):
    alpha[(slice(200, 256), SUBJECT[1]) if edge == "lower" else (slice(100, 140), slice(0, 120))] = 1
    after = shaped_by_matte(disparity, alpha)
    assert np.array_equal(after[:, 250:], disparity[:, 250:])


def test_what_hangs_before_a_far_ground_leaves_it_there(disparity, alpha):
    ground = alpha < 0.5
    after = shaped_by_matte(np.where(ground, disparity / 3, disparity).astype(np.float32), alpha)
    assert np.array_equal(after[ground], disparity[ground] / 3)


def test_without_a_subject_nothing_changes(disparity):
    assert shaped_by_matte(disparity, np.zeros_like(disparity)) is disparity
