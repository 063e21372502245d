"""The kernels' shortcuts: coarse levels, mirrored rows, hidden sheets, tiles, cat's eyes."""

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from wideopen.backends import pick
from wideopen.lens import Aperture, PaperLook
from wideopen.optics import Pupil
from wideopen.rendering import Optics, Sheet, reference
from wideopen.rendering import numba as numba_cpu
from wideopen.rendering.aperture import antialiased_spans, kernel
from wideopen.rendering.numba import thin_lens_look
from wideopen.rendering.numba.pixels import Whole, extremes_of
from wideopen.rendering.numba.spans import MAX_LEVEL, flat_rows, level_of, radius_at
from wideopen.sheets import BACKENDS as SEPARATORS
from wideopen.sheets.prepare import prepare_sheets

ROUND = Aperture()
BULGING = Aperture(blades=5, rotation_deg=11, curvature=0.4)


def _scene(size, seed=0):
    """A smooth background receding to the left, and a soft blob nearer by, farthest first."""
    rng = np.random.default_rng(seed)
    height, width = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    rgb = cv2.GaussianBlur(rng.random((*size, 3), np.float32), (0, 0), 1.5)
    rgb[rng.random(size) > 0.999] = 1
    alpha = np.clip(2 - 6 * np.hypot(y / height - 0.6, x / width - 0.5), 0, 1).astype(np.float32)
    return [
        Sheet(rgb=rgb, alpha=None, disparity=0.6 * x / width),
        Sheet(rgb=rgb[::-1].copy() * alpha[..., None], alpha=alpha, disparity=np.full(size, 0.9, np.float32)),
    ]


def _paper(backend, sheets, radius_px, **more):
    settings = {"focus_disparity": 0.9, "paper": PaperLook(), "quality": "exact"} | more
    return backend.paper(sheets[0].rgb, sheets[0].disparity, Optics(radius_px=radius_px, **settings))


def _psnr(a, b):
    return -10 * np.log10(np.mean(np.square(a - b, dtype=np.float64)))


@pytest.mark.parametrize(
    ("aperture", "cat_eye"),
    [
        (ROUND, 0.3),
        (BULGING, 1.0),
        pytest.param(ROUND, 1.0, marks=pytest.mark.slow),
        pytest.param(BULGING, 0.3, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 5), (61, 90)])
@pytest.mark.parametrize("radius", [0.0, 1.3, 9.0, 25.0])
def test_cat_eyes_equal_the_reference(size, aperture, cat_eye, radius):
    if max(size) > 50:
        radius = min(radius, 9.0)  # the reference is slow
    sheets = _scene(size)
    optics = Optics(
        focus_disparity=0.5, radius_px=radius, planes=5, aperture=aperture, cat_eye=cat_eye, quality="exact"
    )
    assert_allclose(numba_cpu.thin_lens(sheets, optics), reference.thin_lens(sheets, optics), rtol=0, atol=2e-6)
    more = {"planes": 4, "aperture": aperture, "cat_eye": cat_eye}
    want = _paper(reference, sheets, radius, **more)
    assert_allclose(_paper(numba_cpu, sheets, radius, **more), want, rtol=0, atol=3e-6)


def test_only_kernels_that_are_their_own_mirror_image_are_halved():
    pupils = [Pupil(aperture=aperture) for aperture in (ROUND, Aperture(blades=6), Aperture(blades=5), BULGING)]
    spans = [antialiased_spans(pupil, 8.0) for pupil in pupils]
    rows = flat_rows(spans, [8.0] * 4, [0] * 4, None)
    assert list(rows.mirrored) == [True, True, False, False]
    for n, original in enumerate(spans):
        own = slice(rows.starts[n], rows.starts[n + 1])
        listed = list(zip(rows.dys[own], rows.firsts[own], rows.lasts[own], strict=True))
        if rows.mirrored[n]:
            listed += [(-dy, first, last) for dy, first, last in listed if dy > 0]
        want = zip(original.dy, 0.5 - original.right.astype(float), 0.5 - original.left.astype(float), strict=True)
        assert sorted(listed) == sorted(want)


def test_a_sheet_behind_a_solid_one_changes_nothing_where_it_is_hidden():
    size = (300, 700)
    sheets = _scene(size)
    alpha = np.zeros(size, np.float32)
    alpha[:, 130:] = 1
    front = Sheet(rgb=sheets[0].rgb * alpha[..., None], alpha=alpha, disparity=np.ones(size, np.float32))
    optics = Optics(focus_disparity=1.0, radius_px=20, quality="exact")
    with_one = numba_cpu.thin_lens([sheets[0], front], optics)
    with_three = numba_cpu.thin_lens([replace(sheets[0], rgb=1 - sheets[0].rgb), sheets[0], front], optics)
    assert_allclose(with_one, with_three, rtol=0, atol=1e-6)
    assert_allclose(with_one[:, 130:], front.rgb[:, 130:], rtol=0, atol=1e-6)


