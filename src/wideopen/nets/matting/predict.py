"""From a photo to its matte: resize to the network's size, T stages, resize back, clean up.

The photo's long side becomes `size` pixels, both sides rounded to multiples of 32 (the paper
squeezes every photo to 1024x1024; keeping the aspect is ours). Small photos are enlarged too:
the network has learned people of a certain size. Clean-up is ours.
"""

from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn.utils.fusion import fuse_conv_bn_eval

from wideopen.checks import F32, U8, require
from wideopen.errors import BackendUnavailable
from wideopen.nets.matting.blocks import resize
from wideopen.nets.matting.config import MattingConfig
from wideopen.nets.matting.model import STRIDE, MattingNet
from wideopen.nets.matting.weights import load_net, locate
from wideopen.ops.resize import resize_map

SPECK = 0.002  # subjects smaller than this share of the photo are dropped
HOLE = 0.0005  # and so are holes
LARGEST_GAP = 0.06  # larger ones are background whatever their outline
FAINT_OUTLINE = 15  # 8-bit codes within 5x5 pixels
FAINT, SOLID = 0.1, 0.9  # what counts as part of a subject, what as solid


def network_size(height: int, width: int, size: int) -> tuple[int, int]:
    """(height, width) for the network: long side `size`, both multiples of 32, at least 32."""
    scale = size / max(height, width)
    rows, columns = (max(1, round(side * scale / STRIDE)) * STRIDE for side in (height, width))
    return rows, columns


def _drop_small(alpha: F32, inside: U8, share: float, value: float) -> F32:
    """Set components of `inside` below `share` of all pixels to `value`, never the largest."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if count <= 2:
        return alpha
    small = np.zeros(count, bool)
    small[1:] = (areas < share * alpha.size) & (areas < areas.max())
    return np.where(small[labels], np.float32(value), alpha)


def fill_false_gaps(alpha: F32, srgb_u8: U8) -> F32:
    """Fill gaps in the subject whose outline follows no edge of the photo, both (H, W).

    Between an arm and a waist the photo has an edge; a bite out of a black helmet has none. Among the gaps that the
    first weights left in the 92 validation photos, the lower quartile of the outline's contrast was below
    `FAINT_OUTLINE` for parts of the subject only, but for specks below 0.1 % of the photo; true gaps of 0.1 to 6 %
    showed 30 or more.
    """
    grey = cv2.cvtColor(np.ascontiguousarray(srgb_u8), cv2.COLOR_RGB2GRAY).reshape(alpha.shape)
    contrast = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)).reshape(alpha.shape)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((alpha < 0.5).astype(np.uint8), connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA]
    window = np.ones((3, 3), np.uint8)
    for label in range(1, count):
        if areas[label] >= LARGEST_GAP * alpha.size or areas[label] == areas[1:].max():
            continue
        gap = (labels == label).astype(np.uint8)
        wide = cv2.dilate(gap, window)
        outline = (wide > 0) & (cv2.erode(gap, window, borderValue=1) == 0)
        if np.percentile(contrast[outline], 25) < FAINT_OUTLINE:
            alpha = np.where(cv2.dilate(wide, window) > 0, np.float32(1), alpha)
    return alpha


def clean_up(alpha: F32, srgb_u8: U8) -> F32:
    """Drop specks far from the subject, fill pinholes and false gaps inside it; edges stay as they are."""
    alpha = _drop_small(alpha, (alpha > FAINT).astype(np.uint8), SPECK, 0.0)
    alpha = _drop_small(alpha, (alpha < SOLID).astype(np.uint8), HOLE, 1.0)
    return fill_false_gaps(alpha, srgb_u8)


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


def stage_sizes(config: MattingConfig, size: int, stages: int) -> list[tuple[int, int]]:
    """[(long side, stages at it), ...]: stage 1 at `first_size` if that is smaller than `size`.

    The network knows subjects of the sizes it was trained on; in a larger photo the first stage
    loses sight of what is far from the subject, while later stages hold on to the matte so far.
    """
    require(stages >= 1, f"stages: expected at least 1, found {stages}")
    first = config.first_size
    if first is None or first >= size or stages == 1:
        return [(size, stages)]
    return [(first, 1), (size, stages - 1)]


def matte_with(net: MattingNet, srgb_u8: U8, *, size: int | None = None, stages: int | None = None) -> F32:
    """Matte (H, W) in [0, 1] of `srgb_u8` (H, W, 3) by `net`, on the network's device."""
    net.eval()
    device = next(net.parameters()).device
    height, width = srgb_u8.shape[:2]
    count = net.config.stages if stages is None else stages
    sizes = stage_sizes(net.config, size or net.config.size, count)
    previous: torch.Tensor | None = None
    with torch.inference_mode():
        for side, same in sizes:
            small = np.array(
                resize_map(srgb_u8, network_size(height, width, side)), order="C"
            )  # (h, w, 3), ours to write
            image = torch.from_numpy(small).to(device)[None].permute(0, 3, 1, 2).float() / 255
            if previous is not None:
                previous = resize(previous, image)
            previous = net(image, same, previous)[-1].alpha  # (1, 1, h, w)
    assert previous is not None  # stage_sizes never returns nothing
    alpha = previous[0, 0].cpu().numpy()
    return np.asarray(np.clip(resize_map(clean_up(alpha, small), (height, width)), 0, 1), np.float32)


def pick_device(device: str) -> str:
    """ "auto" takes the GPU if there is one; a name is obeyed or refused."""
    require(device in ("auto", "cpu", "cuda"), f"device: expected auto, cpu or cuda, found {device!r}")
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise BackendUnavailable("device cuda: no CUDA device here")
    return "cuda" if available and device != "cpu" else "cpu"


@lru_cache(maxsize=2)
def _ready_net(weights: str, modified_ns: int, device: str) -> MattingNet:  # noqa: ARG001
    """The network ready for inference; kept, since loading takes longer than a matte."""
    net = fold_batch_norms(load_net(weights)).to(device)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def predict_matte(
    srgb_u8: U8,
    *,
    weights: str | Path = "mobile",
    size: int | None = None,
    stages: int | None = None,
    device: str = "auto",
) -> F32:
    """Matte (H, W) float32 in [0, 1] of the people in `srgb_u8` (H, W, 3) uint8, sRGB-encoded.

    `weights` is a shipped name or a safetensors file; `size` the network's long side in pixels and
    `stages` the paper's T (default: what the weights' configuration says); `device` auto, cpu or
    cuda. Raises InvalidInput, WeightsError, BackendUnavailable.
    """
    require(
        isinstance(srgb_u8, np.ndarray)
        and srgb_u8.dtype == np.uint8
        and srgb_u8.ndim == 3
        and srgb_u8.shape[2] == 3
        and srgb_u8.size > 0,
        "srgb_u8: expected (H, W, 3) uint8, found "
        f"{getattr(srgb_u8, 'shape', type(srgb_u8).__name__)} {getattr(srgb_u8, 'dtype', '')}",
    )
    require(size is None or size >= STRIDE, f"size: expected at least {STRIDE} pixels, found {size}")
    path, _ = locate(weights)
    modified_ns = path.stat().st_mtime_ns if path.is_file() else 0
    net = _ready_net(str(weights), modified_ns, pick_device(device))
    return matte_with(net, srgb_u8, size=size, stages=stages)
