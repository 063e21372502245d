"""Specks beside a firm outline are removed; the outline, hair and everything outside the transition stay."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from wideopen.matting.clean import TILE_PX, without_specks

UNIT_PX = 4.0  # a photo four times as wide as what the network saw


@pytest.fixture
def matte():
    """Subject on the left of column 300, and specks of 3 pixels beside it, a hole among them."""
    alpha = np.zeros((320, 600), np.float32)
    alpha[:, :300] = 1
    alpha[100:103, 306:309] = 1
    alpha[TILE_PX - 1 : TILE_PX + 2, 310:313] = 0.6  # across two tiles
    alpha[50:53, 290:293] = 0
    return alpha


def test_specks_and_holes_are_removed_and_the_outline_stays(matte):
    firm = np.ones((80, 150), np.float32)
    found = without_specks(matte.copy(), firm, UNIT_PX)
    expected = np.zeros_like(matte)
    expected[:, :300] = 1
    assert_allclose(found, expected, atol=1e-6)


def test_in_hair_nothing_changes(matte):
    assert_array_equal(without_specks(matte.copy(), np.zeros((80, 150), np.float32), UNIT_PX), matte)


def test_specks_are_removed_in_proportion_to_firmness(matte):
    firm = np.zeros((80, 150), np.float32)
    firm[:40] = 0.5
    found = without_specks(matte.copy(), firm, UNIT_PX)
    assert_allclose(found[100:103, 306:309], 0.5, atol=1e-6)
    assert_array_equal(found[170:], matte[170:])


def test_a_soft_outline_stays_as_it_is():
    row = np.clip((np.arange(200, dtype=np.float32) - 80) / 40, 0, 1)
    ramp = np.tile(row, (200, 1))
    assert_array_equal(without_specks(ramp.copy(), np.ones((50, 50), np.float32), UNIT_PX), ramp)


def test_a_photo_of_network_size_has_no_specks_to_remove(matte):
    assert without_specks(matte, np.ones((320, 600), np.float32), 0.7) is matte
