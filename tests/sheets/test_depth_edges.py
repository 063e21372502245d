"""More than two sheets: only where disparity has edges; the photo is kept, and what is hidden is continued."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen.arrays.maps import Place
from wideopen.backends import pick
from wideopen.sheets import BACKENDS, reference
from wideopen.sheets.layers import EdgeRules, find_layers
from wideopen.sheets.prepare import make_plausible, prepare_sheets

RNG = np.random.default_rng(5)
SIZE = (120, 160)
Y, X = np.mgrid[0 : SIZE[0], 0 : SIZE[1]].astype(np.float32)
FAR, FENCE, SUBJECT, FRONT = 0.1, 0.4, 0.7, 1.0
COLOUR = {
    FAR: np.array([0.1, 0.2, 0.7]),
    FENCE: np.array([0.6, 0.6, 0.5]),
    SUBJECT: np.array([0.6, 0.3, 0.1]),
    FRONT: np.array([0.1, 0.6, 0.1]),
}
_, SEPARATOR = pick(BACKENDS)


def _over(*layers):
    """Photo, matte and disparity of layers (disparity, coverage), farthest first; disparity exact to a pixel."""
    photo, seen = np.zeros((*SIZE, 3)), {}
    for d, coverage in layers:
        photo = coverage[..., None] * COLOUR[d] + (1 - coverage[..., None]) * photo
        seen = {k: v * (1 - coverage) for k, v in seen.items()} | {d: coverage}
    matte = seen.get(SUBJECT, np.zeros(SIZE)).astype(np.float32)
    others = [d for d in seen if d != SUBJECT]
    behind = np.array(others, np.float32)[np.argmax([seen[d] for d in others], axis=0)]
    disparity = np.where(matte > 0.5, np.float32(SUBJECT), behind)
    return photo.astype(np.float32), matte, disparity.astype(np.float32)


WALL = (FAR, np.ones(SIZE))
PERSON = (SUBJECT, np.clip(36 - np.hypot(X - 80, Y - 70) + 0.5, 0, 1))
BAR = (FRONT, np.clip(7.3 - np.abs(Y - 75), 0, 1))  # across the person, from edge to edge
POSTS = (FENCE, np.clip(6.3 - np.abs(np.abs(X - 80) - 60), 0, 1))  # to both sides of the person


def _together(sheets):
    out = sheets[0].rgb
    for sheet in sheets[1:]:
        out = sheet.rgb + (1 - sheet.alpha[..., None]) * out
    return out


@pytest.mark.parametrize("layers", [(WALL, PERSON, BAR), (WALL, POSTS, PERSON), (WALL, POSTS, PERSON, BAR)])
@pytest.mark.parametrize("smear", [0.0, 1.0])
def test_each_layer_gets_its_sheet_and_together_they_are_the_photo(layers, smear):
    photo, matte, disparity = _over(*layers)
    if smear:
        disparity = cv2.GaussianBlur(disparity, (0, 0), smear)
    sheets = prepare_sheets(photo, matte, disparity, SEPARATOR)
    assert_allclose([np.median(s.disparity) for s in sheets], [d for d, _ in layers], rtol=0, atol=0.05)
    assert_allclose(_together(sheets), photo, rtol=0, atol=1e-6)


def test_the_sheet_behind_a_bar_is_continued():
    photo, matte, disparity = _over(WALL, PERSON, BAR)
    wall, person, bar = prepare_sheets(photo, matte, disparity, SEPARATOR)
    assert np.abs(bar.alpha - BAR[1]).mean() < 0.01
    assert np.abs(person.alpha - PERSON[1]).mean() < 0.01
    core, beside = np.s_[70:80, 60:100], np.s_[70:80, :30]
    assert_allclose(person.rgb[core], np.broadcast_to(COLOUR[SUBJECT], (10, 40, 3)), rtol=0, atol=0.03)
    assert_allclose(wall.rgb[beside], np.broadcast_to(COLOUR[FAR], (10, 30, 3)), rtol=0, atol=0.03)
    assert_allclose(bar.rgb[core], np.broadcast_to(COLOUR[FRONT], (10, 40, 3)), rtol=0, atol=0.03)


@pytest.mark.parametrize("smear", [0.0, 1.0])
def test_a_smeared_edge_leaves_no_disparity_in_between(smear):
    photo, matte, disparity = _over(WALL, PERSON, BAR)
    if smear:
        disparity = cv2.GaussianBlur(disparity, (0, 0), smear)
    wall, _, bar = prepare_sheets(photo, matte, disparity, SEPARATOR)
    beside = np.s_[:, :30]
    assert_allclose(wall.disparity[beside], FAR, rtol=0, atol=0.25 * (FRONT - FAR))  # 0.55 halfway up the slope
    assert_allclose(bar.disparity[beside], FRONT, rtol=0, atol=0.25 * (FRONT - FAR))


def _floor():
    return np.clip(0.1 + 0.85 * (Y - 40) / 80, 0.1, 0.95)


@pytest.mark.parametrize(
    "disparity",
    [
        _floor(),
        np.maximum(_floor(), SUBJECT * (PERSON[1] > 0.5)),
        _floor() + 0.01 * RNG.standard_normal(SIZE),
        np.full(SIZE, 0.5),
        np.where((np.abs(X - 20) < 3) & (np.abs(Y - 20) < 1), FRONT, FAR),
    ],
    ids=["floor", "floor and person", "noise", "constant", "speck"],
)
def test_without_a_depth_edge_there_are_two_sheets(disparity):
    photo, matte, _ = _over(WALL, PERSON)
    disparity = np.clip(disparity, 0, 1).astype(np.float32)
    background, subject = prepare_sheets(photo, matte, disparity, SEPARATOR)
    F, B = SEPARATOR.estimate_colours(photo, matte)
    make_plausible(photo, matte, F, B)
    filled = SEPARATOR.continue_colours(B, np.clip(1 - matte / np.float32(reference.SOLID_FROM), 0, 1))
    want_background = photo.copy()
    want = np.empty_like(photo)
    SEPARATOR.split(want_background, matte, F, B, filled, 1.0, False, Place.of_all(SIZE), want)
    assert_allclose(subject.rgb, want, rtol=0, atol=1e-6)
    assert_allclose(background.rgb, want_background, rtol=0, atol=1e-6)
    assert_allclose(background.disparity[matte == 0], disparity[matte == 0], rtol=0, atol=0)


def test_a_floor_with_a_person_in_the_background_is_cut_at_the_person_only():
    """The person's feet have no edge: the part ends somewhere on the floor, and the floor beside stays whole."""
    photo, matte, _ = _over(WALL, PERSON)
    someone = (np.abs(X - 20) < 8) & (np.abs(Y - 55) < 25)
    floor = np.clip(0.1 + 0.3 * (Y - 60) / 60, 0.1, 0.4)
    disparity = np.where(someone, np.float32(0.45), floor.astype(np.float32))
    disparity = np.where(matte > 0.5, np.float32(SUBJECT), disparity).astype(np.float32)
    layers = find_layers(photo, matte, disparity)
    assert not layers.front
    assert len(layers.behind) == 1
    part = layers.behind[0] > 0.5
    assert part[someone].mean() > 0.95
    assert part[:, 130:].mean() < 0.05


