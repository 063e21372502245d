"""Photos with true mattes on disk and in memory.

Layouts read: a folder of sets (`portraits/{rgb,alpha}`, `fullbody/{rgb,alpha}`, ...) with a
`split.json` {set: {name: "train" | "val"}}; or one set, `rgb/` and `alpha/`, whose every tenth
photo (by name) is then the validation part; or P3M-10k as its authors pack it (paper 4.1), with
`train/` and `validation/`. In memory a photo is uint8 and at most `size` pixels long (`store.py` keeps them there).
"""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from wideopen.checks import U8, require
from wideopen.errors import InvalidInput
from wideopen.train.foreground import kept_subject_colour
from wideopen.train.strands.head import Head, find_head

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
LISTED = 10  # problems named in one error


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

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.rgb.nbytes + self.alpha.nbytes + self.subject.nbytes


P3M_10K = (  # folder, its photos, group, part
    ("train", "blurred_image", "P3M-10k", "train"),
    ("validation/P3M-500-P", "blurred_image", "P3M-500-P", "val"),
    ("validation/P3M-500-NP", "original_image", "P3M-500-NP", "val"),
)


def _images(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)


def refuse_all(what: str, problems: list[str]) -> None:
    """InvalidInput that lists `problems`, the first few of them, if there are any."""
    more = f" and {len(problems) - LISTED} more" if len(problems) > LISTED else ""
    require(not problems, f"{what}: {'; '.join(problems[:LISTED])}{more}")


def _pairs(group: str, photos: list[Path], mattes: Path, part: dict[str, str]) -> list[Pair]:
    """A pair for each photo that `part` names; all that lack their partner are listed in one error."""
    require(mattes.is_dir(), f"data: expected a folder {mattes}, found none")
    named = [p for p in photos if p.stem in part]
    have = {p.stem: p for p in _images(mattes) if p.suffix.lower() == ".png"}
    alone = [f"{p}: expected a matte {mattes / p.stem}.png, found none" for p in named if p.stem not in have]
    known = {p.stem for p in photos}
    alone += [f"{have[stem]}: expected a photo of that name, found none" for stem in sorted(have.keys() - known)]
    refuse_all(f"data: {len(alone)} without a partner", alone)
    return [Pair(group, p.stem, p, have[p.stem], part[p.stem]) for p in named]


def _set(folder: Path, split: dict[str, str] | None) -> list[Pair]:
    photos = _images(folder / "rgb")
    if split is None:
        split = {p.stem: "val" if i % 10 == 9 else "train" for i, p in enumerate(photos)}
    return _pairs(folder.name, photos, folder / "alpha", split)


def _p3m(folder: Path) -> list[Pair]:
    missing = [str(folder / name / photos) for name, photos, *_ in P3M_10K if not (folder / name / photos).is_dir()]
    require(not missing, f"data: expected P3M-10k's folders, found no {', '.join(missing)}")
    found: list[Pair] = []
    for name, kind, group, part in P3M_10K:
        photos = _images(folder / name / kind)
        found += _pairs(group, photos, folder / name / "mask", {p.stem: part for p in photos})
    return found


def find_pairs(folder: Path) -> list[Pair]:
    """All pairs below `folder` in a fixed order, less those that a split.json does not name.

    Raises InvalidInput that lists photos without a matte, mattes without a photo, and folders that are missing.
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
    """A file of a pair that no decoder takes; training goes on without the pair."""


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


def shrink_to(image: U8, size: int) -> U8:
    """`image` with its long side at most `size` pixels, aspect kept."""
    height, width = image.shape[:2]
    long_side = max(height, width)
    if long_side <= size:
        return image
    to = (max(1, round(width * size / long_side)), max(1, round(height * size / long_side)))
    return np.asarray(cv2.resize(image, to, interpolation=cv2.INTER_AREA), np.uint8)


def load_photo(pair: Pair, size: int, cache: Path | None = None) -> Photo:
    """Read one pair at a long side of at most `size` pixels; `cache` is a folder for subjects' colours."""
    rgb, alpha = read_rgb(pair.rgb), read_alpha(pair.alpha)
    require(
        rgb.shape[:2] == alpha.shape,
        f"{pair.name}: expected a matte of {rgb.shape[:2]}, found {alpha.shape}",
    )
    rgb, alpha = shrink_to(rgb, size), shrink_to(alpha, size)
    return Photo(rgb, alpha, kept_subject_colour(rgb, alpha, cache), find_head(alpha))


def load_backgrounds(folder: Path | None, size: int) -> list[U8]:
    """Photos without people, at a long side of at most `size` pixels; none for no folder."""
    if folder is None:
        return []
    require(folder.is_dir(), f"backgrounds: expected a folder, found {folder}")
    return [shrink_to(read_rgb(path), size) for path in _images(folder)]
