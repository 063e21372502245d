"""Structure-aware hole filling: edges that run into a hole are continued straight for a short distance.

Reference: Bornemann, März, "Fast Image Inpainting Based on Coherence Transport", Journal of Mathematical Imaging and
Vision 28, 2007. Hole pixels are visited in order of distance from the hole's edge. Each becomes the mean of the pixels
y already known within REACH of it, weighted by
    w(x, y) = exp(-mu^2 <n, x - y>^2 / (2 REACH^2)) / |x - y|,   mu = 1 + KAPPA exp(-DELTA / (l1 - l2)^2)
with n the normal of the edges around it, the first eigenvector of the mean of grad u grad u^T, and l1, l2 its
eigenvalues. Where there is no dominant direction, this is a distance-weighted mean.

Deviations: the gradient mean reaches 2 SPREAD out, over known pixels and over filled ones as soon as they are filled;
colours are square roots of linear light, so that dark edges count; exp(-t) in w is (1 - t / 64)^64, or 0 from t = 64
on, which takes a few products; beyond `RING` the smooth filling of `arrays.maps` takes over, since no lens sees far
behind a silhouette and guesses get worse with distance.
"""

import cv2
import numpy as np

from wideopen.arrays.maps import box_around, fill_holes
from wideopen.checks import F32, Mask

REACH = 5
KAPPA = 10.0
DELTA = 2e-5  # (l1 - l2)^2 that counts as an edge: a slope of 0.07 per pixel
SPREAD = 3.0
RING = 0.0375
"""How far edges are continued, as a fraction of the long side; at full strength up to half of it."""
MARGIN = 12
"""How far around a pixel anything is read to fill it: the window of gradients, and what their smoothing reads."""


def ring_to_fill(weight: F32, wanted: Mask, far: np.float32) -> tuple[np.ndarray, np.ndarray, F32]:
    """Known pixels (h, w) uint8, the ring's pixels (N, 2) in filling order, and the fill weight (h, w).

    Only pixels in the mask `wanted` (h, w) are filled, and at most `far` from known ones.
    """
    hole = (weight < 0.5).astype(np.uint8)
    if hole.all() or not hole.any():
        return 1 - hole, np.zeros((0, 2), np.int64), np.zeros_like(weight)
    distance = cv2.distanceTransform(hole, cv2.DIST_L2, cv2.DIST_MASK_5).reshape(weight.shape)
    pixels = np.argwhere((distance > 0) & (distance <= far) & wanted)
    order = np.argsort(distance[tuple(pixels.T)], kind="stable")
    return 1 - hole, pixels[order], np.clip(2 - distance * 2 / far, 0, 1) * hole


def gradients(u: F32, known: np.ndarray) -> tuple[F32, F32]:
    """d/dy and d/dx, (h, w, 3), of the slightly smoothed picture; 0 within a pixel of an unknown pixel."""
    smooth = cv2.GaussianBlur(u, (0, 0), 1.0)
    inner = cv2.erode(known, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    gy, gx = np.zeros_like(u), np.zeros_like(u)
    gy[1:-1] = (smooth[2:] - smooth[:-2]) / 2
    gx[:, 1:-1] = (smooth[:, 2:] - smooth[:, :-2]) / 2
    gy *= inner[..., None]
    gx *= inner[..., None]
    return gy, gx


def windows() -> tuple[F32, F32]:
    """Weights, by dy and dx, of the windows for the mean of gradients, (n, n), and for the mean of colours, (m, m)."""
    around = np.exp(-_squares(int(2 * SPREAD)) / (2 * SPREAD**2))
    squares = _squares(REACH)
    near = (squares > 0) & (squares <= REACH**2)
    return around.astype(np.float32), np.where(near, np.maximum(squares, 1) ** -0.5, 0).astype(np.float32)


def _squares(reach: int) -> np.ndarray:
    """dy^2 + dx^2 in a square window."""
    along = np.arange(-reach, reach + 1) ** 2.0
    return np.add.outer(along, along)


def march(u: F32, known: np.ndarray, pixels: np.ndarray, gy: F32, gx: F32) -> None:
    """Fill `pixels` (N, 2) of u (h, w, 3) in the given order; updates u, `known`, `gy` and `gx` in place."""
    around, near = windows()
    for y, x in pixels:
        *inside, share = _within(around, y, x, known)
        sy, sx = gy[inside[0], inside[1]], gx[inside[0], inside[1]]
        share = share / max(share.sum(), 1e-30)
        a, b, c = ((share[:, None] * p).sum() for p in (sx * sx, sx * sy, sy * sy))
        spread = np.hypot(a - c, 2 * b)
        mu = 1 + KAPPA * np.exp(-DELTA / max(spread**2, 1e-12))
        angle = 0.5 * np.arctan2(2 * b, a - c)
        ys, xs, w = _within(near, y, x, known)
        along = ((xs - x) * np.cos(angle) + (ys - y) * np.sin(angle)) * mu / REACH
        w = w * np.maximum(1 - 0.5 * along**2 / 64, 0) ** 64
        if w.sum() > 0:
            u[y, x] = (w[:, None] * u[ys, xs]).sum(0) / w.sum()
        known[y, x] = 1
        for g, (dy, dx) in ((gy, (1, 0)), (gx, (0, 1))):
            g[y, x] = _slope(u, known, (y, x), dy, dx)


def _within(window: F32, y: int, x: int, known: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and weights of a window's known pixels around (y, x)."""
    reach = len(window) // 2
    ys, xs = (np.array(at) for at in np.nonzero(window > 0))
    weights = window[ys, xs]
    ys, xs = ys + y - reach, xs + x - reach
    inside = (ys >= 0) & (ys < known.shape[0]) & (xs >= 0) & (xs < known.shape[1])
    inside[inside] = known[ys[inside], xs[inside]] > 0
    return ys[inside], xs[inside], weights[inside]


def _slope(u: F32, known: np.ndarray, at: tuple[int, int], dy: int, dx: int) -> F32:
    """Slope along one axis between the two neighbours; the pixel itself stands in for an unknown neighbour."""
    ends = []
    for sign in (-1, 1):
        y, x = at[0] + sign * dy, at[1] + sign * dx
        usable = 0 <= y < known.shape[0] and 0 <= x < known.shape[1] and known[y, x]
        ends.append((y, x) if usable else at)
    steps = abs(ends[1][0] - ends[0][0]) + abs(ends[1][1] - ends[0][1])
    return (u[ends[1]] - u[ends[0]]) / np.float32(max(steps, 1))


def continue_colours(values: F32, weight: F32, wanted: Mask | None = None, fill=march) -> F32:  # type: ignore[no-untyped-def]
    """Return colours (h, w, 3), at least 0, kept where `weight` (h, w) is 1 and continued where it is 0.

    Only the mask `wanted` (h, w) is made, the rest may be anything; None = everything. `fill` has the signature and the
    effect of `march`.
    """
    far = np.float32(max(2.0, RING * max(weight.shape)))
    wanted = np.ones(weight.shape, bool) if wanted is None else wanted
    here = box_around(wanted, MARGIN)
    if not weight[here].any():
        here = np.s_[:, :]
    out = values.astype(np.float32)
    out[here] = fill_holes(values[here], weight[here])
    known, pixels, amount = ring_to_fill(weight[here], wanted[here], far)
    if len(pixels):
        there = out[here]
        u: F32 = np.sqrt(np.maximum(there, 0))
        fill(u, known, pixels, *gradients(u, known))
        ys, xs = pixels.T
        share = amount[ys, xs, None]
        there[ys, xs] += share * (u[ys, xs] ** 2 - there[ys, xs])
    return out
