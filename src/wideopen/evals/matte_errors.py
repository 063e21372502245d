"""How far a matte is from the true one: the five errors that the field reports.

Reference: Rhemann, Rother, Wang, Gelautz, Kohli, Rott, "A Perceptually Motivated Online Benchmark for Image Matting",
CVPR 2009, section 4: SAD, MSE, gradient error and connectivity error; constants as in their published evaluation
(sigma 1.4, q = 2; theta 0.15, p = 1, levels of 0.1). MAD is SAD over the number of pixels.

Conventions as in papers since Xu et al., "Deep Image Matting", CVPR 2017: SAD, gradient and connectivity are sums over
the pixels looked at, divided by 1000; MAD and MSE are means over them. Mattes are float32 (H, W) in [0, 1]; sums run in
float64. The transition region is where the true matte is fractional, widened; `where` limits all five to it.
"""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32, require, require_unit_map
from wideopen.matting.transition import Mask

SIGMA = 1.4  # of the derivative of Gaussians, pixels
THETA = 0.15  # differences in connectivity below it are not seen
STEP = 0.1  # between thresholds of the connectivity


@dataclass(frozen=True, slots=True)
class Errors:
    """Of one matte."""

    mad: float  # mean absolute difference
    mse: float  # mean squared difference
    sad: float  # sum of absolute differences / 1000
    gradient: float  # sum of squared differences of gradient magnitudes / 1000
    connectivity: float  # sum of differences of connectivity / 1000


def errors(alpha: F32, truth: F32, where: Mask | None = None) -> Errors:
    """The five errors of `alpha` (H, W) against `truth` (H, W), both in [0, 1], over all pixels or those of `where`.

    Gradient and connectivity are computed on the whole mattes and summed over `where`, as the benchmark does; an empty
    `where` has no error. Raises InvalidInput for sizes that differ and values out of range.
    """
    a, t = require_unit_map("alpha", alpha), require_unit_map("truth", truth)
    require(a.shape == t.shape, f"alpha: expected (H, W) {t.shape}, found {a.shape}")
    here = np.ones(t.shape, bool) if where is None else where
    if not here.any():
        return Errors(0, 0, 0, 0, 0)
    wrong = np.abs(a - t)[here].astype(np.float64)
    steeper = np.square(gradient_magnitude(a) - gradient_magnitude(t))[here]
    looser = np.abs(connectivity(a, t) - connectivity(t, a))[here]
    return Errors(
        mad=float(wrong.mean()),
        mse=float(np.square(wrong).mean()),
        sad=float(wrong.sum() / 1000),
        gradient=float(steeper.sum() / 1000),
        connectivity=float(looser.sum() / 1000),
    )


def gradient_magnitude(alpha: F32) -> NDArray[np.float64]:
    """|grad alpha| by derivatives of a Gaussian (sigma 1.4), each filter of unit norm; borders replicate."""
    radius = int(np.ceil(SIGMA * np.sqrt(-2 * np.log(np.sqrt(2 * np.pi) * SIGMA * 0.01))))
    x = np.arange(-radius, radius + 1, dtype=np.float64)
    smooth = np.exp(-(x**2) / (2 * SIGMA**2)) / (SIGMA * np.sqrt(2 * np.pi))
    slope = -x * smooth / SIGMA**2
    norm = np.sqrt((np.outer(smooth, slope) ** 2).sum())
    a = alpha.astype(np.float64)
    across = cv2.sepFilter2D(a, cv2.CV_64F, slope, smooth, borderType=cv2.BORDER_REPLICATE)
    down = cv2.sepFilter2D(a, cv2.CV_64F, smooth, slope, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(np.hypot(across, down) / norm)


def connectivity(alpha: F32, other: F32) -> NDArray[np.float64]:
    """phi of `alpha` (H, W): 1 where it is connected to the source region as far as its value goes, less elsewhere.

    The source region is the largest connected part (4 neighbours) that is at or above a threshold in both mattes;
    l is the largest threshold (0, 0.1, ..., 1) for which a pixel belongs to it, d = alpha - l, and
    phi = 1 - d where d >= theta, else 1.
    """
    level = np.full(alpha.shape, -1.0)
    both = np.minimum(alpha, other)
    steps = np.linspace(0, 1, round(1 / STEP) + 1)
    for low, high in pairwise(steps):
        source = _largest(both >= np.float32(high) - np.float32(1e-6))
        level[(level < 0) & ~source] = low
    level[level < 0] = 1
    distance = alpha.astype(np.float64) - level
    return np.asarray(1 - distance * (distance >= THETA))


def _largest(inside: Mask) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=4)
    if count < 2:
        return np.zeros_like(inside)
    return np.asarray(labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()))
