"""The matting network: the paper's equations, shapes, losses, weights, and one real portrait."""

import json
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from safetensors.torch import save_file
from torch.nn import functional

from wideopen.errors import BackendUnavailable, InvalidInput, WeightsError
from wideopen.matting import weights as weights_module
from wideopen.matting.clean import clean_up
from wideopen.matting.find_matte import emptiness, predict_matte
from wideopen.matting.inference import FEATURE_CHANNELS, PRESETS, SHIPPED, MattingSettings
from wideopen.matting.net.blocks import AttentionGuidance, EfficientPyramid, GatedConv
from wideopen.matting.net.encoders import LiteBlock, build_encoder
from wideopen.matting.net.losses import SURE, laplacian_loss, matting_loss, stage_loss, trimap
from wideopen.matting.net.model import MattingNet, StageOutput, fuse
from wideopen.matting.net.state import load_net, save_weights
from wideopen.matting.net.torch_engine import fold_batch_norms
from wideopen.matting.predict import network_size, stage_sizes
from wideopen.networks import pick_device


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """On maps this small, more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def random(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random(shape, np.float32))


@pytest.fixture(scope="module")
def mobile():
    torch.manual_seed(0)
    return MattingNet(PRESETS["mobile"]).eval()


@pytest.fixture(scope="module")
def paper():
    torch.manual_seed(0)
    return MattingNet(PRESETS["paper"]).eval()


# Equations


def test_fusion_is_equation_1():
    # Pixels won by foreground, transition, background; m_d = 0.3, 0.6, 0.9 there.
    semantic = torch.eye(3).reshape(1, 3, 1, 3)  # (B, 3, H, W): pixel k is won by channel k
    detail = torch.tensor([0.3, 0.6, 0.9]).reshape(1, 1, 1, 3)
    assert fuse(semantic, detail).flatten().tolist() == pytest.approx([1, 0.6, 0], abs=1e-7)


def test_gradient_of_the_matte_reaches_the_detail_in_the_transition_only():
    semantic = torch.eye(3).reshape(1, 3, 1, 3)
    detail = torch.full((1, 1, 1, 3), 0.5, requires_grad=True)
    fuse(semantic, detail).sum().backward()
    assert detail.grad.flatten().tolist() == [0, 1, 0]


def test_guidance_equals_a_slow_loop():
    torch.manual_seed(1)
    module, f, previous = AttentionGuidance(4), random(1, 4, 3, 5), random(1, 1, 3, 5, seed=1)
    q_w, q_b = module.query.weight[:, 0, 0, 0], module.query.bias
    kv_w, kv_b = module.key_value.weight[:, :, 0, 0], module.key_value.bias
    out = module(f, previous)
    for y in range(3):
        for x in range(5):
            joined = torch.cat([previous[0, :, y, x], f[0, :, y, x]])
            key, value = (kv_w @ joined + kv_b).chunk(2)
            logits = (q_w * previous[0, 0, y, x] + q_b) * key
            want = f[0, :, y, x] + 4 * torch.softmax(logits, 0) * value
            torch.testing.assert_close(out[0, :, y, x], want, rtol=0, atol=1e-5)


@pytest.mark.parametrize("changed", ["f", "previous"])
def test_guidance_is_pixel_wise(changed):
    module, f, previous = AttentionGuidance(4), random(2, 4, 6, 7), random(2, 1, 6, 7, seed=1)
    before = module(f, previous)
    (f if changed == "f" else previous)[1, 0, 2, 3] += 0.5
    moved = (module(f, previous) != before).any(1)
    assert moved[1, 2, 3]
    assert moved.sum() == 1


def test_uniform_attention_returns_the_value():
    module, f, previous = AttentionGuidance(4), random(1, 4, 3, 3), random(1, 1, 3, 3)
    torch.nn.init.zeros_(module.query.weight)
    torch.nn.init.zeros_(module.query.bias)
    value = module.key_value(torch.cat([previous, f], 1))[:, 4:]
    torch.testing.assert_close(module(f, previous), f + value, rtol=0, atol=1e-6)


def test_gated_convolution_keeps_resolution_and_listens_to_its_gate():
    module, f = GatedConv(8, 5).eval(), random(1, 8, 16, 12)
    quiet, loud = module(f, torch.zeros(1, 5, 4, 3)), module(f, torch.ones(1, 5, 4, 3))
    assert quiet.shape == f.shape
    assert not torch.equal(quiet, loud)


def test_pyramid_sees_the_whole_photo():
    module, f5 = EfficientPyramid(6, 8, (1, 2)).eval(), random(1, 6, 9, 9)
    before = module(f5)
    f5[0, :, 0, 0] += 5
    assert before.shape == (1, 8, 9, 9)
    assert (module(f5)[0, :, 8, 8] != before[0, :, 8, 8]).any()


def test_taps_that_small_samples_never_reach_stay_silent_on_large_ones():
    torch.manual_seed(0)
    branch = EfficientPyramid(4, 8, (1, 8)).train().atrous[1][0]
    optimizer = torch.optim.SGD(branch.parameters(), lr=0.1)
    branch(random(2, 8, 8, 8)).square().mean().backward()  # every outer tap falls on padding
    optimizer.step()
    x = random(1, 8, 16, 16)
    centre = branch.weight[:, :, 1:2, 1:2]
    want = functional.conv2d(x, centre, groups=8)
    torch.testing.assert_close(branch(x), want, rtol=0, atol=1e-6)


# Network


@pytest.mark.parametrize("name", FEATURE_CHANNELS)
def test_encoder_strides_and_channels(name):
    with torch.inference_mode():
        features = build_encoder(name).eval()(random(1, 3, 64, 96))
    assert [f.shape[1] for f in features] == list(FEATURE_CHANNELS[name])
    assert [f.shape[-2:] for f in features] == [(64 // s, 96 // s) for s in (2, 4, 8, 16, 32)]


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_lite_block_pads_as_tensorflow_does(kernel, stride):
    block = LiteBlock(4, 4, kernel, stride, 1).eval()
    x = random(1, 4, 12, 8)
    totals = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in (8, 12)]
    left, right, top, bottom = (half for total in totals for half in (total // 2, total - total // 2))
    conv, norm, act = block.depthwise
    with torch.inference_mode():
        wide = functional.conv2d(functional.pad(x, (left, right, top, bottom)), conv.weight, stride=stride, groups=4)
        want = block.project(act(norm(wide))) + (x if stride == 1 else 0)
        torch.testing.assert_close(block(x), want, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (32, 32), (33, 70)])
@pytest.mark.parametrize("preset", ["mobile", "paper"])
def test_every_size_gives_maps_of_that_size_in_range(preset, size, request):
    net = request.getfixturevalue(preset)
    with torch.inference_mode():
        outputs = net(random(1, 3, *size), 2)
    assert len(outputs) == 2
    for out in outputs:
        assert out.semantic.shape == (1, 3, *size)
        assert out.detail.shape == out.alpha.shape == (1, 1, *size)
        for unit in (out.detail, out.alpha):
            assert 0 <= unit.min() <= unit.max() <= 1


def test_stages_share_weights_and_only_the_previous_matte_differs(mobile):
    image = random(1, 3, 64, 64)
    with torch.inference_mode():
        outputs = mobile(image)
        assert len(outputs) == mobile.config.stages == 3
        shared, previous = mobile.encode(image), torch.full((1, 1, 64, 64), 0.5)
        for out in outputs:
            again = mobile.refine(shared, previous)
            torch.testing.assert_close(again, out, rtol=0, atol=0)
            previous = out.alpha


def test_the_previous_matte_matters(mobile):
    with torch.inference_mode():
        shared = mobile.encode(random(1, 3, 64, 64))
        empty, full = (mobile.refine(shared, torch.full((1, 1, 64, 64), v)) for v in (0.0, 1.0))
    assert not torch.equal(empty.semantic, full.semantic)
    assert not torch.equal(empty.detail, full.detail)


def test_folding_batch_norms_changes_rounding_only(mobile):
    torch.manual_seed(3)
    net = MattingNet(PRESETS["mobile"])
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 2)
    net.eval()
    image = random(1, 3, 64, 64)
    with torch.inference_mode():
        before = net(image, 1)[0]
        after = fold_batch_norms(net)(image, 1)[0]
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in net.modules())
    scale = float(before.semantic.abs().max())
    worst = float((before.semantic - after.semantic).abs().max())
    assert worst < 1e-4 * scale  # 5e-7 of the largest logit seen


# Losses


def outputs_at(alpha):
    """A stage that answers the true matte, sure of every label."""
    labels = trimap(alpha, 1)
    semantic = 60.0 * functional.one_hot(labels, 3).permute(0, 3, 1, 2)
    return StageOutput(semantic, alpha, fuse(semantic, alpha)), labels


def soft_disk(size=32):
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return (8.5 - torch.hypot(x - 15.5, y - 15.5)).clamp(0, 1).reshape(1, 1, size, size)


def test_losses_are_zero_at_the_truth_and_only_there():
    alpha = soft_disk()
    out, labels = outputs_at(alpha)
    # SURE: within 0.05 of 0 or 1 the truth itself is rounded by the binary masks.
    assert float(stage_loss(out, alpha, labels).total) < 3 * SURE
    hard = (alpha > 0.5).float()
    out, labels = outputs_at(hard)
    assert all(float(part) < 1e-6 for part in stage_loss(out, hard, labels))
    worse = stage_loss(out._replace(alpha=1 - hard, detail=1 - hard), hard, labels)
    assert float(worse.detail) > 1
    assert float(worse.fusion) > 1


def test_trimap_of_a_step_is_the_step_widened():
    alpha = torch.zeros(1, 1, 3, 12)
    alpha[..., 6:] = 1
    assert trimap(alpha, 2)[0, 1].tolist() == [2] * 4 + [1] * 4 + [0] * 4


def test_trimap_keeps_the_borders_of_the_photo():
    assert trimap(torch.ones(1, 1, 5, 5), 2).unique().tolist() == [0]
    assert trimap(torch.zeros(1, 1, 5, 5), 2).unique().tolist() == [2]


def test_laplacian_loss_equals_values_computed_by_hand():
    # Level 0 of a constant is 0, its mean is the constant.
    assert float(laplacian_loss(torch.full((1, 1, 8, 8), -0.25))) == pytest.approx(0.25, abs=1e-7)
    # A 2x2 checkerboard of +1, -1 has mean 0: level 0 is the board itself, the rest is 0.
    board = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).reshape(1, 1, 2, 2)
    assert float(laplacian_loss(board)) == pytest.approx(1, abs=1e-7)
    # Doubled in size: resizing the board back to 4x4 gives +-(1, 1/2)(1, 1/2) in each quadrant,
    # which misses 0, 1/2, 1/2, 3/4 (mean 7/16); level 1 is the board, and counts twice.
    large = board.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert float(laplacian_loss(large)) == pytest.approx(7 / 16 + 2, abs=1e-6)


def test_total_weighs_the_parts_as_equation_2_and_stages_equally():
    alpha = soft_disk()
    outs = [outputs_at(alpha)[0]._replace(alpha=alpha * s, detail=alpha * s) for s in (0.2, 0.6)]
    both = matting_loss(outs, alpha)
    weighted = 0.25 * both.semantic + 0.25 * both.detail + 0.5 * both.fusion
    torch.testing.assert_close(both.total, weighted, rtol=0, atol=1e-6)
    each = [matting_loss([out], alpha).total for out in outs]
    torch.testing.assert_close(both.total, (each[0] + each[1]) / 2, rtol=0, atol=1e-6)


# Weights


def test_weights_come_back_as_saved(tmp_path):
    torch.manual_seed(0)
    net = MattingNet(PRESETS["mobile"])
    save_weights(tmp_path / "w.safetensors", net.state_dict(), "mobile", {"commit": "abc"})
    back = load_net(tmp_path / "w.safetensors")
    assert back.config == PRESETS["mobile"]
    for key, value in net.state_dict().items():
        torch.testing.assert_close(back.state_dict()[key], value, rtol=1e-3, atol=1e-6)


def test_weights_bring_the_size_that_they_were_trained_for(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "w.safetensors"
    save_weights(path, MattingNet(PRESETS["paper"]).state_dict(), "paper", {}, size=384)
    assert load_net(path).config == replace(PRESETS["paper"], size=384)


def fails(weights, match):
    with pytest.raises(WeightsError, match=match) as caught:
        load_net(weights)
    assert "\n" not in str(caught.value)


def test_unusable_weights_are_refused_in_one_line(tmp_path):
    torch.manual_seed(0)
    state = MattingNet(PRESETS["mobile"]).state_dict()
    good = tmp_path / "good.safetensors"
    save_weights(good, state, "mobile", {})
    fails(tmp_path / "none.safetensors", "found none")
    fails("other", "expected mobile, paper, a .onnx or a .safetensors file")

    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(good.read_bytes()[:-1000])
    fails(cut, "damaged or cut short")

    for length in (0, 7, 100, good.stat().st_size // 2):
        cut.write_bytes(good.read_bytes()[:length])
        fails(cut, "damaged or cut short")
    cut.unlink()
    cut.mkdir()
    fails(cut, "found none")

    lost = tmp_path / "lost.safetensors"
    save_weights(lost, {k: v for k, v in state.items() if k != "high.join.bias"}, "mobile", {})
    fails(lost, "keys that do not fit")
    other = tmp_path / "other.safetensors"
    save_weights(other, state, "paper", {})
    fails(other, "keys that do not fit")
    save_file({"x": torch.zeros(1)}, other, metadata={"preset": "huge"})
    fails(other, "preset")
    unknown = {"preset": "mobile", "config": json.dumps({"depth": 3})}
    save_file({"x": torch.zeros(1)}, other, metadata=unknown)
    fails(other, "configuration unknown")


def test_weights_are_listed_and_missing_ones_named(monkeypatch, tmp_path):
    lines = weights_module.describe()
    assert [line.split()[0] for line in lines] == list(SHIPPED)
    assert all("MB, Apache-2.0" in line for line in lines)
    monkeypatch.setattr(weights_module, "FOLDER", tmp_path)
    assert weights_module.describe()[0].endswith("mobile.onnx is missing")


def test_configuration_refuses_nonsense():
    for bad in (
        {"detail_stride": 3},
        {"gates": 4},
        {"stages": 0},
        {"encoder": "vgg"},
        {"decoder_channels": ()},
        {"size": 8},
        {"first_size": 8},
    ):
        with pytest.raises(InvalidInput, match="expected"):
            replace(PRESETS["mobile"], **bad)


def test_listing_presets_needs_no_torch():
    code = "import sys, wideopen.matting.inference; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# Prediction


@pytest.mark.parametrize(
    ("height", "width", "want"),
    [(1000, 1000, (512, 512)), (3000, 4000, (384, 512)), (2000, 100, (512, 32)), (1, 1, (512, 512))],
)
def test_network_size_keeps_the_aspect_in_steps_of_32(height, width, want):
    assert network_size(height, width, 512) == want


def test_only_the_first_stage_looks_from_afar():
    config = replace(PRESETS["mobile"], first_size=256)
    assert stage_sizes(config, 512, 3) == [(256, 1), (512, 2)]
    assert stage_sizes(config, 512, 1) == [(512, 1)]
    assert stage_sizes(config, 256, 3) == [(256, 3)]
    assert stage_sizes(replace(config, first_size=None), 512, 3) == [(512, 3)]
    with pytest.raises(InvalidInput, match="stages: expected at least 1"):
        stage_sizes(config, 512, 0)


def test_clean_up_drops_specks_fills_pinholes_and_keeps_the_rest():
    alpha = np.zeros((200, 200), np.float32)
    alpha[40:160, 40:160] = 1
    alpha[40:44, 40:160] = 0.5  # a soft edge
    alpha[100:130, 60:90] = 0  # an arm's gap
    want = alpha.copy()
    alpha[5:8, 5:8] = 0.8  # a speck
    alpha[60:63, 60:63] = 0.2  # a pinhole
    photo = np.where(want[..., None] >= 0.5, 200, 90).astype(np.uint8).repeat(3, 2)  # an edge where the matte has one
    assert_allclose(clean_up(alpha, photo), want, rtol=0, atol=0)


def test_clean_up_spares_loose_strands_and_the_sky_between_curls():
    alpha = np.zeros((400, 400), np.float32)
    alpha[100:, 100:300] = 1
    alpha[95:97, 150:190] = 0.7  # a strand, three pixels from the head
    alpha[103:105, 200:203] = 0.3  # a hole between curls, three pixels inside
    photo = np.where(alpha[..., None] >= 0.5, 20, 200).astype(np.uint8).repeat(3, 2)
    assert_allclose(clean_up(alpha, photo), alpha, rtol=0, atol=0)
    speckled = alpha.copy()
    speckled[20:23, 20:60] = 0.7  # the same strand in mid-air
    speckled[250:252, 200:203] = 0.3  # and the same hole in a coat
    assert_allclose(clean_up(speckled, photo), alpha, rtol=0, atol=0)


def test_a_gap_without_an_edge_in_the_photo_is_filled():
    alpha = np.zeros((200, 200), np.float32)
    alpha[40:, 40:160] = 1
    want = alpha.copy()
    photo = np.where(want[..., None] > 0, 20, 200).astype(np.uint8).repeat(3, 2)
    alpha[150:, 60:100] = 0  # bitten out of a black coat, down to the photo's edge
    assert_allclose(clean_up(alpha, photo), want, rtol=0, atol=0)


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_clean_up_leaves_a_flat_matte_alone(value):
    flat = np.full((20, 30), value, np.float32)
    assert_allclose(clean_up(flat, np.zeros((20, 30, 3), np.uint8)), flat, rtol=0, atol=0)


def test_device_by_name_is_obeyed_or_refused():
    assert pick_device("cpu") == "cpu"
    with pytest.raises(InvalidInput, match="expected auto, cpu or cuda"):
        pick_device("tpu")
    if not torch.cuda.is_available():
        assert pick_device("auto") == "cpu"
        with pytest.raises(BackendUnavailable, match="no CUDA device"):
            pick_device("cuda")


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)]
)
def test_prediction_refuses_arrays_that_are_not_photos(bad):
    with pytest.raises(InvalidInput, match=r"photo: expected \(H, W, 3\) uint8"):
        predict_matte(bad)


@pytest.mark.parametrize("size", [(2, 900), (900, 3), (1, 1), (5, 4)])
def test_extreme_aspects_and_tiny_photos_get_a_matte(size):
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    alpha = predict_matte(photo, MattingSettings(matting_size=64, matting_stages=1, device="cpu"))
    assert alpha.shape == size
    assert 0 <= alpha.min() <= alpha.max() <= 1


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_plain_photo_has_an_empty_matte(grey):
    alpha = predict_matte(np.full((90, 120, 3), grey, np.uint8), MattingSettings(device="cpu", matting_stages=1))
    assert emptiness(alpha) is not None


def test_a_nearly_empty_matte_is_reported():
    alpha = np.zeros((100, 100), np.float32)
    assert emptiness(alpha) == "empty matte: no person found"
    alpha[:2, :5] = 1
    assert emptiness(alpha) == "nearly empty matte (0.10% of the photo): no person found?"
    alpha[:20, :20] = 1
    assert emptiness(alpha) is None


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (33, 200)])
def test_prediction_has_the_photos_size_and_is_repeatable(size):
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    alpha = predict_matte(photo, MattingSettings(matting_size=96, device="cpu"))
    assert alpha.shape == size
    assert alpha.dtype == np.float32
    assert 0 <= alpha.min() <= alpha.max() <= 1
    assert_allclose(predict_matte(photo, MattingSettings(matting_size=96, device="cpu")), alpha, rtol=0, atol=0)


# Outlined by hand on the photo: the woman, and the helmet she holds, which may count either way.
WOMAN = [
    *[(234, 16), (260, 20), (282, 32), (296, 55), (301, 82), (299, 105), (290, 122), (275, 131)],
    *[(270, 136), (265, 150), (257, 172), (272, 180), (295, 210), (304, 235), (325, 245), (345, 265)],
    *[(357, 300), (362, 345), (345, 355), (320, 370), (300, 395), (287, 425), (279, 450), (276, 480)],
    *[(280, 511), (36, 511), (27, 475), (22, 450), (20, 420), (22, 380), (27, 340), (37, 300)],
    *[(55, 265), (75, 240), (112, 207), (115, 187), (125, 175), (135, 157), (155, 150), (182, 148)],
    *[(185, 131), (172, 122), (160, 102), (153, 82), (156, 57), (170, 42), (190, 31), (210, 21)],
]
HELMET = [
    *[(277, 511), (276, 480), (287, 425), (320, 370), (360, 350), (400, 344), (440, 352), (470, 380)],
    *[(490, 420), (498, 455), (511, 470), (511, 511)],
]


def outline(points):
    mask = np.zeros((512, 512), np.uint8)
    cv2.fillPoly(mask, [np.array(points, np.int32)], 1)
    return mask > 0


@pytest.mark.parametrize("weights", SHIPPED)
def test_shipped_weights_matte_a_portrait_never_trained_on(weights):
    from skimage import data

    alpha = predict_matte(data.astronaut(), MattingSettings(matting=weights, device="cpu"))
    woman, counts = outline(WOMAN), ~outline(HELMET)
    found = (alpha > 0.5) & counts
    woman &= counts
    iou = (found & woman).sum() / (found | woman).sum()
    assert iou > 0.9  # 0.975 seen
