"""Photos with true mattes on disk and in memory.

Layouts read: a folder of sets (`portraits/{rgb,alpha}`, `fullbody/{rgb,alpha}`, ...) with a
`split.json` {set: {name: "train" | "val"}}; or one set, `rgb/` and `alpha/`, whose every tenth
photo (by name) is then the validation part; or P3M-10k as its authors pack it (paper 4.1), with
`train/` and `validation/`. In memory a photo is uint8 and at most `size` pixels
long, so that thousands fit and no epoch decodes a file twice.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from wideopen.checks import U8, require
from wideopen.train.strands.head import Head, find_head

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True, slots=True)
class Pair:
    """Where one photo and its matte lie."""

    group: str
    name: str
    rgb: Path
    alpha: Path
    part: str  # "train" or "val"


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo, its matte and its subject's own colour, display-encoded."""

    rgb: U8  # (H, W, 3)
    alpha: U8  # (H, W), 255 = subject
    subject: U8  # (H, W, 3), estimated foreground colour
    head: Head | None = None  # where hair grows


P3M_10K = (  # folder, its photos, group, part
    ("train", "blurred_image", "P3M-10k", "train"),
    ("validation/P3M-500-P", "blurred_image", "P3M-500-P", "val"),
    ("validation/P3M-500-NP", "original_image", "P3M-500-NP", "val"),
)


def _images(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)


def _pair(group: str, rgb: Path, mattes: Path, part: str) -> Pair:
    alpha = mattes / f"{rgb.stem}.png"
    require(alpha.is_file(), f"{rgb}: expected a matte {alpha}, found none")
    return Pair(group, rgb.stem, rgb, alpha, part)


def _set(folder: Path, split: dict[str, str] | None) -> list[Pair]:
    photos = _images(folder / "rgb")
    if split is None:
        split = {p.stem: "val" if i % 10 == 9 else "train" for i, p in enumerate(photos)}
    named = [p for p in photos if p.stem in split]
    return [_pair(folder.name, p, folder / "alpha", split[p.stem]) for p in named]


def _p3m(folder: Path) -> list[Pair]:
    return [
        _pair(group, rgb, folder / name / "mask", part)
        for name, photos, group, part in P3M_10K
        if (folder / name / photos).is_dir()
        for rgb in _images(folder / name / photos)
    ]


def find_pairs(folder: Path) -> list[Pair]:
    """All pairs below `folder` in a fixed order, less those that a split.json does not name."""
    require(folder.is_dir(), f"data: expected a folder, found {folder}")
    if (folder / "rgb").is_dir():
        return _set(folder, None)
    if (folder / P3M_10K[0][0] / P3M_10K[0][1]).is_dir():
        return _p3m(folder)
    split_file = folder / "split.json"
    split = json.loads(split_file.read_text()) if split_file.is_file() else {}
    sets = sorted(p for p in folder.iterdir() if (p / "rgb").is_dir())
    require(bool(sets), f"data: expected {folder}/rgb or {folder}/SET/rgb, found neither")
    return [pair for path in sets for pair in _set(path, split.get(path.name))]


def read_rgb(path: Path) -> U8:
    """(H, W, 3) RGB uint8 of an image file."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    require(bgr is not None, f"{path}: expected an image, found something unreadable")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def read_alpha(path: Path) -> U8:
    """(H, W) uint8 of a matte file."""
    alpha = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    require(alpha is not None, f"{path}: expected a matte image, found something unreadable")
    return np.asarray(alpha, np.uint8)


def shrink_to(image: U8, size: int) -> U8:
    """`image` with its long side at most `size` pixels, aspect kept."""
    height, width = image.shape[:2]
    long_side = max(height, width)
    if long_side <= size:
        return image
    to = (max(1, round(width * size / long_side)), max(1, round(height * size / long_side)))
    return np.asarray(cv2.resize(image, to, interpolation=cv2.INTER_AREA), np.uint8)


def subject_colour(rgb: U8, alpha: U8) -> U8:
    """The subject's own colour F, where hair is mixed with the background.

    Blur fusion (Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021): F and B are
    means weighted by alpha and 1 - alpha, then F takes up what the mix leaves unexplained; a wide
    window first, a narrow one second.
    """
    I = rgb.astype(np.float32)
    a = alpha.astype(np.float32)[..., None] / 255
    F, B = I, I
    for window in (91, 7):
        weight = cv2.blur(a, (window, window))[..., None]
        mean_f = cv2.blur(F * a, (window, window)) / (weight + 1e-5)
        mean_b = cv2.blur(B * (1 - a), (window, window)) / (1 - weight + 1e-5)
        F = np.clip(mean_f + a * (I - a * mean_f - (1 - a) * mean_b), 0, 255)
        B = mean_b
    return F.astype(np.uint8)


def load_photo(pair: Pair, size: int) -> Photo:
    """Read one pair at a long side of at most `size` pixels."""
    rgb, alpha = read_rgb(pair.rgb), read_alpha(pair.alpha)
    require(
        rgb.shape[:2] == alpha.shape,
        f"{pair.name}: expected a matte of {rgb.shape[:2]}, found {alpha.shape}",
    )
    rgb, alpha = shrink_to(rgb, size), shrink_to(alpha, size)
    return Photo(rgb, alpha, subject_colour(rgb, alpha), find_head(alpha))


def load_backgrounds(folder: Path | None, size: int) -> list[U8]:
    """Photos without people, at a long side of at most `size` pixels; none for no folder."""
    if folder is None:
        return []
    require(folder.is_dir(), f"backgrounds: expected a folder, found {folder}")
    return [shrink_to(read_rgb(path), size) for path in _images(folder)]
