"""The character of a lens: rims, rings, squeezed and swirling lights, colour fringes."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen import Lens, analyze, render
from wideopen.lens import Aperture
from wideopen.optics import Optics, Pupil, optics_of
from wideopen.rendering import BACKENDS, reference
from wideopen.rendering.aperture import antialiased_spans, barrel, binary_spans, kernel
from wideopen.rendering.numba import thin_lens_look
from wideopen.rendering.numba.spans import _is_mirrored
from wideopen.sheets import Sheet

CHARACTERS = {
    "soap bubble": {"rim": 0.8},
    "creamy": {"rim": -1.0},
    "mirror": {"ring": 0.45},
    "mirror with a rim": {"ring": 0.3, "rim": 0.5, "aperture": Aperture(blades=5)},
    "anamorphic": {"squeeze": 1.7, "squeeze_deg": 25.0},
    "swirl": {"cat_eye": 0.9, "swirl": 40.0},
    "all": {"rim": -0.6, "ring": 0.2, "squeeze": 1.4, "cat_eye": 0.5, "swirl": -20.0, "aperture": Aperture(blades=7)},
}


def _profile(pupil: Pupil, radius: float) -> np.ndarray:
    """Brightness from the kernel's middle to its rim."""
    K = kernel(antialiased_spans(pupil, radius))
    return K[len(K) // 2, len(K) // 2 :] / K.mean()


@pytest.mark.parametrize("radius", [-30.4, 2.6, 30.4])
@pytest.mark.parametrize("character", CHARACTERS.values(), ids=CHARACTERS)
def test_light_is_neither_made_nor_lost_nor_negative(character, radius):
    pupil = Optics(focus_disparity=1, radius_px=1, **character).pupil
    for spans in (antialiased_spans(pupil, radius), binary_spans(pupil, round(abs(radius)))):
        K = kernel(spans)
        assert_allclose(K.sum(), 1, rtol=0, atol=1e-5)
        assert K.min() >= -1e-7  # rounding


def test_a_rim_behind_the_focus_is_soft_before_it():
    soap = _profile(Pupil(rim=1), 40.0)
    assert soap[38] > 2.5 * soap[5]
    creamy = _profile(Pupil(rim=1), -40.0)
    assert_allclose(creamy, _profile(Pupil(rim=-1), 40.0), rtol=0, atol=1e-5)
    assert (np.diff(creamy[:39]) <= 1e-5).all()
    assert creamy[38] < 0.3 * creamy[5]


def test_a_faint_rim_is_nearly_a_plain_disk():
    assert_allclose(_profile(Pupil(rim=0.01), 40.0), _profile(Pupil(), 40.0), rtol=0, atol=0.04)
    assert_allclose(_profile(Pupil(rim=-0.01), 40.0), _profile(Pupil(), 40.0), rtol=0, atol=0.04)


@pytest.mark.parametrize("rim", [0.0, 1.0, -1.0])
def test_a_ring_is_dark_inside_and_lit_outside(rim):
    profile = _profile(Pupil(ring=0.5, rim=rim), 40.0)
    assert_allclose(profile[:19], 0, rtol=0, atol=1e-6)
    assert profile[22:38].min() > 0


@pytest.mark.parametrize("turned", [0.0, 30.0, 90.0])
def test_a_squeezed_disk_is_an_ellipse_of_the_same_height(turned):
    K = kernel(antialiased_spans(Pupil(squeeze=2, squeeze_deg=turned), 30.0)) > 0
    assert_allclose(K.sum(), np.pi * 30 * 15, rtol=0.06)
    y, x = np.argwhere(K).T - len(K) // 2
    angle = np.deg2rad(turned)
    across, along = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    assert np.abs(along).max() == pytest.approx(30, abs=1.5)
    assert np.abs(across).max() == pytest.approx(15, abs=1.5)


def test_swirl_turns_the_cut_of_every_light_alike():
    points = np.stack([np.ones(4), [0, 0, 300, 70], [0, 400, 250, 90]])
    straight, turned = (barrel((300, 400), Pupil(), 0.7, swirl).shift @ points for swirl in (0.0, 90.0))
    assert_allclose((straight * turned).sum(0), 0, rtol=0, atol=1e-12)
    assert_allclose(np.hypot(*straight), np.hypot(*turned), rtol=0, atol=1e-12)


def test_kernels_of_many_disks_are_still_known_to_be_their_own_mirror_image():
    assert all(_is_mirrored(antialiased_spans(Pupil(rim=rim, ring=0.2), 20.3)) for rim in (-1.0, 0.0, 1.0))
    assert not _is_mirrored(antialiased_spans(Pupil(rim=1, squeeze=1.5, squeeze_deg=20), 20.3))


@pytest.mark.parametrize("character", CHARACTERS.values(), ids=CHARACTERS)
def test_kernels_equal_the_reference(character):
    rng = np.random.default_rng(2)
    alpha = rng.random((40, 52), np.float32)
    far, near = (rng.random((40, 52), np.float32) * 0.5 + shift for shift in (np.float32(0), np.float32(0.5)))
    back, front = (rng.random((40, 52, 3), np.float32) for _ in range(2))
    sheets = [
        Sheet(rgb=back, alpha=None, disparity=far),
        Sheet(rgb=front * alpha[..., None], alpha=alpha, disparity=near),
    ]
    optics = Optics(focus_disparity=0.6, radius_px=14.0, planes=5, quality="exact", **character)
    got = BACKENDS["numba"].load().thin_lens(sheets, optics)
    assert_allclose(got, reference.thin_lens(sheets, optics), rtol=0, atol=2e-5)


def test_coarse_levels_draw_the_same_character():
    rgb = np.zeros((640, 640, 3), np.float32)
    rgb[320, 320] = 1000
    sheet = Sheet(rgb=rgb, alpha=None, disparity=np.zeros((640, 640), np.float32))
    numba = BACKENDS["numba"].load()
    for character in (CHARACTERS["soap bubble"], CHARACTERS["mirror"], CHARACTERS["creamy"]):
        optics = Optics(focus_disparity=1.0, radius_px=70.0, quality="exact", **character)
        exact, fast = numba.thin_lens([sheet], optics), numba.thin_lens([sheet], replace(optics, quality="fast"))
        assert np.abs(fast - exact).mean() < 0.05 * exact.mean() * exact.size / (exact > 0).sum()
        assert_allclose(fast.sum(), exact.sum(), rtol=1e-4)


def _lights(disparity: float, **character: float) -> np.ndarray:
    """Brightness by channel, (3,), one pixel inside the edge of a white light of 20 pixels' radius."""
    photo = np.zeros((64, 80, 3), np.float32)
    photo[32, 40] = 1
    scene = analyze(photo, matte=np.zeros((64, 80), np.float32), disparity=np.full((64, 80), disparity, np.float32))
    lens = Lens(focus_disparity=0.5, max_radius=0.25, grain=0.0, highlights=0.0, quality="exact", **character)
    return render(scene, lens)[32]


def test_fringes_are_green_behind_the_focus_and_magenta_before_it():
    behind, before = (_lights(disparity, fringes=0.2) for disparity in (0.0, 1.0))
    rim = np.flatnonzero(behind[:, 1] > 1e-6)[0]
    assert behind[rim, 1] > 0
    assert behind[rim, 0] == behind[rim, 2] == 0
    rim = np.flatnonzero(before[:, 0] > 1e-6)[0]
    assert before[rim, 0] > 0
    assert before[rim, 1] == 0
    assert_allclose(before[rim, 0], before[rim, 2], rtol=1e-6)


def test_fringes_are_drawn_in_bands_as_on_the_whole_photo(monkeypatch):
    monkeypatch.setattr(thin_lens_look, "BAND_PX", 64)
    rng = np.random.default_rng(5)
    photo, disparity = rng.random((200, 90, 3), np.float32), rng.random((200, 90), np.float32)
    matte = np.zeros((200, 90), np.float32)
    matte[60:150, 30:70] = 1
    scene = analyze(photo, matte=matte, disparity=disparity, filter_disparity=False)
    lens = Lens(focus_disparity=0.5, max_radius=0.04, grain=0.0, quality="exact", fringes=0.2)
    numba, plain = (render(scene, lens, backend=name) for name in ("numba", "reference"))
    assert_allclose(numba, plain, rtol=0, atol=1e-5)


def test_areas_in_focus_have_no_fringes():
    lens = Lens(focus_disparity=1.0, focus_range=0.1, fringes=0.2)
    for optics, _ in optics_of(lens, 4000).by_colour():
        assert_allclose(optics.signed_radius(np.float32([0.9, 0.95, 1.0])), 0, rtol=0, atol=1e-4)  # pixels
