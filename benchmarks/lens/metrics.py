"""How far a picture is from the truth. All on sRGB-encoded pictures clipped to [0, 1].

PSNR: -10 log10 of the mean squared difference, peak 1. SSIM: Wang et al. 2004, Gaussian window of 1.5 pixels, mean
over the channels (scikit-image). FLIP: Andersson et al., "FLIP: A Difference Evaluator for Alternating Images",
HPG 2020, at 67 pixels per degree (NVIDIA's flip-evaluator); 0 = no difference seen.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from wideopen.color import srgb_encode

Picture = NDArray[np.floating]
BAND_PX = 12


def shown(picture: Picture) -> NDArray[np.float64]:
    """Linear light (H, W, 3) as displayed: clipped at white, sRGB-encoded."""
    return srgb_encode(np.clip(picture, 0, 1))


def psnr(picture: Picture, truth: Picture, where: NDArray[np.bool_] | None = None) -> float:
    """PSNR in dB of two pictures in linear light, over the pixels `where` (H, W); None = all."""
    error = (shown(picture) - shown(truth)) ** 2
    mse = float(error.mean() if where is None else error[where].mean())
    return float(-10 * np.log10(mse)) if mse > 0 else float("inf")


def ssim(picture: Picture, truth: Picture) -> float:
    """Structural similarity, 1 = equal; sides of at least 11 pixels."""
    from skimage.metrics import structural_similarity

    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(shown(truth), shown(picture), channel_axis=-1, data_range=1.0, **settings))


def flip(picture: Picture, truth: Picture) -> float:
    """Mean FLIP error, 0 = no visible difference."""
    import flip_evaluator

    pair = (shown(x).astype(np.float32) for x in (truth, picture))
    return float(flip_evaluator.evaluate(*pair, "LDR", inputsRGB=True, applyMagma=False, computeMeanError=True)[1])


def edge_band(matte: NDArray[np.floating], width_px: int = BAND_PX) -> NDArray[np.bool_]:
    """Pixels within width / 2 of the matte's transition (coverage between 2 and 98 %)."""
    window = np.ones((width_px + 1, width_px + 1), np.uint8)
    wide = cv2.dilate((matte > 0.02).astype(np.uint8), window)
    return np.asarray((wide - cv2.erode((matte > 0.98).astype(np.uint8), window)) > 0)


def noise_floor(first: Picture, second: Picture, where: NDArray[np.bool_] | None = None) -> float:
    """PSNR in dB of the mean of two independent estimates against what they estimate: its error is half their gap."""
    return psnr(first, second, where) + 20 * np.log10(2)