@pytest.mark.parametrize("smear", [0.0, 1.0])
@pytest.mark.parametrize("middle", [0.35, 0.75])
def test_where_three_distances_meet_each_pixel_stays_with_its_own(middle, smear):
    """Halfway between the nearest and the farthest lies on either side of what is in the middle."""
    disparity = np.select([(X >= 80) & (Y > 40), Y > 60], [0.95, middle], FAR).astype(np.float32)
    near = disparity > FAR
    photo = np.where(near[..., None], COLOUR[FENCE], COLOUR[FAR]).astype(np.float32)
    if smear:
        disparity = cv2.GaussianBlur(disparity, (0, 0), smear)
    parts = find_layers(photo, None, disparity, EdgeRules(reach=0.06)).behind
    shown = 1 - np.prod([1 - part for part in parts], axis=0)
    assert_allclose(cv2.blur(shown, (3, 3)), cv2.blur(near.astype(np.float64), (3, 3)), rtol=0, atol=0.35)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 5), (3, 40)])
def test_sheets_of_any_size_and_disparity_are_the_photo(size):
    photo, matte, disparity = (
        RNG.random((*size, 3), np.float32),
        RNG.random(size, np.float32),
        RNG.random(size, np.float32),
    )
    matte[0, 0], disparity[-1, -1] = 1, 0
    sheets = prepare_sheets(photo, matte, disparity, SEPARATOR)
    assert_allclose(_together(sheets), photo, rtol=0, atol=1e-6)
    assert all(np.isfinite(s.disparity).all() for s in sheets)


