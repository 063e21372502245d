"""Depth of a small network, shaped by the matte."""

import numpy as np
import pytest

from wideopen.disparity.subject import put_before, shaped_by_matte

SUBJECT = (slice(60, 200), slice(120, 180))  # stands in the photo, touches no edge


@pytest.fixture
def alpha() -> np.ndarray:
    a = np.zeros((256, 320), np.float32)
    a[SUBJECT] = 1
    return a


@pytest.fixture
def behind() -> np.ndarray:
    """A floor that rises to 0.6 under the feet."""
    return np.repeat(np.linspace(0.0, 0.75, 256, dtype=np.float32)[:, None], 320, axis=1)


def seen(behind, relief) -> np.ndarray:
    """What a network says of the photo with its subject."""
    whole = behind.copy()
    whole[SUBJECT] = relief
    return whole


@pytest.fixture
def whole(behind) -> np.ndarray:
    """With a subject whose relief runs from 0.7 to 0.9."""
    return seen(behind, np.linspace(0.7, 0.9, 60, dtype=np.float32))


def test_a_subject_is_flat_but_rounded(whole, behind, alpha):
    _, subject = shaped_by_matte(whole, behind, alpha)
    flat = subject[SUBJECT]
    assert np.median(flat) == pytest.approx(0.93, abs=0.005)  # nearest of all
    assert np.ptp(flat) < 0.1
    assert flat[70, 30] > max(flat[70, 2], flat[70, -3], flat[2, 30], flat[-3, 30]) + 0.02


def test_the_floor_comes_up_to_the_feet_and_keeps_its_order(whole, behind, alpha):
    background, subject = shaped_by_matte(whole, behind, alpha)
    assert background[203, 150] == pytest.approx(np.median(subject[SUBJECT]), abs=0.03)
    assert (np.diff(background[:, 10]) >= 0).all()
    assert (np.diff(background[20:200, 10]) > 0).all()
    assert background.max() <= 1


def test_a_floor_that_the_network_has_at_the_foot_stays_there_when_the_subject_is_flattened(alpha):
    behind = np.repeat(np.linspace(0.0, 0.9, 256, dtype=np.float32)[:, None], 320, axis=1)
    whole = seen(behind, np.linspace(0.3, 0.7, 140, dtype=np.float32)[:, None])  # who sits: the feet are nearest
    background, subject = shaped_by_matte(whole, behind, alpha)
    assert background[203, 150] == pytest.approx(np.median(subject[SUBJECT]), abs=0.03)


def test_objects_in_front_of_the_subject_stay_in_front(whole, behind, alpha):
    behind[200:] = whole[200:] = 0.98  # a parapet
    background, subject = shaped_by_matte(whole, behind, alpha)
    assert background[210, 150] > subject[SUBJECT].max()


def test_ground_that_ends_in_the_guess_behind_the_subject_still_touches_its_foot(whole, behind, alpha):
    behind[196:206, 115:185] = 0.1
    background, subject = shaped_by_matte(whole, behind, alpha)
    assert background[203, 150] == pytest.approx(np.median(subject[SUBJECT]), abs=0.1)


def test_a_subject_stands_out_from_a_background_that_the_network_has_close_to_it(behind, alpha):
    alpha[200:, SUBJECT[1]] = 1
    whole = np.where(alpha > 0, np.float32(0.6), behind / 3 + np.float32(0.25))
    background, subject = shaped_by_matte(whole, behind / 3 + np.float32(0.25), alpha)
    assert np.median(subject[SUBJECT]) > 0.8
    assert np.median(background[alpha == 0]) < 0.3


def test_all_distances_behind_a_subject_grow_by_one_factor(behind, alpha):
    alpha[200:, SUBJECT[1]] = 1
    wall = np.repeat(np.linspace(0.2, 0.7, 320, dtype=np.float32)[None], 256, axis=0)  # rises like no floor
    whole = np.where(alpha > 0, np.float32(0.8), wall)
    background, subject = shaped_by_matte(whole, wall, alpha)
    near = np.median(subject[SUBJECT])
    assert np.median(background[alpha == 0]) == pytest.approx(0.085 * near, abs=0.01)
    given, found = 0.6 / (wall - 0.2)[9, 40:] - 1, near / background[9, 40:] - 1  # distance to a subject at 1
    assert np.ptp(found / given) < 0.05 * np.mean(found / given)