def test_more_than_two_sheets_equal_the_reference():
    sheets = _scene((70, 64)) + _scene((70, 64), seed=1)[1:]
    optics = Optics(focus_disparity=0.4, radius_px=11, planes=6, quality="exact")
    assert_allclose(numba_cpu.thin_lens(sheets, optics), reference.thin_lens(sheets, optics), rtol=0, atol=2e-6)


def test_read_only_arrays_give_the_same():
    sheets = _scene((40, 50))
    optics = Optics(focus_disparity=0.4, radius_px=6, quality="exact")
    want = numba_cpu.thin_lens(sheets, optics)
    for sheet in sheets:
        for array in (sheet.rgb, sheet.disparity, sheet.alpha):
            if array is not None:
                array.flags.writeable = False
    assert_allclose(numba_cpu.thin_lens(sheets, optics), want, rtol=0, atol=0)


@pytest.mark.parametrize("quality", ["exact", "fast"])
@pytest.mark.parametrize("focus", [0.1, 0.9])
def test_bands_and_boxes_change_nothing(quality, focus, monkeypatch):
    size = (600, 300)
    rgb = np.random.default_rng(2).random((*size, 3), np.float32)
    y, x = np.mgrid[0:600, 0:300].astype(np.float32)
    alpha = np.clip((60 - np.hypot(x - 120, y - 320)) / 8, 0, 1)
    disparity = np.where(alpha > 0.5, 0.85 + x / 3000, y / 2000).astype(np.float32)
    sheets = prepare_sheets(rgb, alpha, disparity, pick(SEPARATORS)[1])
    optics = Optics(focus_disparity=focus, radius_px=40, planes=8, cat_eye=0.3, quality=quality)
    whole = numba_cpu.thin_lens(tuple(sheets) if quality == "exact" else sheets, optics)
    monkeypatch.setattr(thin_lens_look, "BAND_PX", 1)
    bands, seen = [], []
    image = numba_cpu.thin_lens(sheets, optics, lambda rows, top, _: (bands.append(top), seen.append(rows.copy())))
    assert len(bands) > 2
    assert_allclose(image, whole, rtol=0, atol=2e-6)
    assert_allclose(np.concatenate(seen), whole, rtol=0, atol=2e-6)
    one = [Sheet(rgb=rgb.copy(), alpha=None, disparity=disparity)]
    want = numba_cpu.thin_lens(one, optics)
    assert_allclose(numba_cpu.thin_lens(one, optics, None, one[0].rgb), want, rtol=0, atol=2e-6)
    assert numba_cpu.thin_lens(sheets, optics, None, rgb) is rgb  # the photo that the sheets come from
    assert_allclose(rgb, whole, rtol=0, atol=2e-6)


def test_blocks_hold_what_all_rows_of_the_sheets_do():
    """Without looking at sheets where they have no coverage."""
    size = (500, 700)
    rgb = np.random.default_rng(2).random((*size, 3), np.float32)
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    matte = np.clip(2 - np.hypot(y - 250, x - 300) / 80, 0, 1)
    disparity = np.where(y - 0.2 * x > 310, 0.95, np.where(matte > 0.5, 0.6, 0.1 + 0.2 * x / 700)).astype(np.float32)
    sheets = prepare_sheets(rgb, matte, disparity, pick(SEPARATORS)[1])
    assert len(sheets) == 3
    for found, whole in zip(extremes_of(sheets), extremes_of(Whole(tuple(sheets))), strict=True):
        assert_array_equal(found.most, whole.most)
        assert_array_equal(found.least, whole.least)
        shown = whole.most > 0
        assert shown.any()
        assert_array_equal(found.far[shown], whole.far[shown])
        assert_array_equal(found.near[shown], whole.near[shown])
        assert (found.far <= whole.far + 2e-5).all()
        assert (found.near >= whole.near - 2e-5).all()


