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
aperture's own disk, shifted by -cat_eye * p radii. Every shape is convex, so a row stays one span. Kernels are made at
the nodes of a grid over the photo; an output pixel mixes those of its four nodes bilinearly:
out = sum over nodes of hat(y, x) * scatter(in, kernel of the node).
"""

from dataclasses import dataclass

import numpy as np

from wideopen.checks import F32
from wideopen.lens import Aperture

SUB_ROWS = 32
CELLS = 16
"""Cells of the field grid along the long side; even counts, so that the photo's centre is a node."""

NO_CUT = (0.0, 0.0)
NEARLY_STRAIGHT = 1e-6
"""Curvature below which sides are straight: the circles of their arcs would be too large for float64."""


@dataclass(frozen=True, slots=True)
class Spans:
    """Rows of one kernel. Edges in pixels from the centre of the pixel."""

    dy: np.ndarray  # (R,) int32, ascending
    left: np.ndarray  # (R,) float32
    right: np.ndarray  # (R,) float32, >= left


@dataclass(frozen=True, slots=True)
class FieldNodes:
    """Grid of kernels over the photo, and its interpolation weights: the product of a hat along y and one along x."""

    cuts: np.ndarray  # (Ny, Nx, 2) float64, (x, y) shift of the cutting disk at each node, in radii
    hats_y: F32  # (Ny, H), each column sums to 1
    hats_x: F32  # (Nx, W)


def field_nodes(shape: tuple[int, int], cat_eye: float) -> FieldNodes:
    """Nodes for a photo of `shape` (H, W); without cat's eye a single uncut node, with hats of 1."""
    height, width = shape
    if cat_eye == 0:
        return FieldNodes(np.zeros((1, 1, 2)), np.ones((1, height), np.float32), np.ones((1, width), np.float32))
    cell = max(height, width) / CELLS
    y, x = (np.linspace(0, side, 2 * max(1, round(side / cell / 2)) + 1) for side in (height, width))  # pixel edges
    p = np.stack(np.meshgrid(x - width / 2, y - height / 2), axis=-1) / (np.hypot(height, width) / 2)
    return FieldNodes(-cat_eye * p, _hats(y, height), _hats(x, width))


def _hats(nodes: np.ndarray, side: int) -> F32:
    """Share of each node at each pixel centre (len(nodes), side): 1 at the node, linear to 0 at its neighbours."""
    distance = np.abs(np.arange(side) + 0.5 - nodes[:, None]) / (nodes[1] - nodes[0])
    return np.maximum(1 - distance, 0).astype(np.float32)


def _polygon_edges(y: np.ndarray, aperture: Aperture, radius_px: float) -> tuple[np.ndarray, np.ndarray]:
    """Left and right edge (len(y),) of the polygon on horizontal lines; left > right where it misses the line."""
    angles = np.deg2rad(aperture.rotation_deg) + 2 * np.pi * np.arange(aperture.blades) / aperture.blades
    px, py = (
        -radius_px * np.sin(angles),
        -radius_px * np.cos(angles),
    )  # y grows downward: corner 0 points up
    left, right = np.full(y.shape, np.inf), np.full(y.shape, -np.inf)
    for x0, y0, x1, y1 in zip(px, py, np.roll(px, -1), np.roll(py, -1), strict=True):
        if abs(y1 - y0) < 1e-12:
            continue
        t = (y - y0) / (y1 - y0)
        x = np.where((t >= 0) & (t <= 1), x0 + t * (x1 - x0), np.nan)
        left, right = np.fmin(left, x), np.fmax(right, x)
    return left, right


