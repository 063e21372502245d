"""A small portrait with its maps, made here, and how the tests of the command line look at files."""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

WIDTH, HEIGHT = 96, 64


def portrait():
    """Return (H, W, 3) uint8: a reddish disk before a busy background with a few lights."""
    rng = np.random.default_rng(7)
    srgb = rng.integers(30, 170, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    srgb[8:50:14, 4:92:12] = 255
    inside = subject() > 0.5
    srgb[inside] = srgb[inside] // 4 + np.array([150, 60, 40], np.uint8)
    return srgb


def subject():
    """Return the matte (H, W) float32: a disk with a soft edge 4 pixels wide."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    distance = np.hypot(x - WIDTH / 2, y - HEIGHT / 2)
    return np.clip((20 - distance) / 4 + 0.5, 0, 1).astype(np.float32)


def nearness():
    """Return the disparity (H, W) float32: a slope from 0 (left) to 0.5 (right), the subject at 0.8."""
    slope = np.broadcast_to(np.linspace(0, 0.5, WIDTH, dtype=np.float32), (HEIGHT, WIDTH))
    return np.where(subject() > 0.5, np.float32(0.8), slope).astype(np.float32)


def save_grey(path, values, bits=16):
    """Write values in [0, 1] as grey PNG or TIFF of 8 or 16 bits."""
    kind = np.uint8 if bits == 8 else np.uint16
    assert cv2.imwrite(str(path), np.rint(values * np.iinfo(kind).max).astype(kind))
    return path


def load(path):
    """Return the picture as RGB codes (H, W, 3)."""
    return np.asarray(Image.open(path).convert("RGB"))


def size_of(path):
    """Return (width, height) of the picture."""
    with Image.open(path) as image:
        return image.size


def contents(folder):
    """Return every path under `folder`, with the bytes of files: what a failure must leave as it was."""
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(Path(folder).rglob("*"))}


@dataclass(frozen=True)
class Done:
    """What one command left behind."""

    code: int
    out: str
    err: list[str]

    @property
    def report(self):
        """The one line of --json."""
        (line,) = self.out.splitlines()
        return json.loads(line)
