"""A bust: head with a face, neck, shoulders, and hair of a given style.

The head is an ellipsoid with smooth displacements (brow, eye sockets, nose, lips, chin, jaw), in metres,
the face towards +z.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lens import hair, textures
from lens.shapes import Mesh, Part, as_subject, directions, ellipsoid, grid, placed, strands, unit

Array = NDArray[np.float64]
HEAD = (0.077, 0.115, 0.098)
SKULL: hair.Ball = ((0, 0.004, -0.002), (0.079, 0.117, 0.1))
BODY: tuple[hair.Ball, ...] = (
    SKULL,
    ((0, -0.035, 0.09), (0.06, 0.085, 0.05)),  # keeps the face free
    ((0, -0.14, -0.015), (0.058, 0.12, 0.062)),
    ((0, -0.31, -0.02), (0.235, 0.125, 0.115)),
)


FACE: hair.Ball = ((0, -0.035, 0.105), (0.064, 0.09, 0.06))  # what curls are kept out of


def head_surface(rows: int, columns: int) -> Array:
    """(rows, columns, 3) points of the head."""
    p = directions(rows, columns) * np.array(HEAD)
    x, y, z = p[..., 0], p[..., 1], p[..., 2]
    front = np.clip(z / HEAD[2], 0, 1) ** 0.7
    low = np.clip(-y / HEAD[1], 0, 1)
    x = x * (1 - 0.24 * low**1.5)
    z = z * (1 - 0.10 * front * (1 - low)) - 0.012 * low**2 * (1 - front)
    bump = lambda x0, sx, y0, sy: np.exp(-(((np.abs(x) - x0) / sx) ** 2) - ((y - y0) / sy) ** 2)  # noqa: E731
    slope = np.clip((0.022 - y) / 0.058, 0, 1)  # 0 at the bridge of the nose, 1 at its tip
    under = np.clip((y + 0.047) / 0.009, 0, 1)
    nose = 0.025 * slope**0.9 * under * np.exp(-((x / (0.0075 + 0.006 * slope)) ** 2))
    nose = nose + 0.008 * bump(0.012, 0.007, -0.036, 0.007)
    face = nose - 0.011 * bump(0.031, 0.017, 0.012, 0.011) + 0.005 * bump(0.028, 0.022, 0.034, 0.009)
    face = face + 0.006 * bump(0, 0.019, -0.0605, 0.005) + 0.0065 * bump(0, 0.016, -0.071, 0.0055)
    face = face - 0.003 * bump(0, 0.022, -0.0657, 0.0016) + 0.009 * bump(0, 0.019, -0.096, 0.014)
    face = face + 0.004 * bump(0.045, 0.02, -0.02, 0.02)
    return np.stack([x, y, z + front * face], -1)


def complexion(p: Array, skin: ArrayLike, scalp: ArrayLike, rng: np.random.Generator) -> Array:
    """Colours (h, w, 3) of the head's points: skin, blush, lips, shadow round the eyes, hair's colour on the scalp."""
    x, y, z = p[..., 0], p[..., 1], p[..., 2]
    spot = lambda x0, sx, y0, sy: np.exp(-(((np.abs(x) - x0) / sx) ** 2) - ((y - y0) / sy) ** 2) * (z > 0)  # noqa: E731
    mottled = 0.92 + 0.16 * textures.noise(x.shape, rng, cells=24, octaves=5)
    colour = np.asarray(skin) * mottled[..., None]
    mix = lambda c, to, w: c + w[..., None] * (np.asarray(to) - c)  # noqa: E731
    colour = mix(colour, np.asarray(skin) * (1.05, 0.7, 0.65), 0.6 * spot(0.045, 0.02, -0.028, 0.018))
    lips = np.clip(1.8 * spot(0, 0.021, -0.0655, 0.0095) - 0.4, 0, 1)
    colour = mix(colour, (0.42, 0.12, 0.11), 0.85 * lips)
    colour = mix(colour, (0.12, 0.03, 0.03), np.clip(1.5 * spot(0, 0.019, -0.0657, 0.0012), 0, 1))
    colour = mix(colour, np.asarray(skin) * 0.55, 0.5 * spot(0.031, 0.018, 0.016, 0.012))
    colour = mix(colour, (0.1, 0.03, 0.02), 0.7 * spot(0.0075, 0.0035, -0.0455, 0.002))
    return np.clip(mix(colour, scalp, (y > hairline(p) + 0.004).astype(float)), 0.01, 0.9)


def hairline(p: Array) -> Array:
    """Height over which hair grows: high at the forehead, down in front of the ears, low in the neck."""
    around = np.degrees(np.abs(np.arctan2(p[..., 0], p[..., 2])))
    return np.interp(
        around, [0, 25, 48, 66, 80, 95, 110, 180], [0.078, 0.074, 0.056, 0.015, -0.01, 0.01, -0.06, -0.075]
    )


def eyes(iris: ArrayLike, skin: ArrayLike) -> list[Mesh]:
    """Two eyeballs with lids."""
    d = directions(120, 240)
    off = np.degrees(np.arccos(np.clip(d[..., 2], -1, 1)))
    colour = np.where(off[..., None] < 27, np.asarray(iris, float), np.array([0.5, 0.48, 0.46]))
    colour = np.where(((off > 24) & (off < 28))[..., None], np.asarray(iris) * 0.3, colour)
    colour = np.where(off[..., None] < 12, 0.01, colour)
    glint = np.degrees(np.arccos(np.clip(d @ unit([-0.25, 0.28, 0.92]), -1, 1))) < 6
    colour = np.where(glint[..., None], 0.95, colour)
    parts = []
    for side in (-1, 1):
        centre = np.array([side * 0.031, 0.0125, 0.0668])
        parts.append(ellipsoid(centre, 0.012, texture=colour, rows=48))
        for low, high in ((9, 120), (-75, -21)):
            e, a = np.radians(np.linspace(high, low, 24))[:, None], np.radians(np.linspace(-90, 90, 48))[None]
            tilt = np.stack([np.broadcast_to(np.sin(a), (24, 48)), np.sin(e) * np.cos(a), np.cos(e) * np.cos(a)], -1)
            parts.append(grid(centre + 0.0129 * tilt, tint=np.asarray(skin) * 0.85))
    return parts


def torso(cloth: Array) -> list[Mesh]:
    """Shoulders and chest in `cloth`, from the collar down."""
    y = np.array([-0.155, -0.165, -0.18, -0.2, -0.22, -0.25, -0.29, -0.34, -0.42, -0.6])
    wide = np.array([0.052, 0.064, 0.085, 0.125, 0.163, 0.196, 0.214, 0.22, 0.215, 0.2])
    deep = np.array([0.056, 0.066, 0.076, 0.086, 0.094, 0.102, 0.11, 0.116, 0.12, 0.118])
    fine = np.linspace(0, len(y) - 1, 90)
    y, wide, deep = (np.interp(fine, np.arange(len(y)), v) for v in (y, wide, deep))
    a = np.linspace(-np.pi, np.pi, 160)[None]
    power = lambda v: np.sign(v) * np.abs(v) ** 0.85  # noqa: E731
    ring = [
        wide[:, None] * power(np.sin(a)),
        np.broadcast_to(y[:, None], (90, 160)),
        deep[:, None] * power(np.cos(a)) - 0.02,
    ]
    return [grid(np.stack(ring, -1), texture=cloth)]


def neck(skin: ArrayLike) -> Mesh:
    """From under the chin into the collar."""
    y, a = np.linspace(-0.05, -0.2, 30)[:, None], np.linspace(-np.pi, np.pi, 60)[None]
    r = 0.047 + 0.35 * np.clip(-0.14 - y, 0, 1)
    return grid(np.stack([r * np.sin(a), np.broadcast_to(y, (30, 60)), 1.05 * r * np.cos(a) - 0.018], -1), tint=skin)


def brows(colour: ArrayLike, rng: np.random.Generator) -> Part:
    """Eyebrows and lashes: some hundred short strands."""
    n = 260
    t, side = rng.random(n), np.where(np.arange(n) % 2, 1.0, -1.0)
    root = np.stack(
        [side * (0.014 + 0.034 * t), 0.033 + 0.006 * np.sin(2.4 * t) + 0.003 * rng.normal(size=n) * 0.6, np.zeros(n)],
        -1,
    )
    surface = head_surface(200, 320).reshape(-1, 3)
    surface = surface[surface[:, 2] > 0.03]
    gaps = (surface[None, :, 0] - root[:, None, 0]) ** 2 + (surface[None, :, 1] - root[:, None, 1]) ** 2
    root[:, 2] = surface[np.argmin(gaps, 1), 2]
    way = unit(np.stack([side, 0.5 - 0.7 * t, 0.35 + 0 * t], -1) + 0.15 * rng.normal(size=(n, 3)))
    points = root[:, None] + way[:, None] * np.linspace(0, 0.009, 4)[None, :, None]
    return strands(points, 0.0003, np.asarray(colour) * 0.6)


def scalp_roots(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Points on the head where hair grows, evenly, and their normals."""
    d = unit(rng.normal(size=(6 * count, 3)))
    p = d * np.array(HEAD) * 1.005
    p = p[p[:, 1] > hairline(p)][:count]
    return p, unit(p / np.array(HEAD) ** 2)


