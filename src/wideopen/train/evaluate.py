"""How far mattes are from the true ones: MAD and MSE over all pixels, MAD in the transition.

Figures are means over photos, each at its own resolution, as the paper's Table 1 reports them.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from wideopen.checks import F32
from wideopen.nets.matting.model import MattingNet
from wideopen.nets.matting.predict import matte_with
from wideopen.train.photos import Pair, read_alpha, read_rgb

BAND = 0.012  # half width of the transition around an edge, as a fraction of the long side


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over the photos of one group."""

    group: str
    count: int
    mad: float
    mse: float
    transition_mad: float


def transition(alpha: F32) -> "np.ndarray[tuple[int, int], np.dtype[np.bool_]]":
    """Pixels (H, W) within `BAND` of a value that is neither 0 nor 1, nor sure either way."""
    radius = max(1, round(BAND * max(alpha.shape)))
    kernel = np.ones((2 * radius + 1,) * 2, np.uint8)
    sure = (cv2.erode((alpha > 0.95).astype(np.uint8), kernel) > 0) | (
        cv2.erode((alpha < 0.05).astype(np.uint8), kernel) > 0
    )
    return np.asarray(~sure)


def measure(alpha: F32, truth: F32) -> tuple[float, float, float]:
    """(MAD, MSE, MAD in the transition) of one matte; the last is 0 for an empty transition."""
    wrong = np.abs(alpha - truth)
    band = transition(truth)
    inside = float(wrong[band].mean()) if band.any() else 0.0
    return float(wrong.mean()), float(np.square(wrong).mean()), inside


def evaluate_net(
    net: MattingNet, pairs: list[Pair], *, size: int | None = None, stages: int | None = None
) -> list[Figures]:
    """Figures of `net` on each group of `pairs`, in the groups' order."""
    groups: dict[str, list[tuple[float, float, float]]] = {}
    for pair in pairs:
        truth = read_alpha(pair.alpha).astype(np.float32) / np.float32(255)
        alpha = matte_with(net, read_rgb(pair.rgb), size=size, stages=stages)
        groups.setdefault(pair.group, []).append(measure(alpha, truth))
    return [Figures(name, len(rows), *(float(x) for x in np.mean(rows, 0))) for name, rows in groups.items()]
