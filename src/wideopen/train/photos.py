"""Training photos by index, and batches of samples made from them.

As many photos as a memory budget allows stay in memory, the others are read whenever drawn. Photos are uint8, at most
`size` pixels long. The order of the photos decides once which ones stay in memory: worker processes share them, and the
memory that a run needs is known from its start.

Each photo has an estimate of the subject's own colour F, made once and cached in a folder. A subject with hair mixed
with the background needs it on a new scene. It is the estimate of the renderer's sheets (`sheets`): on eight portraits
with strands drawn over known colours, its mean error in the hair was 0.009; that of blur fusion (Forte, ICIP 2021),
used before, was 0.020. It takes 80 ms instead of 25 ms at 512 pixels.

Batch n depends only on (seed, n). A resumed run therefore gets the same batches as an uninterrupted one, whatever was
prefetched.
"""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from wideopen.arrays.maps import resize_map, work_size
from wideopen.backends import pick
from wideopen.checks import U8, require
from wideopen.errors import InvalidInput
from wideopen.evals.mattes import MattePair, UnreadableImage, images_in, read_pair, read_rgb, refuse_all
from wideopen.files.atomic import atomic_file
from wideopen.sheets import BACKENDS
from wideopen.train.augment import Stock, TrainPhoto, sample
from wideopen.train.hair import find_head
from wideopen.train.settings import Chances

VERSION = b"sheets 1"  # part of each cached file's name, so that another method makes other files
AT_ONCE = 4  # photos read in parallel on the first pass


def shrink_to(image: U8, size: int) -> U8:
    """Shrink `image` to a long side of at most `size` pixels; the aspect ratio is kept."""
    return resize_map(image, work_size(image.shape, size))


def load_photo(pair: MattePair, size: int, cache: Path | None = None) -> TrainPhoto:
    """Read one pair at a long side of at most `size` pixels; `cache` is a folder for the subjects' colours."""
    rgb, alpha = (shrink_to(image, size) for image in read_pair(pair))
    return TrainPhoto(rgb, alpha, kept_subject_colour(rgb, alpha, cache), find_head(alpha))


def load_backgrounds(folder: Path | None, size: int) -> list[U8]:
    """Read photos without people, at a long side of at most `size` pixels; without a folder the list is empty."""
    if folder is None:
        return []
    require(folder.is_dir(), f"backgrounds: expected a folder, found {folder}")
    return [shrink_to(read_rgb(path), size) for path in images_in(folder)]


