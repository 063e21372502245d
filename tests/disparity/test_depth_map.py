"""Depth of any kind becomes disparity: nearest 1, farthest 0, holes filled, outliers clipped."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen.disparity.depth_map import to_disparity
from wideopen.errors import InvalidInput

RNG = np.random.default_rng(6)


@dataclass
class Map:
    values: object
    kind: str = "disparity"
    name: str = "a phone's map"


def slope(size=(30, 40)):
    """A disparity from 0.2 (left) to 1.2 (right)."""
    return np.tile(np.linspace(0.2, 1.2, size[1], dtype=np.float32), (size[0], 1))


WANT = np.tile(np.linspace(0, 1, 40, dtype=np.float32), (30, 1))


@pytest.mark.parametrize("kind", ["disparity", "relative_disparity", "depth_m"])
def test_near_is_one_and_far_is_zero_in_every_kind(kind):
    values = 1 / slope() if kind == "depth_m" else slope()
    assert_allclose(to_disparity(Map(values, kind)), WANT, rtol=0, atol=1e-5)


def test_infinitely_far_is_known_to_be_far():
    metres = np.array([[1.0, 2.0, np.inf, np.inf]], np.float32)
    assert_allclose(to_disparity(Map(metres, "depth_m")), [[1, 0.5, 0, 0]], rtol=0, atol=2e-3)


@pytest.mark.parametrize(
    ("kind", "hole"), [("disparity", np.nan), ("depth_m", np.nan), ("depth_m", 0), ("depth_m", -1)]
)
def test_holes_are_filled_from_their_surroundings(kind, hole):
    values = 1 / slope() if kind == "depth_m" else slope()
    values[10:16, 18:24] = hole
    out = to_disparity(Map(values, kind))
    assert_allclose(out[:10], WANT[:10], rtol=0, atol=1e-5)
    assert np.abs(out - WANT)[10:16, 18:24].max() < 0.1
    assert 0 <= out.min() <= out.max() <= 1


def test_wild_pixels_do_not_squeeze_the_rest():
    values = slope((100, 100))
    values[0, :5] = 1e6
    values[1, :5] = -1e6
    assert_allclose(to_disparity(Map(values))[50], np.linspace(0, 1, 100), rtol=0, atol=0.02)


def test_a_constant_map_is_zero_everywhere():
    assert_allclose(to_disparity(Map(np.full((4, 5), 3, np.float32))), 0, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["disparity", "depth_m"])
def test_a_map_without_a_valid_value_is_refused(kind):
    with pytest.raises(InvalidInput, match="a phone's map: expected depth, found no valid value"):
        to_disparity(Map(np.full((4, 5), np.nan, np.float32), kind))


@pytest.mark.parametrize("bad", [np.zeros((4, 5), int), np.zeros((0, 5), np.float32), np.zeros(4, np.float32), None])
def test_invalid_maps_are_refused(bad):
    with pytest.raises(InvalidInput, match="a phone's map: expected a float map"):
        to_disparity(Map(bad))


def test_an_unknown_kind_is_refused():
    with pytest.raises(InvalidInput, match="expected one of disparity, depth_m, relative_disparity, found 'inches'"):
        to_disparity(Map(slope(), "inches"))
