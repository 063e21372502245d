"""Strands of hair: their shape, their colour, and their drawing with exact coverage.

They grow in clumps that follow a guide, curl, fray, hang and reflect light.

Lengths are in units of `unit_px`, a head's radius in pixels, so that a style looks the same on a face that fills the
photo and on a distant one. Coordinates are (x, y) in pixels, y down.

A guide starts at its clump's root and turns towards the ground: d angle / d s = gravity cos(angle), plus a random walk.
A clump's strands have an offset from the guide that shrinks towards the tip (`clump`); they circle the guide (`curl`,
`turns`) and stray from it (`frizz`). Shading follows Kajiya and Kay ("Rendering Fur with Three Dimensional Textures",
SIGGRAPH 1989): diffuse sin(T, L), specular sin(T, H)^p of the tangent T. In addition to their model, the hidden inner
strands, which are drawn first, are darker.

Strands are drawn with antialiased coverage: polylines with a width and a colour at each point. The coverage of a pixel
by a segment is the overlap of pixel and strand across the strand, a box filter: at a distance d from the centre line of
width w it is clip(min(d + 1/2, w/2) - max(d - 1/2, -w/2), 0, 1), so that a strand a third of a pixel wide covers a
third. Within a strand the largest coverage counts, so that the joints of segments are not drawn twice; strands are
composited in order. The matte is therefore exact for a photo composited with the result.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wideopen.arrays.jit import kernel
from wideopen.checks import F32
from wideopen.train.layer import Layer, Rng, empty

GLOSS = 40  # p
POINT_PX = 3.0  # distance between the points of a strand
POINTS = (6, 40)  # per strand, minimum and maximum


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How hair grows; pairs are ranges to draw from, once per head unless noted."""

    clumps: tuple[int, int]
    strands: tuple[int, int]  # per clump
    length: tuple[float, float]  # per clump
    spread: tuple[float, float]  # extent of a clump at its roots
    clump: tuple[float, float]  # 0: strands stay apart; 1: they meet at the tip; below 0: they spread
    curl: tuple[float, float] = (0.0, 0.0)  # radius of the curls
    turns: tuple[float, float] = (0.0, 0.0)  # per unit of length
    wander: tuple[float, float] = (0.2, 0.8)  # random turn of a guide, radians
    frizz: tuple[float, float] = (0.02, 0.1)  # deviation of a strand from its guide, as a share of its length
    gravity: tuple[float, float] = (0.0, 0.5)
    width: tuple[float, float] = (0.008, 0.016)  # of a strand; it is drawn at least `THINNEST_PX` wide


THINNEST_PX = 0.25

STYLES = {
    name: Style(**row) for name, row in json.loads(Path(__file__).with_name("styles.json").read_text("utf-8")).items()
}


@dataclass(frozen=True, slots=True)
class Strands:
    """The arguments of `draw`, except for colour."""

    points: F32  # (S, N, 2) pixels
    depth: F32  # (S, N) pixels, towards the camera
    widths: F32  # (S, N) pixels
    clump_of: np.ndarray  # (S,) index of the strand's clump


def _walk(rng: Rng, shape: tuple[int, ...]) -> F32:
    """Return smooth random walks along axis 1: zero at the root, about 1 at the tip."""
    steps = rng.normal(0, 1, shape).astype(np.float32)
    twice = np.cumsum(np.cumsum(steps, 1), 1) * (3.0**0.5 / shape[1] ** 1.5)
    return np.asarray(twice - twice[:, :1], np.float32)


