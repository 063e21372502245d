"""Parts of scenes: meshes from grids of points, leaves, strands.

World: metres, x to the right, y up, the camera at the origin looking along -z. Everything is plain NumPy and seeded,
so a scene is the same arrays on every machine.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
GREY = (0.5, 0.5, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mesh:
    """Triangles; their colour is texture * tint of the triangle, linear reflectance."""

    vertices: Array  # (N, 3)
    faces: NDArray[np.int64]  # (M, 3)
    uv: Array  # (N, 2), (0, 0) is the texture's upper left corner
    tint: Array  # (M, 3)
    texture: Array | None = None  # (h, w, 3); None = white
    glow: float = 0.0  # > 0: a light that emits glow * colour and takes no shade
    thin: float = 0.0  # share of the light from behind that shines through, for leaves
    subject: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Strands:
    """Round hairs, stems, wires of equal numbers of points."""

    points: Array  # (K, S, 3)
    radius: Array  # (K, S), metres
    tint: Array  # (K * (S - 1), 3), one colour per segment, strand after strand
    shine: float = 0.3
    subject: bool = False


Part = Mesh | Strands


def grid(points: ArrayLike, *, tint: ArrayLike = (1, 1, 1), texture: Array | None = None, **rest) -> Mesh:
    """A surface through (m, n, 3) points; texture columns along the second axis, rows along the first."""
    p = np.asarray(points, np.float64)
    m, n = p.shape[:2]
    i = np.arange(m * n).reshape(m, n)
    a, b, c, d = (x.ravel() for x in (i[:-1, :-1], i[:-1, 1:], i[1:, 1:], i[1:, :-1]))
    faces = np.stack([np.stack([a, d, c], -1), np.stack([a, c, b], -1)], 1).reshape(-1, 3)
    u, v = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, m))
    colour = np.broadcast_to(np.asarray(tint, np.float64), (len(faces), 3))
    uv = np.stack([u.ravel(), v.ravel()], -1)
    return Mesh(vertices=p.reshape(-1, 3), faces=faces, uv=uv, tint=colour, texture=texture, **rest)


def quad(corner: ArrayLike, along: ArrayLike, up: ArrayLike, **rest) -> Mesh:
    """A parallelogram: lower left corner and its two edges."""
    o, u, v = (np.asarray(x, np.float64) for x in (corner, along, up))
    return grid([[o + v, o + u + v], [o, o + u]], **rest)


def box(low: ArrayLike, high: ArrayLike, **rest) -> list[Mesh]:
    """The five faces of an upright box that can be seen from in front."""
    (x0, y0, z0), (x1, y1, z1) = np.asarray(low, float), np.asarray(high, float)
    w, h, d = (x1 - x0, 0, 0), (0, y1 - y0, 0), (0, 0, z1 - z0)
    corners = [((x0, y0, z1), w, h), ((x0, y1, z1), w, (0, 0, z0 - z1)), ((x0, y0, z0), w, d)]
    corners += [((x0, y0, z0), d, h), ((x1, y0, z1), (0, 0, z0 - z1), h)]
    return [quad(*corner, **rest) for corner in corners]


def directions(rows: int, columns: int) -> Array:
    """(rows, columns, 3) unit vectors from pole +y to pole -y, the seam behind (-z)."""
    theta = np.linspace(1e-3, np.pi - 1e-3, rows)[:, None]
    phi = np.linspace(-np.pi, np.pi, columns)[None]
    return np.stack(np.broadcast_arrays(np.sin(theta) * np.sin(phi), np.cos(theta), np.sin(theta) * np.cos(phi)), -1)


def ellipsoid(centre: ArrayLike, radii: ArrayLike, *, rows: int = 48, columns: int = 96, **rest) -> Mesh:
    """An ellipsoid with axes along the world's."""
    return grid(np.asarray(centre) + directions(rows, columns) * np.broadcast_to(np.asarray(radii, float), 3), **rest)


def lathe(profile: ArrayLike, *, columns: int = 120, squeeze: tuple[float, float] = (1, 1), **rest) -> Mesh:
    """A (radius, y) profile turned about the vertical; `squeeze` scales x and z."""
    p, a = np.asarray(profile, np.float64), np.linspace(-np.pi, np.pi, columns)
    ring = np.stack([squeeze[0] * np.sin(a), np.zeros(columns), squeeze[1] * np.cos(a)], -1)
    return grid(p[:, None, :1] * ring[None] + p[:, None, 1:] * np.array([0, 1.0, 0]), **rest)


