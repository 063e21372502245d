"""Table 2's variants: each lacks what it is named for, and learns from every loss."""

import numpy as np
import pytest
import torch

from wideopen.errors import InvalidInput
from wideopen.matting.inference import ABLATIONS, PRESETS, ablated
from wideopen.matting.net.losses import matting_loss
from wideopen.matting.net.model import MattingNet
from wideopen.matting.net.state import load_net, save_weights


@pytest.fixture(params=ABLATIONS, scope="module")
def variant(request):
    torch.manual_seed(0)
    return request.param, MattingNet(PRESETS[ablated("mobile", request.param)]).eval()


def random(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random(shape, np.float32))


@pytest.mark.parametrize("size", [(64, 64), (33, 70)])
def test_maps_have_the_photos_size_and_range(variant, size):
    with torch.inference_mode():
        outputs = variant[1](random(1, 3, *size), 2)
    for out in outputs:
        assert out.semantic.shape == (1, 3, *size)
        assert out.detail.shape == out.alpha.shape == (1, 1, *size)
        assert 0 <= out.alpha.min() <= out.alpha.max() <= 1


def test_each_variant_lacks_what_it_is_named_for(variant):
    name, net = variant
    image = random(1, 3, 64, 64)
    with torch.inference_mode():
        empty, full = (net(image, 1, torch.full((1, 1, 64, 64), value))[0] for value in (0.0, 1.0))
    assert torch.equal(empty.detail, full.detail) == (name == "agm")  # deaf to the previous matte
    with torch.inference_mode():
        other = net(1 - image, 1)[0]
    assert torch.equal(empty.semantic, other.semantic) == (name == "low-resolution")  # nobody looks at the whole
    assert name != "low-resolution" or torch.equal(empty.alpha, empty.detail)  # the matte is m_d
    whole = MattingNet(PRESETS["mobile"])
    fewer = sum(p.numel() for p in net.parameters()) < sum(p.numel() for p in whole.parameters())
    assert fewer


def test_each_variant_learns(variant):
    net = MattingNet(variant[1].config).train()
    alpha = random(2, 1, 64, 64, seed=1).round()
    loss = matting_loss(net(random(2, 3, 64, 64), 1), alpha)
    loss.total.backward()
    assert torch.isfinite(loss.total)
    grads = [p.grad.abs().sum() for p in net.parameters() if p.grad is not None]
    assert len(grads) > 20
    assert sum(float(g) > 0 for g in grads) > 20


def test_weights_of_a_variant_come_back_as_that_variant(variant, tmp_path):
    name, net = variant
    path = tmp_path / "w.safetensors"
    save_weights(path, net.state_dict(), ablated("mobile", name), {})
    assert load_net(path).config == net.config


def test_unknown_parts_are_refused():
    with pytest.raises(InvalidInput, match="ablate: expected one of agm, low-resolution, high-resolution, found 'gcl'"):
        ablated("mobile", "gcl")
    with pytest.raises(InvalidInput, match="expected paper or mobile to ablate"):
        ablated("mobile-no-agm", "agm")
