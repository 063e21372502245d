"""The matting network: a semantic and a detail branch, refined over T stages (paper 3.1, Fig. 3).

Symbols as in the paper: I photo, F1..F5 encoder features, m_s semantic map (channels 0 foreground, 1 transition, 2
background), m_d detail map, alpha_T matte of stage T. One network runs T times with the same weights; the first
previous matte is 0.5 everywhere (ours).

Ours, where the paper is silent or for speed (see `MattingConfig`): skips from F2..F4 into the decoder; the photo beside
F1, F2 in the detail branch; a detail branch at half resolution, whose head predicts the 2x2 pixels of each cell, so
that no resolution is lost. Results that depend on I alone are computed once per photo, and those that depend on the
previous matte once per stage. Gradients do not flow between stages.

Fusion is hard in training too: in Eq. (1) the masks are the arg-max of m_s, so the gradient of alpha_T reaches m_d
inside the predicted transition, and m_s learns from its own loss only.

Inputs are display-encoded sRGB in [0, 1], (B, 3, H, W); any height and width.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from wideopen.checks import require
from wideopen.matting.inference import FEATURE_CHANNELS, STRIDE, MattingConfig
from wideopen.matting.net.blocks import (
    AttentionGuidance,
    DecoderBlock,
    EfficientPyramid,
    GatedConv,
    NoGuidance,
    conv_block,
    resize,
)
from wideopen.matting.net.encoders import build_encoder

FOREGROUND, TRANSITION, BACKGROUND = 0, 1, 2  # channels of m_s


class Shared(NamedTuple):
    """Features that depend on the photo alone."""

    decoder: Tensor  # output of the first decoder convolution, stride 16
    skips: list[Tensor | None]  # one per decoder block
    detail: Tensor  # f_1, (B, C1, H / detail_stride, W / detail_stride)


class StageOutput(NamedTuple):
    """The outputs of one stage."""

    semantic: Tensor  # m_s as logits, (B, 3, H, W)
    detail: Tensor  # m_d in [0, 1], (B, 1, H, W)
    alpha: Tensor  # alpha_T in [0, 1], (B, 1, H, W)


def guidance(config: MattingConfig, channels: int) -> nn.Module:
    """An AGM, or a pass-through module without guidance."""
    return AttentionGuidance(channels) if config.guidance else NoGuidance()


def fuse(semantic: Tensor, detail: Tensor) -> Tensor:
    """Eq. (1): alpha_T = m_f + m_trans * m_d, with binary masks from the arg-max of m_s."""
    winner = semantic.argmax(1, keepdim=True)  # (B, 1, H, W)
    return (winner == FOREGROUND).to(detail.dtype) + (winner == TRANSITION) * detail


class LowResolutionBranch(nn.Module):
    """e-ASPP and decoder S: global context in, m_s out, guided by the previous matte."""

    def __init__(self, config: MattingConfig) -> None:
        super().__init__()
        f1, f2, f3, f4, f5 = FEATURE_CHANNELS[config.encoder]
        widths = config.decoder_channels
        skips = [f4, f3, f2, f1, 0] if config.decoder_skips else [0] * 5
        self.skips = skips[: len(widths)]
        self.pyramid = EfficientPyramid(f5, config.pyramid_channels, config.pyramid_rates)
        inputs = (config.pyramid_channels, *widths[:-1])
        self.blocks = nn.ModuleList(DecoderBlock(i, s, o) for i, s, o in zip(inputs, self.skips, widths, strict=True))
        self.guides = nn.ModuleList(guidance(config, width) for width in widths)
        self.head = nn.Conv2d(widths[-1], 3, 1)

    def prepare(self, features: list[Tensor]) -> tuple[Tensor, list[Tensor | None]]:
        """The decoder up to its first guidance, and the skips of all blocks."""
        f1, f2, f3, f4, f5 = features
        available = [f4, f3, f2, f1, None]
        skips = [f if c else None for f, c in zip(available, self.skips, strict=False)]
        return self.blocks[0](self.pyramid(f5), skips[0]), skips

    def forward(self, shared: Shared, previous: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(logits of m_s at the decoder's last resolution, guided feature of each block)."""
        features: list[Tensor] = []
        x = shared.decoder
        for index, (block, guide) in enumerate(zip(self.blocks, self.guides, strict=True)):
            if index:
                x = block(x, shared.skips[index])
            x = guide(x, shrink(previous, x))
            features.append(x)
        return self.head(x), features


