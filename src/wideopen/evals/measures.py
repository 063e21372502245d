"""Measures of a picture against the truth. Pictures are display-encoded, (H, W, 3) float32 in [0, 1].

PSNR: -10 log10 of the mean squared difference, peak 1, over all pixels and over a band along the matte's edge.
SSIM: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural similarity", IEEE
  TIP 13(4), 2004; window 11 x 11, Gaussian of 1.5 pixels, K = (0.01, 0.03), borders reflected, mean over the channels:
  agrees with torchmetrics to 1e-5 (tested) and is at least ten times as fast, which tuning needs. Over the edge band:
  the mean of the map there.
FLIP: Andersson et al., "FLIP: A Difference Evaluator for Alternating Images", HPG 2020, at 67 pixels per degree
  (NVIDIA's flip-evaluator); 0 = no visible difference.
LPIPS: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018, AlexNet
  (torchmetrics; torchvision's weights are downloaded on first use).

DISTS is in `evals.dists`, how well the blur obeys in `evals.obedience`.

`fit` removes the differences between the two exposures of a real pair other than the blur: a small shift, exposure and
white balance. The picture is shifted and scaled to fit the truth, in linear light:
    fitted(x) = gain_c * picture(x + shift)
Shift: Evangelidis and Psarakis, "Parametric Image Alignment Using Enhanced Correlation Coefficient Maximization", TPAMI
2008 (OpenCV), which is invariant to gain and offset. Gain, per channel: the median of truth / picture over pixels that
are neither dark nor clipped. Least squares would follow the few brightest pixels, where a picture has the greatest
errors (0.90 instead of 1 for lamps in the night, on a ray-traced scene).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np

from wideopen.arrays.transfer import encode
from wideopen.checks import F32, Mask, require
from wideopen.color import SRGB, Encoding
from wideopen.errors import InvalidInput, WeightsError, require_packages

BAND = 6 / 640  # half width of the edge band, as a fraction of the long side; 6 pixels on the lens benchmark's photos
WINDOW, SIGMA = 11, 1.5
SMALLEST_PX = WINDOW
STRIP = 32  # rows
ALEXNET = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
Measure = Callable[[F32, F32], float]  # (picture, truth)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of one picture that need no other program; None = nothing gives the edge."""

    psnr_db: float
    edge_psnr_db: float | None
    ssim: float
    edge_ssim: float | None = None


def displayed(rgb: F32, encoding: Encoding = SRGB) -> F32:
    """Encode linear light (H, W, 3) in the photo's own primaries for display in sRGB, clipped at white; [0, 1]."""
    light = rgb if encoding.has_srgb_primaries else rgb @ np.array(encoding.to_srgb, np.float32).T
    codes = encode(light, SRGB, bit_depth=16)
    return np.multiply(codes, np.float32(1 / 65535), dtype=np.float32)


def psnr(picture: F32, truth: F32, where: Mask | None = None) -> float:
    """PSNR in dB over all pixels, or those of `where` (H, W); infinite for equal pictures."""
    mask, count = (None, truth.size) if where is None else (where.astype(np.uint8), 3 * int(where.sum()))
    mse = cv2.norm(picture, truth, cv2.NORM_L2SQR, mask) / count  # summed in float64
    return float(-10 * np.log10(mse)) if mse > 0 else float("inf")


def ssim(picture: F32, truth: F32) -> float:
    """Structural similarity, 1 = equal. Raises InvalidInput for sides below 11 pixels."""
    return float(ssim_map(picture, truth).mean(dtype=np.float64))


def ssim_map(picture: F32, truth: F32) -> F32:
    """Structural similarity of the window around each pixel, (H, W, 3). Raises InvalidInput as `ssim` does."""
    height, width = truth.shape[:2]
    require(min(height, width) >= SMALLEST_PX, f"SSIM: expected sides of 11 pixels or more, found {width} x {height}")

    def blur(x: F32) -> F32:
        return np.asarray(cv2.GaussianBlur(x, (WINDOW, WINDOW), SIGMA, borderType=cv2.BORDER_REFLECT_101))

    x, y = picture - np.float32(0.5), truth - np.float32(0.5)  # less cancellation in E[x^2] - E[x]^2
    means = blur(x), blur(y), blur(x * x + y * y), blur(x * y)
    c1, c2, half = np.float32(0.01**2), np.float32(0.03**2), np.float32(0.5)
    found = np.empty_like(x)
    for top in range(0, height, STRIP):  # few rows at a time stay in the processor's cache
        rows = np.s_[top : top + STRIP]
        mean_x, mean_y, squares, product = (mean[rows] for mean in means)
        var = squares - mean_x**2 - mean_y**2
        covariance = product - mean_x * mean_y
        mx, my = mean_x + half, mean_y + half
        found[rows] = (2 * mx * my + c1) * (2 * covariance + c2) / ((mx**2 + my**2 + c1) * (var + c2))
    return found


def edge_band(matte: F32, radius_px: int | None = None) -> Mask:
    """Pixels (H, W) within `radius_px` (None = from `BAND`) of the matte's transition, coverage between 2 and 98 %."""
    radius = max(1, round(BAND * max(matte.shape))) if radius_px is None else radius_px
    window = np.ones((2 * radius + 1,) * 2, np.uint8)
    wide = cv2.dilate((matte > 0.02).astype(np.uint8), window)
    return np.asarray((wide - cv2.erode((matte > 0.98).astype(np.uint8), window)) > 0)


