"""Photos with true mattes on disk.

Three layouts are read. First, a folder of sets (`portraits/{rgb,alpha}`, `fullbody/{rgb,alpha}`, ...) with a
`split.json` {set: {name: "train" | "val"}}. Second, a single set, `rgb/` and `alpha/`; every tenth photo (by name) is
then used for validation. Third, P3M-10k as its authors distribute it (paper 4.1), with `train/` and `validation/`.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from wideopen.checks import U8, require
from wideopen.errors import InvalidInput

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
LISTED = 10  # greatest number of problems listed in one error


@dataclass(frozen=True, slots=True)
class Pair:
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


def refuse_all(what: str, problems: list[str]) -> None:
    """Raise InvalidInput with the first `LISTED` of `problems`, if there are any."""
    more = f" and {len(problems) - LISTED} more" if len(problems) > LISTED else ""
    require(not problems, f"{what}: {'; '.join(problems[:LISTED])}{more}")


def _pairs(group: str, photos: list[Path], mattes: Path, part: dict[str, str]) -> list[Pair]:
    """A pair for each photo named in `part`; one error lists all files without a partner."""
    require(mattes.is_dir(), f"data: expected a folder {mattes}, found none")
    named = [p for p in photos if p.stem in part]
    have = {p.stem: p for p in images_in(mattes) if p.suffix.lower() == ".png"}
    alone = [f"{p}: expected a matte {mattes / p.stem}.png, found none" for p in named if p.stem not in have]
    known = {p.stem for p in photos}
    alone += [f"{have[stem]}: expected a photo of that name, found none" for stem in sorted(have.keys() - known)]
    refuse_all(f"data: {len(alone)} without a partner", alone)
    return [Pair(group, p.stem, p, have[p.stem], part[p.stem]) for p in named]


def _set(folder: Path, split: dict[str, str] | None) -> list[Pair]:
    photos = images_in(folder / "rgb")
    if split is None:
        split = {p.stem: "val" if i % 10 == 9 else "train" for i, p in enumerate(photos)}
    return _pairs(folder.name, photos, folder / "alpha", split)


def _p3m(folder: Path) -> list[Pair]:
    missing = [str(folder / name / photos) for name, photos, *_ in P3M_10K if not (folder / name / photos).is_dir()]
    require(not missing, f"data: expected P3M-10k's folders, found no {', '.join(missing)}")
    found: list[Pair] = []
    for name, kind, group, part in P3M_10K:
        photos = images_in(folder / name / kind)
        found += _pairs(group, photos, folder / name / "mask", {p.stem: part for p in photos})
    return found


def find_pairs(folder: Path) -> list[Pair]:
    """All pairs below `folder` in a fixed order, without those that a split.json does not name.

    Raises InvalidInput with a list of photos without a matte, mattes without a photo, and missing folders.
    """
    require(folder.is_dir(), f"data: expected a folder, found {folder}")
    if (folder / "rgb").is_dir():
        return _set(folder, None)
    if any((folder / name).is_dir() for name, *_ in P3M_10K):
        return _p3m(folder)
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


def read_pair(pair: Pair) -> tuple[U8, U8]:
    """RGB (H, W, 3) and matte (H, W) of a pair, uint8. Raises InvalidInput if their sizes differ."""
    rgb, alpha = read_rgb(pair.rgb), read_alpha(pair.alpha)
    require(rgb.shape[:2] == alpha.shape, f"{pair.name}: expected a matte of {rgb.shape[:2]}, found {alpha.shape}")
    return rgb, alpha