class TestFast:
    """quality="fast" on coarse levels."""

    def test_strongly_blurred_areas_are_made_at_half_size(self, monkeypatch):
        """Lamps are not: a mean with what is dark beside them would not shine."""
        rng, size = np.random.default_rng(3), (512, 641)
        rgb = cv2.GaussianBlur(0.5 * rng.random((*size, 3), np.float32), (0, 0), 1.5)
        rgb[101:104, 501:504] = 1
        alpha = np.zeros(size, np.float32)
        alpha[300:400, 100:200] = 1
        sheets = prepare_sheets(rgb, alpha, np.where(alpha > 0, 0.9, 0.1).astype(np.float32), pick(SEPARATORS)[1])
        made = []
        rows = type(sheets).rows

        def counted(self, top, bottom, wanted=None, *, colours=True):
            if wanted is not None and colours:
                made.append((wanted.side, [int(blocks.sum()) for blocks in wanted.blocks]))
            return rows(self, top, bottom, wanted, colours=colours)

        monkeypatch.setattr(type(sheets), "rows", counted)
        optics = Optics(focus_disparity=0.9, radius_px=40, planes=8, quality="fast")
        fast = numba_cpu.thin_lens(sheets, optics)
        exact = numba_cpu.thin_lens(tuple(sheets), replace(optics, quality="exact"))
        (side, fine), (half, coarse) = made[:2]
        assert (side, half) == (32, 16)
        assert fine[0] <= 16 < 100 < coarse[0]  # only what lies beside the lamp in full
        assert_allclose(fast[70:140, 470:540].sum(), exact[70:140, 470:540].sum(), rtol=3e-3)
        assert _psnr(fast, exact) > 60

    def test_levels_keep_radii_between_once_and_twice_the_coarse_radius(self):
        for radius in np.geomspace(1, 2000, 60):
            level = level_of(radius, 10**6, 16.0)
            cells = radius / 2**level
            assert cells < 32 or level == MAX_LEVEL
            assert level == 0 or cells >= 16
            assert abs(radius_at(level, -radius)) <= cells
            assert radius_at(level, -radius) < 0
        assert level_of(900.0, 640, 16.0) == 3  # a cell is never more than 1 / 64 of the long side

    @pytest.mark.parametrize("aperture", [ROUND, BULGING])
    @pytest.mark.parametrize(("radius", "least"), [(50.0, 55.0), (120.0, 55.0)])
    def test_fast_is_close_to_exact(self, aperture, radius, least):
        sheets = _scene((310, 530))
        optics = Optics(focus_disparity=0.9, radius_px=radius, aperture=aperture, quality="exact")
        exact, fast = (numba_cpu.thin_lens(sheets, replace(optics, quality=q)) for q in ("exact", "fast"))
        assert np.abs(exact - fast).max() > 1e-5  # the coarse levels were in use
        assert _psnr(exact, fast) > least  # 64 and 60 dB seen at worst

    @pytest.mark.parametrize(("radius", "least"), [(30.0, 55.0), (100.0, 50.0)])
    def test_fast_is_close_to_exact_in_the_paper_look(self, radius, least):
        sheets = _scene((310, 530))
        exact, fast = (_paper(numba_cpu, sheets, radius, quality=q) for q in ("exact", "fast"))
        assert np.abs(exact - fast).max() > 1e-5
        assert _psnr(exact, fast) > least

    @pytest.mark.parametrize("cat_eye", [0.0, 0.7])
    def test_flat_field_stays_flat(self, cat_eye):
        size = (131, 257)
        flat = np.full((*size, 3), 0.37, np.float32)
        sheet = Sheet(rgb=flat, alpha=None, disparity=_scene(size)[0].disparity)
        optics = Optics(focus_disparity=1.0, radius_px=60, cat_eye=cat_eye, quality="fast")
        assert_allclose(numba_cpu.thin_lens([sheet], optics), 0.37, rtol=0, atol=1e-5)
        image = _paper(numba_cpu, [sheet], 60.0, cat_eye=cat_eye, quality="fast")
        assert_allclose(image, 0.37, rtol=0, atol=1e-5)

    def test_point_of_light_keeps_its_energy_and_its_size(self):
        size = (400, 400)
        rgb = np.zeros((*size, 3), np.float32)
        rgb[190, 213] = 1
        sheet = Sheet(rgb=rgb, alpha=None, disparity=np.zeros(size, np.float32))
        image = numba_cpu.thin_lens([sheet], Optics(focus_disparity=1.0, radius_px=70.5, quality="fast"))[..., 0]
        assert_allclose(image.sum(), 1, rtol=0, atol=1e-4)
        y, x = np.mgrid[0:400, 0:400]
        assert_allclose([(image * y).sum(), (image * x).sum()], [190, 213], rtol=0, atol=2)  # within its cell
        spread = (image * ((y - (image * y).sum()) ** 2)).sum()
        K = kernel(antialiased_spans(Pupil(aperture=ROUND), 70.5))
        want = (K.sum(1) * (np.arange(len(K)) - len(K) // 2) ** 2).sum()
        assert_allclose(spread, want, rtol=0.01, atol=0)

    def test_slow_zoom_through_a_change_of_level_shows_no_step(self):
        sheets = _scene((200, 300))
        frames = [
            numba_cpu.thin_lens(sheets, Optics(focus_disparity=0.9, radius_px=r, quality="fast"))
            for r in np.arange(34.0, 38.0, 0.25)  # the farthest planes pass 32 px
        ]
        steps = [float(np.sqrt(np.mean((a - b) ** 2))) for a, b in pairwise(frames)]
        assert max(steps) < 3 * np.median(steps)
