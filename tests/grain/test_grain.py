"""Grain: measured correctly, not invented where there is none, and added back only where a blur removed it."""

import inspect
from dataclasses import replace

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.testing import assert_allclose

from wideopen import Lens, analyze, render
from wideopen.arrays.transfer import decode, encode
from wideopen.color import ADOBE_RGB, DISPLAY_P3, SRGB
from wideopen.grain import BACKENDS, NO_GRAIN, Grain, reference
from wideopen.grain.estimate import correlation, encoded, estimate_grain, taps
from wideopen.grain.left_by_blur import GrainLayer, Shares, kept_by_blur, kept_by_paper, kept_by_thin_lens
from wideopen.lens import PaperLook
from wideopen.optics import Pupil
from wideopen.rendering import Optics, Sheet
from wideopen.rendering.aperture import antialiased_spans
from wideopen.rendering.reference import scatter
from wideopen.settings import MapSettings

FAST = [name for name, backend in BACKENDS.items() if backend.why_not() is None and name != "reference"]
SIZES = [(1, 1), (7, 5), (33, 48), (140, 600)]  # the last spans several tiles


def _light(codes):
    return decode(np.clip(np.rint(codes), 0, 255).astype(np.uint8), SRGB, bit_depth=8)


def _white(shape, size_px=0.0, seed=0):
    noise = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    if size_px:
        noise = cv2.GaussianBlur(noise, (0, 0), size_px).reshape(shape)
    return noise / noise.std()


@pytest.fixture(scope="module")
def portrait():
    """A portrait without noise of its own, in codes: the astronaut's grain of 2 to 3 codes is smoothed away."""
    return cv2.GaussianBlur(skimage.data.astronaut().astype(np.float32), (0, 0), 2)


class TestEstimate:
    @pytest.mark.parametrize("codes", [1, 2, 4, 8, 12])
    def test_known_noise_on_a_portrait_is_found(self, portrait, codes):
        grain = estimate_grain(_light(portrait + codes * _white(portrait.shape)), SRGB)
        assert_allclose(
            grain.codes, np.sqrt(codes**2 + 1 / 12), rtol=0.15, atol=0
        )  # rounding to 8 bits makes noise, too
        assert_allclose(grain.colour, 2 / 3, rtol=0, atol=0.07)
        assert grain.size_px <= 0.45

    @pytest.mark.parametrize("size", [0.7, 1.0])
    def test_coarse_grey_grain_is_found_coarse_and_grey(self, portrait, size):
        grain = estimate_grain(_light(portrait + 8 * _white((*portrait.shape[:2], 1), size)), SRGB)
        assert_allclose(grain.codes, 8, rtol=0.15, atol=0)
        assert_allclose(grain.size_px, size, rtol=0, atol=0.1)
        assert grain.colour < 0.03

    def test_noise_that_falls_with_brightness_is_followed(self):
        x = np.mgrid[0:600, 0:800][1]
        ramp = (20 + x / 800 * 215)[..., None].repeat(3, 2)
        strength = 9 - x[..., None] / 800 * 7
        grain = estimate_grain(_light(ramp + strength * _white(ramp.shape)), SRGB)
        want = 9 - ((np.arange(8) + 0.5) / 8 * 255 - 20) / 215 * 7
        assert_allclose(grain.strength[1:-1] * 255, want[1:-1], rtol=0.15, atol=0)  # the ends hold half a bin each

    @pytest.mark.parametrize("clean", ["portrait", "ramp", "flat", "shapes", "tiny", "black"])
    def test_pictures_without_noise_get_no_grain(self, portrait, clean):
        y, x = np.mgrid[0:512, 0:512].astype(np.float32)
        ramp = np.stack([60 + x / 4, 80 + y / 5, 200 - x / 6], 2)
        shapes = ramp.copy()
        rng = np.random.default_rng(1)
        for _ in range(60):
            (v, u), r = rng.uniform(0, 512, 2), rng.uniform(5, 60)
            shapes[(y - v) ** 2 + (x - u) ** 2 < r * r] = rng.uniform(10, 240, 3)
        pictures = {
            "portrait": portrait,
            "ramp": ramp,
            "flat": np.full_like(ramp, 99),
            "shapes": shapes,
            "tiny": ramp[:5, :5],
            "black": np.zeros_like(ramp),
        }
        assert estimate_grain(_light(pictures[clean]), SRGB) is NO_GRAIN

    @pytest.mark.parametrize("texture", ["grass", "gravel"])
    def test_texture_everywhere_is_not_grain(self, texture):
        codes = getattr(skimage.data, texture)()[..., None].repeat(3, 2)
        assert estimate_grain(_light(codes), SRGB) is NO_GRAIN  # without the test for a floor: 24 and 18 codes

    def test_texture_beside_noise_does_not_count(self):
        codes = np.full((512, 1024, 3), 120.0)
        codes[:, 512:] = skimage.data.gravel()[..., None]
        grain = estimate_grain(_light(codes + 3 * _white(codes.shape)), SRGB)
        assert_allclose(grain.codes, 3, rtol=0.1, atol=0)

    def test_areas_smoothed_away_do_not_count(self, portrait):
        codes = np.rint(portrait + 4 * _white(portrait.shape))
        codes[:150] = 180  # as JPEG leaves a sky
        assert_allclose(estimate_grain(_light(codes), SRGB).codes, 4, rtol=0.15, atol=0)

    def test_a_photo_that_is_mostly_still_has_no_grain(self, portrait):
        codes = portrait + 4 * _white(portrait.shape)
        codes[:, 64:] = 180
        assert not estimate_grain(_light(codes), SRGB)

    def test_noise_is_measured_as_encoded_in_any_primaries(self, portrait):
        codes = np.clip(np.rint(portrait + 5 * _white(portrait.shape)), 0, 255).astype(np.uint8)
        grain = estimate_grain(decode(codes, DISPLAY_P3, bit_depth=8), DISPLAY_P3)
        assert_allclose(grain.codes, estimate_grain(_light(codes), SRGB).codes, rtol=1e-3, atol=0)


