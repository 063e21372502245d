"""Aperture shapes as rows of spans: the form in which prefix sums can apply them as a blur.

A kernel K of radius r is a set of rows dy. In each row the shape covers [left, right] (pixels, from the pixel's centre,
+x to the right). K(dy, dx) is the overlap of that span with the pixel [dx - 0.5, dx + 0.5], so a shape of any
fractional radius is antialiased, and changes continuously with r. The blurred image is the *scatter*
out[y, x] = sum K(dy, dx) * in[y - dy, x - dx] / sum K: a point of light draws the shape itself, upright.

Derivation (ours): a row's span is the mean of the shape's edges over the row's height, where an empty part has width
zero, so each row keeps its exact area up to the sampling of `SUB_ROWS` lines.

Bulging blades: the arc over a side has `curvature` times the sagitta of the circle through the corners. Its circle is
at least as large as that one and contains every other corner, so the shape is the intersection of all arcs' disks.

Cat's eye (ours): seen from field position p = (x - cx, y - cy) / half the diagonal, the barrel cuts the aperture by the
aperture's own disk, shifted by -cat_eye * p radii. Every shape is convex, so a row stays one span: what the shape's
span and the disk's chord have in common (`Barrel`), at the p of the pixel that is written. Weights stay those of the
uncut kernel; what is in focus loses the same share of light (`Barrel.open_share`), so that it weighs as before beside
what is not. Swirl (ours) turns p about the photo's centre.

Character (ours): a pupil that is not evenly bright is a weighted sum of concentric shapes (`Pupil.disks`), so a row is
a few spans; one that is squeezed is drawn from oblique lines through the round one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from wideopen.checks import F32
from wideopen.lens import Aperture
from wideopen.optics import Pupil

SUB_ROWS = 32
SMALL = 0.4, 0.56
"""Variances in square pixels, along an axis, between which kernels given by their variance fade into the outline."""
FAINT = 0.02
"""Variance up to which nothing is blurred, a disk of 0.28 pixels; from twice that on it counts in full."""
CHORDS = 4
"""Lines of a row whose chords through the barrel's disk are averaged."""
NEARLY_STRAIGHT = 1e-6
"""Curvature below which sides are straight: the circles of their arcs would be too large for float64."""


@dataclass(frozen=True, slots=True)
class Spans:
    """Rows of one kernel. Edges in pixels from the centre of the pixel."""

    dy: np.ndarray  # (R,) int32, ascending; several rows of one dy add up
    left: np.ndarray  # (R,) float32
    right: np.ndarray  # (R,) float32, >= left
    weight: np.ndarray  # (R,) float32, below 0 where a disk is taken out of a larger one

    @property
    def area(self) -> float:
        """Sum of the kernel's weights, in pixels."""
        return float((self.weight * (self.right.astype(np.float64) - self.left)).sum())


IDENTITY = Spans(np.zeros(1, np.int32), *(np.full(1, edge, np.float32) for edge in (-0.5, 0.5, 1.0)))


@dataclass(frozen=True, slots=True)
class Outline:
    """A convex shape, in radii, x to the right and y down: the intersection of disks and half planes."""

    disks: tuple[tuple[float, float, float], ...]  # centre x, y, radius
    sides: tuple[tuple[float, float, float], ...]  # outward normal x, y, distance from the centre


EdgesOf = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
RowsOf = Callable[[EdgesOf], tuple[np.ndarray, np.ndarray, np.ndarray]]