def test_two_people_keep_their_own_distances():
    a, behind = np.zeros((200, 300), np.float32), np.full((200, 300), 0.1, np.float32)
    whole = behind.copy()
    for columns, nearness in ((slice(40, 90), 0.9), (slice(200, 250), 0.5)):
        a[50:, columns], whole[50:, columns] = 1, nearness
    _, subject = shaped_by_matte(whole, behind, a)
    assert subject[120, 60] > subject[120, 220] + 0.1


@pytest.mark.parametrize("edge", ["lower", "left"])
def test_a_subject_cut_off_by_the_photo_touches_no_ground(whole, behind, alpha, edge):
    cut = (slice(200, 256), SUBJECT[1]) if edge == "lower" else (slice(100, 140), slice(0, 120))
    alpha[cut], whole[cut] = 1, 0.8
    background, subject = shaped_by_matte(whole, behind, alpha)
    assert background[203, 10] < 0.85 * np.median(subject[SUBJECT])


def test_ground_far_behind_a_hanging_subject_stays_far(whole, behind, alpha):
    far = np.where(alpha < 0.5, behind / 3, whole).astype(np.float32)
    background, subject = shaped_by_matte(far, behind / 3, alpha)
    assert background[203, 150] < 0.4 * np.median(subject[SUBJECT])


def test_a_background_that_rises_like_a_floor_becomes_more_of_one(alpha, monkeypatch):
    bumps = np.float32(0.05) * np.sin(np.arange(320, dtype=np.float32) / 8)
    rising = np.linspace(0, 0.7, 256, dtype=np.float32)[:, None] + bumps

    def bumpy() -> float:
        background, _ = shaped_by_matte(seen(rising, np.float32(0.65)), rising, alpha)
        return float(np.ptp(background[150:190, :100], axis=1).mean())

    now = bumpy()
    monkeypatch.setattr("wideopen.disparity.subject.FLOOR", 0)
    assert now < 0.75 * bumpy()


def test_sky_below_the_eyes_of_a_small_subject_stays_far(alpha):
    rising = np.repeat(np.linspace(-0.7, 0.7, 256, dtype=np.float32)[:, None].clip(0), 320, axis=1)  # sky to the middle
    background, _ = shaped_by_matte(seen(rising, np.float32(0.65)), rising, alpha)
    assert background[:126].max() < 0.005
    assert background[150:, 10].min() > 0.02


def test_a_wall_stays_one(alpha):
    wall = np.repeat(np.linspace(0.3, 0.1, 256, dtype=np.float32)[:, None], 320, axis=1)
    background, _ = shaped_by_matte(seen(wall, np.float32(0.9)), wall, alpha)
    assert (np.diff(background[:, 10]) <= 0).all()


def test_the_subject_ends_where_the_matte_does():
    alpha = np.zeros((40, 60), np.float32)
    alpha[10:30, 20:40], alpha[10:30, 40] = 1, 0.5
    out = put_before(np.full((40, 60), 0.2, np.float32), np.full((20, 30), 0.9, np.float32), alpha)
    assert np.abs(out - (0.2 + 0.7 * alpha)).max() < 1e-6


def across(alpha, apart):
    """`alpha` behind wires of 2 pixels, so far apart, and where these are."""
    seen_through = alpha.copy()
    for row in range(60 + apart, 200, apart):
        seen_through[row : row + 2] = 0
    return seen_through, alpha > seen_through


def test_a_fence_is_before_the_subject_seen_through_it(whole, behind, alpha):
    seen_through, wires = across(alpha, 12)
    background, subject = shaped_by_matte(whole, behind, seen_through)
    assert (background[wires] == 1).mean() > 0.95
    assert np.median(subject[SUBJECT]) == pytest.approx(0.8, abs=0.02)
    assert background[:60].max() < 0.8


@pytest.mark.parametrize("kind", ["two people", "curls", "one wire"])
def test_other_gaps_are_not_a_fence(whole, behind, alpha, kind):
    seen_through = alpha.copy()
    if kind == "one wire":
        seen_through, _ = across(alpha, 80)
    elif kind == "two people":
        seen_through[60:200, 149:151] = 0
    else:
        seen_through[60:78, 122:180:4] = seen_through[60:78, 123:180:4] = seen_through[78:80] = 0
    background, subject = shaped_by_matte(whole, behind, seen_through)
    assert background[alpha > seen_through].max() < 1
    assert np.median(subject[SUBJECT]) > 0.88