def test_a_chosen_strength_keeps_the_character():
    measured = Grain(strength=np.array([0.02, 0.01], np.float32), size_px=0.8, colour=0.5)
    own = measured.with_codes(7.65)
    assert_allclose(own.codes, 7.65, rtol=1e-6, atol=0)
    assert_allclose(own.strength, [0.04, 0.02], rtol=1e-6, atol=0)
    assert (own.size_px, own.colour) == (0.8, 0.5)
    assert_allclose(NO_GRAIN.with_codes(3.0).codes, 3, rtol=1e-6, atol=0)
    assert not measured.with_codes(0.0)
    assert not NO_GRAIN.with_codes(0.0)


@pytest.mark.parametrize("size", [0.0, 0.4, 1.2])
def test_noise_has_variance_one_and_the_correlation_of_its_size(size):
    field = reference.noise((800, 1000), reference.FIELDS[0], size)
    assert_allclose([field.mean(), field.std()], [0, 1], rtol=0, atol=0.02)
    found = [(field[:, lag:] * field[:, : field.shape[1] - lag]).mean() for lag in range(4)]
    assert_allclose(found, correlation(size, 4), rtol=0, atol=0.02)


def test_fields_have_nothing_in_common():
    fields = [reference.noise((300, 300), seed, 0.0).ravel() for seed in reference.FIELDS]
    assert_allclose(np.corrcoef(fields), np.eye(3), rtol=0, atol=0.01)


@pytest.mark.parametrize("size", [0.0, 1.0])
@pytest.mark.parametrize("radius", [1.0, 1.7, 4.6, 9.0, 14.0])
def test_kept_is_what_a_blur_keeps(size, radius):
    noise = reference.noise((600, 600), reference.FIELDS[1], size)
    blurred = scatter(noise[..., None], antialiased_spans(Pupil(), radius))
    blurred = blurred[30:-30, 30:-30]  # at the border more is kept
    kept = kept_by_blur(np.array([radius], np.float32), Pupil(), size)[0]
    assert_allclose(kept, blurred.std(), rtol=0.1, atol=0)
    assert kept_by_blur(np.zeros(1, np.float32), Pupil(), size)[0] == 1


def test_kept_by_paper_is_one_where_nothing_is_blurred_and_less_elsewhere():
    disparity = np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10)
    sharp, soft = (
        kept_by_paper(
            disparity, Optics(focus_disparity=1.0, radius_px=r, highlights=0.0, quality="exact"), PaperLook(), 0.0
        )
        for r in (0.5, 60.0)
    )
    assert_allclose(sharp, 1, rtol=0, atol=1e-6)
    assert soft[0] < 0.2 < 0.6 < soft[-1]


def _case(size, rng):
    optics = Optics(focus_disparity=0.6, focus_range=0.1, radius_px=20, highlights=0.0, quality="exact")
    table = kept_by_thin_lens(optics, 0.5)
    image = rng.random((*size, 3), np.float32) ** 2 * np.float32(1.2)
    layers = [
        GrainLayer(np.ones((1, 1), np.float32), rng.choice(table, size)),
        GrainLayer(rng.random((5, 7), np.float32), rng.choice(table, (3, 4))),
        GrainLayer(rng.random(size, np.float32), np.ones((1, 1), np.float32)),
    ]
    return image, layers


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("size_px", "colour"), [(0.0, 0.0), (0.4, 0.6), (1.2, 1.0)])
def test_kernel_equals_reference(name, size, size_px, colour):
    image, layers = _case(size, np.random.default_rng(3))
    for strength in ([0.03], [0.02, 0.03, 0.01, 0.04]):
        grain = Grain(strength=np.array(strength, np.float32), size_px=size_px, colour=colour)
        for above in (False, True):
            bright = image * np.float32(3) if above else image
            want = reference.add_grain(bright.copy(), layers, grain, DISPLAY_P3, above=above)
            got = BACKENDS[name].load().add_grain(bright.copy(), layers, grain, DISPLAY_P3, above=above)
            assert_allclose(got, want, rtol=0, atol=2e-6)  # worst seen 1.8e-7


