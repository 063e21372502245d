"""Lamps of up to 1,000 times white: no streaks, no rims, nothing estimated, nothing lost."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from wideopen import Lens, analyze, render
from wideopen.hdr import Hdr
from wideopen.photo import Photo
from wideopen.rendering import BACKENDS, Optics, Sheet

# Triton's running sums are float32: beside a lamp of 1,000 they lose what numba's keep.
EXACT = [name for name, backend in BACKENDS.items() if backend.why_not() is None and name != "triton"]
LAMP, GROUND = 1000.0, 1e-3
SIZE = (90, 160)


def blurred(name, rgb, radius_px, quality="exact"):
    optics = Optics(focus_disparity=1.0, radius_px=radius_px, quality=quality)
    sheet = Sheet(rgb=rgb, alpha=None, disparity=np.zeros(rgb.shape[:2], np.float32))
    return BACKENDS[name].load().thin_lens([sheet], optics)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("radius", [3.0, 9.0, 20.0])
def test_a_constant_of_any_brightness_stays(name, radius):
    rgb = np.full((*SIZE, 3), (LAMP, 7.0, GROUND), np.float32)
    assert_allclose(blurred(name, rgb, radius), rgb, rtol=1e-5)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("quality", ["exact", "fast"])
@pytest.mark.parametrize("radius", [4.0, 14.0, 20.0])
def test_dark_ground_beside_a_lamp_stays_dark_and_has_no_streaks(name, quality, radius):
    rgb = np.full((*SIZE, 3), GROUND, np.float32)
    rgb[40:50, 60:70] = LAMP
    out = blurred(name, rgb, radius, quality)
    reach = int(radius) + 10
    out_of_reach = np.ones(SIZE, bool)
    out_of_reach[40 - reach : 50 + reach, 60 - reach : 70 + reach] = False
    assert_allclose(out[out_of_reach], GROUND, rtol=1e-3)  # with float32 sums up to 80 % off
    assert out.min() >= GROUND * 0.999
    assert_allclose(out.sum(dtype=np.float64), rgb.sum(dtype=np.float64), rtol=1e-5)


def portrait(peak):
    """Return (photo, matte, disparity): lamps seen through soft hair."""
    matte = np.zeros((120, 160), np.float32)
    matte[40:, 40:120] = 1
    matte = cv2.GaussianBlur(matte, (0, 0), 3)
    behind = np.full((120, 160, 3), 0.02, np.float32)
    for x in (50, 80, 110):
        cv2.circle(behind, (x, 38), 3, (peak,) * 3, -1)
    a = matte[..., None]
    return a * np.float32(0.15) + (1 - a) * behind, matte, np.where(matte > 0.5, 0.8, 0.2).astype(np.float32)


@pytest.mark.parametrize("peak", [4.0, 32.0, 1000.0])
@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_lamps_seen_through_hair_leave_no_black_specks(peak, backend):
    rgb, matte, disparity = portrait(peak)
    scene = analyze(rgb, matte=matte, disparity=disparity, filter_disparity=False, backend=backend)
    assert scene.hdr.headroom == pytest.approx(rgb.max())
    assert_allclose(render(scene, Lens(focus_disparity=0.8, max_radius=0), backend=backend), rgb, rtol=1e-4, atol=1e-4)
    out = render(scene, Lens(focus_disparity=0.8, max_radius=0.04), backend=backend)
    assert np.isfinite(out).all()
    hair = (matte > 0.3) & (matte < 0.99)
    assert (out.min(axis=2)[hair] >= 0.5 * (matte * 0.15)[hair]).mean() > 0.98
    assert scene.sheets[1].rgb.min() > -1


def test_nothing_is_guessed_where_the_light_is_known():
    light = np.full((64, 96, 3), 0.02, np.float32)
    light[30:33, 40:43] = 1.0  # as bright as the file can say
    nothing = np.zeros((64, 96), np.float32)
    lens = [Lens(focus_disparity=1.0, max_radius=0.08, highlights=h) for h in (0.0, 1.0, 10.0)]

    def seen(photo):
        scene = analyze(photo, matte=nothing, disparity=nothing, filter_disparity=False)
        return [render(scene, one) for one in lens]

    known = seen(Photo(rgb=light, hdr=Hdr(kind="Ultra HDR", headroom=4.0)))
    assert_array_equal(known[0], known[2])
    guessed = seen(Photo(rgb=light))
    assert guessed[2].max() > 2 * guessed[0].max()
    assert_allclose(guessed[0], known[1], rtol=1e-5)


def test_the_paper_look_renders_the_standard_picture():
    rgb, matte, disparity = portrait(32.0)
    codes = np.full((*matte.shape, 3), 90, np.uint8)
    photo = Photo(rgb=rgb, hdr=Hdr(kind="Ultra HDR", headroom=32.0, standard=codes))
    scene = analyze(photo, matte=matte, disparity=disparity, filter_disparity=False)
    out = render(scene, Lens(focus_disparity=0.8, look="paper"))
    assert_allclose(out, 0.1022, atol=2e-3)  # light of code 90
