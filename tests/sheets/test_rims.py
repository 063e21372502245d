"""What a matte missed of a subject's rim: gone from ground in focus behind blur, left alone everywhere else."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from wideopen.backends import pick
from wideopen.lens import Lens
from wideopen.optics import Optics
from wideopen.pipeline import analyze, render
from wideopen.settings import MapSettings
from wideopen.sheets import BACKENDS, Sheet
from wideopen.sheets.rims import Rims

SIZE = 400
GROUND, SUBJECT = 0.8, 0.1


@pytest.fixture(scope="module")
def separator():
    return pick(BACKENDS, "auto")[1]


def square(inset):
    """(SIZE, SIZE) bool: a square in the middle."""
    mask = np.zeros((SIZE, SIZE), bool)
    mask[120 + inset : 280 - inset, 120 + inset : 280 - inset] = True
    return mask


def photo():
    """A dark square on bright ground."""
    return np.where(square(0)[..., None], np.float32(SUBJECT), np.float32(GROUND)).repeat(3, 2).astype(np.float32)


def tight_matte():
    """Its matte, a pixel too small on every side."""
    return square(1).astype(np.float32)


def sheets():
    alpha = tight_matte()
    ground = np.where(square(1)[..., None], np.float32(GROUND), photo())
    flat = np.ones((SIZE, SIZE), np.float32)
    return (
        Sheet(rgb=ground, alpha=None, disparity=0 * flat),
        Sheet(rgb=photo() * alpha[..., None], alpha=alpha, disparity=flat),
    )


def optics(focus):
    return Optics(focus_disparity=focus, radius_px=12.0, highlights=0.0, quality="exact")


def test_ground_in_focus_loses_the_rim_of_a_blurred_subject(separator):
    before = sheets()
    ground, subject = Rims(before).cleaned(optics(0.0), separator)
    assert_allclose(ground.rgb, GROUND, atol=0.01)
    assert subject is before[1]
    assert before[0].rgb.min() < 0.2  # what came in is as it was


def test_the_clean_ground_is_found_once(separator):
    rims = Rims(sheets())
    rims.cleaned(optics(1.0), separator)
    assert rims.clean is None
    rims.cleaned(optics(0.0), separator)
    first = rims.clean
    rims.cleaned(optics(0.1), separator)
    assert rims.clean is first is not None


def test_with_the_subject_in_focus_the_sheets_are_the_same(separator):
    before = sheets()
    after = Rims(before).cleaned(optics(1.0), separator)
    assert after[0] is before[0]
    assert after[1] is before[1]


def test_where_both_are_blurred_alike_nothing_changes(separator):
    before = sheets()
    assert Rims(before).cleaned(optics(0.5), separator)[0] is before[0]


def test_ground_farther_away_stays_to_the_bit(separator):
    before = sheets()
    after = Rims(before).cleaned(optics(0.0), separator)
    assert_array_equal(after[0].rgb[:100], before[0].rgb[:100])


def test_a_photo_without_a_subject_is_one_sheet(separator):
    only = sheets()[:1]
    assert Rims(only).cleaned(optics(0.0), separator)[0] is only[0]


def test_a_given_matte_counts_as_exact_by_default():
    def outline_of(exact):
        matte = tight_matte()
        scene = analyze(photo(), MapSettings(filter_disparity=False), matte=matte, disparity=matte, exact_matte=exact)
        image = render(scene, Lens(focus_disparity=0.0, max_radius=0.03, grain=0, highlights=0))
        rim = square(0) & ~square(1)
        return float((image[rim] - image[square(-1) & ~square(0)].mean()).mean())

    assert outline_of(None) < -0.1  # a sharp dark line
    assert outline_of(True) == outline_of(None)
    assert abs(outline_of(False)) < 0.05