def load_things(folder: Path | None, size: int) -> list[U8]:
    """Read cut-outs (h, w, 4) RGBA from the PNG and WebP files below `folder`, at a long side of at most `size` pixels.

    Unreadable files and files without transparency are skipped; without a folder the list is empty. Raises InvalidInput
    if a folder contains no cut-out.
    """
    if folder is None:
        return []
    require(folder.is_dir(), f"things: expected a folder, found {folder}")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".png", ".webp"))
    read = (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in paths)
    things = [
        shrink_to(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA), np.uint8), size)
        for image in read
        if image is not None and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 4
    ]
    require(len(things) > 0, f"things: expected images with transparency below {folder}, found none")
    return things


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
    with atomic_file(path, overwrite=True) as file:
        file.write(cv2.imencode(".png", colour[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes())
    return colour


class PhotoStore(Sequence[TrainPhoto]):
    """The photos of `pairs` by index, each at most `size` pixels long; those in `kept` are in memory.

    `skipped` has the reasons, by group/name, why other pairs are not used.
    """

    def __init__(self, size: int, cache: Path | None) -> None:
        self.size, self.cache = size, cache
        self.pairs: list[MattePair] = []
        self.kept: dict[int, TrainPhoto] = {}
        self.skipped: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> TrainPhoto:  # type: ignore[override]  # no slices
        return self.kept.get(index) or load_photo(self.pairs[index], self.size, self.cache)

    @property
    def groups(self) -> list[str]:
        """The group of each photo."""
        return [pair.group for pair in self.pairs]


def load_photos(
    pairs: Sequence[MattePair], size: int, cache: Path | None = None, *, budget_bytes: float = float("inf")
) -> PhotoStore:
    """Read all `pairs` once; corrupt pairs are skipped and listed, pairs whose sizes differ are refused together.

    The first photos stay in memory, up to `budget_bytes`. `cache` is a folder for the subjects' own colours; this pass
    estimates those that are missing.
    """

    def read(pair: MattePair) -> TrainPhoto | InvalidInput:
        try:
            return load_photo(pair, size, cache)
        except InvalidInput as error:
            return error

    store, differing, used = PhotoStore(size, cache), [], 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for start in range(0, len(pairs), AT_ONCE):  # besides the kept photos, only these are in memory
            group = pairs[start : start + AT_ONCE]
            for pair, found in zip(group, pool.map(read, group), strict=True):
                if isinstance(found, UnreadableImage):
                    store.skipped[f"{pair.group}/{pair.name}"] = str(found)
                elif isinstance(found, InvalidInput):
                    differing.append(str(found))
                else:
                    used += found.nbytes
                    if used <= budget_bytes:
                        store.kept[len(store)] = found
                    store.pairs.append(pair)
    refuse_all(f"data: {len(differing)} pairs whose sizes differ", differing)
    return store


class Batches(Dataset[tuple[U8, U8]]):
    """Augmented batches of `batch` samples by number.

    `groups` names each photo's group; groups are drawn equally often, and within one, photos in proportion to their
    `confidence` in [0, 1] (default: equally often). `workers` processes make the batches, or with 0 a
    thread.
    """

    def __init__(
        self,
        stock: Stock,
        groups: Sequence[str],
        *,
        size: int,
        batch: int,
        seed: int,
        chances: Chances,
        workers: int = 0,
        confidence: Sequence[float] = (),
    ) -> None:
        require(len(stock.photos) > 0, "data: expected training photos, found none")
        sure = confidence or [1.0] * len(groups)
        sizes = dict.fromkeys(groups, 0.0)
        for group, share in zip(groups, sure, strict=True):
            sizes[group] += share
        require(min(sizes.values()) > 0, "data: expected a set with confident labels, found one without")
        self.weights = np.array([share / sizes[group] / len(sizes) for group, share in zip(groups, sure, strict=True)])
        self.stock, self.size, self.batch, self.seed, self.chances = stock, size, batch, seed, chances
        self.workers = workers

    def __getitem__(self, number: int) -> tuple[U8, U8]:
        """Return batch `number`: rgb (B, size, size, 3), alpha (B, size, size)."""
        cv2.setNumThreads(1)  # leave the cores to torch; a forked process must not run a parallel kernel
        rng = np.random.default_rng((self.seed, number))
        picks = rng.choice(len(self.stock.photos), self.batch, p=self.weights)
        pairs = [sample(rng, self.stock, int(i), self.size, self.chances) for i in picks]
        return np.stack([rgb for rgb, _ in pairs]), np.stack([alpha for _, alpha in pairs])

    def start_at(self, number: int, stride: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches `number`, `number` + `stride`, ...: image (B, 3, H, W) and alpha (B, 1, H, W) in [0, 1].

        The next ones are prepared in the background. Images are channels last in memory.
        """
        numbers = count(number, stride)
        for rgb, alpha in self._in_processes(numbers) if self.workers else self._in_a_thread(numbers):
            image = torch.from_numpy(rgb).permute(0, 3, 1, 2).float().div_(255)
            yield image, torch.from_numpy(alpha)[:, None].float().div_(255)

    def _in_a_thread(self, numbers: Iterator[int]) -> Iterator[tuple[U8, U8]]:
        with ThreadPoolExecutor(1) as pool:
            following = pool.submit(self.__getitem__, next(numbers))
            while True:
                ready = following.result()
                following = pool.submit(self.__getitem__, next(numbers))
                yield ready

    def _in_processes(self, numbers: Iterator[int]) -> Iterator[tuple[U8, U8]]:
        yield from DataLoader(
            self,
            batch_size=None,
            sampler=numbers,  # any iterable works
            num_workers=self.workers,
            prefetch_factor=4,
            multiprocessing_context="fork",  # all processes share the photos in memory
            collate_fn=lambda batch: batch,
        )