def tube(path: ArrayLike, radius: ArrayLike, *, sides: int = 24, **rest) -> Mesh:
    """A pipe around (n, 3) points with one radius, or one for each."""
    p = np.asarray(path, np.float64)
    ahead = np.gradient(p, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    side = np.cross(ahead, np.where(np.abs(ahead[:, 1:2]) > 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]]))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    turn = np.linspace(0, 2 * np.pi, sides + 1)[None, :, None]
    ring = np.cos(turn) * side[:, None] + np.sin(turn) * np.cross(ahead, side)[:, None]
    return grid(p[:, None] + ring * np.broadcast_to(np.asarray(radius, float), len(p))[:, None, None], **rest)


def leaves(stalk: Array, ahead: Array, rng: np.random.Generator, *, length: float, tint: ArrayLike, **rest) -> Mesh:
    """One bent leaf from each stalk (n, 3) along `ahead` (n, 3); lengths and colours vary, one colour per leaf."""
    n = len(stalk)
    size = length * rng.uniform(0.6, 1.3, (n, 1, 1))
    d = unit(ahead)
    side = unit(np.cross(d, unit(rng.normal(size=(n, 3)))))
    normal = np.cross(side, d)
    outline = np.array(
        [[0, 0, 0], [0.3, 0.22, 0.03], [0.3, -0.22, 0.03], [0.65, 0.2, 0], [0.65, -0.2, 0], [1, 0, -0.15]]
    )
    outline = np.vstack([outline, [[0.3, 0, -0.03], [0.65, 0, -0.07]]])
    along, across, out = (outline[None, :, i, None] for i in range(3))
    vertices = stalk[:, None] + size * (along * d[:, None] + across * side[:, None] + out * normal[:, None])
    pattern = np.array([[0, 6, 1], [0, 2, 6], [6, 3, 1], [6, 7, 3], [2, 7, 6], [2, 4, 7], [7, 5, 3], [4, 5, 7]])
    faces = (np.arange(n)[:, None, None] * len(outline) + pattern).reshape(-1, 3)
    colour = np.asarray(tint) * rng.uniform(0.55, 1.35, (n, 1)) * rng.uniform(0.85, 1.15, (n, 3))
    uv = np.zeros((n * len(outline), 2))
    tints = np.repeat(np.clip(colour, 0, 0.95), len(pattern), 0)
    return Mesh(vertices=vertices.reshape(-1, 3), faces=faces, uv=uv, tint=tints, thin=0.5, **rest)


def balls(centres: Array, radius: ArrayLike, tint: Array, **rest) -> Mesh:
    """Many small spheres in one mesh, a colour (n, 3) each."""
    one = grid(directions(9, 17))
    n, size = len(centres), np.broadcast_to(np.asarray(radius, float), len(centres))
    vertices = centres[:, None] + one.vertices * size[:, None, None]
    faces = one.faces + np.arange(n)[:, None, None] * len(one.vertices)
    return Mesh(
        vertices=vertices.reshape(-1, 3),
        faces=faces.reshape(-1, 3),
        uv=np.tile(one.uv, (n, 1)),
        tint=np.repeat(tint, len(one.faces), 0),
        **rest,
    )


def strands(points: Array, radius: ArrayLike, tint: ArrayLike, *, taper: float = 0.4, **rest) -> Strands:
    """Strands through (K, S, 3) points, thinner towards the tip; tint (3,), (K, 3) or (K, S - 1, 3)."""
    count, steps = points.shape[:2]
    thickness = np.broadcast_to(np.asarray(radius, float), count)[:, None] * np.linspace(1, taper, steps)
    colour = np.asarray(tint, float)
    colour = colour[:, None] if colour.ndim == 2 else colour
    colour = np.broadcast_to(colour, (count, steps - 1, 3)).reshape(-1, 3)
    return Strands(points=points, radius=thickness, tint=colour, **rest)


def unit(v: ArrayLike) -> Array:
    """Vectors (..., 3) at length 1."""
    v = np.asarray(v, np.float64)
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-12)


def placed(parts: Iterable[Part], at: ArrayLike, *, turn_deg: float = 0.0, scale: float = 1.0) -> list[Part]:
    """Parts scaled, turned about the vertical and moved."""
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    turn = scale * np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    move: Callable[[Array], Array] = lambda p: p @ turn.T + np.asarray(at)  # noqa: E731
    result: list[Part] = []
    for part in parts:
        if isinstance(part, Mesh):
            result.append(replace(part, vertices=move(part.vertices)))
        else:
            result.append(replace(part, points=move(part.points), radius=part.radius * scale))
    return result


def as_subject(parts: Iterable[Part]) -> list[Part]:
    """The same parts, counted by the matte."""
    return [replace(part, subject=True) for part in parts]
