"""Hints instead of the previous matte: rough masks, scribbles, trimaps; where the network or the hint decides."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen import analyze
from wideopen.errors import InvalidInput
from wideopen.matting.find_matte import pick_matter
from wideopen.matting.hint import matte_from_hint
from wideopen.matting.inference import MattingSettings

SIZE = (96, 160)
RED, BLUE = np.s_[20:70, 20:60], np.s_[30:80, 100:140]


@pytest.fixture
def photo():
    """Grey noise with a red and a blue box."""
    image = np.random.default_rng(0).integers(90, 130, (*SIZE, 3)).astype(np.uint8)
    image[RED] = image[RED] // 8 + (180, 0, 0)
    image[BLUE] = image[BLUE] // 8 + (0, 0, 180)
    return image


def boxes(*where):
    alpha = np.zeros(SIZE, np.float32)
    for one in where:
        alpha[one] = 1
    return alpha


def network(*answers):
    """An engine that gives these answers, one after the other, and a list of what it was asked."""
    asked, left = [], list(answers)

    def engine(srgb_u8, stages, previous):
        asked.append((stages, previous))
        return left.pop(0)

    return engine, asked


def test_a_rough_mask_is_the_matte_so_far_and_the_network_decides(photo):
    rough = boxes(np.s_[18:72, 18:62], np.s_[0:6, 150:156])  # too large, with a blob
    engine, asked = network(boxes(RED))
    assert_allclose(matte_from_hint(engine, photo, rough, 3), boxes(RED), rtol=0, atol=0)
    assert len(asked) == 1
    assert asked[0][0] == 3
    assert_allclose(asked[0][1], rough, rtol=0, atol=0)


def test_a_thing_that_a_mask_shows_and_the_network_denies_is_found_by_its_colours(photo):
    engine, _ = network(boxes(RED))
    matte = matte_from_hint(engine, photo, boxes(RED, np.s_[28:82, 98:142]), 3)
    assert_allclose(matte, boxes(RED, BLUE), rtol=0, atol=0)


def test_a_thing_that_a_mask_leaves_out_is_left_out(photo):
    engine, _ = network(boxes(RED, BLUE))
    assert_allclose(matte_from_hint(engine, photo, boxes(RED), 3), boxes(RED), rtol=0, atol=0)


def scribble(where, value):
    hint = np.full(SIZE, 0.5, np.float32)
    hint[where] = value
    return hint


INSIDE_BLUE = np.s_[50:56, 108:132]


def test_a_black_stroke_removes_only_the_object_under_it(photo):
    engine, asked = network(boxes(RED, BLUE))
    assert_allclose(matte_from_hint(engine, photo, scribble(INSIDE_BLUE, 0.0), 3), boxes(RED), rtol=0, atol=0)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("share", "found"),
    [
        pytest.param(np.s_[30:80, 100:112], np.s_[30:80, 100:112], id="little: that much"),
        pytest.param(np.s_[30:80, 100:120], np.s_[31:79, 101:139], id="most: all but the rim"),
    ],
)
def test_the_network_decides_how_much_of_a_white_strokes_area_belongs(photo, share, found):
    engine, asked = network(boxes(RED), boxes(RED, share))
    matte = matte_from_hint(engine, photo, scribble(INSIDE_BLUE, 1.0), 3)
    assert_allclose(asked[1][1], boxes(RED, BLUE), rtol=0, atol=0)  # shown to the network: the whole thing
    assert_allclose(matte, boxes(RED, share, found, INSIDE_BLUE), rtol=0, atol=0)  # the stroke itself is certain


def test_a_stroke_marks_similar_colours_near_it_only(photo):
    photo[:, 70:95] = photo[50, 120]  # a blue wall behind
    engine, _ = network(boxes(RED, BLUE))
    assert_allclose(matte_from_hint(engine, photo, scribble(INSIDE_BLUE, 0.0), 3), boxes(RED), rtol=0, atol=0)


def test_strokes_that_agree_with_the_network_change_nothing(photo):
    hint = scribble(np.s_[40:50, 30:50], 1.0)
    hint[INSIDE_BLUE] = 0
    engine, _ = network(boxes(RED))
    assert_allclose(matte_from_hint(engine, photo, hint, 2), boxes(RED), rtol=0, atol=0)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_strokes_on_an_empty_or_a_full_matte_are_kept(photo, value):
    everything = np.full(SIZE, 1 - value, np.float32)
    engine, _ = network(everything, everything)
    matte = matte_from_hint(engine, photo, scribble(INSIDE_BLUE, value), 1)
    assert_allclose(matte[INSIDE_BLUE], value, rtol=0, atol=0)


# Through the pipeline


def test_analyze_takes_a_hint():
    rgb = np.random.default_rng(1).random((96, 64, 3), np.float32)
    hint = np.full((96, 64), 0.5, np.float32)
    hint[40:60, 20:40] = 1
    scene = analyze(rgb, depth="planar", matting_size=96, matte_hint=hint, backend="reference")
    assert scene.maps.matte_source == "predicted by mobile from a hint"
    assert scene.matte[46:54, 26:34].min() > 0.9


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"matte": np.zeros((96, 64), np.float32)}, "matte and matte_hint: expected one of them, found both"),
        ({"matting_start": "isnet"}, "matte_hint and matting_start: expected one of them"),
        ({"matting": "rembg:u2net"}, "matte_hint: expected one of wideopen's networks, found rembg:u2net"),
        ({"matte_hint": np.zeros((9, 9), np.float32)}, r"matte_hint: expected \(H, W\) \(96, 64\), found \(9, 9\)"),
        ({"matte_hint": np.full((96, 64), 2, np.float32)}, r"matte_hint: expected values in \[0, 1\]"),
    ],
)
def test_sources_that_contradict_a_hint_are_refused(options, line):
    rgb = np.zeros((96, 64, 3), np.float32)
    with pytest.raises(InvalidInput, match=line):
        analyze(rgb, depth="planar", **{"matte_hint": np.zeros((96, 64), np.float32), **options})


def test_a_hint_with_a_function_is_refused():
    with pytest.raises(InvalidInput, match="matte and matte_hint: expected one of them, found both"):
        pick_matter(MattingSettings(), lambda photo: photo, np.zeros((9, 9), np.float32))
