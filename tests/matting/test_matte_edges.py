"""The matte's transition follows the photo: outlines move to its edges, strands appear, certain values stay."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from wideopen.arrays.maps import resize_map
from wideopen.errors import InvalidInput
from wideopen.matting.edges import BACKENDS, follow_edges, reference

RNG = np.random.default_rng(8)
USABLE = [name for name, backend in BACKENDS.items() if backend.why_not() is None]
PAIRS = [((1, 1), (5, 3)), ((7, 5), (33, 48)), ((16, 9), (17, 70)), ((40, 30), (61, 46)), ((5, 5), (4, 90))]


def photographed(exact, *, noise=3.0):
    """A photo (H, W, 3) of a warm subject with the coverage `exact`, before a cool gradient."""
    height, width = exact.shape
    y = np.mgrid[0:height, 0:width][0][..., None] / height
    cool, warm = np.array([70, 90, 130]) * (0.7 + 0.5 * y), np.array([190, 140, 90])
    photo = exact[..., None] * warm + (1 - exact[..., None]) * cool + RNG.normal(0, noise, (height, width, 3))
    return np.clip(photo, 0, 255).astype(np.uint8)


def smeared(exact, *, smaller=3, sigma=1.2):
    """The matte as a network gives it: small, its transition too soft."""
    small = cv2.resize(exact, None, fx=1 / smaller, fy=1 / smaller, interpolation=cv2.INTER_AREA)
    return np.clip(cv2.GaussianBlur(small, (0, 0), sigma), 0, 1)


def disk(height=240, width=300, radius=80):
    y, x = np.mgrid[:height, :width] + 0.5
    return np.clip(radius - np.hypot(y - height / 2, x - width / 2) + 0.5, 0, 1).astype(np.float32)


def hairy():
    """A disk with strands, two pixels wide, as far as 30 pixels out of it."""
    strands = np.zeros((960, 1200), np.uint8)
    for angle in RNG.uniform(0, 2 * np.pi, 150):
        ends = [(600 + r * np.cos(angle + turn), 480 + r * np.sin(angle + turn)) for r, turn in ((300, 0), (440, 0.1))]
        cv2.line(strands, *[tuple(map(int, end)) for end in ends], 255, 8)
    fine = resize_map(strands.astype(np.float32) / 255, (240, 300))
    return np.maximum(fine, disk())


def error(matte, exact):
    return float(np.abs(matte - exact).mean())


@pytest.mark.parametrize("backend", USABLE)
@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("sizes", PAIRS)
def test_a_matte_without_transition_stays(backend, value, sizes):
    small, large = sizes
    out = follow_edges(np.full(small, value, np.float32), RNG.integers(0, 256, (*large, 3), np.uint8), backend=backend)
    assert out.dtype == np.float32
    assert_allclose(out, np.full(large, value), rtol=0, atol=0)


@pytest.mark.parametrize("sizes", PAIRS)
def test_backends_agree(sizes):
    small, large = sizes
    guide, matte = RNG.integers(0, 256, (*large, 3), np.uint8), RNG.random(small, np.float32)
    want = follow_edges(matte, guide, backend="reference")
    for backend in USABLE:
        assert_allclose(follow_edges(matte, guide, backend=backend), want, rtol=0, atol=2e-4)  # worst seen: 2e-5


def test_backends_agree_in_hair():
    exact = hairy()
    small, photo = smeared(exact), photographed(exact)
    want = follow_edges(small, photo, backend="reference")
    for backend in USABLE:
        assert_allclose(follow_edges(small, photo, backend=backend), want, rtol=0, atol=2e-4)  # worst seen: 5e-7


def test_reference_is_the_formula():
    """A pixel's plane is the mean of those of its nine windows, each by least squares with the ridge eps on a."""
    guide, alpha = RNG.integers(0, 256, (9, 9, 3), np.uint8), RNG.random((9, 9), np.float32)
    want = np.zeros(4)
    for dy, dx in np.ndindex(3, 3):
        window = np.s_[2 + dy : 5 + dy, 2 + dx : 5 + dx]
        I, p = guide[window].reshape(-1, 3) / 255, alpha[window].ravel()
        centred = I - I.mean(0)
        a = np.linalg.solve(centred.T @ centred / 9 + 0.01 * np.eye(3), centred.T @ (p - p.mean()) / 9)
        want += np.array([*a, p.mean() - a @ I.mean(0)]) / 9
    assert_allclose(reference.plane_of(alpha, guide, ((1, 0.01),), 1)[4, 4], want, rtol=0, atol=1e-9)