def test_a_gap_in_a_near_part_stays_far():
    """The sky between leaves or strands is not drawn at their distance."""
    leaves = POSTS[1].copy()
    gap = np.s_[60:63, 19:22]
    leaves[gap] = 0
    photo, matte, disparity = _over(WALL, (FENCE, leaves), PERSON)
    (part,) = find_layers(photo, matte, disparity).behind
    assert part[gap].max() < 0.5
    assert part[50:55, 19:22].min() > 0.9


def test_a_background_seen_through_a_gap_continues_around_it():
    """A piece too small for a sheet of its own is no hole in the sheet that it belongs to."""
    leaves = (Y > 60).astype(np.float64)
    leaves[80:83, 40:43] = 0
    photo, _, disparity = _over(WALL, (FENCE, (Y > 30).astype(np.float64)), (FRONT, leaves))
    _, fence = find_layers(photo, None, disparity).behind
    assert fence[70:].min() > 0.9


def test_a_blurred_front_before_something_as_near_as_the_subject_has_its_own_sheet():
    """A post before a cushion beside the person; both are nearer than the person, and only the post is out of focus."""
    photo, matte, disparity = _over(WALL, PERSON)
    cushion, post = (X > 110) & (Y > 60), (X > 130) & (Y > 20)
    photo[cushion], photo[post] = COLOUR[FENCE], COLOUR[FRONT]
    matte = np.where(cushion | post, np.float32(0), matte)
    disparity = np.select([post, cushion], [FRONT, SUBJECT + 0.06], disparity).astype(np.float32)
    nearest, behind = find_layers(photo, matte, disparity).front
    assert np.abs(nearest - post).mean() < 0.01
    beside = ~post
    assert np.abs(behind - cushion)[beside].mean() < 0.01
    assert behind[75:, 135:].min() > 0.9, "continued behind the post"


def test_a_soft_matte_at_the_front_is_the_front_and_not_the_wall():
    """A matte that fades out before a near bar leaves neither a step in the subject nor the wall in between."""
    photo, matte, disparity = _over(WALL, PERSON, BAR)
    soft = cv2.GaussianBlur(matte, (0, 0), 3)
    inside = np.hypot(X - 80, Y - 70) < 20
    matte = np.where(inside, np.minimum(soft, matte), matte)
    layers = find_layers(photo, matte, disparity, EdgeRules(reach=0.06))
    assert layers.subject[inside].min() > 0.9
    assert np.abs(1 - (1 - layers.in_front) * layers.subject - (1 - matte))[inside].max() < 0.1


@pytest.mark.parametrize(("smear", "want"), [(0.0, 0.55), (2.0, SUBJECT)])
def test_strands_lie_where_an_exact_map_has_the_subjects_outline(smear, want):
    """What a matte mixes at the outline lies farther back than the subject: a smeared map does not tell how far."""
    strands = (SUBJECT, np.clip(PERSON[1] + 0.6 * ((np.hypot(X - 80, Y - 70) < 48) & (X % 4 < 2)), 0, 1))
    photo, matte, disparity = _over(WALL, strands)
    disparity[(matte > 0.5) & (matte < 1)] = 0.55
    if smear:
        disparity = cv2.GaussianBlur(disparity, (0, 0), smear)
    _, subject = prepare_sheets(photo, matte, disparity, SEPARATOR)
    between = (matte > 0.1) & (matte < 0.5) | (matte == 0) & (np.hypot(X - 80, Y - 70) < 46)
    assert_allclose(np.median(subject.disparity[between]), want, rtol=0, atol=0.06)
