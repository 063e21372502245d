"""Lights that the photo clipped: lamps shine in their own colour, skies and everything in focus stay unchanged."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from wideopen import Lens, analyze, render
from wideopen.arrays.maps import Place
from wideopen.optics import Optics
from wideopen.sheets import BACKENDS
from wideopen.sheets.lamps import MOST, guess_lamps, shine

NOBODY = np.zeros((120, 160), np.float32)
DARK, WARM = 0.05, np.array([1.0, 0.7, 0.3], np.float32)


def night(peak=1.0, colour=(1, 1, 1)):
    """A lamp of 5 x 5 pixels in the dark, its flanks half lit, clipped as a camera does."""
    light = np.full((120, 160, 3), DARK, np.float32)
    light[57:64, 77:84] = 0.6 * np.asarray(colour, np.float32)
    light[58:63, 78:83] = peak * np.asarray(colour, np.float32)
    return np.minimum(light, 1)


def seen(photo, strength, radius=0.05, matte=NOBODY):
    scene = analyze(photo, matte=matte, disparity=NOBODY, filter_disparity=False)
    return render(scene, Lens(focus_disparity=1.0, max_radius=radius, highlights=strength, grain=0.0))


def test_a_lamp_in_the_dark_is_far_above_white():
    lamps = guess_lamps(night(), NOBODY)
    assert 2 < lamps[60, 80].max() <= MOST
    assert lamps[10, 10].max() == 0


def test_a_lamp_becomes_a_bright_disk():
    assert seen(night(), 1.0).max() > 2 * seen(night(), 0.0).max()


def test_a_lamp_has_the_colour_of_its_flanks():
    warm = seen(night(8.0, WARM), 1.0)[60, 80] - DARK
    assert warm[2] < 0.7 * warm[0]


NEARLY_WHITE = np.array([1.0, 0.95, 0.85], np.float32)


def test_a_lamp_of_which_one_channel_clips_keeps_its_colour():
    """Red alone times eight would make a pink disk of a warm white lamp."""
    red, _, blue = seen(night(1.0, NEARLY_WHITE), 1.0)[60, 80] - DARK
    assert blue < red < 2 * blue


def test_areas_that_barely_clip_are_not_lamps():
    y, x = np.mgrid[:120, :160]
    cloud = np.minimum(1.02 - 3e-5 * ((y - 60.0) ** 2 + (x - 80.0) ** 2), 1).astype(np.float32)
    photo = np.repeat(cloud[..., None], 3, axis=2)
    assert_allclose(seen(photo, 1.0), seen(photo, 0.0), rtol=0, atol=0.1)
    assert seen(photo, 1.0).max() < 1.1


def test_a_lamp_in_focus_stays_beside_what_is_blurred():
    photo, disparity = night(1.0, NEARLY_WHITE), NOBODY.copy()
    disparity[:, :40] = 1
    scene = analyze(photo, matte=NOBODY, disparity=disparity, filter_disparity=False)
    image = render(scene, Lens(focus_disparity=0.0, max_radius=0.05, highlights=1.0, grain=0.0))
    assert_allclose(np.minimum(image[40:80, 70:90], 1), photo[40:80, 70:90], rtol=0, atol=1e-6)


@pytest.mark.parametrize("colour", [(1, 1, 1), (1, 0.8, 0.5)])
def test_lamps_in_focus_stay(colour):
    photo = night(1.0, colour)
    assert_allclose(np.minimum(seen(photo, 1.0, radius=0.0), 1), photo, rtol=0, atol=1e-6)


def test_without_highlights_nothing_shines():
    assert seen(night(), 0.0, radius=0.0).max() <= 1


def test_glints_on_the_subject_stay():
    assert guess_lamps(night(), NOBODY + 1) is None
    assert guess_lamps(np.full((120, 160, 3), 0.5, np.float32), NOBODY) is None


def test_a_white_photo_stays():
    white = np.ones((120, 160, 3), np.float32)
    assert_array_equal(seen(white, 1.0).max(), seen(white, 0.0).max())


@pytest.mark.parametrize("covered", [False, True])
def test_numba_shines_as_the_reference_does(covered):
    rng = np.random.default_rng(2)
    photo = np.minimum(rng.random((90, 70, 3), np.float32) * 2, 1)
    lamps = np.where(rng.random((45, 30, 1)) < 0.5, 0, 1 + 8 * rng.random((45, 30, 3))).astype(np.float32)
    place = Place(10, 90, 5, 65, 90, 70)
    alpha = rng.random((80, 60), np.float32) if covered else None
    rgb = photo[10:, 5:65] * (1 if alpha is None else alpha[..., None])
    optics = Optics(focus_disparity=0.4, focus_range=0.1, radius_px=4.0)
    disparity = np.tile(np.linspace(0, 0.9, 60, dtype=np.float32), (80, 1))
    wanted, found = rgb.copy(), rgb.copy()
    shine(wanted, alpha, disparity, photo[10:], lamps, 0.7, optics, place)
    BACKENDS["numba"].load().shine(found, alpha, disparity, photo[10:], lamps, 0.7, optics, place)
    assert_allclose(found, wanted, rtol=1e-5)
    assert (wanted > 2 * rgb).any()