def haircut(style: hair.Style, count: int, colour: ArrayLike, rng: np.random.Generator) -> list[Part]:
    """Hair on the head, parted left of the middle and combed away from the face."""
    root, normal = scalp_roots(count, rng)
    if style.length < 0.1:
        start = normal + np.array([0.15, 0.35, 0.1])
    else:
        away = np.where(root[:, :1] > -0.012, 1.0, -1.0)
        ahead = np.clip(root[:, 2:] / HEAD[2], 0, 1)
        start = 0.45 * normal + away * np.array([0.9, 0.1, 0]) - ahead * np.array([0, 0, 0.75])
    body = (*BODY, FACE) if style.curl else BODY
    return [hair.grow(root, start, style, rng, body=body, colour=colour)]


def bust(
    style: hair.Style,
    *,
    seed: int,
    at: ArrayLike,
    turn_deg: float = 0,
    strands: int = 14000,
    skin: ArrayLike = (0.62, 0.4, 0.3),
    hair_colour: ArrayLike = (0.12, 0.06, 0.03),
    iris: ArrayLike = (0.1, 0.2, 0.25),
    cloth: Array | None = None,
) -> list[Part]:
    """The subject: a head of `strands` hairs whose middle is `at`, turned by `turn_deg` towards +x."""
    rng = np.random.default_rng(seed)
    if cloth is None:
        cloth = textures.speckled((0.05, 0.08, 0.16), (0.1, 0.15, 0.3), rng, cells=40)
    face = complexion(head_surface(500, 800), skin, np.asarray(hair_colour) * 0.4, rng)
    parts: list[Part] = [grid(head_surface(300, 480), texture=face), *eyes(iris, skin), neck(skin), *torso(cloth)]
    ear = {"radii": (0.009, 0.03, 0.018), "tint": np.asarray(skin) * 0.9}
    parts += [ellipsoid((side * 0.078, -0.008, -0.012), **ear) for side in (-1, 1)]
    parts += [brows(hair_colour, rng), *haircut(style, strands, hair_colour, rng)]
    return as_subject(placed(parts, at, turn_deg=turn_deg))
