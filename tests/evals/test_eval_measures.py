"""Measures by their definitions, and SSIM by torchmetrics; the fit on shifts and gains that we made."""

import sys
from types import SimpleNamespace
from urllib.error import URLError

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from wideopen import errors
from wideopen.color import DISPLAY_P3, SRGB, srgb_encode
from wideopen.errors import InvalidInput, WeightsError
from wideopen.evals import measures
from wideopen.evals.dists import load_dists

RNG = np.random.default_rng(5)


@pytest.fixture(autouse=True)
def _same_noise_whichever_tests_run():
    global RNG
    RNG = np.random.default_rng(5)


def picture(height=90, width=120, sigma=2.0):
    """Smooth colours in [0.1, 0.9]: what a shift by part of a pixel is defined on."""
    noise = cv2.GaussianBlur(RNG.random((height, width, 3), np.float32), (0, 0), sigma)
    return 0.1 + 0.8 * (noise - noise.min()) / (noise.max() - noise.min())


def test_displayed_is_srgb_clipped_at_white():
    light = np.array([[[0.0, 0.18, 5.0]]], np.float32)
    assert_allclose(measures.displayed(light)[0, 0], [0, float(srgb_encode(0.18)), 1], rtol=0, atol=1e-5)


def test_displayed_brings_other_primaries_to_srgb():
    white_and_green = np.array([[[1, 1, 1], [0, 0.2, 0]]], np.float32)
    shown = measures.displayed(white_and_green, DISPLAY_P3)
    assert_allclose(shown[0, 0], [1, 1, 1], rtol=0, atol=1e-3)
    assert shown[0, 1, 1] > measures.displayed(white_and_green, SRGB)[0, 1, 1]


def test_psnr_over_a_part_is_of_that_part():
    truth, where = np.full((24, 32, 3), 0.5, np.float32), np.zeros((24, 32), bool)
    wrong = truth.copy()
    wrong[:12] += np.float32(0.1)
    where[:12] = True
    found = [measures.psnr(wrong, truth, part) for part in (where, None)]
    assert_allclose(found, [20, 23.0103], rtol=0, atol=1e-3)
    assert measures.psnr(truth, truth) == float("inf")


@pytest.mark.parametrize("size", [(11, 11), (40, 33), (64, 100)])
def test_ssim_is_that_of_torchmetrics(size):
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.image")
    one = RNG.random((*size, 3), np.float32)
    other = np.clip(one + RNG.normal(0, 0.1, one.shape), 0, 1).astype(np.float32)
    tensors = [torch.from_numpy(x).permute(2, 0, 1)[None] for x in (one, other)]
    want = float(functional.structural_similarity_index_measure(*tensors, data_range=1.0))
    assert_allclose(measures.ssim(one, other), want, rtol=0, atol=1e-5)  # worst seen 2e-7


def test_ssim_refuses_pictures_below_its_window():
    with pytest.raises(InvalidInput, match="11 pixels"):
        measures.ssim(np.zeros((10, 40, 3), np.float32), np.zeros((10, 40, 3), np.float32))


def test_edge_band_has_the_width_asked_for():
    matte = np.zeros((9, 640), np.float32)
    matte[:, 320:] = 1
    assert list(np.flatnonzero(measures.edge_band(matte)[4])) == list(range(314, 326))


def test_sizes_that_differ_are_refused():
    with pytest.raises(InvalidInput, match="expected 40 x 30 as the truth, found 30 x 40"):
        measures.measure(np.zeros((40, 30, 3), np.float32), np.zeros((30, 40, 3), np.float32), None)


def test_lpips_names_what_is_missing(monkeypatch):
    monkeypatch.setattr(errors, "find_spec", lambda name: None if name == "torchvision" else object())
    with pytest.raises(InvalidInput, match=r"torchvision, which is not installed \(pip install 'wideopen\[lpips\]'\)"):
        measures.load_lpips()
    assert "torchvision" not in sys.modules


def vgg16():
    """VGG16 of the true layout with random weights, as torchvision has it."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layers, channels = [], 3
    for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
        conv = [torch.nn.Conv2d(channels, width, 3, padding=1), torch.nn.ReLU()] if width else [torch.nn.MaxPool2d(2)]
        layers, channels = [*layers, *conv], width or channels
    return torch.nn.ModuleDict({"features": torch.nn.Sequential(*layers)})


@pytest.fixture
def random_vgg(monkeypatch):
    """DISTS with random weights in place of torchvision's."""
    pytest.importorskip("torchmetrics")
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", lambda *_, **__: vgg16().state_dict())
    return load_dists()


