"""Hair drawn from the photo's pixels: a veil becomes strands where the two colours differ, and nothing else changes."""

import cv2
import numpy as np
import pytest

from wideopen.matting.edges import follow_edges
from wideopen.matting.strands import draw_strands

SIZE = (300, 400)
EVERYWHERE = np.ones((30, 40), np.float32)


@pytest.fixture
def strands():
    """The true matte: a subject on the left, and strands 4 pixels wide that leave it."""
    alpha = np.zeros(SIZE, np.float32)
    alpha[:, :120] = 1
    for top in range(10, 290, 16):
        alpha[top : top + 4, 120:320] = 1
    return alpha


@pytest.fixture
def veil(strands):
    """What a network says of it, with the strands drawn faintly by the photo's edges."""
    return np.clip(0.6 * cv2.GaussianBlur(strands, (0, 0), 12) + 0.4 * strands, 0, 1)


def photo_of(alpha, subject, background):
    return np.round(alpha[..., None] * np.array(subject) + (1 - alpha[..., None]) * np.array(background)).astype(
        np.uint8
    )


def test_a_veil_becomes_strands(strands, veil):
    photo = photo_of(strands, (60, 40, 30), (150, 190, 220))
    drawn = draw_strands(veil, photo, EVERYWHERE, 8.0)
    assert np.abs(drawn - strands).mean() < 0.3 * np.abs(veil - strands).mean()
    assert drawn.min() >= 0
    assert drawn.max() <= 1


def test_where_both_sides_have_one_colour_the_matte_stays(strands, veil):
    photo = photo_of(strands, (100, 100, 100), (101, 100, 100))
    np.testing.assert_allclose(draw_strands(veil, photo, EVERYWHERE, 8.0), veil, rtol=0, atol=0.01)


@pytest.mark.parametrize(("hair", "unit_px"), [(EVERYWHERE * 0, 8.0), (EVERYWHERE, 2.0)])
def test_without_hair_or_pixels_for_it_the_matte_stays(strands, veil, hair, unit_px):
    photo = photo_of(strands, (60, 40, 30), (150, 190, 220))
    assert np.array_equal(draw_strands(veil, photo, hair, unit_px), veil)


def test_it_is_an_option_of_the_edges(strands, veil):
    photo = photo_of(strands, (60, 40, 30), (150, 190, 220))
    small = cv2.resize(veil, (80, 60), interpolation=cv2.INTER_AREA)
    without, drawn = (follow_edges(small, photo, strands=on, backend="reference") for on in (False, True))
    assert np.abs(drawn - strands).mean() < np.abs(without - strands).mean()
