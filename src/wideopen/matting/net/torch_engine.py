"""The matting network in torch: for GPUs, .safetensors files, and networks in training."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch.nn.utils.fusion import fuse_conv_bn_eval

from wideopen.checks import F32, U8
from wideopen.matting.inference import MattingSettings
from wideopen.matting.net.model import MattingNet
from wideopen.matting.net.state import load_net
from wideopen.matting.predict import matte_by


class TorchEngine:
    """An `Engine`: the torch network, on its current device."""

    def __init__(self, net: MattingNet) -> None:
        self.net = net.eval()
        self.config = net.config

    def __call__(self, srgb_u8: U8, stages: int, previous: F32 | None) -> F32:
        """Matte (h, w) of `srgb_u8` (h, w, 3) after `stages` stages, starting from `previous` (h, w)."""
        device = next(self.net.parameters()).device
        with torch.inference_mode():
            image = torch.from_numpy(np.array(srgb_u8, order="C")).to(device)[None].permute(0, 3, 1, 2).float() / 255
            before = None if previous is None else torch.from_numpy(previous).to(device)[None, None]
            alpha = self.net(image, stages, before)[-1].alpha  # (1, 1, h, w)
            return np.asarray(alpha[0, 0].cpu().numpy(), np.float32)


def load_engine(weights: str | Path, device: str) -> TorchEngine:
    """The engine of trained weights on a device; raises WeightsError as `load_net`."""
    net = fold_batch_norms(load_net(weights)).to(device)
    return TorchEngine(net.to(memory_format=torch.channels_last))  # type: ignore[call-overload]


def matte_with(net: MattingNet, photo_u8: U8, *, size: int | None = None, stages: int | None = None) -> F32:
    """Matte (H, W) in [0, 1] of `photo_u8` (H, W, 3) by `net`, on the network's device."""
    return matte_by(TorchEngine(net), MattingSettings(matting_size=size, matting_stages=stages), photo_u8)


def fold_batch_norms(net: MattingNet) -> MattingNet:
    """Fold each batch norm into the convolution before it; for inference only, in place."""
    for module in net.modules():
        names = list(module._modules)
        for first, second in pairwise(names):
            conv, norm = module._modules[first], module._modules[second]
            if isinstance(conv, torch.nn.Conv2d) and isinstance(norm, torch.nn.BatchNorm2d):
                module._modules[first] = fuse_conv_bn_eval(conv, norm)
                module._modules[second] = torch.nn.Identity()
    return net