class HighResolutionBranch(nn.Module):
    """F1, F2 and gated convolutions: m_d, the matte's value inside the transition."""

    def __init__(self, config: MattingConfig) -> None:
        super().__init__()
        f1, f2, *_ = FEATURE_CHANNELS[config.encoder]
        width, self.stride, self.gates = config.detail_channels, config.detail_stride, config.gates
        self.image = config.detail_image
        self.from_f1 = nn.Conv2d(f1, width, 1)
        self.from_f2 = nn.Conv2d(f2, width, 1)
        self.start = conv_block(2 * width + (3 * self.stride**2 if self.image else 0), width)
        gate_widths = config.decoder_channels[-config.gates :] if config.low_resolution else [width] * config.gates
        self.gated = nn.ModuleList(GatedConv(width, gate) for gate in gate_widths)
        self.join = nn.Conv2d(width, config.head_channels, 1)
        self.guide = guidance(config, config.head_channels)
        self.head = nn.Conv2d(config.head_channels, self.stride**2, 3, padding=1)

    def prepare(self, image: Tensor, features: list[Tensor]) -> Tensor:
        """f_1: F1 and F2 (and the photo, folded) at the branch's resolution, concatenated."""
        folded = functional.pixel_unshuffle(image, self.stride)  # (B, 3 s^2, H/s, W/s)
        parts = [resize(self.from_f1(features[0]), folded), resize(self.from_f2(features[1]), folded)]
        return self.start(torch.cat([*parts, folded] if self.image else parts, 1))

    def forward(self, shared: Shared, decoder: list[Tensor], previous: Tensor) -> Tensor:
        """m_d (B, 1, H, W) in [0, 1]; without decoder features the branch gates itself."""
        f = shared.detail
        for index, gated in enumerate(self.gated, -self.gates):
            f = gated(f, decoder[index] if decoder else f)
        f = self.join(f)  # f_H
        f = self.guide(f, shrink(previous, f))
        return torch.sigmoid(functional.pixel_shuffle(self.head(f), self.stride))


class NoHighResolution(nn.Module):
    """Replaces the high-resolution branch: m_d from the decoder's last feature, enlarged (Table 2)."""

    def __init__(self, config: MattingConfig) -> None:
        super().__init__()
        self.head = nn.Conv2d(config.decoder_channels[-1], 1, 1)

    def prepare(self, image: Tensor, features: list[Tensor]) -> Tensor:  # noqa: ARG002
        """An unused placeholder: nothing here depends on the photo alone."""
        return image[:, :0]

    def forward(self, shared: Shared, decoder: list[Tensor], previous: Tensor) -> Tensor:  # noqa: ARG002
        """m_d (B, 1, H, W) in [0, 1]."""
        return torch.sigmoid(resize(self.head(decoder[-1]), previous))


class NoLowResolution(nn.Module):
    """Replaces the low-resolution branch: every pixel is transition, so the matte is m_d (Table 2)."""

    def prepare(self, features: list[Tensor]) -> tuple[Tensor, list[Tensor | None]]:
        """An unused placeholder: nothing is decoded."""
        return features[-1], []

    def forward(self, shared: Shared, previous: Tensor) -> tuple[Tensor, list[Tensor]]:  # noqa: ARG002
        """Return constant logits at the size of `previous`, and no features."""
        logits = [torch.full_like(previous, float(channel == TRANSITION)) for channel in range(3)]
        return torch.cat(logits, 1), []


class MattingNet(nn.Module):
    """Photo in, one `StageOutput` per stage out."""

    def __init__(self, config: MattingConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = build_encoder(config.encoder)
        self.low = LowResolutionBranch(config) if config.low_resolution else NoLowResolution()
        self.high = HighResolutionBranch(config) if config.high_resolution else NoHighResolution(config)

    def encode(self, image: Tensor) -> Shared:
        """Run everything that depends on the photo alone; sides must be multiples of 32."""
        features = self.encoder(image)
        decoder, skips = self.low.prepare(features)
        return Shared(decoder, skips, self.high.prepare(image, features))

    def refine(self, shared: Shared, previous: Tensor) -> StageOutput:
        """One stage: m_s, m_d and their fusion under the guidance of `previous` (B, 1, H, W)."""
        logits, decoder = self.low(shared, previous)
        semantic = resize(logits, previous)
        detail = self.high(shared, decoder, previous)
        return StageOutput(semantic, detail, fuse(semantic, detail))

    def forward(self, image: Tensor, stages: int | None = None, previous: Tensor | None = None) -> list[StageOutput]:
        """Run all stages, first to last; `stages` (default: the config's) must be at least 1.

        `previous` (B, 1, H, W) in [0, 1] is the matte so far, if there is one.
        """
        count = self.config.stages if stages is None else stages
        require(count >= 1, f"stages: expected at least 1, found {count}")
        height, width = image.shape[-2:]
        if previous is None:
            previous = torch.full_like(image[:, :1], 0.5)
        sides = (0, -width % STRIDE, 0, -height % STRIDE)
        shared = self.encode(functional.pad(image, sides, mode="replicate"))
        previous = functional.pad(previous, sides, mode="replicate")  # (B, 1, 32 h, 32 w)
        outputs: list[StageOutput] = []
        for _ in range(count):
            out = self.refine(shared, previous)
            previous = out.alpha.detach()
            outputs.append(StageOutput(*(x[..., :height, :width] for x in out)))
        return outputs


def shrink(matte: Tensor, like: Tensor) -> Tensor:
    """Mean of `matte` (B, 1, H, W) over the cells of `like`, whose sides divide H and W."""
    factor = matte.shape[-1] // like.shape[-1]
    return matte if factor == 1 else functional.avg_pool2d(matte, factor)