@dataclass(frozen=True, slots=True)
class Barrel:
    """The disk that cuts the aperture, as the rows of kernels meet it all over a photo.

    Row dy of a kernel of signed radius r at the point (y, x), in pixels from the photo's corner, passes the disk's
    centre at a distance of `across` @ (dy, r, r y, r x), and meets it around `middle` @ (dy, r, r y, r x).
    """

    across: np.ndarray  # (4,)
    middle: np.ndarray  # (4,)
    squeeze: float  # of rows: how much longer a chord of the disk is than its part of the row
    shift: np.ndarray  # (2, 3): the disk's centre (x, y) in radii, `shift` @ (1, y, x)

    def chord(self, dy: float, r: float, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Left and right end of the row's part in the disk, the mean of `CHORDS` lines; equal if there is none."""
        terms = dy, r, r * y, r * x
        across, middle = (sum(f * term for f, term in zip(of, terms, strict=True)) for of in (self.across, self.middle))
        lines = ((np.arange(CHORDS) + 0.5) / CHORDS - 0.5) * self.across[0]
        half = sum(np.sqrt(np.maximum(r * r - (across + line) ** 2, 0)) for line in lines) / (CHORDS * self.squeeze)
        return middle - half, middle + half

    def open_share(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Share of a disk that the barrel leaves open, to 1e-4."""
        d = np.hypot(*(a + b * y + c * x for a, b, c in self.shift))
        return 1 - 2 / np.pi * (d - d**3 / 24 - d**5 / 640)


def barrel(shape: tuple[int, int], pupil: Pupil, cat_eye: float, swirl_deg: float = 0.0) -> Barrel | None:
    """The barrel before a photo of `shape` (H, W); None without cat's eye."""
    if cat_eye == 0:
        return None
    height, width = shape
    c, s = np.cos(np.deg2rad(swirl_deg)), np.sin(np.deg2rad(swirl_deg))
    turned = np.array([[-(c * width + s * height) / 2, s, c], [(s * width - c * height) / 2, c, -s]])
    shift = -cat_eye / (np.hypot(height, width) / 2) * turned
    (dx, dy), (ox, oy) = unsqueezed(pupil)
    length = np.hypot(dx, dy)
    return Barrel(
        across=np.array([dx * oy - dy * ox, *(dy * shift[0] - dx * shift[1])]) / length,
        middle=np.array([-dx * ox - dy * oy, *(dx * shift[0] + dy * shift[1])]) / length**2,
        squeeze=float(length),
        shift=shift,
    )


def outline(aperture: Aperture) -> Outline:
    """The aperture's outline."""
    if aperture.blades == 0:
        return Outline(((0.0, 0.0, 1.0),), ())
    half = np.pi / aperture.blades
    angles = np.deg2rad(aperture.rotation_deg) + (2 * np.arange(aperture.blades) + 1) * half
    normals = [(-float(np.sin(a)), -float(np.cos(a))) for a in angles]  # y grows downward: corner 0 points up
    apothem = float(np.cos(half))
    if aperture.curvature < NEARLY_STRAIGHT:
        return Outline((), tuple((x, y, apothem) for x, y in normals))
    sagitta = aperture.curvature * (1 - apothem)
    arc = (float(np.sin(half)) ** 2 + sagitta**2) / (2 * sagitta)
    offset = apothem + sagitta - arc  # of the arc's centre along the side's outward normal; <= 0
    return Outline(tuple((offset * x, offset * y, arc) for x, y in normals), ())


def unsqueezed(pupil: Pupil) -> tuple[tuple[float, float], tuple[float, float]]:
    """Direction, and origin per pixel across rows, of the line through the round pupil that a row is drawn from."""
    if pupil.squeeze == 1:
        return (1.0, 0.0), (0.0, 1.0)
    c, s = np.cos(np.deg2rad(pupil.squeeze_deg)), np.sin(np.deg2rad(pupil.squeeze_deg))
    k = pupil.squeeze - 1  # the identity, and k more along the squeezed axis (c, -s)
    return (float(1 + k * c * c), float(-k * c * s)), (float(-k * c * s), float(1 + k * s * s))


def _edges(y: np.ndarray, shape: Outline, radius_px: float, pupil: Pupil) -> tuple[np.ndarray, np.ndarray]:
    """Left and right edge (len(y),) of the shape on horizontal lines; left > right where it misses the line."""
    (dx, dy), (ox, oy) = unsqueezed(pupil)
    left, right = np.full(y.shape, -np.inf), np.full(y.shape, np.inf)
    for cx, cy, size in shape.disks:
        px, py = ox * y - cx * radius_px, oy * y - cy * radius_px  # of the line at x = 0, from the disk's centre
        along, length = dx * px + dy * py, dx * dx + dy * dy
        across = (dx * py - dy * px) ** 2 / length
        inside = across <= (size * radius_px) ** 2
        half = np.sqrt(np.where(inside, (size * radius_px) ** 2 - across, 0) / length)
        left = np.where(inside, np.maximum(left, -along / length - half), np.inf)
        right = np.where(inside, np.minimum(right, -along / length + half), -np.inf)
    for nx, ny, distance in shape.sides:
        slope, room = nx * dx + ny * dy, distance * radius_px - (nx * ox + ny * oy) * y
        if abs(slope) < 1e-12:
            left = np.where(room >= 0, left, np.inf)
        elif slope > 0:
            right = np.minimum(right, room / slope)
        else:
            left = np.maximum(left, room / slope)
    return left, right


def scaled(shape: Outline, scale: float) -> Outline:
    """The outline at another size."""
    return Outline(
        tuple((x * scale, y * scale, size * scale) for x, y, size in shape.disks),
        tuple((x, y, distance * scale) for x, y, distance in shape.sides),
    )


def _spans(pupil: Pupil, radius_px: float, rows_of: RowsOf) -> Spans:
    """The rows of all disks of the pupil at a signed radius, ascending in dy; `rows_of` gives those of one shape."""
    whole = outline(pupil.aperture)
    parts = []
    for scale, weight in pupil.disks(behind=radius_px >= 0):
        rows = rows_of(partial(_edges, shape=scaled(whole, scale), radius_px=abs(radius_px), pupil=pupil))
        parts.append((*rows, np.full(rows[0].size, weight)))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    dy, left, right, weights = (column[order] for column in columns)
    if radius_px < 0:
        dy, left, right, weights = -dy[::-1], -right[::-1], -left[::-1], weights[::-1]
    return Spans(dy.astype(np.int32), left.astype(np.float32), right.astype(np.float32), weights.astype(np.float32))


def antialiased_spans(pupil: Pupil, radius_px: float, *, cut: bool = False) -> Spans:
    """Spans of the pupil at a fractional, signed radius.

    A negative radius (in front of the focus) rotates the shape by half a turn, as a lens does. Kernels of small
    variance have exactly that of the shape (`_small`): of rows that follow the outline, a disk of one pixel has half as
    much again. If a barrel will cut them, all follow the outline, and are the identity below half a pixel.
    """
    if cut:
        return _outlined(pupil, radius_px) if abs(radius_px) >= 0.5 else IDENTITY
    across, down = (v * radius_px**2 for v in _unit_variances(pupil, radius_px >= 0))
    share = (max(across, down) - SMALL[0]) / (SMALL[1] - SMALL[0])
    if share <= 0:
        return _small(across, down)
    outlined = _outlined(pupil, radius_px)
    return outlined if share >= 1 else _mixed(_small(across, down), outlined, share)


def _small(across: float, down: float) -> Spans:
    """Three rows of three pixels, or the identity, with these variances along x and y, in square pixels.

    (v / 2, 1 - v, v / 2) adds the variance v. A photo's pixels are means over their areas, and so are those that are
    written: neither is to add to the blur.
    """
    if max(across, down) <= FAINT:
        return IDENTITY
    across, down = (min(v, max(2 * (v - FAINT), 0)) for v in (across, down))
    x, y = (v / 2 / (1 - v) for v in (across, down))  # of what the middle one weighs
    edges = np.full(3, 0.5 + x, np.float32)
    return Spans(np.array([-1, 0, 1], np.int32), -edges, edges, np.array([y, 1, y], np.float32))


def _mixed(one: Spans, other: Spans, share: float) -> Spans:
    """The rows of both kernels, `share` of the light from the other."""
    weights = one.weight * (1 - share) / one.area, other.weight * share / other.area
    columns = zip((one.dy, one.left, one.right), (other.dy, other.left, other.right), strict=True)
    dy, left, right = (np.concatenate(pair) for pair in columns)
    order = np.argsort(dy, kind="stable")
    return Spans(dy[order], left[order], right[order], np.concatenate(weights).astype(np.float32)[order])


@cache
def _unit_variances(pupil: Pupil, behind: bool) -> tuple[float, float]:
    """Variances along x and y of the pupil at a radius of 1."""
    radius = 32.0
    K = kernel(_outlined(pupil, radius if behind else -radius)).astype(np.float64)
    at = np.arange(len(K)) - len(K) // 2
    x, y = ((sums * at * at).sum() - (sums * at).sum() ** 2 for sums in (K.sum(0), K.sum(1)))
    return float(x / radius**2), float(y / radius**2)


def _outlined(pupil: Pupil, radius_px: float) -> Spans:
    """Spans whose rows follow the outline."""
    radius = abs(radius_px)
    reach = int(np.floor(radius + 0.5))
    dy = np.arange(-reach, reach + 1)
    lines = dy[:, None] + (np.arange(SUB_ROWS) + 0.5) / SUB_ROWS - 0.5  # (R, SUB_ROWS)

    def rows_of(edges: EdgesOf) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        left, right = (edge.reshape(lines.shape) for edge in edges(lines.ravel()))
        hit = right > left
        width = np.subtract(right, left, out=np.zeros_like(lines), where=hit)
        middle = np.add(left, right, out=np.zeros_like(lines), where=hit) / 2
        total = width.sum(1)
        keep = total > 0
        centre = (middle * width).sum(1)[keep] / total[keep]
        half = total[keep] / SUB_ROWS / 2
        return dy[keep], centre - half, centre + half

    return _spans(pupil, radius_px, rows_of)


def binary_spans(pupil: Pupil, radius_px: int) -> Spans:
    """Spans of the 0/1 kernel of Eq. (3)'s whole radii: pixels whose centre lies in the shape."""
    if radius_px == 0:
        return IDENTITY
    dy = np.arange(-radius_px, radius_px + 1)

    def rows_of(edges: EdgesOf) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        left, right = edges(dy.astype(np.float64))
        keep = right >= left
        first, last = np.ceil(left[keep] - 1e-9), np.floor(right[keep] + 1e-9)
        some = last >= first
        return dy[keep][some], first[some] - 0.5, last[some] + 0.5

    return _spans(pupil, radius_px, rows_of)


def kernel(spans: Spans) -> F32:
    """The kernel as a matrix (2R+1, 2R+1), summing to 1; row index dy + R, column index dx + R."""
    reach = int(max(np.abs(spans.dy).max(), np.ceil(max(-spans.left.min(), spans.right.max()) - 0.5)))
    dx = np.arange(-reach, reach + 1)
    out = np.zeros((2 * reach + 1, 2 * reach + 1))
    for dy, left, right, weight in zip(spans.dy, spans.left, spans.right, spans.weight, strict=True):
        out[dy + reach] += weight * np.clip(np.minimum(dx + 0.5, right) - np.maximum(dx - 0.5, left), 0, 1)
    return (out / out.sum()).astype(np.float32)
