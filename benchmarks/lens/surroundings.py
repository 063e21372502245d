"""What stands behind and in front of the subjects: skies, floors, trees, houses, lamps, branches, wires."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lens import textures
from lens.shapes import Mesh, Part, balls, box, ellipsoid, leaves, quad, strands, tube, unit

Array = NDArray[np.float64]
RNG = np.random.Generator
EYE = 1.5  # height of the camera over the floor


def backdrop(picture: Array, *, distance: float, glow: float = 1.0, horizon: float = -4.0) -> Mesh:
    """A sky: a wide glowing wall, its lower edge at `horizon` metres."""
    half, top = 0.75 * distance, 0.8 * distance
    return quad((-half, horizon, -distance), (2 * half, 0, 0), (0, top, 0), texture=picture, glow=glow)


def floor(picture: Array, *, near: float = 0.5, far: float = 40.0, tile: float = 4.0) -> list[Mesh]:
    """The ground in tiles, each showing the whole texture."""
    half = 0.55 * far
    count = int(np.ceil(2 * half / tile))
    mesh = quad((-half, -EYE, -near), (2 * half, 0, 0), (0, 0, near - far), texture=picture)
    uv = mesh.uv * (count, (far - near) / tile)
    return [Mesh(vertices=mesh.vertices, faces=mesh.faces, uv=uv, tint=mesh.tint, texture=picture)]


def tree(
    at: ArrayLike, rng: RNG, *, height: float = 5.0, leaf: float = 0.14, count: int = 5000, tint: ArrayLike
) -> list[Part]:
    """A trunk with boughs and a crown of leaves; `at` is its foot."""
    foot = np.asarray(at, float)
    bark = textures.speckled((0.03, 0.02, 0.012), (0.2, 0.14, 0.09), rng, size=256, cells=12)
    y = np.linspace(0, 0.75 * height, 20)
    path = foot + np.stack([0.04 * height * np.sin(2 * y / height), y, 0 * y], -1)
    parts: list[Part] = [tube(path, np.linspace(0.035, 0.012, 20) * height, texture=bark)]
    for _ in range(9):
        start = path[rng.integers(8, 19)]
        way = unit(rng.normal(size=3) * (1, 0.3, 1) + (0, 0.6, 0))
        t = np.linspace(0, 1, 8)[:, None]
        parts.append(
            tube(start + 0.38 * height * t * way, np.linspace(0.012, 0.003, 8) * height, sides=8, texture=bark)
        )
    lump = foot + (0, 0.7 * height, 0) + rng.normal(size=(26, 3)) * height * (0.17, 0.13, 0.17)
    stalk = lump[rng.integers(0, 26, count)] + rng.normal(size=(count, 3)) * 0.075 * height
    parts.append(leaves(stalk, rng.normal((0, -0.4, 0), 1, (count, 3)), rng, length=leaf, tint=tint))
    return parts


def hedge(low: ArrayLike, high: ArrayLike, rng: RNG, *, count: int, leaf: float = 0.08, tint: ArrayLike) -> list[Part]:
    """A box full of leaves, dark inside."""
    lo, hi = np.asarray(low, float), np.asarray(high, float)
    stalk = lo + (hi - lo) * rng.random((count, 3))
    stalk[: 2 * count // 3, 2] = hi[2] + 0.08 * rng.normal(size=2 * count // 3)
    core: list[Part] = [*box(lo + 0.05, hi - (0.05, 0.05, 0.1), tint=(0.01, 0.015, 0.006))]
    return [*core, leaves(stalk, rng.normal((0, 0.3, 0.5), 1, (count, 3)), rng, length=leaf, tint=tint)]


def grass(rng: RNG, *, count: int = 9000, near: float = 2.0, far: float = 9.0) -> list[Part]:
    """Blades on the floor between two distances."""
    z = -1 / rng.uniform(1 / far, 1 / near, count)
    root = np.stack([rng.uniform(-0.5, 0.5, count) * -z * 1.0, np.full(count, -EYE), z], -1)
    way = unit(rng.normal(size=(count, 3)) * (0.3, 0.1, 0.3) + (0, 1, 0))
    t = np.linspace(0, 1, 5)[None, :, None]
    size = rng.uniform(0.04, 0.16, (count, 1, 1))
    points = root[:, None] + size * (t * way[:, None] + t**2 * rng.normal(0, 0.25, (count, 1, 3)) * (1, 0, 1))
    return [strands(points, 0.0022, np.array([0.12, 0.22, 0.04]) * rng.uniform(0.5, 1.5, (count, 1)), shine=0.1)]


def branch(
    at: ArrayLike, way: ArrayLike, rng: RNG, *, length: float, leaf: float, count: int, tint: ArrayLike
) -> list[Part]:
    """A twig from `at` along `way` with side twigs and leaves: something in front of the subject."""
    d = unit(way)
    t = np.linspace(0, 1, 24)[:, None]
    bend = 0.12 * length * np.sin(2.2 * t) * (0, -1, 0)
    path = np.asarray(at) + length * t * d + bend
    parts: list[Part] = [tube(path, np.linspace(0.004, 0.0012, 24), sides=10, tint=(0.1, 0.065, 0.04))]
    stalks, ahead = [path[rng.integers(4, 24, count // 2)]], [unit(rng.normal(size=(count // 2, 3)) + 0.8 * d)]
    for _ in range(6):
        start, turn = path[rng.integers(3, 20)], unit(d + 0.8 * rng.normal(size=3))
        twig = start + 0.35 * length * np.linspace(0, 1, 12)[:, None] * turn
        parts.append(tube(twig, np.linspace(0.002, 0.0007, 12), sides=8, tint=(0.1, 0.065, 0.04)))
        stalks.append(twig[rng.integers(2, 12, count // 12)])
        ahead.append(unit(rng.normal(size=(count // 12, 3)) + turn))
    return [*parts, leaves(np.concatenate(stalks), np.concatenate(ahead), rng, length=leaf, tint=tint)]


def fence(z: float, *, pitch: float = 0.075, half: float = 0.45, radius: float = 0.0016) -> list[Part]:
    """Diamond wire mesh across the view at distance `z`."""
    n = int(2 * half / pitch)
    offsets = np.linspace(-2 * half, 2 * half, 2 * n)
    t = np.linspace(-2 * half, 2 * half, 160)
    weave = 0.0016 * np.sin(2 * np.pi * t / pitch / np.sqrt(2))
    slant = t / np.sqrt(2)
    wires = [np.stack([o + slant, sign * slant, -z + sign * weave], -1) for sign in (1, -1) for o in offsets]
    return [strands(np.array(wires), radius, (0.32, 0.33, 0.34), taper=1, shine=0.8)]


def house(
    left: float, width: float, z: float, rng: RNG, *, height: float = 7.0, depth: float = 6.0, kind: str = "facade"
) -> list[Part]:
    """A block whose front stands at distance `z`, `left` metres from the axis."""
    aspect = {"rows": max(2, round(height / 2.2)), "columns": max(2, round(width / 1.6))}
    picture = textures.bricks(rng, rows=int(height * 7), columns=int(width * 3)) if kind == "bricks" else None
    picture = (
        textures.facade(rng, **aspect, wall=rng.uniform(0.25, 0.7) * rng.uniform(0.8, 1.1, 3))
        if picture is None
        else picture
    )
    front = quad((left, -EYE, -z), (width, 0, 0), (0, height, 0), texture=picture)
    side = left + width if left < 0 else left
    wall = quad((side, -EYE, -z), (0, 0, -depth), (0, height, 0), tint=(0.3, 0.27, 0.24))
    return [front, wall]


def post(at: ArrayLike, *, height: float, radius: float, tint: ArrayLike = (0.05, 0.05, 0.055)) -> list[Part]:
    """An upright pole; `at` is its foot."""
    foot = np.asarray(at, float)
    return [tube(foot + np.linspace(0, height, 6)[:, None] * (0, 1, 0), radius, tint=tint)]


def lamps(rng: RNG, centres: Array, *, radius: ArrayLike, glow: float, warm: float = 0.7) -> list[Part]:
    """Small glowing balls, warm white with some in colour; their radiance is `glow` times display white."""
    white = np.array([1.0, 0.72, 0.42])
    colours = np.array([[1.0, 0.12, 0.06], [0.1, 0.8, 0.35], [0.25, 0.5, 1.0], [1.0, 0.9, 0.8], [1.0, 0.35, 0.7]])
    own = rng.random(len(centres)) > warm
    tint = np.where(own[:, None], colours[rng.integers(0, 5, len(centres))], white) * rng.uniform(
        0.4, 1.0, (len(centres), 1)
    )
    return [balls(centres, radius, tint, glow=glow)]


def lit_windows(left: float, width: float, z: float, rng: RNG, *, height: float, glow: float) -> list[Part]:
    """A house at night: a dark front, some windows lit."""
    rows, columns = int(height / 1.1), int(width / 0.8)
    parts: list[Part] = [quad((left, -EYE, -z), (width, 0, 0), (0, height, 0), tint=(0.12, 0.1, 0.1))]
    for r in range(rows):
        for c in range(columns):
            if rng.random() < 0.35:
                corner = (left + (c + 0.25) * width / columns, -EYE + (r + 0.3) * height / rows, -z + 0.01)
                size = (0.45 * width / columns, 0, 0), (0, 0.5 * height / rows, 0)
                tint = np.array([1.0, 0.7, 0.36]) * rng.uniform(0.15, 1)
                parts.append(quad(corner, *size, tint=tint, glow=glow))
    return parts


def stone(at: ArrayLike, radii: ArrayLike, rng: RNG, **rest) -> Mesh:
    """A round boulder with a mottled surface."""
    return ellipsoid(at, radii, texture=textures.speckled((0.1, 0.1, 0.1), (0.45, 0.43, 0.4), rng, size=256), **rest)
