"""Finds the head in a matte and draws hair for it, or hair alone: where strands grow, and in which colour.

A head is found without a network, as the round end at the top of the subject. The largest distance to the outline in
each row grows from the top of a head downwards until the head reaches its full width; its centre is there. If the top
of the subject is a raised hand, hair is drawn around the hand, with an equally exact matte.

Voluminous hair (curls, long hair) grows behind the subject, so that the face stays free; short hair and flyaways grow
from the outline in front. Colours are taken from the subject at the roots of the strands, or are sometimes another
natural or dyed hair colour.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from wideopen.checks import F32, U8
from wideopen.train.layer import Layer, Rng, over
from wideopen.train.strands import STYLES, Style, draw, grow, shade

ANGLES = 64  # directions from the centre in which the outline is measured
SEARCH = 1.9  # search distance for the outline, in radii
WORKING_PX = 256  # long side of the matte in which heads are found


@dataclass(frozen=True, slots=True)
class Head:
    """A head in pixels of its photo; `outline[i]` is the distance from centre to outline at angle 2 pi i / ANGLES."""

    x: float
    y: float
    radius: float
    outline: F32  # (ANGLES,)

    def moved(self, window: tuple[int, int, int], size: int) -> "Head":
        """Return the same head in pixels of a crop (x, y, side) resized to `size`."""
        x, y, side = window
        scale = size / side
        return Head((self.x - x) * scale, (self.y - y) * scale, self.radius * scale, self.outline * scale)

    def reach(self, angles: F32) -> F32:
        """Return the distance (len(angles),) from the centre to the outline at `angles`, in radians."""
        places = np.arange(ANGLES + 1) * (2 * np.pi / ANGLES)
        return np.interp(np.mod(angles, 2 * np.pi), places, np.append(self.outline, self.outline[0])).astype(np.float32)


def find_head(alpha: U8) -> Head | None:
    """Find the subject's head in `alpha` (H, W) uint8; None if its top is cut off or there is no subject."""
    scale = max(1.0, max(alpha.shape) / WORKING_PX)
    sides = (max(1, round(alpha.shape[1] / scale)), max(1, round(alpha.shape[0] / scale)))
    small = cv2.resize(alpha, sides, interpolation=cv2.INTER_AREA)
    solid = (small > 127).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    if count < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    solid = (labels == largest).astype(np.uint8)
    top = int(stats[largest, cv2.CC_STAT_TOP])
    depth = cv2.distanceTransform(solid, cv2.DIST_L2, 5)
    inner = depth.max(1)
    y = next((y for y in range(top + 3, len(inner)) if _widest(inner, y)), None)
    if top < 1 or y is None or inner[y] < 3:
        return None
    x = int(depth[y].argmax())
    radius = float(inner[y])
    outline = _outline(solid, x, y, radius) * scale
    return Head((x + 0.5) * scale, (y + 0.5) * scale, radius * scale, outline)


def _widest(inner: F32, y: int) -> bool:
    """Whether the subject, seen from its top, reaches its full width at row `y`."""
    window = max(2, int(inner[y] * 0.3))
    return bool(inner[y] >= 3 and inner[y + 1 : y + 1 + window].max(initial=0) <= inner[y])


def _outline(solid: U8, x: int, y: int, radius: float) -> F32:
    angles = np.arange(ANGLES) * (2 * np.pi / ANGLES)
    steps = np.arange(0, SEARCH * radius, 0.5)
    xs = np.clip((x + np.outer(np.cos(angles), steps)).round().astype(int), 0, solid.shape[1] - 1)
    ys = np.clip((y + np.outer(np.sin(angles), steps)).round().astype(int), 0, solid.shape[0] - 1)
    left = solid[ys, xs] == 0
    return np.where(left.any(1), left.argmax(1), len(steps)).astype(np.float32) * np.float32(0.5)


NATURAL = np.array(  # display-encoded: black, browns, red, blonds, greys, white
    [[28, 24, 24], [52, 38, 30], [88, 62, 44], [124, 66, 38], [176, 136, 86], [214, 184, 134], [128, 126, 126],
     [232, 228, 222]], np.float32,
)  # fmt: skip
UP = -np.pi / 2  # as an angle; y points down
VOLUME = ("curls", "afro", "long", "wind")
OUTER = ("flyaways", "short", "fur")
MOST_STRANDS = 6000


def _thinned(style: Style, share: float) -> Style:
    low, high = style.clumps
    return replace(style, clumps=(max(4, int(low * share)), max(5, int(high * share))))