def _disk_edges(y: np.ndarray, radius_px: float, centre: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    x, y = centre[0], y - centre[1]
    half = np.sqrt(np.maximum(radius_px**2 - y**2, 0))
    inside = np.abs(y) <= radius_px
    return np.where(inside, x - half, np.inf), np.where(inside, x + half, -np.inf)


def _bulging_edges(y: np.ndarray, aperture: Aperture, radius_px: float) -> tuple[np.ndarray, np.ndarray]:
    """As `_polygon_edges`, for sides that are arcs: the intersection of their disks."""
    half_angle = np.pi / aperture.blades
    half_side, apothem = radius_px * np.sin(half_angle), radius_px * np.cos(half_angle)
    sagitta = aperture.curvature * (radius_px - apothem)
    arc = (half_side**2 + sagitta**2) / (2 * sagitta)
    offset = apothem + sagitta - arc  # of the arc's centre along the side's outward normal; <= 0
    left, right = np.full(y.shape, -np.inf), np.full(y.shape, np.inf)
    for side in range(aperture.blades):
        angle = np.deg2rad(aperture.rotation_deg) + (2 * side + 1) * half_angle
        first, last = _disk_edges(y, arc, (-offset * np.sin(angle), -offset * np.cos(angle)))
        left, right = np.maximum(left, first), np.minimum(right, last)
    return left, right


def _edges(
    y: np.ndarray, aperture: Aperture, radius_px: float, cut: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Left and right edge (len(y),) of the shape on horizontal lines; left > right where it misses the line."""
    if aperture.blades == 0:
        left, right = _disk_edges(y, radius_px, NO_CUT)
    elif aperture.curvature < NEARLY_STRAIGHT:
        left, right = _polygon_edges(y, aperture, radius_px)
    else:
        left, right = _bulging_edges(y, aperture, radius_px)
    if cut == NO_CUT:
        return left, right
    reach = radius_px * (1 + 1e-9)  # a cut by one radius ends at the centre, which must stay inside despite rounding
    first, last = _disk_edges(y, reach, (radius_px * cut[0], radius_px * cut[1]))
    return np.maximum(left, first), np.minimum(right, last)


def antialiased_spans(aperture: Aperture, radius_px: float, cut: tuple[float, float] = NO_CUT) -> Spans:
    """Spans of the shape at a fractional, signed radius; the identity below half a pixel.

    cut: shift of the disk that cuts the shape, in radii, at most 1 long, +x right, +y down; (0, 0) cuts nothing.
    A negative radius (in front of the focus) rotates the shape, including the cut, by half a turn, as a lens does.
    """
    radius = abs(radius_px)
    if radius < 0.5:
        return Spans(np.zeros(1, np.int32), np.full(1, -0.5, np.float32), np.full(1, 0.5, np.float32))
    reach = int(np.floor(radius + 0.5))
    dy = np.arange(-reach, reach + 1)
    lines = dy[:, None] + (np.arange(SUB_ROWS) + 0.5) / SUB_ROWS - 0.5  # (R, SUB_ROWS)
    left, right = (edge.reshape(lines.shape) for edge in _edges(lines.ravel(), aperture, radius, cut))
    hit = right > left
    width = np.subtract(right, left, out=np.zeros_like(lines), where=hit)
    middle = np.add(left, right, out=np.zeros_like(lines), where=hit) / 2
    total = width.sum(1)
    keep = total > 0
    centre = (middle * width).sum(1)[keep] / total[keep]
    half = total[keep] / SUB_ROWS / 2
    spans = Spans(
        dy[keep].astype(np.int32),
        (centre - half).astype(np.float32),
        (centre + half).astype(np.float32),
    )
    return spans if radius_px >= 0 else Spans(-spans.dy[::-1], -spans.right[::-1], -spans.left[::-1])


def binary_spans(aperture: Aperture, radius_px: int, cut: tuple[float, float] = NO_CUT) -> Spans:
    """Spans of the 0/1 kernel of Eq. (3)'s whole radii: pixels whose centre lies in the shape; `cut` as above."""
    if radius_px == 0:
        return Spans(np.zeros(1, np.int32), np.full(1, -0.5, np.float32), np.full(1, 0.5, np.float32))
    dy = np.arange(-radius_px, radius_px + 1)
    left, right = _edges(dy.astype(np.float64), aperture, float(radius_px), cut)
    keep = right >= left
    first = np.ceil(left[keep] - 1e-9)
    last = np.floor(right[keep] + 1e-9)
    some = last >= first
    return Spans(
        dy[keep][some].astype(np.int32),
        (first[some] - 0.5).astype(np.float32),
        (last[some] + 0.5).astype(np.float32),
    )


def kernel(spans: Spans) -> F32:
    """The kernel as a matrix (2R+1, 2R+1), summing to 1; row index dy + R, column index dx + R."""
    reach = int(max(np.abs(spans.dy).max(), np.ceil(max(-spans.left.min(), spans.right.max()) - 0.5)))
    dx = np.arange(-reach, reach + 1)
    out = np.zeros((2 * reach + 1, 2 * reach + 1))
    for dy, left, right in zip(spans.dy, spans.left, spans.right, strict=True):
        out[dy + reach] = np.clip(np.minimum(dx + 0.5, right) - np.maximum(dx - 0.5, left), 0, 1)
    return (out / out.sum()).astype(np.float32)
