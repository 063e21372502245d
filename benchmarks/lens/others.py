"""Subjects other than busts: a plush bear, a fern in a pot, and hats."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lens import hair, textures
from lens.shapes import Mesh, Part, as_subject, ellipsoid, lathe, leaves, placed, tube, unit

Array = NDArray[np.float64]


def furry(centre: ArrayLike, radii: ArrayLike, count: int, colour: ArrayLike, rng: np.random.Generator) -> list[Part]:
    """An ellipsoid with fur that lies downwards."""
    c, r = np.asarray(centre, float), np.broadcast_to(np.asarray(radii, float), 3)
    d = unit(rng.normal(size=(count, 3)))
    normal = unit(d / r)
    start = normal + np.array([0, -0.55, 0.1])
    skin = ellipsoid(c, r, tint=np.asarray(colour) * 0.5)
    return [skin, hair.grow(c + d * r, start, hair.FUR, rng, colour=colour)]


def bear(
    at: ArrayLike, *, seed: int, turn_deg: float = 0, scale: float = 1.0, colour: ArrayLike = (0.4, 0.22, 0.1)
) -> list[Part]:
    """A sitting plush bear, 0.5 m tall at scale 1, its head's middle at `at`."""
    rng = np.random.default_rng(seed)
    light = np.asarray(colour) * 1.7
    parts: list[Part] = furry((0, 0, 0), (0.105, 0.095, 0.09), 6000, colour, rng)
    parts += furry((0, -0.03, 0.075), (0.048, 0.038, 0.04), 1500, light, rng)
    parts += furry((0, -0.24, -0.01), (0.12, 0.155, 0.1), 8000, colour, rng)
    for side in (-1, 1):
        parts += furry((side * 0.085, 0.085, -0.01), (0.038, 0.038, 0.02), 1500, colour, rng)
        parts += furry((side * 0.135, -0.2, 0.03), (0.042, 0.1, 0.045), 2500, colour, rng)
        parts += furry((side * 0.1, -0.37, 0.1), (0.055, 0.05, 0.11), 2500, colour, rng)
        parts.append(ellipsoid((side * 0.04, 0.022, 0.088), 0.0125, tint=(0.012, 0.008, 0.006)))
        parts.append(ellipsoid((side * 0.04 - 0.004, 0.027, 0.0995), 0.0025, tint=(0.9, 0.9, 0.9)))
    parts.append(ellipsoid((0, -0.01, 0.116), (0.019, 0.013, 0.011), tint=(0.02, 0.012, 0.01)))
    return as_subject(placed(parts, at, turn_deg=turn_deg, scale=scale))


def fern(at: ArrayLike, *, seed: int, fronds: int = 34, scale: float = 1.0) -> list[Part]:
    """A fern in a clay pot; `at` is where the fronds leave the pot."""
    rng = np.random.default_rng(seed)
    pot = [(0.1, 0), (0.112, 0), (0.112, -0.035), (0.1, -0.04), (0.075, -0.2), (0, -0.2)]
    clay = textures.speckled((0.35, 0.14, 0.08), (0.6, 0.28, 0.16), rng, size=256)
    parts: list[Part] = [
        lathe(pot, texture=clay),
        ellipsoid((0, -0.02, 0), (0.1, 0.015, 0.1), tint=(0.03, 0.02, 0.012)),
    ]
    for _ in range(fronds):
        a, reach, tall = rng.uniform(0, 2 * np.pi), rng.uniform(0.12, 0.3), rng.uniform(0.15, 0.36)
        t = np.linspace(0, 1, 26)
        out = reach * t**1.4
        stem = np.stack([np.sin(a) * out, tall * (t * 1.5 - 0.75 * t**3) / 0.75, np.cos(a) * out], -1)
        parts.append(tube(stem, np.linspace(0.0022, 0.0006, 26), sides=7, tint=(0.12, 0.17, 0.05)))
        ahead = np.gradient(stem, axis=0)
        across = unit(np.cross(ahead, np.array([0, 1.0, 0]) + 0.2 * rng.normal(size=3)))
        for side in (-1, 1):
            stalk, way = stem[5:], side * across[5:] + 0.5 * unit(ahead[5:])
            parts.append(leaves(stalk, way, rng, length=0.042, tint=(0.2, 0.42, 0.1)))
    return as_subject(placed(_merged(parts), at, scale=scale))


def _merged(parts: list[Part]) -> list[Part]:
    """Meshes without texture joined into one per translucency: Mitsuba is slow with thousands of small ones."""
    plain = [p for p in parts if isinstance(p, Mesh) and p.texture is None]
    rest = [p for p in parts if not (isinstance(p, Mesh) and p.texture is None)]
    joined = []
    for thin in {p.thin for p in plain}:
        group = [p for p in plain if p.thin == thin]
        starts = np.cumsum([0] + [len(p.vertices) for p in group])
        faces = np.concatenate([p.faces + start for p, start in zip(group, starts, strict=False)])
        stack = lambda name: np.concatenate([getattr(p, name) for p in group])  # noqa: B023, E731
        joined.append(Mesh(vertices=stack("vertices"), faces=faces, uv=stack("uv"), tint=stack("tint"), thin=thin))
    return [*rest, *joined]


def hat(at: ArrayLike, *, turn_deg: float = 0, tint: ArrayLike = (0.32, 0.24, 0.13)) -> list[Part]:
    """A brimmed hat for a bust whose head's middle is `at`: a hard silhouette."""
    profile = [(0, 0.155), (0.06, 0.152), (0.078, 0.14), (0.086, 0.1), (0.089, 0.06), (0.12, 0.055), (0.17, 0.062)]
    profile += [(0.172, 0.059), (0.1, 0.048)]
    fine = np.linspace(0, len(profile) - 1, 90)
    smooth = np.stack([np.interp(fine, np.arange(len(profile)), column) for column in np.transpose(profile)], -1)
    weave = textures.speckled(np.asarray(tint) * 0.7, tint, np.random.default_rng(5), size=512, cells=60)
    band = lathe([(0.0885, 0.088), (0.0905, 0.062)], squeeze=(1.03, 1.19), tint=(0.03, 0.02, 0.02))
    crown = lathe(smooth, squeeze=(1.02, 1.18), columns=200, texture=weave)
    return as_subject(placed([crown, band], at, turn_deg=turn_deg))
