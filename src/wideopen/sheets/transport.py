"""Structure-aware hole filling: edges that run into a hole are continued straight for a short distance.

Reference: Bornemann, März, "Fast Image Inpainting Based on Coherence Transport", Journal of Mathematical Imaging and
Vision 28, 2007. Hole pixels are visited in order of distance from the hole's edge. Each becomes the mean of the pixels
y already known within REACH of it, weighted by
    w(x, y) = exp(-mu^2 <n, x - y>^2 / (2 REACH^2)) / |x - y|,   mu = 1 + KAPPA exp(-DELTA / (l1 - l2)^2)
with n the normal of the edges around it, the first eigenvector of the mean of grad u grad u^T, and l1, l2 its
eigenvalues. Where there is no dominant direction, this is a distance-weighted mean.

Deviations: the gradient mean reaches 2 SPREAD out, over known pixels and over filled ones as soon as they are filled;
colours are square roots of linear light, so that dark edges count; beyond `RING` the smooth filling of `arrays.fill`
takes over, since no lens sees far behind a silhouette and guesses get worse with distance.
"""

import cv2
import numpy as np

from wideopen.arrays.maps import fill_holes
from wideopen.checks import F32

REACH = 5
KAPPA = 10.0
DELTA = 2e-5  # (l1 - l2)^2 that counts as an edge: a slope of 0.07 per pixel
SPREAD = 3.0
RING = 0.0375
"""How far edges are continued, as a fraction of the long side; at full strength up to half of it."""


def ring_to_fill(weight: F32) -> tuple[np.ndarray, np.ndarray, F32]:
    """Known pixels (h, w) uint8, the ring's pixels (N, 2) in filling order, and the fill weight (h, w)."""
    hole = (weight < 0.5).astype(np.uint8)
    far = np.float32(max(2.0, RING * max(weight.shape)))
    if hole.all() or not hole.any():
        return 1 - hole, np.zeros((0, 2), np.int64), np.zeros_like(weight)
    distance = cv2.distanceTransform(hole, cv2.DIST_L2, cv2.DIST_MASK_5).reshape(weight.shape)
    pixels = np.argwhere((distance > 0) & (distance <= far))
    order = np.argsort(distance[tuple(pixels.T)], kind="stable")
    return 1 - hole, pixels[order], np.clip(2 - distance * 2 / far, 0, 1) * hole


def gradients(u: F32, known: np.ndarray) -> tuple[F32, F32]:
    """d/dy and d/dx, (h, w, 3), of the slightly smoothed picture; 0 within a pixel of an unknown pixel."""
    smooth = cv2.GaussianBlur(u, (0, 0), 1.0)
    inner = cv2.erode(known, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    gy, gx = np.zeros_like(u), np.zeros_like(u)
    gy[1:-1] = (smooth[2:] - smooth[:-2]) / 2
    gx[:, 1:-1] = (smooth[:, 2:] - smooth[:, :-2]) / 2
    return gy * inner[..., None], gx * inner[..., None]


def windows() -> tuple[np.ndarray, np.ndarray]:
    """Windows (N, 3) with rows dy, dx, weight: one for the mean of gradients, one for the mean of colours."""
    around = _square(int(2 * SPREAD))
    around[:, 2] = np.exp(-around[:, 2] / (2 * SPREAD**2))
    colours = _square(REACH)
    colours = colours[(colours[:, 2] > 0) & (colours[:, 2] <= REACH**2)]
    colours[:, 2] **= -0.5
    return around, colours


def _square(reach: int) -> np.ndarray:
    """Rows dy, dx, dy^2 + dx^2 of a square window."""
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    return np.stack([dy, dx, dy**2 + dx**2], 1).astype(np.float64)


def march(u: F32, known: np.ndarray, pixels: np.ndarray, gy: F32, gx: F32) -> None:
    """Fill `pixels` (N, 2) of u (h, w, 3) in the given order; updates u, `known`, `gy` and `gx` in place."""
    around, colours = windows()
    for y, x in pixels:
        inside = _within(around, y, x, known)
        sy, sx = gy[inside[0], inside[1]], gx[inside[0], inside[1]]
        share = inside[2] / max(inside[2].sum(), 1e-30)
        a, b, c = ((share[:, None] * p).sum() for p in (sx * sx, sx * sy, sy * sy))
        spread = np.hypot(a - c, 2 * b)
        mu = 1 + KAPPA * np.exp(-DELTA / max(spread**2, 1e-12))
        angle = 0.5 * np.arctan2(2 * b, a - c)
        ys, xs, w = _within(colours, y, x, known)
        along = ((xs - x) * np.cos(angle) + (ys - y) * np.sin(angle)) * mu / REACH
        w = w * np.exp(-0.5 * along**2)
        if w.sum() > 0:
            u[y, x] = (w[:, None] * u[ys, xs]).sum(0) / w.sum()
        known[y, x] = 1
        for g, (dy, dx) in ((gy, (1, 0)), (gx, (0, 1))):
            g[y, x] = _slope(u, known, (y, x), dy, dx)


def _within(window: np.ndarray, y: int, x: int, known: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and weights of a window's known pixels around (y, x)."""
    ys, xs = y + window[:, 0].astype(int), x + window[:, 1].astype(int)
    inside = (ys >= 0) & (ys < known.shape[0]) & (xs >= 0) & (xs < known.shape[1])
    inside[inside] = known[ys[inside], xs[inside]] > 0
    return ys[inside], xs[inside], window[inside, 2]


def _slope(u: F32, known: np.ndarray, at: tuple[int, int], dy: int, dx: int) -> F32:
    """Slope along one axis between the two neighbours; the pixel itself stands in for an unknown neighbour."""
    ends = []
    for sign in (-1, 1):
        y, x = at[0] + sign * dy, at[1] + sign * dx
        usable = 0 <= y < known.shape[0] and 0 <= x < known.shape[1] and known[y, x]
        ends.append((y, x) if usable else at)
    steps = abs(ends[1][0] - ends[0][0]) + abs(ends[1][1] - ends[0][1])
    slope: F32 = (u[ends[1]] - u[ends[0]]) / np.float32(max(steps, 1))
    return slope


def continue_colours(values: F32, weight: F32, fill=march) -> F32:  # type: ignore[no-untyped-def]
    """Return colours (h, w, 3), at least 0, kept where `weight` (h, w) is 1 and continued where it is 0.

    `fill` has the signature and the effect of `march`.
    """
    smooth = fill_holes(values, weight)
    known, pixels, amount = ring_to_fill(weight)
    if not len(pixels):
        return smooth
    u: F32 = np.sqrt(np.maximum(smooth, 0))
    fill(u, known, pixels, *gradients(u, known))
    out: F32 = smooth + amount[..., None] * (u * u - smooth)
    return out
