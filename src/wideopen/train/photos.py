"""Training photos by index: as many as a memory budget allows stay in memory, the others are read whenever drawn.

Photos are uint8, at most `size` pixels long. The order of the photos decides once which ones stay in memory: worker
processes share them, and the memory that a run needs is known from its start.

Each photo has an estimate of the subject's own colour F, made once and cached in a folder. A subject with hair mixed
with the background needs it on a new scene. It is the estimate of the renderer's sheets (`sheets`): on eight portraits
with strands drawn over known colours, its mean error in the hair was 0.009; that of blur fusion (Forte, ICIP 2021),
used before, was 0.020. It takes 80 ms instead of 25 ms at 512 pixels.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import cv2
import numpy as np

from wideopen.backends import pick
from wideopen.checks import U8, require
from wideopen.errors import InvalidInput
from wideopen.evals.matte_pairs import Pair, UnreadableImage, images_in, read_alpha, read_rgb, refuse_all
from wideopen.sheets import BACKENDS
from wideopen.train.strands.hair import Head, find_head


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo, its matte and the subject's own colour, display-encoded."""

    rgb: U8  # (H, W, 3)
    alpha: U8  # (H, W), 255 = subject
    subject: U8  # (H, W, 3), estimated foreground colour
    head: Head | None = None  # where hair grows

    @property
    def nbytes(self) -> int:
        """Size in memory in bytes."""
        return self.rgb.nbytes + self.alpha.nbytes + self.subject.nbytes


def shrink_to(image: U8, size: int) -> U8:
    """Shrink `image` to a long side of at most `size` pixels; the aspect ratio is kept."""
    height, width = image.shape[:2]
    long_side = max(height, width)
    if long_side <= size:
        return image
    to = (max(1, round(width * size / long_side)), max(1, round(height * size / long_side)))
    return np.asarray(cv2.resize(image, to, interpolation=cv2.INTER_AREA), np.uint8)


def load_photo(pair: Pair, size: int, cache: Path | None = None) -> Photo:
    """Read one pair at a long side of at most `size` pixels; `cache` is a folder for the subjects' colours."""
    rgb, alpha = read_rgb(pair.rgb), read_alpha(pair.alpha)
    require(
        rgb.shape[:2] == alpha.shape,
        f"{pair.name}: expected a matte of {rgb.shape[:2]}, found {alpha.shape}",
    )
    rgb, alpha = shrink_to(rgb, size), shrink_to(alpha, size)
    return Photo(rgb, alpha, kept_subject_colour(rgb, alpha, cache), find_head(alpha))


def load_backgrounds(folder: Path | None, size: int) -> list[U8]:
    """Read photos without people, at a long side of at most `size` pixels; without a folder the list is empty."""
    if folder is None:
        return []
    require(folder.is_dir(), f"backgrounds: expected a folder, found {folder}")
    return [shrink_to(read_rgb(path), size) for path in images_in(folder)]


VERSION = b"sheets 1"  # part of each file name, so that another method makes other files


def subject_colour(rgb: U8, alpha: U8) -> U8:
    """Estimate the display-encoded F (H, W, 3) of a photo (H, W, 3) with its matte (H, W)."""
    _, separator = pick(BACKENDS)
    F, _ = separator.estimate_colours(rgb / np.float32(255), alpha / np.float32(255))
    return np.asarray(np.clip(F, 0, 1) * 255 + 0.5, np.uint8)


def kept_subject_colour(rgb: U8, alpha: U8, folder: Path | None) -> U8:
    """Return `subject_colour`, read from `folder` if it is cached there, else estimated and written there."""
    if folder is None:
        return subject_colour(rgb, alpha)
    name = hashlib.sha256(VERSION + str(rgb.shape).encode() + rgb.tobytes() + alpha.tobytes()).hexdigest()[:32]
    path = folder / f"{name}.png"
    kept = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if kept is not None and kept.shape == rgb.shape:
        return np.asarray(kept[..., ::-1], np.uint8)
    colour = subject_colour(rgb, alpha)
    folder.mkdir(parents=True, exist_ok=True)
    _, data = cv2.imencode(".png", colour[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    beside.write_bytes(data.tobytes())
    beside.replace(path)  # neither a killed run nor a parallel one leaves a partial file
    return colour


AT_ONCE = 4  # photos read in parallel on the first pass


class PhotoStore(Sequence[Photo]):
    """The photos of `pairs`, each at most `size` pixels long; those in `kept` are in memory."""

    def __init__(self, pairs: Sequence[Pair], kept: dict[int, Photo], size: int, cache: Path | None) -> None:
        self.pairs, self.kept, self.size, self.cache = pairs, kept, size, cache

    def __len__(self) -> int:
        return len(self.pairs)

    @overload
    def __getitem__(self, index: int) -> Photo: ...

    @overload
    def __getitem__(self, index: slice) -> list[Photo]: ...

    def __getitem__(self, index: int | slice) -> Photo | list[Photo]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        photo = self.kept.get(index)
        return load_photo(self.pairs[index], self.size, self.cache) if photo is None else photo


@dataclass(frozen=True, slots=True)
class Loaded:
    """Photos to train on, their groups, and the pairs that were skipped because a file is corrupt."""

    photos: PhotoStore
    groups: list[str]  # one for each photo
    skipped: list[tuple[str, str]]  # name, reason


def load_photos(
    pairs: Sequence[Pair], size: int, cache: Path | None = None, *, budget_bytes: float = float("inf")
) -> Loaded:
    """Read all `pairs` once; corrupt pairs are skipped and listed, pairs whose sizes differ are refused together.

    The first photos stay in memory, up to `budget_bytes`. `cache` is a folder for the subjects' own colours; this pass
    estimates those that are missing.
    """
    good: list[Pair] = []
    kept: dict[int, Photo] = {}
    skipped: list[tuple[str, str]] = []
    differing: list[str] = []
    used = 0
    for pair, found in _read_all(pairs, size, cache):
        if isinstance(found, UnreadableImage):
            skipped.append((f"{pair.group}/{pair.name}", str(found)))
        elif isinstance(found, InvalidInput):
            differing.append(str(found))
        else:
            used += found.nbytes
            if used <= budget_bytes:
                kept[len(good)] = found
            good.append(pair)
    refuse_all(f"data: {len(differing)} pairs whose sizes differ", differing)
    return Loaded(PhotoStore(good, kept, size, cache), [pair.group for pair in good], skipped)


def _read_all(pairs: Sequence[Pair], size: int, cache: Path | None) -> Iterator[tuple[Pair, Photo | InvalidInput]]:
    """Yield each pair with its photo, or with the error that makes it unusable, in order; some are read ahead."""

    def read(pair: Pair) -> Photo | InvalidInput:
        try:
            return load_photo(pair, size, cache)
        except InvalidInput as error:
            return error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for start in range(0, len(pairs), AT_ONCE):  # besides the kept photos, only these are in memory
            group = pairs[start : start + AT_ONCE]
            yield from zip(group, pool.map(read, group), strict=True)
