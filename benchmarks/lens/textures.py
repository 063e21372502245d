"""Procedural textures: (h, w, 3) linear reflectance in [0, 1]. Nothing is downloaded."""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def noise(shape: tuple[int, int], rng: np.random.Generator, *, cells: float = 4, octaves: int = 6) -> Array:
    """Fractal noise in [0, 1]: `cells` lumps over the height, each octave half as large and half as strong."""
    height, width = shape
    total = np.zeros(shape)
    for octave in range(octaves):
        rows = int(np.ceil(cells * 2**octave)) + 3
        columns = int(np.ceil(cells * 2**octave * width / height)) + 3
        if max(rows, columns) > max(shape):
            break
        coarse = rng.random((rows, columns))
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    low, high = np.quantile(total, [0.002, 0.998])
    return np.clip((total - low) / (high - low), 0, 1)


def between(dark: ArrayLike, bright: ArrayLike, weight: Array) -> Array:
    """The straight line from one colour to another."""
    return np.asarray(dark) + weight[..., None] * (np.asarray(bright) - np.asarray(dark))


def speckled(
    dark: ArrayLike, bright: ArrayLike, rng: np.random.Generator, *, size: int = 1024, cells: float = 8
) -> Array:
    """Ground, plaster, cloth: fractal noise between two colours, and grain."""
    grain = rng.normal(1, 0.08, (size, size, 1))
    return np.clip(between(dark, bright, noise((size, size), rng, cells=cells, octaves=8)) * grain, 0.01, 0.95)


def checkerboard(rows: int, columns: int, dark: ArrayLike, bright: ArrayLike, *, cell: int = 32) -> Array:
    """Squares of `cell` texels."""
    y, x = np.mgrid[: rows * cell, : columns * cell] // cell
    return between(dark, bright, ((x + y) % 2).astype(float))


def stripes(colours: ArrayLike, widths: ArrayLike, *, height: int = 8) -> Array:
    """Upright stripes: colours (n, 3), widths in texels (n,)."""
    row = np.repeat(np.asarray(colours, float), np.asarray(widths, int), 0)
    return np.broadcast_to(row, (height, *row.shape)).copy()


def bricks(rng: np.random.Generator, *, rows: int = 24, columns: int = 12, cell: tuple[int, int] = (32, 96)) -> Array:
    """A wall in running bond; each brick has its own colour."""
    height, width = cell
    picture = np.empty((rows * height, columns * width, 3))
    picture[:] = (0.55, 0.52, 0.47)
    for r in range(rows):
        shift = (r % 2) * width // 2
        for c in range(columns + 1):
            colour = np.array([0.42, 0.16, 0.10]) * rng.uniform(0.45, 1.5) * rng.uniform(0.9, 1.1, 3)
            x = c * width - shift
            picture[r * height + 4 : (r + 1) * height - 1, max(x + 3, 0) : max(x + width - 2, 0)] = colour
    rough = 0.7 + 0.6 * noise(picture.shape[:2], rng, cells=16)
    return np.clip(picture * rough[..., None], 0.01, 0.9)


def facade(rng: np.random.Generator, *, rows: int = 9, columns: int = 7, wall: ArrayLike = (0.45, 0.4, 0.34)) -> Array:
    """A house front: windows with frames on plaster."""
    cell = 96
    picture = between(np.asarray(wall) * 0.7, wall, noise((rows * cell, columns * cell), rng, cells=6))
    for r in range(rows):
        for c in range(columns):
            y, x = r * cell, c * cell
            picture[y + 14 : y + 78, x + 22 : x + 74] = 0.75
            glass = rng.uniform(0.02, 0.25) * np.array([0.8, 0.95, 1.1])
            picture[y + 18 : y + 74, x + 26 : x + 46] = glass
            picture[y + 18 : y + 74, x + 50 : x + 70] = glass * rng.uniform(0.6, 1.3)
            picture[y + 80 : y + 85, x + 16 : x + 80] = 0.2
    return np.clip(picture, 0.01, 0.9)


def books(rng: np.random.Generator, *, shelves: int = 5, width: int = 1200, height: int = 200) -> Array:
    """Rows of book spines on dark shelves."""
    picture = np.full((shelves * height, width, 3), 0.02)
    for shelf in range(shelves):
        x = 0
        while x < width:
            thick, tall = int(rng.uniform(8, 40)), int(rng.uniform(0.6, 0.92) * height)
            colour = rng.choice(
                [[0.5, 0.08, 0.06], [0.06, 0.12, 0.3], [0.6, 0.52, 0.36], [0.05, 0.2, 0.1], [0.7, 0.68, 0.6]]
            )
            top, bottom = (shelf + 1) * height - 14 - tall, (shelf + 1) * height - 14
            picture[top:bottom, x : x + thick] = colour * rng.uniform(0.5, 1.3)
            picture[top + tall // 5 : top + tall // 5 + 6, x + 2 : x + thick - 2] = (0.75, 0.65, 0.35)
            picture[top:bottom, x : x + 1] = 0.01
            x += thick
        picture[(shelf + 1) * height - 14 : (shelf + 1) * height] = (0.22, 0.12, 0.06)
    return np.clip(picture, 0.01, 0.9)


def sky(
    rng: np.random.Generator, zenith: ArrayLike, horizon: ArrayLike, cloud: ArrayLike, *, cover: float = 0.5
) -> Array:
    """Clouds over a gradient; values above 1 allowed, as it is used for light."""
    n = noise((512, 1024), rng, cells=3, octaves=7)
    clouds = np.clip((n - 1 + cover) / 0.3, 0, 1)
    clear = between(zenith, horizon, np.broadcast_to(np.linspace(0, 1, 512)[:, None] ** 1.5, (512, 1024)))
    return clear + clouds[..., None] * (np.asarray(cloud) - clear)
