"""The rim of a subject that a matte missed: removed from a background in focus behind blur, and nowhere else."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from wideopen.backends import pick
from wideopen.lens import Lens
from wideopen.optics import Optics
from wideopen.pipeline import analyze, render
from wideopen.settings import MapSettings
from wideopen.sheets import BACKENDS
from wideopen.sheets.prepare import prepare_sheets
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


@pytest.fixture
def sheets(separator):
    return prepare_sheets(photo(), tight_matte(), tight_matte(), separator)


def optics(focus):
    return Optics(focus_disparity=focus, radius_px=12.0, quality="exact")


@pytest.mark.parametrize("examine", [False, True])
def test_ground_in_focus_loses_the_rim_of_a_blurred_subject(sheets, examine):
    before, subject = sheets
    ground, same = Rims(sheets, examine=examine).cleaned(optics(0.0))
    assert before.rgb.min() < 0.2
    assert_allclose(ground.rgb, GROUND, atol=0.01)
    assert_array_equal(same.rgb, subject.rgb)


def test_the_clean_ground_is_found_once(sheets):
    rims = Rims(sheets)
    assert rims.cleaned(optics(1.0)).clean() is None
    assert "_clean" not in vars(rims)
    assert rims.cleaned(optics(0.0)).clean() is not None
    first = rims._clean
    rims.cleaned(optics(0.1)).clean()
    assert rims._clean is first


def test_a_textured_background_beside_an_exact_matte_stays(separator):
    rng = np.random.default_rng(0)
    ground = rng.uniform(0.1, 0.9, (SIZE // 4, SIZE // 4, 3)).repeat(4, 0).repeat(4, 1).astype(np.float32)
    exact = square(0).astype(np.float32)
    rgb = np.where(exact[..., None] > 0, np.float32(SUBJECT), ground)
    before = prepare_sheets(rgb, exact, exact, separator)
    assert_array_equal(Rims(before, examine=True).cleaned(optics(0.0))[0].rgb, before[0].rgb)
    assert not np.array_equal(Rims(before).cleaned(optics(0.0))[0].rgb, before[0].rgb)


@pytest.mark.parametrize("focus", [1.0, 0.5], ids=["subject in focus", "both blurred alike"])
def test_sheets_without_visible_rims_are_the_same(sheets, focus):
    assert Rims(sheets).cleaned(optics(focus)).clean() is None


def test_ground_farther_away_stays_to_the_bit(sheets):
    assert_array_equal(Rims(sheets).cleaned(optics(0.0))[0].rgb[:100], photo()[:100])


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
