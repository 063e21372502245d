"""How far mattes are from the true ones, photo by photo: a network's, or those in a folder, by the same figures.

The errors are those of `evals.matte_errors`, each photo at its own resolution, over all pixels and over the transition.
"""

import csv
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TextIO

import cv2
import numpy as np

from wideopen.checks import F32, U8, require
from wideopen.errors import InvalidInput
from wideopen.evals.matte_errors import Errors, errors
from wideopen.evals.matte_pairs import Pair, read_alpha, read_rgb
from wideopen.matting.net.model import MattingNet
from wideopen.matting.predict import matte_with
from wideopen.matting.transition import transition

LABEL_PX = 24  # above each row of the picture of the worst
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
    """One photo."""

    pair: Pair
    whole: Errors
    transition: Errors


@dataclass(frozen=True, slots=True)
class Judged:
    """All photos, and what was left out because a file of it is of no use."""

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
    """Errors of the mattes that `matter` gives; pairs with an unreadable file or sizes that differ are skipped."""
    rows, skipped = [], []
    for pair in pairs:
        on_photo(pair.name)
        try:
            rgb, truth = read_rgb(pair.rgb), read_alpha(pair.alpha).astype(np.float32) / np.float32(255)
            require(
                rgb.shape[:2] == truth.shape, f"{pair.alpha}: expected a matte of {rgb.shape[:2]}, found {truth.shape}"
            )
            alpha = matter(pair, rgb)
            rows.append(Row(pair, errors(alpha, truth), errors(alpha, truth, transition(truth))))
        except InvalidInput as error:
            skipped.append((pair, str(error)))
    return Judged(tuple(rows), tuple(skipped))


def matte_file(folder: Path, stem: str) -> Path:
    """The matte of that name in `folder`: NAME.png. Raises InvalidInput without one."""
    path = folder / f"{stem}.png"
    require(path.is_file(), f"{folder}: expected a matte {stem}.png, found none")
    return path


def mattes_of(folder: Path) -> Matter:
    """Mattes made by another program: NAME.png in `folder`, or GROUP/NAME.png, 8-bit grey, of the photo's size."""
    require(folder.is_dir(), f"pred: expected a folder, found {folder}")

    def matter(pair: Pair, rgb: U8) -> F32:
        of_group = folder / pair.group
        path = matte_file(of_group if of_group.is_dir() else folder, pair.name)
        alpha = read_alpha(path)
        require(alpha.shape == rgb.shape[:2], f"{path}: expected a matte of {rgb.shape[:2]}, found {alpha.shape}")
        return alpha.astype(np.float32) / np.float32(255)

    return matter


def write_csv(judged: Judged, file: TextIO) -> None:
    """One line a photo, worst MAD first."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["set", "photo", *NAMES, *(f"transition_{name}" for name in NAMES)])
    for row in worst(judged):
        numbers = [f"{x:.6g}" for x in (*astuple(row.whole), *astuple(row.transition))]
        writer.writerow([row.pair.group, row.pair.name, *numbers])


def worst(judged: Judged, count: int | None = None) -> list[Row]:
    """Rows by falling MAD."""
    return sorted(judged.rows, key=lambda row: -row.whole.mad)[:count]


def picture_of_worst(judged: Judged, matter: Matter, count: int = 10, height: int = 240) -> U8:
    """(h, w, 3) RGB: photo, matte and truth side by side, one row a photo, worst first."""
    rows = []
    for row in worst(judged, count):
        rgb = read_rgb(row.pair.rgb)
        greys = (np.round(matter(row.pair, rgb) * 255).astype(np.uint8), read_alpha(row.pair.alpha))
        width = max(1, round(rgb.shape[1] * height / rgb.shape[0]))
        parts = [rgb, *(cv2.merge([grey] * 3) for grey in greys)]
        strip = np.hstack([cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA) for part in parts])
        strip = np.pad(strip, ((LABEL_PX, 0), (0, 0), (0, 0)))
        label = f"{row.pair.group}/{row.pair.name}  MAD {row.whole.mad:.4f}"
        cv2.putText(strip, label, (6, LABEL_PX - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
        rows.append(strip)
    widest = max(strip.shape[1] for strip in rows)
    return np.vstack([np.pad(strip, ((0, 0), (0, widest - strip.shape[1]), (0, 0))) for strip in rows])


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
