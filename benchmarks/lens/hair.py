"""Strands that grow from a surface: straight, curly and short hair, and fur.

A strand is a path of equal steps. Its direction bends towards gravity, and a point that would lie inside the body is
pushed out of it: enough physics for hair to fall over a head. *Ours* throughout; nothing here is meant to be hair
science, only as hard on a renderer as hair is: strands thinner than a pixel, gaps, flyaways.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lens.shapes import Strands, strands, unit

Array = NDArray[np.float64]
Ball = tuple[tuple[float, float, float], tuple[float, float, float]]  # centre, radii of an ellipsoid


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """One haircut, metres."""

    length: float
    steps: int
    stiffness: float  # share of the direction that a step of 1 cm keeps against gravity, in [0, 1]
    curl: float = 0.0  # radius of the helix
    turns_per_m: float = 0.0
    lift: float = 0.0  # how far the outermost layer floats over the skin
    mess: float = 0.1  # random bending
    flyaways: float = 0.02  # share of strands that stand away
    radius: float = 0.00024


STRAIGHT = Style(length=0.36, steps=24, stiffness=0.72, lift=0.022, mess=0.05, flyaways=0.025)
CURLY = Style(length=0.26, steps=56, stiffness=0.74, curl=0.009, turns_per_m=30, lift=0.035, mess=0.06, flyaways=0.04)
SHORT = Style(length=0.042, steps=9, stiffness=0.985, lift=0.004, mess=0.35, flyaways=0.04, radius=0.00026)
FUR = Style(length=0.022, steps=7, stiffness=0.97, lift=0.0, mess=0.35, flyaways=0.03, radius=0.00026)


def grow(
    root: Array, start: Array, style: Style, rng: np.random.Generator, *, body: Sequence[Ball] = (), colour: ArrayLike
) -> Strands:
    """Strands from roots (K, 3) that set out along `start` (K, 3) and stay out of the ellipsoids of `body`."""
    count = len(root)
    wild = rng.random(count) < style.flyaways
    length = style.length * rng.uniform(0.75, 1.1, count) * np.where(wild, rng.uniform(0.6, 1.1, count), 1)
    step = (length / style.steps)[:, None]
    keep = np.where(wild, 1 - (1 - style.stiffness) * 0.35, style.stiffness)[:, None] ** (step / 0.01)
    float_over = style.lift * rng.random(count) ** 1.5
    d = unit(start + np.where(wild[:, None], 0.45, style.mess) * rng.normal(size=(count, 3)))
    lean = style.mess * 0.5 * rng.normal(size=(count, 3))
    p, path = root.copy(), [root]
    for _ in range(style.steps):
        lean = 0.8 * lean + 0.25 * style.mess * rng.normal(size=(count, 3))
        d = unit(keep * d + (1 - keep) * np.array([0, -1.0, 0]) + lean * step / 0.02)
        q = outside(p + step * d, body, float_over)
        d = unit(q - p)
        p = p + step * d
        path.append(p)
    points = np.stack(path, 1)  # (K, S, 3)
    if style.curl:
        points = curled(points, style, rng)
        points = outside(points.reshape(-1, 3), body, np.full(points.size // 3, 0.002)).reshape(points.shape)
    return strands(points, style.radius * rng.uniform(0.7, 1.2, count), shades(points, colour, rng))


def outside(p: Array, body: Sequence[Ball], margin: Array) -> Array:
    """Points moved out of every ellipsoid, `margin` (K,) over its surface."""
    for centre, radii in body:
        q = p - np.array(centre)
        r = np.array(radii) + margin[:, None]
        depth = np.linalg.norm(q / r, axis=1, keepdims=True)
        p = np.where(depth < 1, np.array(centre) + q / np.maximum(depth, 1e-6), p)
    return p


def curled(points: Array, style: Style, rng: np.random.Generator) -> Array:
    """A helix around each path; strands whose roots are close form a lock, with one path, pace and phase."""
    count, steps = points.shape[:2]
    cell = np.floor(points[:, 0] / 0.014).astype(int) @ np.array([1, 64, 4096])
    _, leader, lock = np.unique(cell, return_index=True, return_inverse=True)
    grown = np.minimum(1, np.linspace(0, 3, steps))[:, None]
    stray = 0.0035 * rng.normal(size=(count, 1, 3)) * rng.uniform(0.3, 2, (count, 1, 1))
    path = (1 - grown) * points + grown * (points[leader][lock] + stray)
    per_lock = lambda low, high: rng.uniform(low, high, len(leader))[lock]  # noqa: E731
    phase = per_lock(0, 2 * np.pi) + 0.25 * rng.normal(size=count)
    pace = style.turns_per_m * per_lock(0.75, 1.25) * rng.uniform(0.96, 1.04, count)
    size = style.curl * per_lock(0.6, 1.3) * rng.uniform(0.85, 1.15, count)
    along = np.concatenate([np.zeros((count, 1)), np.cumsum(np.linalg.norm(np.diff(path, axis=1), axis=2), 1)], 1)
    ahead = unit(np.gradient(path, axis=1))
    side = unit(np.cross(ahead, np.array([0.3, 0.1, 1.0])))
    angle = phase[:, None] + 2 * np.pi * pace[:, None] * along
    turn = np.cos(angle)[..., None] * side + np.sin(angle)[..., None] * np.cross(ahead, side)
    return path + grown * size[:, None, None] * turn


def shades(points: Array, colour: ArrayLike, rng: np.random.Generator) -> Array:
    """(K, S - 1, 3): every strand a little different, darker near the root where other hair keeps the light off."""
    count, steps = points.shape[:2]
    own = np.asarray(colour) * rng.uniform(0.6, 1.4, (count, 1)) * rng.uniform(0.94, 1.06, (count, 3))
    root = 0.55 + 0.45 * np.minimum(1, np.linspace(0, 2.5, steps - 1))
    return np.clip(own[:, None] * root[None, :, None], 0, 0.95)
