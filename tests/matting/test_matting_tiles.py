"""Large photos: tiles without seams, whose number follows the outline and not the photo's area."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen.errors import InvalidInput
from wideopen.matting.predict import boxes, refine_on_tiles, starts, transition_of, weights_of

RNG = np.random.default_rng(0)


def disk(height, width, radius):
    y, x = np.mgrid[:height, :width] + 0.5
    return np.clip(radius - np.hypot(y - height / 2, x - width / 2) + 0.5, 0, 1).astype(np.float32)


def by_pixel(photo, stages, previous):
    """A stage that looks at one pixel only: where its tile begins cannot matter."""
    assert stages == 1
    return (0.5 * previous + 0.5 * photo[..., 0].astype(np.float32) / 255).astype(np.float32)


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (65, 200), (150, 90)])
@pytest.mark.parametrize(("tile", "overlap"), [(64, 32), (40, 10), (64, 0)])
def test_weights_of_all_tiles_are_positive_everywhere_and_full_inside(size, tile, overlap):
    total = np.zeros(size)
    for box in boxes(np.ones(size, bool), tile, overlap):
        top, bottom, left, right = box
        w = weights_of(box, size, overlap)
        assert 0 < w.min() <= w.max() <= 1
        total[top:bottom, left:right] += w
    assert total.min() > 0
    assert total[0, 0] == total[-1, -1] == 1  # no ramp at the photo's own border


def test_one_tile_over_the_photo_is_a_single_pass():
    photo = RNG.integers(0, 256, (60, 50, 3)).astype(np.uint8)
    alpha = np.full((60, 50), 0.5, np.float32)  # all of it is transition
    got = refine_on_tiles(by_pixel, photo, alpha, scale=2, tile=64, overlap=16)
    assert_allclose(got, by_pixel(photo, 1, alpha), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("tile", "overlap"), [(64, 32), (48, 20), (100, 24)])
def test_tiles_leave_no_seam(tile, overlap):
    photo = RNG.integers(0, 256, (190, 230, 3)).astype(np.uint8)
    alpha = disk(190, 230, 70)
    want = refine_on_tiles(by_pixel, photo, alpha, scale=2, tile=512)  # one tile
    got = refine_on_tiles(by_pixel, photo, alpha, scale=2, tile=tile, overlap=overlap)
    assert_allclose(got, want, rtol=0, atol=1e-6)  # 2e-7 seen


def test_tiles_that_disagree_meet_smoothly():
    alpha = np.full((64, 200), 0.5, np.float32)
    values = iter(np.linspace(0, 1, 5))

    def stage(photo, stages, previous):
        return np.full_like(previous, next(values))

    got = refine_on_tiles(stage, np.zeros((64, 200, 3), np.uint8), alpha, scale=1, tile=64, overlap=24)
    assert got.max() - got.min() == pytest.approx(1)
    assert np.abs(np.diff(got, axis=1)).max() < 0.25 / 24 * 1.5  # a step of 0.25 is spread over the overlap


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_matte_without_transition_costs_and_changes_nothing(value):
    alpha = np.full((300, 200), value, np.float32)

    def stage(photo, stages, previous):
        raise AssertionError

    got = refine_on_tiles(stage, np.zeros((300, 200, 3), np.uint8), alpha, scale=4, tile=64, overlap=16)
    assert_allclose(got, alpha, rtol=0, atol=0)


def test_what_is_far_from_the_transition_stays_as_it_is():
    alpha = disk(200, 200, 60)
    got = refine_on_tiles(by_pixel, np.zeros((200, 200, 3), np.uint8), alpha, scale=3, tile=64, overlap=24)
    inside, outside = disk(200, 200, 40) == 1, disk(200, 200, 80) == 0
    assert_allclose(got[inside], 1, rtol=0, atol=0)
    assert_allclose(got[outside], 0, rtol=0, atol=0)
    assert (got != alpha).any()


def test_cost_follows_the_outline_not_the_area():
    def count(size):
        return len(list(boxes(transition_of(disk(size, size, 0.35 * size), 4), 64, 16)))

    small, large = count(400), count(1600)
    assert large < 5.5 * small  # 16 times the pixels, 4 times the outline
    assert large < 0.4 * len(list(boxes(np.ones((1600, 1600), bool), 64, 16)))


@pytest.mark.parametrize(("length", "tile", "overlap"), [(1, 64, 16), (64, 64, 16), (65, 64, 16), (1000, 64, 32)])
def test_tiles_reach_both_ends_and_overlap_as_asked(length, tile, overlap):
    begins = starts(length, tile, overlap)
    assert begins[0] == 0
    assert begins[-1] == max(length - tile, 0)
    assert all(b - a <= tile - overlap for a, b in pairwise(begins))


def test_overlaps_beyond_half_a_tile_are_refused():
    with pytest.raises(InvalidInput, match="at most half a tile, 32, found 40"):
        list(boxes(np.ones((9, 9), bool), 64, 40))
