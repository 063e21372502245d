"""Combining our matte with a strong segmentation network's: which one decides about which area."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen.matting.agree import agreed

SIZE = (200, 300)


def maps(*boxes):
    """(200, 300): 0 with boxes (left, right, value) of 100 rows."""
    alpha = np.zeros(SIZE, np.float32)
    for left, right, value in boxes:
        alpha[50:150, left:right] = value
    return alpha


PERSON = (100, 200, 1.0)
BESIDE = (196, 240)  # touches the person
APART = (220, 260)


def within(alpha, box):
    return float(alpha[60:140, box[0] + 8 : box[1] - 8].mean())


def test_mattes_that_agree_stay_as_ours():
    ours = maps(PERSON)
    ours[50:150, 100] = 0.4
    assert_allclose(agreed(ours, maps(PERSON), maps(PERSON)), ours, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("box", "other", "hinted", "kept"),
    [
        (BESIDE, 0.0, 0.1, 0.0),  # a bystander that our network gives up
        (BESIDE, 0.0, 0.6, 1.0),  # that it keeps
        (BESIDE, 0.09, 0.1, 1.0),  # of which the other is not sure: a white shirt, a hat
        (APART, 0.08, 0.1, 0.08),  # the same, apart from the person
        (APART, 0.2, 0.1, 1.0),
    ],
)
def test_what_only_ours_shows_is_kept_unless_both_networks_reject_it(box, other, hinted, kept):
    ours = maps((*box, 1.0), PERSON)
    matte = agreed(ours, maps((*box, other), PERSON), maps((*box, hinted), PERSON))
    assert within(matte, box) == pytest.approx(kept, abs=1e-6)
    assert within(matte, PERSON) == 1


@pytest.mark.parametrize(("width", "kept"), [(100, 1.0), (30, 0.0)])
def test_a_body_continues_to_the_lower_edge_against_the_other_network(width, kept):
    ours, other = maps(PERSON), maps(PERSON)
    ours[150:, 110 : 110 + width] = 1
    assert agreed(ours, other, other)[170:190, 118:132].mean() == pytest.approx(kept, abs=1e-6)


@pytest.mark.parametrize(("box", "other", "found"), [(BESIDE, 0.9, 0.9), (BESIDE, 0.8, 0.0), (APART, 0.9, 0.0)])
def test_what_only_the_other_shows_is_added_if_sure_and_beside_the_subject(box, other, found):
    matte = agreed(maps(PERSON), maps((*box, other), PERSON), maps(PERSON))
    assert within(matte, box) == pytest.approx(found, abs=1e-6)


@pytest.mark.parametrize(("hinted", "found"), [(0.0, 0.0), (0.6, 0.82)])
def test_the_other_needs_to_be_less_sure_of_what_our_network_accepts(hinted, found):
    matte = agreed(maps(PERSON), maps((*BESIDE, 0.82), PERSON), maps((*BESIDE, hinted), PERSON))
    assert within(matte, BESIDE) == pytest.approx(found, abs=1e-6)


def test_a_subject_that_ours_missed_is_the_others():
    assert within(agreed(maps(), maps(PERSON), maps()), PERSON) == 1


@pytest.mark.parametrize(
    ("left", "right", "thin", "found"),
    [
        pytest.param(105, 125, 0.9, 0.9, id="ours has a scrap of it"),
        pytest.param(105, 194, 0.9, 0.0, id="ours has its outline"),
        pytest.param(105, 125, 0.55, 0.0, id="the other is less sure of the whole"),
    ],
)
def test_a_thing_of_the_others_comes_with_its_thin_parts(left, right, thin, found):
    ours, other = maps((left, right, 1.0)), maps((100, 200, 0.88))
    ours[148:] = 0
    for post in range(131, 200, 6):
        other[150:, post : post + 2] = thin
    matte = agreed(ours, other, ours)
    assert matte[60:140, 196].min() == pytest.approx(0.88)
    assert matte[160:, 131:133].mean() == pytest.approx(found, abs=1e-6)


def test_outlines_stay_as_ours():
    matte = agreed(maps((100, 200, 1.0)), maps((98, 202, 1.0)), maps((98, 202, 1.0)))
    assert_allclose(matte, maps((100, 200, 1.0)), rtol=0, atol=0)


@pytest.mark.parametrize(("width", "found"), [(100, 0.0), (30, 0.9)])
def test_a_thing_that_barely_touches_belongs_only_if_the_subjects_differ_otherwise(width, found):
    ours, other = maps((200 - width, 200, 1.0)), maps(PERSON)
    other[140:190, 196:280] = 0.9
    assert agreed(ours, other, ours)[160:180, 210:270].mean() == pytest.approx(found, abs=1e-6)


@pytest.mark.parametrize(
    ("side", "shift", "taken"),
    [
        pytest.param(24, 1, True, id="small"),
        pytest.param(60, 1, False, id="not small"),
        pytest.param(24, 30, False, id="each found something else"),
    ],
)
def test_a_small_subject_that_both_found_is_the_others(side, shift, taken):
    ours, other = np.zeros(SIZE, np.float32), np.zeros(SIZE, np.float32)
    ours[50 : 50 + side, 100 : 100 + side] = 1
    other[50 : 50 + side, 100 + shift : 100 + shift + side] = 1
    assert np.array_equal(agreed(ours, other, ours), other) == taken


def test_a_small_subject_gets_no_veil_from_the_other():
    ours, other = np.zeros(SIZE, np.float32), np.full(SIZE, 0.1, np.float32)
    ours[50:74, 100:124], other[50:74, 100:124] = 1, 0.7
    assert_allclose(agreed(ours, other, ours), ours, rtol=0, atol=0.1)
    assert agreed(ours, other, ours)[100:].max() == 0
