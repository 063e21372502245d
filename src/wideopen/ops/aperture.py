"""Aperture shapes as rows of spans: the form in which a prefix sum can blur with them.

A kernel K of radius r is a set of rows dy; in each, the shape covers [left, right] (pixels, from the pixel's centre,
+x to the right). K(dy, dx) is the overlap of that span with the pixel [dx - 0.5, dx + 0.5], so a shape of any
fractional radius is antialiased, and changes continuously with r. The blurred image is the *scatter*
out[y, x] = sum K(dy, dx) * in[y - dy, x - dx] / sum K: a point of light draws the shape itself, upright.

Derivation (ours): a row's span is the mean of the shape's edges over the row's height, an empty part counting as
width zero, so each row keeps its exact area up to the sampling of `SUB_ROWS` lines.
"""

from dataclasses import dataclass

import numpy as np

from wideopen.checks import F32
from wideopen.lens import Aperture

SUB_ROWS = 32


@dataclass(frozen=True, slots=True)
class Spans:
    """Rows of one kernel. Edges in pixels from the centre of the pixel."""

    dy: np.ndarray  # (R,) int32, ascending
    left: np.ndarray  # (R,) float32
    right: np.ndarray  # (R,) float32, >= left


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


def _edges(y: np.ndarray, aperture: Aperture, radius_px: float) -> tuple[np.ndarray, np.ndarray]:
    if aperture.blades:
        return _polygon_edges(y, aperture, radius_px)
    half = np.sqrt(np.maximum(radius_px**2 - y**2, 0))
    inside = np.abs(y) <= radius_px
    return np.where(inside, -half, np.inf), np.where(inside, half, -np.inf)


def antialiased_spans(aperture: Aperture, radius_px: float) -> Spans:
    """Spans of the shape at a fractional, signed radius; below half a pixel the identity.

    A negative radius (in front of the focus) turns the shape by half a turn, as a lens does.
    """
    radius = abs(radius_px)
    if radius < 0.5:
        return Spans(np.zeros(1, np.int32), np.full(1, -0.5, np.float32), np.full(1, 0.5, np.float32))
    reach = int(np.floor(radius + 0.5))
    dy = np.arange(-reach, reach + 1)
    lines = dy[:, None] + (np.arange(SUB_ROWS) + 0.5) / SUB_ROWS - 0.5  # (R, SUB_ROWS)
    left, right = (edge.reshape(lines.shape) for edge in _edges(lines.ravel(), aperture, radius))
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


def binary_spans(aperture: Aperture, radius_px: int) -> Spans:
    """Spans of the 0/1 kernel of Eq. (3)'s whole radii: pixels whose centre lies in the shape."""
    if radius_px == 0:
        return Spans(np.zeros(1, np.int32), np.full(1, -0.5, np.float32), np.full(1, 0.5, np.float32))
    dy = np.arange(-radius_px, radius_px + 1)
    left, right = _edges(dy.astype(np.float64), aperture, float(radius_px))
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
