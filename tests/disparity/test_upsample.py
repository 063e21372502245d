"""Guided upsampling: edges move to the photo's edges, nothing overshoots, the photo's texture stays out of the map."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen.disparity.upsample import BACKENDS, reference, upsample
from wideopen.errors import InvalidInput

RNG = np.random.default_rng(4)
USABLE = [name for name, backend in BACKENDS.items() if backend.why_not() is None]
PAIRS = [
    ((1, 1), (1, 1)),
    ((1, 1), (5, 3)),
    ((7, 5), (33, 48)),
    ((16, 9), (17, 70)),
    ((3, 4), (3, 9)),
    ((5, 5), (4, 90)),
]


def photo_with_edge(height=180, width=240):
    """A textured, noisy photo with a round object, and its exact map."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    inside = np.hypot(x - 130, y - 80) < 55
    texture = 25 * np.sin(x / 3) * np.cos(y / 4)
    photo = np.where(inside[..., None], (170, 90, 60), (60, 80, 120)) + texture[..., None]
    photo = photo + RNG.normal(0, 4, photo.shape)
    return np.clip(photo, 0, 255).astype(np.uint8), np.where(inside, np.float32(0.8), 0.1 + 0.1 * y / height)


def smeared(exact, size=(45, 60), sigma=1.5):
    """The map as a network gives it: small, its edges some pixels wide."""
    small = cv2.resize(exact, size[::-1], interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(small, (0, 0), sigma)


@pytest.mark.parametrize("backend", USABLE)
@pytest.mark.parametrize("sizes", PAIRS)
def test_a_constant_stays_constant(backend, sizes):
    small, large = sizes
    guide = RNG.integers(0, 256, (*large, 3), np.uint8)
    out = upsample(np.full(small, 0.3, np.float32), guide, backend=backend)
    assert out.shape == large
    assert out.dtype == np.float32
    assert_allclose(out, 0.3, rtol=0, atol=1e-6)


@pytest.mark.parametrize("sizes", PAIRS)
def test_backends_agree(sizes):
    small, large = sizes
    guide, d = RNG.integers(0, 256, (*large, 3), np.uint8), RNG.random(small, np.float32)
    want = upsample(d, guide, backend="reference")
    for backend in USABLE:
        assert_allclose(upsample(d, guide, backend=backend), want, rtol=0, atol=2e-6)  # worst seen: 3.6e-7


def test_backends_agree_on_an_edge():
    photo, exact = photo_with_edge()
    results = [upsample(smeared(exact), photo, backend=name) for name in USABLE]
    for result in results[1:]:
        assert_allclose(result, results[0], rtol=0, atol=5e-6)  # worst seen: 4e-7


def test_up_sampling_equals_the_definition_written_as_loops():
    d, guide = RNG.random((3, 4), np.float32), RNG.integers(0, 256, (7, 9, 3), np.uint8)
    small_guide = RNG.integers(0, 256, (3, 4, 3), np.uint8)

    def spline(t):
        t = abs(t)
        return (4 - 6 * t**2 + 3 * t**3) / 6 if t < 1 else max(2 - t, 0) ** 3 / 6

    want = np.zeros((7, 9))
    for y, x in np.ndindex(7, 9):
        v, u = (y + 0.5) * 3 / 7 - 0.5, (x + 0.5) * 4 / 9 - 0.5
        total = 0.0
        for j in range(-3, 7):
            for i in range(-3, 8):
                at = min(max(j, 0), 2), min(max(i, 0), 3)
                gap = ((guide[y, x].astype(float) - small_guide[at]) ** 2).sum()
                w = spline(v - j) * spline(u - i) / (1 + gap / reference.LIKENESS**2) ** 2
                total += w
                want[y, x] += w * d[at]
        want[y, x] /= total
    assert_allclose(reference.upsample(d, small_guide, guide), want, rtol=0, atol=1e-6)


@pytest.mark.parametrize("backend", USABLE)
@pytest.mark.parametrize("sigma", [0.7, 1.5])
def test_a_smeared_edge_lands_on_the_photos(backend, sigma):
    photo, exact = photo_with_edge()
    small = smeared(exact, sigma=sigma)
    edge = cv2.morphologyEx(exact, cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0.2
    away = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, 5)
    beside = (away > 0) & (away < 10)  # two and a half pixels of the small map

    def wrong(out):
        return float((np.abs(out - exact) > 0.1)[beside].mean())

    guided, plain = wrong(upsample(small, photo, backend=backend)), wrong(cv2.resize(small, exact.shape[::-1]))
    assert plain > 0.2
    assert guided < 0.15 * plain  # 0.001 of 0.23, 0.038 of 0.54 seen; the bilateral step alone: 0.11 and 0.53


@pytest.mark.parametrize("backend", USABLE)
def test_no_halo_on_a_flat_photo(backend):
    """Where the photo shows no edge the map's comes out as it is: rising steadily, never beyond the map's values."""
    step = np.tile(np.where(np.arange(40) < 20, np.float32(0.2), np.float32(0.9)), (30, 1))
    out = upsample(cv2.GaussianBlur(step, (0, 0), 1.5), np.full((240, 320, 3), 128, np.uint8), backend=backend)
    assert (np.diff(out, axis=1) >= -1e-6).all()
    assert_allclose((out.min(), out.max()), (0.2, 0.9), rtol=0, atol=1e-3)
    assert_allclose(out, np.tile(out[:1], (240, 1)), rtol=0, atol=1e-6)
    assert abs(int(np.argmax(out[0] > 0.55)) - 160) <= 1


@pytest.mark.parametrize("backend", USABLE)
def test_texture_and_noise_of_the_photo_stay_out_of_a_slope(backend):
    slope = np.tile(np.linspace(0.2, 0.6, 60, dtype=np.float32), (45, 1))
    photo = RNG.integers(0, 256, (180, 240, 3), np.uint8)  # the worst texture there is
    out = upsample(slope, photo, backend=backend)
    exact = cv2.resize(slope, (240, 180), interpolation=cv2.INTER_LINEAR)
    assert np.abs(out - exact)[:, 12:-12].max() < 2 * 0.4 / 60  # two pixels of the small map


def test_an_edge_of_the_photo_alone_makes_none_in_the_map():
    photo, _ = photo_with_edge()
    slope = np.tile(np.linspace(0.2, 0.6, 60, dtype=np.float32), (45, 1))
    exact = cv2.resize(slope, (240, 180), interpolation=cv2.INTER_LINEAR)
    # A pixel of the small map and a half; 1.1 seen.
    assert np.abs(upsample(slope, photo) - exact)[:, 12:-12].max() < 1.5 * 0.4 / 60


def test_values_stay_within_those_around():
    guide, d = RNG.integers(0, 256, (64, 64, 3), np.uint8), RNG.random((9, 9), np.float32)
    out = upsample(d, guide)
    assert d.min() <= out.min() <= out.max() <= d.max()


@pytest.mark.parametrize("axis", [0, 1])
def test_flips_commute(axis):
    photo, exact = photo_with_edge()
    small = smeared(exact)
    flipped = upsample(np.ascontiguousarray(np.flip(small, axis)), np.ascontiguousarray(np.flip(photo, axis)))
    assert_allclose(np.flip(flipped, axis), upsample(small, photo), rtol=0, atol=1e-5)


def test_a_map_that_is_large_enough_is_only_resized():
    guide, d = RNG.integers(0, 256, (12, 16, 3), np.uint8), RNG.random((24, 32), np.float32)
    assert_allclose(upsample(d, guide), d.reshape(12, 2, 16, 2).mean(axis=(1, 3)), rtol=0, atol=1e-6)
    assert_allclose(upsample(d[:12, :16], guide), d[:12, :16], rtol=0, atol=0)


def test_bad_input_is_refused():
    guide, d = np.zeros((8, 8, 3), np.uint8), np.zeros((4, 4), np.float32)
    with pytest.raises(InvalidInput, match="small: expected finite"):
        upsample(np.full((4, 4), np.nan, np.float32), guide)
    for bad in (guide[..., 0], guide.astype(np.float32), guide[..., :2]):
        with pytest.raises(InvalidInput, match=r"guide: expected \(H, W, 3\) uint8"):
            upsample(d, bad)
