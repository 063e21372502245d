"""Two sheets: colours estimated, the photo kept, kernels equal to the reference."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen.arrays.maps import Place, fill_holes
from wideopen.backends import pick
from wideopen.sheets import BACKENDS, reference
from wideopen.sheets.photo_sheets import Wanted
from wideopen.sheets.prepare import prepare_sheets, with_radiance
from wideopen.sheets.transport import continue_colours

SIZES = [(1, 1), (1, 9), (7, 5), (33, 48)]
FAST = [name for name, backend in BACKENDS.items() if name != "reference" and backend.why_not() is None]


def _photo(size, seed=0):
    rng = np.random.default_rng(seed)
    alpha = cv2.GaussianBlur((rng.random(size) > 0.5).astype(np.float32), (0, 0), 1.0).reshape(size)
    return rng.random((*size, 3), np.float32), np.clip(alpha * 2 - 0.5, 0, 1)


def _continued(B, alpha):
    return continue_colours(B, np.clip(1 - alpha / np.float32(reference.SOLID_FROM), 0, 1))


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("size", SIZES)
def test_backend_equals_reference(name, size):
    rng = np.random.default_rng(1)
    image, alpha = _photo(size)
    fast = BACKENDS[name].load()
    F, B = reference.estimate_colours(image, alpha)
    for got, want in zip(fast.estimate_colours(image, alpha), (F, B), strict=True):
        assert_allclose(got, want, rtol=0, atol=1e-5)  # worst seen 3.9e-6: a 3 x 3 system per pixel
    half = [x[: max(1, size[0] // 2)] for x in (F, B, _continued(B, alpha))]
    place = Place.of_all(size)
    for known, scale in ((True, 8), (False, 1)):  # the scene's own light, and clipped
        behind, wanted, parts = image * scale, image * scale, [x * np.float32(scale) for x in half]
        got, want = np.full_like(image, np.nan), np.full_like(image, np.nan)
        fast.split(behind, alpha, *parts, scale, known, place, got)
        reference.split(wanted, alpha, *parts, scale, known, place, want)
        assert_allclose(got, want, rtol=0, atol=2e-6 * scale)
        assert_allclose(behind, wanted, rtol=0, atol=2e-6 * scale)
    maps = rng.random((max(1, size[0] // 2), max(1, size[1] // 3), 4), np.float32)
    fast.blend(behind, maps, place)
    reference.blend(wanted, maps, place)
    assert_allclose(behind, wanted, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("size", SIZES)
def test_a_layers_coverage_and_disparity_are_those_of_the_reference(name, size):
    rng = np.random.default_rng(3)
    disparity, seen, matte = (rng.random(size, np.float32) for _ in range(3))
    seen[:], matte[: size[0] // 2] = np.maximum(seen, 0.97), 1
    maps = rng.random((max(1, size[0] // 2), max(1, size[1] // 3), 4), np.float32)
    maps[:, : maps.shape[1] // 2, 1] = 0  # there the matte counts
    left, wanted = seen.copy(), seen.copy()
    got, want = ([np.empty(size, np.float32) for _ in range(2)] for _ in range(2))
    BACKENDS[name].load().reveal(disparity, matte, maps, left, Place.of_all(size), *got)
    reference.reveal(disparity, matte, maps, wanted, Place.of_all(size), *want)
    for one, other in zip(got, want, strict=True):
        assert_allclose(one, other, rtol=0, atol=2e-6)
    assert_allclose(left, wanted, rtol=0, atol=2e-7)


@pytest.mark.parametrize("name", list(BACKENDS))
@pytest.mark.parametrize("brightness", [1.0, 3.0])
def test_rows_of_the_sheets_are_those_of_the_whole(name, brightness):
    """Also in blocks around what a sheet covers, and where light above white was measured in windows."""
    size = (96, 128)
    rng = np.random.default_rng(8)
    matte = np.zeros(size, np.float32)
    matte[20:60, 40:90] = rng.random((40, 50), np.float32)
    matte[30:50, 50:80] = 1
    disparity = np.where(matte > 0.5, np.float32(0.9), np.float32(0.2))
    disparity[80:, :30] = 0.7
    light = np.where(matte[..., None] > 0.9, 0.1, brightness * rng.random((*size, 3)))
    sheets = prepare_sheets(np.minimum(light, 1).astype(np.float32), matte, disparity, BACKENDS[name].load())
    clean = rng.random((24, 32, 4), np.float32)
    sheets = replace(with_radiance(sheets, 0.5), clean=lambda: clean)
    whole = tuple(sheets)
    bright = replace(sheets, radiance=1.0, found={})
    made = bright.rows(30, 61)
    bright.hold()
    for sheet, want in zip(bright.rows(30, 61), made, strict=True):
        assert_allclose(sheet.rgb, want.rgb, rtol=0, atol=1e-6)
        assert_allclose(sheet.disparity, want.disparity, rtol=0, atol=1e-6)
    covers = [np.ones(size, bool) if s.alpha is None else s.alpha > 0 for s in whole]
    blocks = [cover.reshape(6, 16, 8, 16).any(axis=(1, 3)) for cover in covers]
    blocks[0][:, 2] = False  # what lies behind the subject's edge is not wanted there
    for top, bottom in ((0, 96), (17, 18), (30, 61), (62, 96)):
        made = sheets.rows(top, bottom, Wanted(blocks, 16))
        for sheet, want, block in zip(made, whole, blocks, strict=True):
            (y, x), (n, m) = sheet.corner, sheet.disparity.shape
            here, wanted = np.s_[y : y + n, x : x + m], np.kron(block, np.ones((16, 16), bool))
            at = wanted[here]
            assert_allclose(sheet.rgb[at], want.rgb[here][at], rtol=0, atol=1e-6)
            assert_allclose(sheet.disparity[at], want.disparity[here][at], rtol=0, atol=1e-6)
            if want.alpha is not None:
                assert_allclose(sheet.alpha, want.alpha[here], rtol=0, atol=1e-6)
                assert at.sum() == wanted[top:bottom].sum()  # nothing lies outside
                assert n * m < want.alpha[top:bottom].size or sheets.white is not None


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("size", [*SIZES, (60, 80)])
def test_holes_are_filled_as_in_the_reference(name, size):
    rng = np.random.default_rng(4)
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    values = np.stack([0.2 + 0.6 * (x + y > size[1] / 2), y / 90, 0.01 * rng.random(size)], 2).astype(np.float32)
    weight = np.clip(np.hypot(x - size[1] / 2, y - size[0] / 2) / (0.2 * max(size)) - 0.5, 0, 1).astype(np.float32)
    got, want = (b.continue_colours(values, weight) for b in (BACKENDS[name].load(), BACKENDS["reference"].load()))
    assert_allclose(got, want, rtol=0, atol=1e-5)  # worst seen 0


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0, 2.0])
def test_an_edge_is_continued_straight_into_a_hole(slope):
    y, x = np.mgrid[0:160, 0:160].astype(np.float32)
    dark = np.clip((y - 80 - slope * (x - 80)) / np.hypot(1, slope) + 0.5, 0, 1)
    picture = np.repeat(0.1 + 0.7 * dark[..., None], 3, 2)
    weight = (np.abs(x - 80) > 25).astype(np.float32)
    _, separator = pick(BACKENDS)
    ring = (np.abs(x - 80) > 22) & (weight == 0)  # 3 pixels deep
    error = np.abs(separator.continue_colours(picture, weight) - picture)[ring].mean()
    assert error < 0.35 * np.abs(fill_holes(picture, weight) - picture)[ring].mean()


@pytest.mark.parametrize("name", list(BACKENDS))
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("peak", [1.0, 5.0])
def test_sheets_put_together_are_the_photo(name, size, peak):
    image, alpha = _photo(size)
    image *= peak
    separator = BACKENDS[name].load()
    F, B = separator.estimate_colours(image, alpha)
    background = image.copy()
    white = max(1.0, image.max())
    subject = np.empty_like(background)
    separator.split(background, alpha, F, B, _continued(B, alpha), white, False, Place.of_all(size), subject)
    a = alpha[..., None]
    assert_allclose(subject + (1 - a) * background, image, rtol=0, atol=peak * 2e-7)
    assert background.min() >= 0
    assert background.max() <= max(1, image.max()) + 1e-6
    assert_allclose(background[alpha == 0], image[alpha == 0], rtol=0, atol=0)
    assert_allclose(subject[alpha == 1], image[alpha == 1], rtol=0, atol=0)


def _as_published(I, A, F, B, of_F, of_B, active, colour):
    even = np.zeros_like(of_F)
    even[..., :3] = 1
    reference.half_step(I, A, F, B, even, even, active, colour)


def test_colours_are_those_of_pymatting():
    # estimate_foreground_ml of the same image, the published implementation; the order of updates differs.
    from pymatting import estimate_foreground_ml as estimate

    size = (64, 80)
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    alpha = np.clip((24 - np.hypot(x - 40, y - 32)) / 12 + 0.5, 0, 1).astype(np.float32)
    F = np.stack([0.8 - 0.2 * x / 80, 0.3 + 0 * x, 0.2 + 0.2 * y / 64], 2)
    B = np.stack([0.1 + 0 * x, 0.5 + 0.3 * x / 80, 0.9 - 0.4 * y / 64], 2)
    a = alpha[..., None]
    image = (a * F + (1 - a) * B).astype(np.float32)
    theirs = estimate(image.astype(np.float64), alpha.astype(np.float64), return_background=True)
    ours = reference.coarse_to_fine(image, alpha, _as_published)
    hair = (alpha > 0.05) & (alpha < 0.95)
    for got, published, truth in zip(ours, theirs, (F, B), strict=True):
        error, their_error = (np.abs(e - truth)[hair].mean() for e in (got, published))
        assert error < 1.1 * their_error + 1e-3, (error, their_error)


def test_the_residual_goes_to_the_side_that_varies_more():
    """Bright stripes seen through thin dark hair: half of each stripe used to stay in the hair, and sharp."""
    y, x = np.mgrid[0:96, 0:128].astype(np.float32)
    wall = np.where((y // 8) % 2 > 0, np.float32(0.8), np.float32(0.1))
    alpha = np.select([np.abs(x - 64) < 8, np.abs(x - 64) < 24], [1.0, 0.5], 0.0).astype(np.float32)
    photo = np.repeat((alpha * 0.05 + (1 - alpha) * wall)[..., None], 3, 2)
    _, separator = pick(BACKENDS)
    _, subject = prepare_sheets(photo, alpha, np.zeros((96, 128), np.float32), separator)
    error = np.abs(subject.rgb[..., 0] - alpha * 0.05)[alpha == 0.5]
    assert error.mean() < 0.022, error.mean()  # 0.040 when both sides share it evenly


def test_hair_takes_the_subjects_colour_and_leaves_the_background_clean():
    size = (60, 60)
    x = np.arange(60)[None, :] + np.zeros((60, 1))
    alpha = np.clip((35 - x) / 10, 0, 1).astype(np.float32)
    F, B = np.array([0.6, 0.3, 0.1]), np.array([0.1, 0.2, 0.7])
    a = alpha[..., None]
    rgb = (a * F + (1 - a) * B).astype(np.float32)
    _, separator = pick(BACKENDS)
    background, subject = prepare_sheets(rgb, alpha, np.zeros(size, np.float32), separator)
    assert_allclose(background.rgb[:, 25:], np.broadcast_to(B, (60, 35, 3)), rtol=0, atol=0.03)
    assert_allclose(subject.rgb, a * F, rtol=0, atol=0.03)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_matte_without_an_edge_gives_one_sheet(value):
    image, _ = _photo((8, 9))
    _, separator = pick(BACKENDS)
    disparity = np.full((8, 9), 0.5, np.float32)
    (sheet,) = prepare_sheets(image, np.full((8, 9), value, np.float32), disparity, separator)
    assert sheet.alpha is None
    assert_allclose(sheet.rgb, image, rtol=0, atol=0)


def test_each_sheets_disparity_continues_under_the_other():
    alpha = np.zeros((40, 40), np.float32)
    alpha[10:30, 10:30] = 1
    disparity = np.where(alpha > 0, np.float32(0.9), np.float32(0.2))
    _, separator = pick(BACKENDS)
    background, subject = prepare_sheets(_photo((40, 40))[0], alpha, disparity, separator)
    assert_allclose(background.disparity, 0.2, rtol=0, atol=1e-5)
    assert_allclose(subject.disparity, 0.9, rtol=0, atol=1e-5)


def test_a_matte_too_wide_does_not_darken_the_wall_behind():
    """A vase ten times as bright as the wall: once the wall was down to less than half beside and under its outline."""
    y, x = np.mgrid[0:480, 0:640].astype(np.float32)
    away = np.hypot(x - 320, y - 240) - 100  # from the vase's outline
    vase, matte = np.clip(0.5 - away, 0, 1), np.clip(0.5 - away / 1.5 + 0.7, 0, 1)
    photo = np.repeat((0.035 + 0.315 * vase)[..., None], 3, axis=2)
    background, _ = prepare_sheets(photo, matte, np.zeros((480, 640), np.float32), pick(BACKENDS)[1])
    beside = (matte > 0) & (away > -10)
    assert background.rgb[beside].min() > 0.03


def test_the_background_under_a_nearly_solid_subject_is_smooth():
    """Where the matte is 0.8 to 1, what the photo says of the background is noise over almost nothing.

    It once showed as coloured speckle in the ring that a subject out of focus uncovers.
    """
    rng = np.random.default_rng(10)
    y, x = np.mgrid[0:120, 0:160].astype(np.float32)
    alpha = np.clip((45 - np.hypot(x - 80, y - 60)) / 30 + 0.5, 0, 1)
    alpha[alpha > 0.85] = 0.99  # a network's "solid"
    hair = (0.05 + 0.04 * rng.random((120, 160, 3))).astype(np.float32)
    wall = np.full((120, 160, 3), 0.4, np.float32)
    a = alpha[..., None]
    photo = a * hair + (1 - a) * wall
    _, separator = pick(BACKENDS)
    background, _ = prepare_sheets(photo, alpha, np.zeros((120, 160), np.float32), separator)
    assert background.rgb[alpha > 0.8].std() < 0.03  # 0.15 with the photo's say alone
    assert_allclose(background.rgb[alpha > 0.8].mean(), 0.4, rtol=0, atol=0.05)


def test_a_subject_brighter_than_white_leaves_the_background_as_it_is():
    """In the scene's own light, what a nearly solid lamp has of detail is not a lamp of 1,000 behind it."""
    rng = np.random.default_rng(11)
    y, x = np.mgrid[0:120, 0:160].astype(np.float32)
    alpha = np.clip((45 - np.hypot(x - 80, y - 60)) / 4 + 0.5, 0, 1)
    alpha[alpha > 0.95] = 0.999
    lamp = (4 + 0.5 * rng.random((120, 160, 3))).astype(np.float32)
    a = alpha[..., None]
    photo = a * lamp + (1 - a) * np.float32(0.1)
    _, separator = pick(BACKENDS)
    background, subject = prepare_sheets(photo, alpha, np.zeros((120, 160), np.float32), separator, clipped=False)
    assert background.rgb.max() < 2.5  # once 3,700
    assert subject.rgb[alpha < 0.5].max() > 1.5  # its edge is as bright as it is