@pytest.mark.parametrize("backend", USABLE)
def test_an_outline_lands_on_the_photos(backend):
    exact = disk()
    small, photo = smeared(exact), photographed(exact)
    plain = error(resize_map(small, exact.shape), exact)
    assert error(follow_edges(small, photo, backend=backend), exact) < 0.5 * plain  # 0.27 of it seen


@pytest.mark.parametrize("backend", USABLE)
def test_strands_that_the_network_saw_as_a_veil_appear(backend):
    exact = hairy()
    small, photo = smeared(exact), photographed(exact)
    ring = (disk(radius=112) - disk(radius=82)) > 0.5
    plain, out = resize_map(small, exact.shape), follow_edges(small, photo, backend=backend)
    assert error(out[ring], exact[ring]) < 0.75 * error(plain[ring], exact[ring])  # 0.62 to 0.64
    likeness = [np.corrcoef(matte[ring], exact[ring])[0, 1] for matte in (plain, out)]
    assert likeness[1] > 0.9 > likeness[0]  # 0.56 and 0.95


@pytest.mark.parametrize("backend", USABLE)
def test_far_from_the_transition_nothing_changes(backend):
    exact = disk()
    small = smeared(exact)
    photo = RNG.integers(0, 256, (*exact.shape, 3), np.uint8)  # the worst texture there is
    out, plain = follow_edges(small, photo, backend=backend), resize_map(small, exact.shape)
    unsure = cv2.resize(((small > 0.03) & (small < 0.97)).astype(np.uint8), exact.shape[::-1])
    far = cv2.distanceTransform(1 - unsure, cv2.DIST_L2, 5) > 12  # four pixels of the network
    assert far.mean() > 0.5
    assert_allclose(out[far], plain[far], rtol=0, atol=0)
    assert 0 <= out.min() <= out.max() <= 1


@pytest.mark.parametrize("backend", USABLE)
def test_a_photo_that_shows_no_edge_keeps_the_networks(backend):
    small = smeared(disk())
    out = follow_edges(small, np.full((240, 300, 3), 128, np.uint8), backend=backend)
    plain = resize_map(small, (240, 300))
    assert np.abs(out - plain).max() < 0.25  # the windows' mean, and the contrast given to firm outlines
    assert ((out > 0.5) == (plain > 0.5)).mean() > 0.995


@pytest.mark.parametrize("backend", USABLE)
def test_a_mirrored_photo_gives_a_mirrored_matte(backend):
    exact = hairy()[:239, :299]  # odd, so that both are sampled alike
    small, photo = smeared(exact), photographed(exact)
    out = follow_edges(small, photo, backend=backend)
    mirrored = follow_edges(np.ascontiguousarray(small[:, ::-1]), np.ascontiguousarray(photo[:, ::-1]), backend=backend)
    assert_allclose(mirrored[:, ::-1], out, rtol=0, atol=1e-4)


def test_a_matte_larger_than_the_photo_is_averaged():
    matte = RNG.random((64, 48), np.float32)
    guide = RNG.integers(0, 256, (32, 24, 3), np.uint8)
    assert_allclose(follow_edges(matte, guide), resize_map(matte, (32, 24)), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("matte", "guide", "expected"),
    [
        (np.full((4, 4), 1.5, np.float32), np.zeros((8, 8, 3), np.uint8), "matte"),
        (np.zeros((4, 4), np.float32), np.zeros((8, 8), np.uint8), r"guide: expected \(H, W, 3\) uint8"),
        (np.zeros((4, 4), np.float32), np.zeros((8, 8, 3), np.float32), r"found \(8, 8, 3\) float32"),
    ],
)
def test_invalid_mattes_and_guides_are_refused(matte, guide, expected):
    with pytest.raises(InvalidInput, match=expected):
        follow_edges(matte, guide)