def load_flip() -> Measure:
    """The mean FLIP error. Raises InvalidInput with installation instructions if FLIP is not installed."""
    require_packages("FLIP (--no-flip does without)", "eval", "flip_evaluator")
    import flip_evaluator

    def flip(picture: F32, truth: F32) -> float:
        pair = (np.ascontiguousarray(x, np.float32) for x in (truth, picture))
        return float(flip_evaluator.evaluate(*pair, "LDR", inputsRGB=True, applyMagma=False, computeMeanError=True)[1])

    return flip


def load_lpips() -> Measure:
    """Load the LPIPS measure with its network. The first call is slow.

    Raises InvalidInput if packages are missing, WeightsError if the weights cannot be obtained.
    """
    require_packages("--lpips", "lpips", "torchmetrics", "torchvision")
    import torch
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    with loading("--lpips", ALEXNET):
        network = LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)

    def lpips(picture: F32, truth: F32) -> float:
        with torch.no_grad():
            one, other = (torch.from_numpy(np.ascontiguousarray(x)).permute(2, 0, 1)[None] for x in (picture, truth))
            return float(network(one.clamp(0, 1), other.clamp(0, 1)))

    return lpips


@contextmanager
def loading(flag: str, url: str) -> Iterator[None]:
    """Turn failures to load the weights of torchvision at `url` into one line."""
    import torch

    try:
        yield
    except (OSError, RuntimeError) as error:  # URLError is an OSError; a damaged file, a RuntimeError
        raise WeightsError(
            f"{flag}: expected torchvision's {url.rpartition('/')[2]} in {torch.hub.get_dir()}/checkpoints or from "
            f"{url}, found neither ({error})"
        ) from error


def measure(picture: F32, truth: F32, band: Mask | None) -> Figures:
    """PSNR and SSIM of `picture` against `truth`, both (H, W, 3); `band` (H, W): the edge band, if known.

    Raises InvalidInput for pictures of unlike or too small sizes.
    """
    if picture.shape != truth.shape:
        found, expected = (f"{x.shape[1]} x {x.shape[0]}" for x in (picture, truth))
        raise InvalidInput(f"picture: expected {expected} as the truth, found {found}")
    similarity = ssim_map(picture, truth)
    edge = band if band is not None and band.any() else None
    return Figures(
        psnr_db=psnr(picture, truth),
        edge_psnr_db=None if edge is None else psnr(picture, truth, edge),
        ssim=float(similarity.mean(dtype=np.float64)),
        edge_ssim=None if edge is None else float(similarity[edge].mean(dtype=np.float64)),
    )


MOST_SHIFT = 0.02  # fraction of the long side; a larger shift means a wrong fit or a different picture
DARK, CLIPPED = 0.02, 0.98
LANCZOS_PX = 4
STEPS, PRECISION = 200, 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """A picture fitted to the truth, the shift and gain of the fit, and the common window."""

    shift_px: tuple[float, float]  # x right, y down: from a pixel of the truth to the same point in the picture
    gain: tuple[float, float, float]  # of linear light
    picture: F32  # (h, w, 3) linear light, shifted and scaled, without the border lost to the shift
    window: tuple[slice, slice]  # rows and columns of the truth that `picture` covers


def fit(picture: F32, truth: F32) -> Fit:
    """Fit `picture` (H, W, 3) to `truth` (H, W, 3), both linear light.

    Raises InvalidInput if no shift of at most `MOST_SHIFT` aligns the two.
    """
    shift = find_shift(_grey(picture), _grey(truth))
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    height, width = truth.shape[:2]
    moved = cv2.warpAffine(
        picture,
        matrix,
        (width, height),
        flags=cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    rows, columns = _inside(shift[1], height), _inside(shift[0], width)
    moved, seen = np.maximum(moved[rows, columns], 0), truth[rows, columns]
    gain = find_gain(moved, seen)
    return Fit(shift_px=shift, gain=gain, picture=moved * np.array(gain, np.float32), window=(rows, columns))


def find_shift(picture: F32, truth: F32) -> tuple[float, float]:
    """Shift (x, y) in pixels between two grey pictures (H, W). Raises InvalidInput if none is found."""
    start = np.eye(2, 3, dtype=np.float32)
    until = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, STEPS, PRECISION)
    try:
        _, matrix = cv2.findTransformECC(truth, picture, start, cv2.MOTION_TRANSLATION, until, None, 5)
    except cv2.error as error:
        raise InvalidInput("align: expected pictures of one scene, found no shift that fits them") from error
    x, y = float(matrix[0, 2]), float(matrix[1, 2])
    most = MOST_SHIFT * max(truth.shape)
    require(
        bool(np.hypot(x, y) <= most), f"align: expected a shift of at most {most:.1f} pixels, found ({x:.1f}, {y:.1f})"
    )
    return x, y


def find_gain(picture: F32, truth: F32) -> tuple[float, float, float]:
    """R, G, B factors that scale `picture` to `truth`, both (H, W, 3) linear light; 1 where no pixel qualifies."""
    gains = []
    for channel in range(3):
        p, t = picture[..., channel], truth[..., channel]
        known = (np.minimum(p, t) > DARK) & (np.maximum(p, t) < CLIPPED)
        gains.append(float(np.median(t[known] / p[known])) if known.any() else 1.0)
    return gains[0], gains[1], gains[2]


def _grey(picture: F32) -> F32:
    light = np.clip(picture, 0, 1) @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    return np.asarray(np.sqrt(light), np.float32)  # close to display encoding, so that shadows count too


def _inside(shift: float, length: int) -> slice:
    """Pixels of the truth, along one axis, whose values in the picture do not depend on pixels beyond its border."""
    lost = int(np.ceil(abs(shift))) + LANCZOS_PX if abs(shift) > 0.01 else 0
    require(length > 2 * lost, f"align: expected more than {2 * lost} pixels along each side, found {length}")
    return slice(lost, length - lost)
