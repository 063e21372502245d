"""Focus in a photo without a subject."""

import cv2
import numpy as np
import pytest

from wideopen import analyze
from wideopen.disparity.evident import evident_disparity


@pytest.fixture
def meadow():
    """Green texture at 0.3, a red flower with detail beside the middle at 0.7, and a plain stone in front at 0.95."""
    rng = np.random.default_rng(3)
    photo = np.float32([0.1, 0.3, 0.08]) * rng.uniform(0.8, 1.2, (240, 320, 1)).astype(np.float32)
    disparity = np.full((240, 320), 0.3, np.float32)
    flower = np.zeros((240, 320), np.uint8)
    cv2.circle(flower, (130, 110), 30, 1, -1)
    photo[flower > 0] = np.float32([0.7, 0.1, 0.3]) * rng.uniform(0.5, 1.3, (int(flower.sum()), 1)).astype(np.float32)
    disparity[flower > 0] = 0.7
    photo[210:], disparity[210:] = 0.12, 0.95
    return photo, disparity


def test_focus_falls_on_what_stands_out(meadow):
    photo, disparity = meadow
    assert evident_disparity(disparity, photo) == pytest.approx(0.7, abs=0.03)
    scene = analyze(photo, matte=np.zeros_like(disparity), disparity=disparity, filter_disparity=False)
    assert scene.focus_on_subject() == (pytest.approx(0.7, abs=0.03), 0.0)


def test_the_nearer_of_two_alike_is_chosen():
    photo, disparity = np.full((100, 200, 3), 0.2, np.float32), np.zeros((100, 200), np.float32)
    for columns, nearness in ((slice(40, 80), 0.3), (slice(120, 160), 0.8)):
        photo[30:70:2, columns], disparity[30:70, columns] = 0.9, nearness
    assert evident_disparity(disparity, photo) == pytest.approx(0.8, abs=0.03)


def test_sharp_detail_is_preferred_to_soft_lights():
    rng = np.random.default_rng(5)
    photo, disparity = np.full((640, 960, 3), 0.1, np.float32), np.full((640, 960), 0.2, np.float32)
    for x, y in rng.integers((0, 0), (960, 400), (40, 2)):
        cv2.circle(photo, (int(x), int(y)), 30, (0.9, 0.9, 0.5), -1)
    photo = cv2.GaussianBlur(photo, (0, 0), 8)
    leaf = np.s_[380:520, 420:540]
    photo[leaf] = np.float32([0.5, 0.3, 0.05]) * rng.uniform(0.8, 1.2, (140, 120, 1)).astype(np.float32)
    disparity[leaf] = 0.7
    assert evident_disparity(disparity, photo) == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (40, 60)])
def test_a_plain_photo_at_one_distance_is_in_focus(size):
    plain = np.full((*size, 3), 0.4, np.float32)
    assert evident_disparity(np.full(size, 0.5, np.float32), plain) == 0.5


@pytest.mark.parametrize(("sky", "focus"), [(0.6, 0.4), (0.9, 0.0)])
def test_the_sky_stands_out_only_in_a_photo_with_little_else(sky, focus):
    photo, disparity = np.full((100, 200, 3), 0.1, np.float32), np.full((100, 200), 0.4, np.float32)
    rows = round(100 * sky)
    disparity[:rows], photo[:rows:3] = 0, 0.9
    assert evident_disparity(disparity, photo) == pytest.approx(focus, abs=0.03)