@pytest.mark.parametrize(("in_bfloat16", "most"), [(False, 1e-6), (True, 2e-4)])  # worst seen 1e-7, 2e-5
def test_dists_is_that_of_torchmetrics(in_bfloat16, most, random_vgg, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr("wideopen.evals.dists._multiplies_bfloat16", lambda: in_bfloat16)
    dists = pytest.importorskip("torchmetrics.functional.image.dists")
    monkeypatch.setattr(dists, "_TORCHVISION_AVAILABLE", True)
    features = SimpleNamespace(features=vgg16()["features"])
    monkeypatch.setattr(dists, "vgg16", lambda **_: features, raising=False)
    monkeypatch.setattr(dists, "VGG16_Weights", SimpleNamespace(DEFAULT=None), raising=False)
    truth = picture(64, 96, sigma=1.0)
    codes = [np.rint(255 * x) / np.float32(255) for x in (cv2.GaussianBlur(truth, (0, 0), 2), truth)]
    tensors = [torch.from_numpy(x).permute(2, 0, 1)[None] for x in codes]
    want = dists.DISTSNetwork()(*tensors).item()
    assert want > 1e-3
    found = load_dists()(*codes)
    assert found == pytest.approx(want, abs=most)
    assert in_bfloat16 == (abs(found - want) > 1e-6)


def test_dists_is_0_for_equal_pictures_and_grows_with_blur(random_vgg):
    truth = picture(64, 96, sigma=1.0)
    blurred = [cv2.GaussianBlur(truth, (0, 0), sigma) for sigma in (1.0, 3.0)]
    near, far = (random_vgg(one, truth) for one in blurred)
    assert random_vgg(truth, truth) == pytest.approx(0, abs=1e-5)
    assert 1e-4 < near < far < 1


def test_dists_sees_256_pixels_along_the_short_side_as_its_authors_reduce_them(random_vgg):
    large = cv2.resize(picture(256, 320), (401, 300))
    codes = [np.rint(255 * x).astype(np.uint8) for x in (cv2.GaussianBlur(large, (0, 0), 2), large)]
    small = [Image.fromarray(x).resize((342, 256), Image.Resampling.BILINEAR) for x in codes]  # 342.2 is cut
    expected = random_vgg(*(np.asarray(x, np.float32) / 255 for x in small))
    assert random_vgg(*(x / np.float32(255) for x in codes)) == pytest.approx(expected, abs=1e-7)
    assert expected > 1e-4


def test_dists_keeps_what_256_pixels_can_show(random_vgg):
    def against_its_mean(side, square):
        tile = np.indices((side, side)).sum(axis=0) // square % 2
        board = np.repeat(tile[..., None], 3, axis=2).astype(np.float32)
        return random_vgg(board, np.full_like(board, 0.5))

    assert against_its_mean(256, 1) > 0.1
    assert against_its_mean(512, 1) < 0.01  # grey but for its border, at 256 pixels


def test_a_failed_download_of_weights_is_one_line(monkeypatch):
    pytest.importorskip("torchmetrics")

    def offline(*_, **__):
        raise URLError("no route to host")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", offline)
    with pytest.raises(WeightsError, match=r"--dists: expected torchvision's vgg16-397923af.pth in .*no route to host"):
        load_dists()


def test_similarity_over_the_edge_is_of_the_edge():
    truth = picture(40, 60)
    wrong, band = truth.copy(), np.zeros((40, 60), bool)
    wrong[:, 20:40] = wrong[:, 20:40][::-1]
    band[:, 25:35] = True
    figures = measures.measure(wrong, truth, band)
    assert figures.edge_ssim < figures.ssim - 0.1
    assert figures.edge_ssim == pytest.approx(measures.ssim_map(wrong, truth)[band].mean(), abs=1e-6)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.4, -0.7), (-1.3, 0.25)])
def test_fit_finds_shift_and_gain(shift):
    truth = picture()
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)  # moved(x + shift) = truth(x)
    moved = cv2.warpAffine(truth, matrix, (120, 90), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    gain = np.array([0.8, 0.9, 1.1], np.float32)
    fit = measures.fit(moved / gain, truth)
    assert_allclose(fit.shift_px, shift, rtol=0, atol=0.09)  # worst seen 0.07; OpenCV moves by 1/32 of a pixel
    assert_allclose(fit.gain, gain, rtol=0, atol=5e-3)
    assert_allclose(fit.picture, truth[fit.window], rtol=0, atol=0.02)
    assert fit.picture.shape[0] > 70


def test_missing_lights_do_not_change_the_gain():
    truth = picture()
    truth[:20] = 0.95
    dim = truth.copy()
    dim[:20] = 0.5
    assert_allclose(measures.find_gain(dim, truth), [1, 1, 1], rtol=0, atol=1e-6)


def test_another_picture_is_not_a_shift():
    with pytest.raises(InvalidInput, match="align: expected"):
        measures.fit(picture(), picture(sigma=8)[::-1])