def _base_colours(rng: Rng, subject: U8, roots: F32, dyed: bool) -> F32:
    """Return the colour of each clump: the subject's own at its root, or another hair colour."""
    count = len(roots)
    if dyed:
        colour = NATURAL[rng.integers(len(NATURAL))] if rng.random() < 0.85 else rng.uniform(20, 235, 3)
        base = np.tile(colour, (count, 1))
    else:
        size = len(subject)
        soft = cv2.blur(subject, (max(3, size // 64),) * 2)
        columns, rows = np.clip(roots.astype(int), 0, size - 1).T
        base = soft[rows, columns].astype(np.float32)
        base = 0.6 * base + 0.4 * np.median(base, 0)  # reduces the effect of roots on skin or background
    vary = np.exp(rng.normal(0, 0.12, (count, 1)))
    return np.clip(base * vary / 255, 0, 1).astype(np.float32)


def _roots(rng: Rng, head: Head, count: int, span: float, depth: tuple[float, float]) -> tuple[F32, F32]:
    """Return (roots (count, 2), angles (count,)) around the top of the head, in `depth` of the outline."""
    angles = (UP + rng.uniform(-span, span, count)).astype(np.float32)
    distance = head.reach(angles) * rng.uniform(*depth, count).astype(np.float32)
    at = np.stack([head.x + distance * np.cos(angles), head.y + distance * np.sin(angles)], 1)
    combed = rng.normal(0, 0.5) + 0.8 * rng.normal(0, 0.5) * np.sign(np.cos(angles))
    return at.astype(np.float32), (angles + combed + rng.normal(0, 0.25, count)).astype(np.float32)


def _grown(
    rng: Rng, head: Head, subject: U8, style: Style, span: float, depth: tuple[float, float], dyed: bool
) -> Layer:
    clumps = max(1, min(int(rng.integers(*style.clumps)), MOST_STRANDS // style.strands[1]))
    roots, angles = _roots(rng, head, clumps, span, depth)
    base = _base_colours(rng, subject, roots, dyed)
    strands = grow(rng, roots, angles, style, head.radius)
    opacity = rng.uniform(0.75, 1.0, len(strands.points)).astype(np.float32)
    return draw(strands.points, strands.widths, shade(rng, strands, base), opacity, len(subject))


def hair_for(rng: Rng, head: Head, subject: U8) -> tuple[Layer | None, Layer]:
    """Return (layer behind the subject or None, layer in front) for a `head` in pixels of `subject` (N, N, 3)."""
    dyed = bool(rng.random() < 0.25)
    behind = None
    thin = STYLES[OUTER[rng.integers(len(OUTER))]]
    if rng.random() < 0.5:
        style = STYLES[VOLUME[rng.integers(len(VOLUME))]]
        behind = _grown(rng, head, subject, style, rng.uniform(1.2, 2.3), (0.55, 0.98), dyed)
        thin = _thinned(style, rng.uniform(0.1, 0.4)) if rng.random() < 0.5 else STYLES["flyaways"]
    front = _grown(rng, head, subject, thin, rng.uniform(0.9, 1.7), (0.86, 1.02), dyed)
    return behind, front


def tuft(rng: Rng, size: int) -> Layer:
    """Draw hair or fur without a head: a rounded mass that fills much of a (size, size) picture."""
    radius = size * rng.uniform(0.16, 0.4)
    turns = np.arange(ANGLES) * (2 * np.pi / ANGLES)
    wobble = 1 + 0.15 * np.cos(turns * rng.integers(1, 4) + rng.uniform(0, 6.3))
    outline = (radius * wobble).astype(np.float32)
    head = Head(size * rng.uniform(0.3, 0.7), size * rng.uniform(0.35, 0.75), radius, outline)
    names = [*VOLUME, "short", "fur"]
    style = STYLES[names[rng.integers(len(names))]]
    blank = np.zeros((size, size, 3), np.uint8)
    core = np.zeros((size, size), np.float32)
    rim = np.stack([head.x + outline * np.cos(turns), head.y + outline * np.sin(turns)], 1)
    cv2.fillPoly(core, [np.round(rim * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    hair = _grown(rng, head, blank, _thinned(style, 3), np.pi, (0.0, 1.0), True)
    dark = 0.6 * hair.rgb[hair.alpha > 0.5].mean(0) if (hair.alpha > 0.5).any() else np.full(3, 0.2)
    rest = (1 - hair.alpha) * np.clip(core, 0, 1)
    return Layer((hair.rgb + rest[..., None] * dark).astype(np.float32), hair.alpha + rest)


def with_hair(subject: F32, alpha: F32, behind: Layer | None, front: Layer) -> Layer:
    """Composite the subject's colour (H, W, 3) with its matte (H, W), both in [0, 1], between two layers of hair."""
    person = Layer(subject * alpha[..., None], alpha)
    return over(front, person if behind is None else over(person, behind))
