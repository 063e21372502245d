"""Photos with true mattes on disk, and the errors of mattes against the true ones.

Three layouts are read. First, a folder of sets (`portraits/{rgb,alpha}`, `fullbody/{rgb,alpha}`, ...) with a
`split.json` {set: {name: "train" | "val"}}. Second, a single set, `rgb/` and `alpha/`; every tenth photo (by name) is
then used for validation. Third, P3M-10k as its authors distribute it (paper 4.1), with `train/` and `validation/`.

The five standard errors of image matting, for each photo at its own resolution, over all pixels and over the
transition. Reference: Rhemann, Rother, Wang, Gelautz, Kohli, Rott, "A Perceptually Motivated Online Benchmark for Image
Matting", CVPR 2009, section 4: SAD, MSE, gradient error and connectivity error; constants as in their published
evaluation (sigma 1.4, q = 2; theta 0.15, p = 1, levels of 0.1). MAD is SAD over the number of pixels.

Conventions as in papers since Xu et al., "Deep Image Matting", CVPR 2017: SAD, gradient and connectivity are sums over
the evaluated pixels, divided by 1000; MAD and MSE are means over them. Mattes are float32 (H, W) in [0, 1]; sums are in
float64. The transition region is where the true matte is fractional, widened; `where` limits all five to it.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wideopen.checks import F32, U8, Mask, require, require_unit_map
from wideopen.errors import InvalidInput
from wideopen.evals.pairs import Layout, listed, require_equal_sizes, together
from wideopen.evals.report import WORST, Line, crops_of_worst, means, stacked
from wideopen.evals.runner import Judged, Ledger, at_once, run, worst_first
from wideopen.matting.clean import transition
from wideopen.matting.find_matte import pick_matter
from wideopen.matting.inference import MattingSettings

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True, slots=True)
class MattePair:
    """The files of one photo and its matte."""

    group: str
    name: str
    rgb: Path
    alpha: Path
    part: str  # "train" or "val"


P3M_10K = (  # folder, its photos, group, part
    ("train", "blurred_image", "P3M-10k", "train"),
    ("validation/P3M-500-P", "blurred_image", "P3M-500-P", "val"),
    ("validation/P3M-500-NP", "original_image", "P3M-500-NP", "val"),
)


def images_in(folder: Path) -> list[Path]:
    """Image files of a folder, by name."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)


def _found(root: Path, group: str, photos: str, mattes: str) -> dict[str, dict[str, Any]]:
    """The files of each pair by name, unless one has no partner."""
    folders = {"rgb": (photos,), "alpha": (mattes,)}
    layout = Layout(folders=folders, suffixes={"rgb": IMAGE_SUFFIXES, "alpha": (".png",)}, equal=("rgb", "alpha"))
    files, problems = together(root, layout, option="data", headers=False)
    require(not problems, f"data: {len(problems)} without a partner in {group}:{listed(problems)}")
    return files


def _set(folder: Path, split: dict[str, str] | None) -> list[MattePair]:
    files = _found(folder, folder.name, "rgb", "alpha")
    if split is None:
        ordered = sorted(files, key=lambda name: files[name]["rgb"].name)
        split = {name: "val" if i % 10 == 9 else "train" for i, name in enumerate(ordered)}
    return [MattePair(folder.name, name, **of, part=split[name]) for name, of in files.items() if name in split]


def find_pairs(folder: Path) -> list[MattePair]:
    """All pairs below `folder` in a fixed order, without those that a split.json does not name.

    Raises InvalidInput with the first photos without a matte and mattes without a photo, and for missing folders.
    """
    require(folder.is_dir(), f"data: expected a folder, found {folder}")
    if (folder / "rgb").is_dir():
        return _set(folder, None)
    if any((folder / name).is_dir() for name, *_ in P3M_10K):
        known = ((group, part, _found(folder / name, group, photos, "mask")) for name, photos, group, part in P3M_10K)
        return [MattePair(group, name, **of, part=part) for group, part, found in known for name, of in found.items()]
    split_file = folder / "split.json"
    split = json.loads(split_file.read_text()) if split_file.is_file() else {}
    sets = sorted(p for p in folder.iterdir() if (p / "rgb").is_dir())
    require(bool(sets), f"data: expected {folder}/rgb or {folder}/SET/rgb, found neither")
    return [pair for path in sets for pair in _set(path, split.get(path.name))]


class UnreadableImage(InvalidInput):
    """A file of a pair cannot be decoded; training continues without the pair."""


def _decoded(path: Path, mode: int, what: str) -> U8:
    image = cv2.imread(str(path), mode)
    if image is None:
        raise UnreadableImage(f"{path}: expected {what}, found something unreadable")
    return np.asarray(image, np.uint8)


def read_rgb(path: Path) -> U8:
    """(H, W, 3) RGB uint8 of an image file."""
    return np.asarray(cv2.cvtColor(_decoded(path, cv2.IMREAD_COLOR, "an image"), cv2.COLOR_BGR2RGB), np.uint8)


def read_alpha(path: Path) -> U8:
    """(H, W) uint8 of a matte file."""
    return _decoded(path, cv2.IMREAD_GRAYSCALE, "a matte image")


