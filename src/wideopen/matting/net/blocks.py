"""Building blocks of the matting network; every map is torch (B, C, H, W) float32.

Sources: e-ASPP from MODNet (Ke et al., AAAI 2022); gated convolution layer (GCL) from Gated-SCNN (Takikawa et al., ICCV
2019); attention-based guidance module (AGM) from the paper (3.1, Fig. 4). Each class states its deviations.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


def resize(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear resize of (B, C, h, w) to the height and width of `like`; a no-op if they agree."""
    if x.shape[-2:] == like.shape[-2:]:
        return x
    return functional.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


def conv_block(channels_in: int, channels_out: int, kernel: int = 3) -> nn.Sequential:
    """Convolution, batch norm, ReLU; keeps height and width."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


class EfficientPyramid(nn.Module):
    """e-ASPP: depth-wise atrous convolutions on reduced channels, fused point-wise across rates.

    Ours: an image-level branch (the mean over all pixels), as in DeepLab's ASPP. The outer taps start at zero, since
    training samples smaller than their reach never train them. Left random, they produced blobs on larger photos (MAD
    at 512 px 0.060 instead of 0.0065 after training at 256).
    """

    def __init__(self, channels_in: int, channels_out: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        width = channels_out
        self.reduce = conv_block(channels_in, width, 1)
        self.atrous = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=rate, dilation=rate, groups=width, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            )
            for rate in rates
        )
        outer = torch.ones(3, 3, dtype=torch.bool)
        outer[1, 1] = False
        for conv in self.atrous.modules():
            if isinstance(conv, nn.Conv2d) and conv.dilation != (1, 1):
                with torch.no_grad():
                    conv.weight[:, :, outer] = 0
        self.image = nn.Conv2d(width, width, 1)
        self.fuse = conv_block(width * (len(rates) + 1), channels_out, 1)

    def forward(self, f5: Tensor) -> Tensor:
        """F_A (B, C, H/32, W/32) from F5."""
        x = self.reduce(f5)
        mean = functional.relu(self.image(x.mean((2, 3), keepdim=True))).expand_as(x)
        return self.fuse(torch.cat([branch(x) for branch in self.atrous] + [mean], 1))


class AttentionGuidance(nn.Module):
    """AGM: attention at each pixel, with the query from the previous matte, and key and value from the features.

    Paper 3.1: query = Conv1x1(alpha), key and value = Conv1x1(concat(alpha, f)). Attention runs across the channels of
    one pixel, so the cost is linear in pixels. Ours: the softmax is scaled by C (uniform attention returns the value
    itself), and a residual around the module.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.query = nn.Conv2d(1, channels, 1)
        self.key_value = nn.Conv2d(channels + 1, 2 * channels, 1)

    def forward(self, f: Tensor, previous: Tensor) -> Tensor:
        """Guide `f` (B, C, H, W) by `previous` (B, 1, H, W) in [0, 1]."""
        key, value = self.key_value(torch.cat([previous, f], 1)).chunk(2, 1)
        attention = torch.softmax(self.query(previous) * key, 1) * self.channels
        return f + attention * value


class NoGuidance(nn.Module):
    """Replaces an AGM: returns the features unchanged and ignores the previous matte (Table 2)."""

    def forward(self, f: Tensor, previous: Tensor) -> Tensor:  # noqa: ARG002
        """Return `f` unchanged."""
        return f


class GatedConv(nn.Module):
    """GCL: f_k = GCL(f_{k-1}, f'_{k-1}); the decoder feature f' gates f.

    attention = sigmoid(Conv1x1([f, f'])), then f + Conv3x3(f * (attention + 1)). Ours: the attention has one value per
    channel, and a 1x1 convolution reduces f' before it is resized (both are linear and commute; the smaller map is
    cheaper to convolve).
    """

    def __init__(self, channels: int, gate_channels: int) -> None:
        super().__init__()
        reduced = max(channels // 2, 1)
        self.reduce = nn.Conv2d(gate_channels, reduced, 1)
        self.attention = nn.Conv2d(channels + reduced, channels, 1)
        self.conv = conv_block(channels, channels)

    def forward(self, f: Tensor, gate: Tensor) -> Tensor:
        """f (B, C1, H, W) gated by a decoder feature of any resolution."""
        g = resize(self.reduce(gate), f)
        attention = torch.sigmoid(self.attention(torch.cat([f, g], 1)))
        return f + self.conv(f * (attention + 1))


class DecoderBlock(nn.Module):
    """Upsample by two, join a skip feature if there is one, convolve."""

    def __init__(self, channels_in: int, skip_channels: int, channels_out: int) -> None:
        super().__init__()
        self.conv = conv_block(channels_in + skip_channels, channels_out)

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        """(B, c, h, w) -> (B, channels_out, 2h, 2w)."""
        if skip is None:
            up = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        else:
            up = torch.cat([resize(x, skip), skip], 1)
        return self.conv(up)
