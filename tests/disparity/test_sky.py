"""Clearly visible sky is far."""

import cv2
import numpy as np
import pytest

from wideopen.disparity.small import SmallDepth, plain_sky

BLUE, GREY, GREEN = (120, 160, 220), (200, 203, 205), (60, 110, 40)
ABOVE = np.s_[:100]


def view(colour) -> tuple[np.ndarray, np.ndarray]:
    """A meadow under something of one colour, which the network has farther, sloping as it will."""
    seen = np.full((256, 320, 3), GREEN, np.uint8)
    seen[ABOVE] = colour
    order = np.repeat(np.linspace(0.02, 1, 256, dtype=np.float32)[:, None], 320, axis=1)
    order[ABOVE] = np.linspace(0.02, 0.18, 100)[:, None]
    return seen, order


@pytest.mark.parametrize("colour", [BLUE, GREY])
def test_blue_and_grey_skies_are_found_whole(colour):
    sky = plain_sky(*view(colour))
    assert sky[ABOVE].all()
    assert not sky[101:].any()


def test_a_wall_is_not_sky():
    seen, order = view(GREY)
    assert not plain_sky(seen, order + np.float32(0.2)).any()


def test_water_that_comes_near_is_not_sky_and_keeps_a_smooth_depth():
    seen, order = view(BLUE)
    seen[:] = BLUE
    order[:] = np.linspace(0, 1, 256)[:, None] ** 3  # most of it far
    sky = plain_sky(seen, order)
    assert not sky[160:].any()
    assert np.abs(np.diff(sky, axis=0)).max() < 0.1


@pytest.mark.parametrize("colour", [(230, 150, 70), (150, 95, 150), (12, 30, 60)], ids=["orange", "purple", "night"])
def test_skies_of_other_colours_are_found_where_the_network_has_them_farther(colour):
    seen, order = view(colour)
    order[ABOVE] *= 0.5
    sky = plain_sky(seen, order)
    assert sky[:98].all()
    assert not sky[104:].any()
    assert not plain_sky(seen, order + np.float32(0.1)).any()


def test_a_smooth_sky_continues_between_twigs_at_its_edge():
    seen, order = view((230, 150, 70))
    seen[96:100, ::4] = GREEN
    sky = plain_sky(seen, order * np.float32(0.5))
    assert sky[97, 2::4].all()
    assert not sky[97, ::4].any()


@pytest.mark.parametrize(("colour", "share"), [((230, 150, 70), 0.2), (BLUE, 0.04)], ids=["a curtain", "a gap"])
def test_a_narrow_strip_is_not_sky(colour, share):
    seen, order = view(colour)
    seen[:, round(share * 320) :] = GREEN
    assert not plain_sky(seen, order * np.float32(0.5)).any()


def test_a_textured_surface_in_sunset_colours_is_not_sky():
    seen, order = view((230, 150, 70))
    seen[ABOVE][::2] -= np.uint8(30)
    assert not plain_sky(seen, order * np.float32(0.5)).any()


def test_sky_over_blue_water_is_far():
    seen, order = view(BLUE)
    seen[:] = BLUE
    order[ABOVE] = 0.03
    sky = plain_sky(seen, order)
    assert sky[:97].all()
    assert not sky[104:].any()


def test_a_photo_of_sky_alone_may_slope_more():
    seen, order = view(BLUE)
    seen[:] = BLUE
    order[:] = np.linspace(0.07, 0.32, 256, dtype=np.float32)[:, None]
    assert plain_sky(seen, order).all()


def test_a_front_of_glass_that_mirrors_the_sky_is_none():
    seen, order = view(BLUE)
    order[40:100, 100:200] += 0.15
    sky = plain_sky(seen, order)
    assert not sky[44:, 104:196].any()
    assert sky[:36].all()
    assert sky[ABOVE, :96].all()


@pytest.mark.parametrize("foot", [80, 100], ids=["hangs in it", "stands on the meadow"])
def test_a_post_before_the_sky_is_at_one_distance(foot):
    seen, order = view(GREY)
    seen[20:foot, 159:161] = GREEN
    order[ABOVE, 140:180] += order[ABOVE, :40]  # the network has post and sky around it nearer below
    whole = SmallDepth(seen, order, cv2.resize(order, (640, 512))).whole
    post = whole[50 : 2 * foot - 10, 319:321]
    assert np.ptp(post) == 0
    assert post[0, 0] == pytest.approx(whole.min() if foot < 100 else whole[204, 320], abs=0.08)


def test_areas_below_another_object_are_not_sky():
    seen, order = view(BLUE)
    seen[:10] = GREEN
    assert not plain_sky(seen, order).any()


def test_all_of_the_sky_is_at_the_far_end():
    seen, order = view(BLUE)
    depth = SmallDepth(seen, order, cv2.resize(order, (640, 512)))
    whole = depth.whole
    assert np.ptp(whole[:190]) == 0
    assert whole[:190].max() <= whole.min()
    assert np.ptp(whole[210:]) > 0.5


def test_leaf_tips_beside_a_tree_are_not_as_far_as_the_sky():
    seen, order = view(GREY)
    seen[:, :100], order[:, :100] = GREEN, 0.8
    whole = SmallDepth(seen, order, cv2.resize(order, (640, 512))).whole
    assert whole[100, 202] > whole.min() + 0.1
    assert whole[100, 220] < whole.min() + 1e-6
