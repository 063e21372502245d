"""Training photos in memory: uint8, at most `size` pixels long (`store.py` keeps them there)."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from wideopen.checks import U8, require
from wideopen.evals.matte_pairs import Pair, images_in, read_alpha, read_rgb
from wideopen.train.foreground import kept_subject_colour
from wideopen.train.strands.head import Head, find_head


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
    return [shrink_to(read_rgb(path), size) for path in images_in(folder)]