def read_pair(pair: MattePair) -> tuple[U8, U8]:
    """RGB (H, W, 3) and matte (H, W) of a pair, uint8. Raises InvalidInput if their sizes differ."""
    rgb, alpha = read_rgb(pair.rgb), read_alpha(pair.alpha)
    require(rgb.shape[:2] == alpha.shape, f"{pair.name}: expected a matte of {rgb.shape[:2]}, found {alpha.shape}")
    return rgb, alpha


SIGMA = 1.4  # of the derivative of Gaussian filter, in pixels
THETA = 0.15  # smaller differences in connectivity are ignored
STEP = 0.1  # between thresholds of the connectivity


@dataclass(frozen=True, slots=True)
class Errors:
    """The errors of one matte, or their means over several."""

    mad: float  # mean absolute difference
    mse: float  # mean squared difference
    sad: float  # sum of absolute differences / 1000
    gradient: float  # sum of squared differences of gradient magnitudes / 1000
    connectivity: float  # sum of differences of connectivity / 1000


NAMES = tuple(one.name for one in fields(Errors))


def errors(alpha: F32, truth: F32, *regions: Mask | None) -> list[Errors]:
    """The five errors of `alpha` (H, W) against `truth` (H, W), both in [0, 1], over each region; None = all pixels.

    Gradient and connectivity are computed on the whole mattes and summed over a region, as the benchmark does; an empty
    region has no error. Raises InvalidInput for sizes that differ and values out of range.
    """
    a, t = require_unit_map("alpha", alpha), require_unit_map("truth", truth)
    require(a.shape == t.shape, f"alpha: expected (H, W) {t.shape}, found {a.shape}")
    wrong = np.abs(a - t).astype(np.float64)
    steeper = np.square(gradient_magnitude(a) - gradient_magnitude(t))
    looser = np.abs(connectivity(a, t) - connectivity(t, a))
    found = []
    for region in regions:
        here = np.ones(t.shape, bool) if region is None else region
        sums = [float(x[here].sum()) for x in (wrong, np.square(wrong), steeper, looser)]
        count = max(1, int(here.sum()))
        found.append(Errors(sums[0] / count, sums[1] / count, sums[0] / 1000, sums[2] / 1000, sums[3] / 1000))
    return found


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


PairMatter = Callable[[MattePair, U8], F32]  # (pair, its photo (H, W, 3)) -> its matte (H, W) in [0, 1]


TRANSITION = "transition_"  # before the columns of the transition


def judge_mattes(
    pairs: Iterable[MattePair],
    matter: PairMatter,
    on_photo: Callable[[str], None] = lambda _: None,
    ledger: Ledger | None = None,
) -> Judged:
    """Errors of the mattes from `matter`; pairs with an unreadable file or different sizes are skipped."""

    def measure(pair: MattePair) -> Line:
        rgb, codes = read_pair(pair)
        truth = _unit(codes)
        whole, band = errors(matter(pair, rgb), truth, None, transition(truth))
        of_band = {f"{TRANSITION}{name}": value for name, value in asdict(band).items()}
        return {"set": pair.group, "photo": pair.name, **asdict(whole), **of_band}

    cases = (((pair.group, pair.name), pair) for pair in pairs)
    return run(cases, at_once(measure), ledger or Ledger(), on_photo)


def mean_errors(lines: Sequence[Line]) -> dict[str, dict[str, Any]]:
    """Means over the photos, of whole photos and of the transition."""
    return {"whole": means(lines, columns=NAMES), "transition": means(lines, TRANSITION, NAMES)}


def _unit(codes: U8) -> F32:
    return codes.astype(np.float32) / np.float32(255)


def _grey(matte: F32) -> F32:
    return np.asarray(cv2.merge([matte] * 3))


def by_settings(settings: MattingSettings) -> PairMatter:
    """Mattes by the network of `settings`. Raises WeightsError, BackendUnavailable."""
    predict, _ = pick_matter(settings)
    return lambda _, rgb: predict(rgb)


def mattes_of(folder: Path) -> PairMatter:
    """Mattes by another program, those of `matte_by_others`."""
    return lambda pair, _: _unit(read_alpha(matte_by_others(folder, pair)))


def matte_by_others(folder: Path, pair: MattePair) -> Path:
    """The matte of a pair, NAME.png or GROUP/NAME.png in `folder`, 8-bit grey.

    Raises InvalidInput without one of the true matte's size.
    """
    of_group = folder / pair.group
    path = (of_group if of_group.is_dir() else folder) / f"{pair.name}.png"
    require(path.is_file(), f"expected a matte {path}, found none")
    require_equal_sizes(pair.alpha, path)
    return path


def sheet_of_worst(judged: Judged, pairs: Sequence[MattePair], matter: PairMatter, ours: PairMatter | None) -> U8:
    """(h, w, 3) RGB: crops of the `WORST` mattes, a row each, as `crops_of_worst`.

    `ours` makes mattes beside another program's; None where those of `matter` are ours.
    """
    rows = []
    by_name = {(pair.group, pair.name): pair for pair in pairs}
    for line in sorted(judged.lines, key=worst_first("mad", -1))[:WORST]:
        pair = by_name[line["set"], line["photo"]]
        rgb, truth = read_pair(pair)
        expected, seen = _grey(_unit(truth)), _grey(matter(pair, rgb))
        beside = None if ours is None else _grey(ours(pair, rgb))
        name, score = f"{pair.group}/{pair.name}", f"MAD {line['mad']:.4f}"
        rows.append(crops_of_worst(_unit(rgb), expected, seen, beside, name, score))
    return stacked(rows)
