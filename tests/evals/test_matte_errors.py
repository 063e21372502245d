"""Errors of mattes: zero at the truth, by hand, and equal to slow loops over the printed definitions."""

from dataclasses import astuple

import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen.errors import InvalidInput
from wideopen.evals.mattes import SIGMA, THETA, connectivity, errors, gradient_magnitude
from wideopen.matting.clean import transition


def errors_of(alpha, truth, where=None):
    return errors(alpha, truth, where)[0]


SIZES = [(1, 1), (7, 5), (16, 16), (9, 30)]
RNG = np.random.default_rng(0)


def soft(size):
    """A matte with sure and unsure parts, in steps of 0.05."""
    return (np.round(np.clip(RNG.random(size) * 1.6 - 0.3, 0, 1) * 20) / 20).astype(np.float32)


@pytest.mark.parametrize("size", SIZES)
def test_the_truth_has_no_error(size):
    truth = soft(size)
    assert astuple(errors_of(truth, truth)) == (0, 0, 0, 0, 0)


def test_a_constant_offset_has_the_errors_computed_by_hand():
    truth, alpha = np.full((40, 50), 0.5, np.float32), np.full((40, 50), 0.75, np.float32)
    found = errors_of(alpha, truth)
    assert (found.mad, found.mse) == pytest.approx((0.25, 0.0625))
    assert found.sad == pytest.approx(0.25 * 2000 / 1000)
    assert found.gradient == pytest.approx(0, abs=1e-12)  # both are flat
    # Both belong to the source up to 0.5; alpha reaches 0.25 farther, which is more than theta.
    assert found.connectivity == pytest.approx(0.25 * 2000 / 1000)


def test_differences_below_theta_do_not_disconnect():
    truth = np.full((10, 10), 0.5, np.float32)
    assert errors_of(truth + np.float32(0.9 * THETA), truth).connectivity == 0


def test_an_island_is_disconnected_and_the_same_amount_at_the_body_is_not():
    truth = np.zeros((30, 30), np.float32)
    truth[10:20, 5:15] = 1
    island, swollen = truth.copy(), truth.copy()
    island[10:20, 22] = swollen[10:20, 15] = 1
    assert errors_of(island, truth).sad == errors_of(swollen, truth).sad
    assert errors_of(island, truth).connectivity == pytest.approx(0.01)  # both lie outside the common source
    holed = truth.copy()
    holed[12:14, 8] = 0.5
    assert errors_of(holed, truth).connectivity > 0


def test_sums_over_a_region_and_the_rest_add_up():
    alpha, truth = soft((16, 16)), soft((16, 16))
    where = RNG.random((16, 16)) < 0.4
    both, inside, outside = (errors_of(alpha, truth, w) for w in (None, where, ~where))
    for name in ("sad", "gradient", "connectivity"):
        assert getattr(inside, name) + getattr(outside, name) == pytest.approx(getattr(both, name))
    assert astuple(errors_of(alpha, truth, np.zeros((16, 16), bool))) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("size", SIZES)
def test_flips_change_nothing(size):
    alpha, truth = soft(size), soft(size)
    want = astuple(errors_of(alpha, truth))
    for flip in (np.s_[::-1], np.s_[:, ::-1]):
        flipped = errors_of(np.ascontiguousarray(alpha[flip]), np.ascontiguousarray(truth[flip]))
        assert_allclose(astuple(flipped)[:4], want[:4], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_gradient_equals_a_slow_loop(size):
    alpha = soft(size)
    x = np.arange(-4, 5)  # where the kernel falls below 0.01 of its peak
    g = np.exp(-(x**2) / (2 * SIGMA**2)) / (SIGMA * np.sqrt(2 * np.pi))
    kernel = np.outer(g, -x * g / SIGMA**2)
    kernel /= np.sqrt((kernel**2).sum())
    want = np.zeros(size)
    for row in range(size[0]):
        for column in range(size[1]):
            sums = [0.0, 0.0]
            for dy in x:
                for dx in x:
                    r, c = min(max(row + dy, 0), size[0] - 1), min(max(column + dx, 0), size[1] - 1)
                    sums[0] += kernel[dy + 4, dx + 4] * alpha[r, c]
                    sums[1] += kernel[dx + 4, dy + 4] * alpha[r, c]
            want[row, column] = np.hypot(*sums)
    assert_allclose(gradient_magnitude(alpha), want, rtol=0, atol=1e-9)


def flooded(inside):
    """The largest part of `inside` by flood fill over 4 neighbours; the first found, where two are as large."""
    left, best = {(int(r), int(c)) for r, c in np.argwhere(inside)}, set()
    for start in sorted(left):
        part, edge = set(), [start]
        while edge:
            r, c = edge.pop()
            if (r, c) in left:
                left.discard((r, c))
                part.add((r, c))
                edge += [(r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)]
        best = max(best, part, key=len)
    return best


@pytest.mark.parametrize("size", SIZES)
def test_connectivity_equals_a_slow_loop(size):
    alpha, truth = soft(size), soft(size)
    steps = [round(0.1 * k, 1) for k in range(11)]
    sources = [flooded(np.minimum(alpha, truth) >= step - 1e-6) for step in steps]
    want = np.ones(size)
    for r in range(size[0]):
        for c in range(size[1]):
            lost = next((k for k in range(1, 11) if (r, c) not in sources[k]), 11)
            d = float(alpha[r, c]) - steps[lost - 1]
            want[r, c] = 1 - d if d >= THETA else 1
    assert_allclose(connectivity(alpha, truth), want, rtol=0, atol=1e-6)


def test_the_transition_is_where_the_truth_is_fractional_widened():
    truth = np.zeros((50, 100), np.float32)
    truth[:, 50:] = 1
    band = transition(truth)
    assert np.flatnonzero(band[20]).tolist() == [49, 50]  # within 1 pixel of the step
    assert not transition(np.ones((20, 20), np.float32)).any()


def test_bad_mattes_are_refused():
    with pytest.raises(InvalidInput, match="alpha: expected values in"):
        errors_of(np.full((4, 4), 2, np.float32), np.zeros((4, 4), np.float32))
    with pytest.raises(InvalidInput, match=r"alpha: expected \(H, W\) \(4, 5\), found \(4, 4\)"):
        errors_of(np.zeros((4, 4), np.float32), np.zeros((4, 5), np.float32))
