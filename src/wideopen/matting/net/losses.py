"""Losses of the matting network (paper Eq. 2): L = 0.25 L_s + 0.25 L_d + 0.5 L_fusion.

The paper leaves the three terms to a supplement that is not public. Ours: L_s is the cross-entropy of m_s against the
trimap obtained by eroding and dilating the true matte; L_d is L1 + Laplacian pyramid of m_d inside the true transition;
L_fusion is L1 + Laplacian pyramid of alpha_T everywhere. The losses of all stages have equal weight. All maps are (B,
1, H, W) in [0, 1] unless a shape is given.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from wideopen.matting.clean import BAND
from wideopen.matting.net.blocks import resize
from wideopen.matting.net.model import BACKGROUND, FOREGROUND, TRANSITION, StageOutput

W_SEMANTIC, W_DETAIL, W_FUSION = 0.25, 0.25, 0.5  # Eq. (2)
SURE = 0.05  # closer than this to 0 or 1, a true matte counts as background or foreground
LEVELS = 4  # of the Laplacian pyramid


class MattingLoss(NamedTuple):
    """The weighted total and its three parts, scalars."""

    total: Tensor
    semantic: Tensor
    detail: Tensor
    fusion: Tensor


def band_px(height: int, width: int) -> int:
    """Half width of the trimap's transition, in pixels on either side of an edge."""
    return max(1, round(BAND * max(height, width)))


def trimap(alpha: Tensor, radius_px: int) -> Tensor:
    """Labels (B, H, W) int64 of the true matte: foreground eroded, background eroded, the rest."""
    kernel = 2 * radius_px + 1

    def dilate(x: Tensor) -> Tensor:  # max-pooling pads with minus infinity, so borders add nothing
        rows = functional.max_pool2d(x, (kernel, 1), 1, (radius_px, 0))
        return functional.max_pool2d(rows, (1, kernel), 1, (0, radius_px))

    foreground = dilate((alpha < 1 - SURE).float()) == 0
    background = dilate((alpha > SURE).float()) == 0
    labels = torch.full_like(alpha, TRANSITION, dtype=torch.int64)
    labels[foreground] = FOREGROUND
    labels[background] = BACKGROUND
    return labels[:, 0]  # (B, H, W)


def laplacian_loss(difference: Tensor, levels: int = LEVELS) -> Tensor:
    """Sum over the levels l of 2^l * mean |L_l(prediction - truth)|.

    The pyramid is linear, so it is enough to build it for the difference. Level l is what averaging 2x2 pixels and
    resizing back bilinearly loses; the coarsest mean is the last level.
    """
    total = difference.new_zeros(())
    current = difference
    for level in range(levels):
        if min(current.shape[-2:]) < 2:
            break
        coarse = functional.avg_pool2d(current, 2)
        total = total + 2**level * (current - resize(coarse, current)).abs().mean()
        current = coarse
    return total + current.abs().mean()


def stage_loss(
    out: StageOutput, alpha: Tensor, labels: Tensor, weights: tuple[Tensor, Tensor] | None = None
) -> MattingLoss:
    """Eq. (2) for one stage; `labels` is `trimap(alpha)`.

    `weights` (B, 1, H, W), in [0, 1], weigh each pixel: the first map for m_s, the second for m_d and alpha.
    """
    if weights is None:
        semantic = functional.cross_entropy(out.semantic, labels)
    else:
        semantic = (functional.cross_entropy(out.semantic, labels, reduction="none") * weights[0][:, 0]).mean()
    known = 1 if weights is None else weights[1]
    transition = (labels == TRANSITION)[:, None]  # (B, 1, H, W)
    inside = (out.detail - alpha) * transition * known
    share = transition.float().mean().clamp_min(1e-3)  # a mean over the transition, not the photo
    detail = (inside.abs().mean() + laplacian_loss(inside)) / share
    wrong = (out.alpha - alpha) * known
    fusion = wrong.abs().mean() + laplacian_loss(wrong)
    total = W_SEMANTIC * semantic + W_DETAIL * detail + W_FUSION * fusion
    return MattingLoss(total, semantic, detail, fusion)


def matting_loss(outputs: list[StageOutput], alpha: Tensor, weights: Tensor | None = None) -> MattingLoss:
    """Mean over the stages of Eq. (2) against the true matte.

    `weights` (B, 2, H, W), in [0, 1], weigh each pixel: outside the transition, and for m_d and alpha in it.
    """
    labels = trimap(alpha, band_px(*alpha.shape[-2:]))
    both = None
    if weights is not None:
        both = weights[:, :1], torch.where((labels == TRANSITION)[:, None], weights[:, 1:], weights[:, :1])
    losses = [stage_loss(out, alpha, labels, both) for out in outputs]
    return MattingLoss(*(torch.stack(parts).mean() for parts in zip(*losses, strict=True)))
