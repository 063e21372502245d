"""What a set of pairs states exactly: disparity, edges, and the requested circle of confusion."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from wideopen.checks import F32, Mask, require
from wideopen.evals.measures import BAND, edge_band
from wideopen.evals.pairs import Pair
from wideopen.files import read, read_disparity, read_matte
from wideopen.lens import parse_blur, parse_focus
from wideopen.matting import Outline
from wideopen.session.open_photo import Given

JUMP = 0.1  # of disparity, within 5 pixels, makes an edge where no matte tells it


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownMaps(Given):
    """Maps of a set; depth in an EXR file becomes disparity."""

    def read_matte(self, _: Path, size: tuple[int, int]) -> tuple[F32 | None, str | None, Outline]:
        """As `Given` does."""
        if self.matte is None:
            return None, None, Outline.FOUND
        return true_matte(self.matte, size), str(self.matte), Outline.EXACT

    def read_disparity(self, size: tuple[int, int]) -> tuple[F32 | None, str | None]:
        """As `Given` does."""
        if self.disparity is None:
            return None, None
        return true_disparity(self.disparity, size), str(self.disparity)


@lru_cache(maxsize=1)  # rendering and measuring read the maps of a pair one after the other
def true_matte(path: Path, size: tuple[int, int]) -> F32:
    """The matte (H, W) in [0, 1] of a file. Raises InvalidInput."""
    return read_matte(path, size=size)


@lru_cache(maxsize=1)
def true_disparity(path: Path, size: tuple[int, int]) -> F32:
    """Disparity (H, W) in [0, 1] of a file; of depth in an .exr, 1 / depth over its own range. Raises InvalidInput."""
    if path.suffix.lower() != ".exr":
        return read_disparity(path, size=size)
    inverse, (low, high) = inverse_depth(path)
    require(inverse.shape == size, f"{path}: expected {size[1]} x {size[0]} as the photo, found another size")
    return np.asarray((inverse - low) / max(high - low, 1e-9), np.float32)


@lru_cache(maxsize=2)
def inverse_depth(path: Path) -> tuple[F32, tuple[float, float]]:
    """1 / depth (H, W) of an .exr of depth, and its range. Raises InvalidInput for depth that is not above 0."""
    depth = read(path).rgb[..., 0]
    require(bool((depth > 0).all()), f"{path}: expected depth above 0, found {float(depth.min()):g}")
    inverse = np.asarray(1 / depth, np.float32)
    return inverse, (float(inverse.min()), float(inverse.max()))


def asked_radius_px(pair: Pair, size: tuple[int, int]) -> F32 | None:
    """The radius (H, W) in pixels that the set requests, without sign; None if it does not state it."""
    focus = None if pair.meta.focus is None else parse_focus(pair.meta.focus)
    if pair.disparity is None or pair.meta.blur is None or not isinstance(focus, float):
        return None
    most = parse_blur(pair.meta.blur, max(size)) * max(size)
    apart = np.abs(true_disparity(pair.disparity, size) - np.float32(focus)) - np.float32(pair.meta.focus_range or 0)
    return np.asarray(most * np.maximum(apart, 0), np.float32)


def edges_of(pair: Pair, size: tuple[int, int]) -> Mask | None:
    """The band (H, W) along the matte's edge or, without a matte, along jumps of the disparity; None without both."""
    if pair.matte is not None:
        return edge_band(true_matte(pair.matte, size))
    if pair.disparity is None:
        return None
    disparity = true_disparity(pair.disparity, size)
    jump = cv2.morphologyEx(disparity, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) > JUMP
    reach = 2 * max(1, round(BAND * max(size))) + 1
    return np.asarray(cv2.dilate(jump.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0)