def _guides(rng: Rng, roots: F32, angles: F32, lengths: F32, style: Style, unit_px: float, points: int) -> F32:
    """Return (C, points, 2): the centre line of each clump."""
    wander, gravity = rng.uniform(*style.wander), rng.uniform(*style.gravity)
    step = lengths / (points - 1)
    turns = rng.normal(0, wander / np.sqrt(points), (points, len(roots)))
    angle, at = angles.copy(), roots.copy()
    path = [at]
    for turn in turns[1:]:
        angle = angle + turn + gravity * np.cos(angle) * step / unit_px
        at = at + step[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
        path.append(at)
    return np.stack(path, 1).astype(np.float32)


def grow(rng: Rng, roots: F32, angles: F32, style: Style, unit_px: float) -> Strands:
    """Grow strands from clumps rooted at `roots` (C, 2) that start in the directions `angles` (C,), in radians."""
    lengths = (rng.uniform(*style.length) * rng.uniform(0.5, 1.1, len(roots)) * unit_px).astype(np.float32)
    points = int(np.clip(lengths.max() / POINT_PX, *POINTS))
    guides = _guides(rng, roots, angles, lengths, style, unit_px, points)
    clump_of = np.repeat(np.arange(len(roots)), rng.integers(style.strands[0], style.strands[1] + 1))
    count, t = len(clump_of), np.linspace(0, 1, points, dtype=np.float32)
    tangent = np.gradient(guides, axis=1)
    normal = np.stack([-tangent[..., 1], tangent[..., 0]], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-6
    apart = rng.normal(0, rng.uniform(*style.spread) * unit_px, (count, 1, 2)).astype(np.float32)
    closing = 1 - rng.uniform(*style.clump) * t**1.5
    stray = _walk(rng, (count, points, 2)) * (rng.uniform(*style.frizz) * lengths[clump_of])[:, None, None]
    run = t * lengths[clump_of, None] / unit_px  # (S, N)
    phase = rng.uniform(0, 2 * np.pi, len(roots))[clump_of] + rng.normal(0, 0.5, count)
    turn = 2 * np.pi * rng.uniform(*style.turns) * run + phase[:, None]
    radius = rng.uniform(*style.curl) * unit_px * np.minimum(1, 3 * t) * rng.uniform(0.7, 1.3, (count, 1))
    curl = (radius * np.cos(turn))[..., None] * normal[clump_of]
    shorter = rng.uniform(0.6, 1.0, (count, 1, 1)).astype(np.float32)  # so that the tips do not all end together
    way = guides[clump_of]
    way = way[:, :1] + shorter * (way - way[:, :1])
    thick = np.maximum(rng.uniform(*style.width) * unit_px * rng.uniform(0.7, 1.3, (count, 1)), THINNEST_PX)
    return Strands(
        (way + apart * closing[:, None] + stray + curl).astype(np.float32),
        (radius * np.sin(turn)).astype(np.float32),
        (thick * (1 - 0.7 * t**3)).astype(np.float32),
        clump_of,
    )


def shade(rng: Rng, strands: Strands, base: F32) -> F32:
    """Return the colours (S, N, 3) in [0, 1] of strands whose clumps have the display-encoded colours `base` (C, 3)."""
    count, points = strands.widths.shape
    t = np.linspace(0, 1, points, dtype=np.float32)[None]
    way = np.concatenate([strands.points, strands.depth[..., None]], -1)
    tangent = np.gradient(way, axis=1)
    tangent /= np.linalg.norm(tangent, axis=-1, keepdims=True) + 1e-6
    light = rng.normal(0, 1, 3) + np.array([0, -0.7, 0.7])
    light /= np.linalg.norm(light)
    halfway = light + np.array([0, 0, 1])
    halfway /= np.linalg.norm(halfway)
    diffuse = np.sqrt(np.maximum(0, 1 - (tangent @ light) ** 2))
    gloss = np.maximum(0, 1 - (tangent @ halfway) ** 2) ** (GLOSS / 2) * rng.uniform(0, 0.25)
    inner = np.linspace(rng.uniform(0.45, 0.9), 1, count)[:, None]  # the last strands drawn are on top
    along = 1 + rng.uniform(-0.2, 0.45) * t
    bright = (0.45 + 0.55 * diffuse) * inner * along * np.exp(rng.normal(0, 0.12, (count, 1)))
    tint = 1 + rng.normal(0, 0.03, (count, 1, 3))
    colours = base[strands.clump_of][:, None] * tint * bright[..., None]
    return np.clip(colours * rng.uniform(0.95, 1.2) + gloss[..., None], 0, 1).astype(np.float32)


def draw(points: F32, widths: F32, colours: F32, opacity: F32, size: int) -> Layer:
    """Draw strands in order on an empty layer (size, size), in the colour space of `colours`.

    `points` (S, N, 2) are (x, y) in pixels, pixel centres at +0.5, inside or outside the picture; `widths` (S, N) are
    in pixels; `colours` (S, N, 3) and `opacity` (S,) are in [0, 1].
    """
    layer = empty(size)
    arrays = (np.ascontiguousarray(a, dtype=np.float32) for a in (points, widths, colours, opacity))
    draw_strands(*arrays, layer.rgb, layer.alpha)
    return layer


@kernel()
def draw_strands(points, widths, colours, opacity, rgb, alpha):  # type: ignore[no-untyped-def]
    """Lay the strands over `rgb` (H, W, 3), premultiplied, and `alpha` (H, W), in place, as `strands.draw` says."""
    height, width = alpha.shape
    cover = np.zeros((height, width), np.float32)  # of the strand being drawn
    shade = np.zeros((height, width, 3), np.float32)
    touched = np.empty(height * width, np.int64)
    for s in range(points.shape[0]):
        count = 0
        for i in range(points.shape[1] - 1):
            x0, y0, x1, y1 = points[s, i, 0], points[s, i, 1], points[s, i + 1, 0], points[s, i + 1, 1]
            reach = np.float32(0.5) * max(widths[s, i], widths[s, i + 1]) + np.float32(0.5)
            left, right = max(0, int(np.floor(min(x0, x1) - reach))), min(width, int(np.ceil(max(x0, x1) + reach)))
            top, bottom = max(0, int(np.floor(min(y0, y1) - reach))), min(height, int(np.ceil(max(y0, y1) + reach)))
            dx, dy = x1 - x0, y1 - y0
            square = dx * dx + dy * dy
            for y in range(top, bottom):
                for x in range(left, right):
                    px, py = x + np.float32(0.5) - x0, y + np.float32(0.5) - y0
                    t = np.float32(0)
                    if square > 0:
                        t = min(max((px * dx + py * dy) / square, np.float32(0)), np.float32(1))
                    d = np.sqrt((px - t * dx) ** 2 + (py - t * dy) ** 2)
                    half = np.float32(0.5) * (widths[s, i] * (1 - t) + widths[s, i + 1] * t)
                    c = min(d + np.float32(0.5), half) - max(d - np.float32(0.5), -half)
                    if c <= 0:
                        continue
                    if cover[y, x] == 0:
                        touched[count] = y * width + x
                        count += 1
                    if c > cover[y, x]:
                        cover[y, x] = c
                        for k in range(3):
                            shade[y, x, k] = colours[s, i, k] * (1 - t) + colours[s, i + 1, k] * t
        for n in range(count):
            y, x = touched[n] // width, touched[n] % width
            c = min(cover[y, x], np.float32(1)) * opacity[s]
            for k in range(3):
                rgb[y, x, k] = c * shade[y, x, k] + (1 - c) * rgb[y, x, k]
            alpha[y, x] = c + (1 - c) * alpha[y, x]
            cover[y, x] = 0
