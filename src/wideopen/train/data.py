"""Batches for the training loop. Batch n depends only on (seed, n).

A resumed run therefore gets the same batches as an uninterrupted one, whatever was prefetched.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from wideopen.checks import U8, require
from wideopen.train.augment import Chances, Stock, sample
from wideopen.train.photos import Photo


def to_image_bchw(rgb: U8) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 in [0, 1], channels last in memory."""
    return torch.from_numpy(rgb).permute(0, 3, 1, 2).float().div_(255)


def to_alpha_bchw(alpha: U8) -> Tensor:
    """(B, H, W) uint8 -> (B, 1, H, W) float32 in [0, 1]."""
    return torch.from_numpy(alpha)[:, None].float().div_(255)


class Batches:
    """Augmented batches of `batch` samples; `groups` names each photo's group; groups are drawn equally often."""

    def __init__(
        self,
        photos: Sequence[Photo],
        groups: Sequence[str],
        backgrounds: list[U8],
        things: Sequence[U8] = (),
        *,
        size: int,
        batch: int,
        seed: int,
        chances: Chances,
        workers: int = 0,
    ) -> None:
        require(len(photos) > 0, "data: expected training photos, found none")
        self.stock = Stock(photos, backgrounds, list(things))
        sizes = Counter(groups)
        self.weights = np.array([1 / sizes[group] / len(sizes) for group in groups])
        self.size, self.batch, self.seed, self.chances = size, batch, seed, chances
        self.workers = workers

    def make(self, number: int) -> tuple[U8, U8]:
        """Return batch `number`: rgb (B, size, size, 3), alpha (B, size, size)."""
        rng = np.random.default_rng((self.seed, number))
        picks = rng.choice(len(self.stock.photos), self.batch, p=self.weights)
        pairs = [sample(rng, self.stock, int(i), self.size, self.chances) for i in picks]
        return np.stack([rgb for rgb, _ in pairs]), np.stack([alpha for _, alpha in pairs])

    def start_at(self, number: int, stride: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches `number`, `number` + `stride`, ... as tensors; the next ones are prepared in the background."""
        cv2.setNumThreads(1)  # leave the cores to torch
        numbers = count(number, stride)
        made = self._in_processes(numbers) if self.workers else self._in_a_thread(numbers)
        for rgb, alpha in made:
            yield to_image_bchw(np.asarray(rgb)), to_alpha_bchw(np.asarray(alpha))

    def _in_a_thread(self, numbers: Iterator[int]) -> Iterator[tuple[U8, U8]]:
        with ThreadPoolExecutor(1) as pool:
            following = pool.submit(self.make, next(numbers))
            while True:
                ready = following.result()
                following = pool.submit(self.make, next(numbers))
                yield ready

    def _in_processes(self, numbers: Iterator[int]) -> Iterator[tuple[U8, U8]]:
        # forked, so that all processes share the photos in memory; none of them runs a parallel kernel
        yield from DataLoader(
            _Numbered(self),
            batch_size=None,
            sampler=numbers,  # any iterable works
            num_workers=self.workers,
            prefetch_factor=4,
            multiprocessing_context="fork",
            collate_fn=_as_made,
        )


class _Numbered(Dataset[tuple[U8, U8]]):
    """Maps a batch number to its batch, as DataLoader requires."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def __getitem__(self, number: int) -> tuple[U8, U8]:
        cv2.setNumThreads(1)
        return self.batches.make(number)


def _as_made(batch: Any) -> Any:
    return batch
