"""Composed batches by number, made ahead in worker processes or a thread.

Batch n depends only on (seed, n). A resumed run therefore gets the same batches as an uninterrupted one, whatever was
prefetched.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from wideopen.checks import U8, require
from wideopen.train.augment import SHAPES, Stock, sample, shape_px
from wideopen.train.photos import PhotoStore
from wideopen.train.settings import TrainRun

Made = tuple[int, U8, U8, U8]
Batch = tuple[int, Tensor, Tensor, Tensor]
"""Its number, rgb (B, H, W, 3), alpha (B, H, W), and whether each matte is a teacher's own (B,); uint8."""


def shares_of(photos: PhotoStore, weights: Mapping[str, float]) -> np.ndarray:
    """Return how often each photo is drawn, (N,), sum 1.

    Sets are drawn by `weights` (1 if not named), and within one, photos in proportion to their confidence.
    """
    groups = [entry.group for entry in photos.entries]
    shares = np.array([entry.confidence for entry in photos.entries])
    for group in set(groups):
        own = np.array([name == group for name in groups])
        total = shares[own].sum()
        require(total > 0, f"data: expected confident labels in the set {group}, found none")
        shares[own] *= weights.get(group, 1.0) / total
    return np.asarray(shares / shares.sum())


class Batches(Dataset[Made]):
    """The batches of a run; a batch has one shape, and as many samples as have the pixels of `run.batch` squares."""

    def __init__(self, stock: Stock, photos: PhotoStore, run: TrainRun) -> None:
        self.stock, self.run = stock, run
        shares = shares_of(photos, run.weights)
        self.shares = np.array([shares * (np.array(photos.kinds) == kind) for kind in range(len(SHAPES))])

    def __getitem__(self, number: int) -> Made:
        """Compose batch `number`."""
        cv2.setNumThreads(1)  # leave the cores to torch; a forked process must not run a parallel kernel
        rng, run = np.random.default_rng((self.run.seed, number)), self.run
        kinds = self.shares.sum(1)
        kind = int(rng.choice(len(SHAPES), p=kinds / kinds.sum()))
        shape = shape_px(kind, run.size)
        size = max(1, run.batch * run.size**2 // (shape[0] * shape[1]))
        picks = rng.choice(self.shares.shape[1], size, p=self.shares[kind] / kinds[kind])
        rgb, alpha, taught = zip(*(sample(rng, self.stock, int(i), shape, run.chances) for i in picks), strict=True)
        return number, np.stack(rgb), np.stack(alpha), np.array(taught, np.uint8)

    def start_at(self, number: int, stride: int = 1) -> Iterator[Batch]:
        """Yield batches `number`, `number` + `stride`, ...; the next ones are composed in the background."""
        numbers = count(number, stride)
        for now, *arrays in self._in_processes(numbers) if self.run.workers else self._in_a_thread(numbers):
            rgb, alpha, taught = map(torch.from_numpy, arrays)
            yield now, rgb, alpha, taught

    def _in_a_thread(self, numbers: Iterator[int]) -> Iterator[Made]:
        with ThreadPoolExecutor(1) as pool:
            following = pool.submit(self.__getitem__, next(numbers))
            while True:
                ready = following.result()
                following = pool.submit(self.__getitem__, next(numbers))
                yield ready

    def _in_processes(self, numbers: Iterator[int]) -> Iterator[Made]:
        yield from DataLoader(
            self,
            batch_size=None,
            sampler=numbers,  # any iterable works
            num_workers=self.run.workers,
            prefetch_factor=4,
            multiprocessing_context="fork",  # all processes share the photos in memory
            collate_fn=lambda batch: batch,
        )