@pytest.mark.parametrize("name", FAST)
def test_backends_share_one_signature(name):
    fast = BACKENDS[name].load().add_grain
    assert inspect.signature(fast) == inspect.signature(reference.add_grain)


@pytest.mark.parametrize("name", list(BACKENDS))
def test_rows_have_the_grain_of_the_whole(name):
    image, layers = _case((600, 200), np.random.default_rng(5))
    layers[2] = replace(layers[2], coverage=layers[2].coverage[20:540, 30:170], corner=(20, 30))
    grain = Grain(strength=np.array([0.02, 0.03], np.float32), size_px=0.7, colour=0.5)
    add = BACKENDS[name].load().add_grain
    whole = add(image.copy(), layers, grain, SRGB)
    for top, bottom in ((0, 64), (64, 530), (530, 600)):
        rows = add(image[top:bottom].copy(), layers, grain, SRGB, top, 600)
        assert_allclose(rows, whole[top:bottom], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", FAST)
def test_number_of_threads_does_not_matter(name):
    numba = pytest.importorskip("numba")
    image, layers = _case((200, 700), np.random.default_rng(4))
    grain = Grain(strength=np.full(1, 0.03, np.float32), size_px=0.7, colour=0.5)
    threads = numba.get_num_threads()
    try:
        results = []
        for count in (1, threads):
            numba.set_num_threads(count)
            results.append(BACKENDS[name].load().add_grain(image.copy(), layers, grain, SRGB))
    finally:
        numba.set_num_threads(threads)
    assert (results[0] == results[1]).all()


@pytest.mark.parametrize("colour", [[0.02, 0.5, 0.97], [1.0, 0.6, 0.0], [0.004, 0.01, 0.02], [1.5, 1.0, 0.9]])
def test_no_colour_cast_next_to_black_and_white(colour):
    image = np.full((256, 256, 3), colour, np.float32)
    layers = [GrainLayer(np.ones((1, 1), np.float32), np.zeros((1, 1), np.float32))]
    grain = Grain(strength=np.full(1, 12 / 255, np.float32), colour=2 / 3)
    out = reference.add_grain(image.copy(), layers, grain, SRGB)
    before, after = (encode(x, SRGB, bit_depth=16).reshape(-1, 3).mean(0) / 257 for x in (image, out))
    assert_allclose(after, before, rtol=0, atol=0.3)
    assert (out >= 0).all()
    assert (out[..., np.array(colour) >= 1] == image[..., np.array(colour) >= 1]).all()


def test_grain_continues_above_white_where_the_photo_was_not_clipped():
    layers = [GrainLayer(np.ones((1, 1), np.float32), np.zeros((1, 1), np.float32))]
    grain = Grain(strength=np.full(1, 6 / 255, np.float32))
    spread = []
    for light in (0.98, 1.02, 4.0, 16.0):
        image = np.full((256, 256, 3), light, np.float32)
        assert (reference.add_grain(image.copy(), layers, grain, SRGB) == light).all() or light < 1
        out = reference.add_grain(image, layers, grain, SRGB, above=True)
        assert_allclose(out.mean(), light, rtol=1e-3)
        spread.append(out.std())
    assert_allclose(spread[1] / spread[0], 1, rtol=0.05)  # no step at white
    assert_allclose(np.array(spread[2:]) / spread[1], [2, 4], rtol=0.05)


def test_subject_out_of_focus_takes_its_grain_along_over_its_soft_edge():
    alpha = np.zeros((200, 200), np.float32)
    alpha[:, :100] = 1
    sheets = [
        Sheet(rgb=np.zeros((200, 200, 3), np.float32), alpha=None, disparity=np.zeros((200, 200), np.float32)),
        Sheet(rgb=np.zeros((200, 200, 3), np.float32), alpha=alpha, disparity=np.ones((200, 200), np.float32)),
    ]
    optics = Optics(focus_disparity=0.0, radius_px=20.0, highlights=0.0, quality="exact")
    layers = Shares(sheets, optics, 0.0).layers(sheets)
    kept = reference.kept_amplitude(layers, reference.PhotoRows(100, 1, 200, 200))[0]
    assert kept[40] < 0.1
    assert_allclose(kept[100], 0.5, rtol=0, atol=0.1)
    assert_allclose(kept[160], 1, rtol=0, atol=1e-3)


def test_parts_of_a_sheet_in_focus_that_were_not_made_count_by_its_small_coverage():
    """A renderer leaves out, as coverage 0, what it blurs so much that half the photo's size will do."""
    ground = Sheet(rgb=np.zeros((200, 200, 3), np.float32), alpha=None, disparity=np.full((200, 200), 0.8, np.float32))
    disparity = np.full((200, 200), 0.8, np.float32)
    disparity[:, :60] = 0.2  # out of focus, where the ground behind is in focus
    alpha = np.zeros((200, 200), np.float32)
    alpha[:, :150] = 1
    sheets = [ground, Sheet(rgb=ground.rgb, alpha=alpha, disparity=disparity)]
    optics = Optics(focus_disparity=0.8, radius_px=40.0)
    shares = Shares(sheets, optics, 0.0)
    made = alpha.copy()
    made[:, :60] = 0
    of_rows = reference.PhotoRows(100, 1, 200, 200)
    kept, of_made = (
        reference.kept_amplitude(shares.layers([ground, replace(sheets[1], alpha=a)]), of_rows)[0]
        for a in (alpha, made)
    )
    assert_allclose(of_made[:148], kept[:148], rtol=0, atol=1e-6)


@pytest.fixture(scope="module")
def noisy_scene(portrait):
    """Subject on the left in focus, a plain background far away; noise of 6 codes everywhere."""
    codes = np.full((160, 240, 3), 130.0) + 6 * _white((160, 240, 3), seed=5)
    matte = np.zeros((160, 240), np.float32)
    matte[:, :100] = 1
    matte[:, 100:104] = [0.8, 0.6, 0.4, 0.2]
    return analyze(_light(codes), MapSettings(filter_disparity=False), matte=matte, disparity=matte)


def _spread(image, columns):
    codes = encode(image, SRGB, bit_depth=16).astype(np.float64)[10:-10, columns] / 257
    return codes.std((0, 1))


@pytest.mark.parametrize("look", ["thin-lens", "paper"])
def test_background_is_as_grainy_as_the_subject_and_no_seam_shows(noisy_scene, look):
    scene = noisy_scene
    lens = {"focus_disparity": 1.0, "max_radius": 0.05, "look": look}
    bare, grainy = (render(scene, Lens(grain=g, **lens)) for g in (0.0, None))
    assert _spread(bare, slice(140, 240)).max() < 1.2
    assert_allclose(_spread(grainy, slice(140, 240)), 6, rtol=0.1, atol=0)
    edge = _spread(grainy, slice(97, 108))
    assert_allclose(edge, 6, rtol=0.15, atol=0)
    assert (grainy[:, :95] == bare[:, :95]).all()  # nothing for what is in focus
    means = [encode(x, SRGB, bit_depth=16)[:, 140:].mean((0, 1)) / 257 for x in (bare, grainy)]
    assert_allclose(means[1], means[0], rtol=0, atol=0.2)


def test_without_blur_nothing_is_added(noisy_scene):
    scene = noisy_scene
    bare, grainy = (render(scene, Lens(focus_disparity=1.0, max_radius=0.0, grain=g)) for g in (0.0, None))
    assert (bare == grainy).all()


def test_a_chosen_strength_replaces_the_measured_one(noisy_scene):
    scene = noisy_scene
    image = render(scene, Lens(focus_disparity=1.0, max_radius=0.05, grain=3.0))
    assert_allclose(_spread(image, slice(140, 240)), 3, rtol=0.15, atol=0)


def test_grain_is_the_same_in_every_render(noisy_scene):
    scene = noisy_scene
    lens = Lens(focus_disparity=1.0, max_radius=0.05, grain=None)
    assert (render(scene, lens) == render(scene, lens)).all()


@pytest.mark.parametrize("encoding", [SRGB, ADOBE_RGB], ids=lambda e: e.name)
def test_short_curves_follow_the_exact_ones(encoding):
    light = decode(np.arange(65536, dtype=np.uint16).reshape(-1, 4, 1).repeat(3, 2), encoding, bit_depth=16)
    got = encoded(light, encoding)[..., 1].ravel() * 255
    assert_allclose(got[8:], np.arange(8, 65536) / 257, rtol=0, atol=5e-3)  # below, Adobe's curve is too steep


def test_taps_keep_the_variance():
    for size in (0.0, 0.3, 1.0, 2.0):
        assert_allclose((taps(size) ** 2).sum(), 1, rtol=1e-12, atol=0)
