"""Batches for the training loop. Batch number n is a function of (seed, n) alone, so a resumed run
sees what an uninterrupted one would have seen, whatever was prefetched.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
from torch import Tensor

from wideopen.checks import U8, require
from wideopen.train.augment import Chances, sample
from wideopen.train.photos import Photo


def to_image_bchw(rgb: U8) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 in [0, 1], channels last in memory."""
    return torch.from_numpy(rgb).permute(0, 3, 1, 2).float().div_(255)


def to_alpha_bchw(alpha: U8) -> Tensor:
    """(B, H, W) uint8 -> (B, 1, H, W) float32 in [0, 1]."""
    return torch.from_numpy(alpha)[:, None].float().div_(255)


class Batches:
    """Augmented batches of `batch` samples; groups of photos are drawn equally often."""

    def __init__(
        self,
        groups: list[list[Photo]],
        backgrounds: list[U8],
        *,
        size: int,
        batch: int,
        seed: int,
        chances: Chances,
    ) -> None:
        require(bool(groups) and all(groups), "data: expected training photos, found none")
        self.photos = [photo for group in groups for photo in group]
        self.weights = np.concatenate([np.full(len(g), 1 / len(g) / len(groups)) for g in groups])
        self.backgrounds = backgrounds
        self.size, self.batch, self.seed, self.chances = size, batch, seed, chances

    def make(self, step: int) -> tuple[U8, U8]:
        """Batch number `step`: rgb (B, size, size, 3), alpha (B, size, size)."""
        rng = np.random.default_rng((self.seed, step))
        picks = rng.choice(len(self.photos), self.batch, p=self.weights)
        pairs = [sample(rng, self.photos, int(i), self.backgrounds, self.size, self.chances) for i in picks]
        return np.stack([rgb for rgb, _ in pairs]), np.stack([alpha for _, alpha in pairs])

    def start_at(self, step: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches `step`, `step` + 1, ... as tensors; the next is made while one is in use."""
        cv2.setNumThreads(1)  # the cores belong to torch
        with ThreadPoolExecutor(1) as pool:
            following = pool.submit(self.make, step)
            while True:
                rgb, alpha = following.result()
                step += 1
                following = pool.submit(self.make, step)
                yield to_image_bchw(rgb), to_alpha_bchw(alpha)
