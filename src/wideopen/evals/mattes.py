"""Errors of mattes against the true ones, photo by photo: a network's mattes or those in a folder, measured alike.

The five standard errors of image matting, for each photo at its own resolution, over all pixels and over the
transition. Reference: Rhemann, Rother, Wang, Gelautz, Kohli, Rott, "A Perceptually Motivated Online Benchmark for Image
Matting", CVPR 2009, section 4: SAD, MSE, gradient error and connectivity error; constants as in their published
evaluation (sigma 1.4, q = 2; theta 0.15, p = 1, levels of 0.1). MAD is SAD over the number of pixels.

Conventions as in papers since Xu et al., "Deep Image Matting", CVPR 2017: SAD, gradient and connectivity are sums over
the evaluated pixels, divided by 1000; MAD and MSE are means over them. Mattes are float32 (H, W) in [0, 1]; sums are in
float64. The transition region is where the true matte is fractional, widened; `where` limits all five to it.
"""

import csv
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import TextIO

import cv2
import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32, U8, require, require_unit_map
from wideopen.errors import InvalidInput
from wideopen.evals.matte_pairs import Pair, read_alpha, read_rgb
from wideopen.evals.report import labelled, stacked
from wideopen.matting.clean import Mask, transition
from wideopen.matting.net.model import MattingNet
from wideopen.matting.net.torch_engine import matte_with

SIGMA = 1.4  # of the derivative of Gaussian filter, in pixels
THETA = 0.15  # smaller differences in connectivity are ignored
STEP = 0.1  # between thresholds of the connectivity


@dataclass(frozen=True, slots=True)
class Errors:
    """The errors of one matte."""

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
    """phi of `alpha` (H, W): 1 where it is connected to the source region up to its own value, less elsewhere.

    The source region is the largest connected part (4 neighbours) that is at or above a threshold in both mattes; l is
    the largest threshold (0, 0.1, ..., 1) for which a pixel belongs to it, d = alpha - l, and phi = 1 - d where d >=
    theta, else 1.
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


NAMES = tuple(field.name for field in fields(Errors))
Matter = Callable[[Pair, U8], F32]  # (pair, its photo (H, W, 3)) -> its matte (H, W) in [0, 1]


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over the photos of one group."""

    group: str
    count: int
    mad: float
    mse: float
    transition_mad: float


@dataclass(frozen=True, slots=True)
class Row:
    """The errors of one photo."""

    pair: Pair
    whole: Errors
    transition: Errors


@dataclass(frozen=True, slots=True)
class Judged:
    """All photos, and those skipped because of an unusable file."""

    rows: tuple[Row, ...]
    skipped: tuple[tuple[Pair, str], ...]

    def mean(self) -> tuple[Errors, Errors]:
        """Means over the photos: (whole, transition). Raises InvalidInput if there are none."""
        require(len(self.rows) > 0, "data: expected at least one photo to judge, found none")
        whole, band = (
            Errors(*(float(x) for x in np.mean([astuple(part) for part in parts], 0)))
            for parts in ([row.whole for row in self.rows], [row.transition for row in self.rows])
        )
        return whole, band


def judge(pairs: Iterable[Pair], matter: Matter, on_photo: Callable[[str], None] = lambda _: None) -> Judged:
    """Errors of the mattes from `matter`; pairs with an unreadable file or different sizes are skipped."""
    rows, skipped = [], []
    for pair in pairs:
        on_photo(pair.name)
        try:
            rgb, truth = read_rgb(pair.rgb), _unit(read_alpha(pair.alpha))
            require(
                rgb.shape[:2] == truth.shape, f"{pair.alpha}: expected a matte of {rgb.shape[:2]}, found {truth.shape}"
            )
            alpha = matter(pair, rgb)
            rows.append(Row(pair, errors(alpha, truth), errors(alpha, truth, transition(truth))))
        except InvalidInput as error:
            skipped.append((pair, str(error)))
    return Judged(tuple(rows), tuple(skipped))


def _unit(codes: U8) -> F32:
    return codes.astype(np.float32) / np.float32(255)


def matte_file(folder: Path, stem: str) -> Path:
    """The matte NAME.png in `folder`, for NAME = `stem`. Raises InvalidInput if there is none."""
    path = folder / f"{stem}.png"
    require(path.is_file(), f"{folder}: expected a matte {stem}.png, found none")
    return path


def mattes_of(folder: Path) -> Matter:
    """Mattes by another program: NAME.png or GROUP/NAME.png in `folder`, 8-bit grey, of the photo's size."""
    require(folder.is_dir(), f"pred: expected a folder, found {folder}")

    def matter(pair: Pair, rgb: U8) -> F32:
        of_group = folder / pair.group
        path = matte_file(of_group if of_group.is_dir() else folder, pair.name)
        alpha = read_alpha(path)
        require(alpha.shape == rgb.shape[:2], f"{path}: expected a matte of {rgb.shape[:2]}, found {alpha.shape}")
        return _unit(alpha)

    return matter


def write_csv(judged: Judged, file: TextIO) -> None:
    """Write one line per photo, worst MAD first."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["set", "photo", *NAMES, *(f"transition_{name}" for name in NAMES)])
    for row in worst(judged):
        numbers = [f"{x:.6g}" for x in (*astuple(row.whole), *astuple(row.transition))]
        writer.writerow([row.pair.group, row.pair.name, *numbers])


def worst(judged: Judged, count: int | None = None) -> list[Row]:
    """The `count` worst rows (None = all), in descending order of MAD."""
    return sorted(judged.rows, key=lambda row: -row.whole.mad)[:count]


def picture_of_worst(judged: Judged, matter: Matter, count: int = 10) -> U8:
    """(h, w, 3) RGB: photo, matte and truth side by side, one row per photo, worst first."""
    strips = []
    for row in worst(judged, count):
        rgb, truth = (
            x.astype(np.float32) / np.float32(255) for x in (read_rgb(row.pair.rgb), read_alpha(row.pair.alpha))
        )
        greys = [cv2.merge([grey] * 3) for grey in (matter(row.pair, read_rgb(row.pair.rgb)), truth)]
        strips.append(labelled([rgb, *greys], f"{row.pair.group}/{row.pair.name}  MAD {row.whole.mad:.4f}"))
    return stacked(strips)


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
        truth = _unit(read_alpha(pair.alpha))
        alpha = matte_with(net, read_rgb(pair.rgb), size=size, stages=stages)
        groups.setdefault(pair.group, []).append(measure(alpha, truth))
    return [Figures(name, len(rows), *(float(x) for x in np.mean(rows, 0))) for name, rows in groups.items()]
