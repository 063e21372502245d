"""`reference.follow_edges` in float32.

OpenCV computes the windows' sums; one kernel solves the 3 x 3 systems, another evaluates the photo's pixels where the
matte may change: its cost grows with the length of the outline, not with the photo's area. On one core: 0.10 s for 12
megapixels, most of it in the sums.
"""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from numpy.typing import NDArray

from wideopen.arrays.jit import in_threads, kernel
from wideopen.checks import F32, U8
from wideopen.matting.edges.reference import CONTRAST, NARROW, WIDE, box, transition, window_px

PIECE = 16  # rows of the maps that a thread evaluates at a time


@kernel(fastmath=True)
def _solve(mean_I, mean_p, cross, squares, mixed, eps, out):
    """out = (a, b): a = (Sigma + eps U)^-1 cov by cofactors, b = mean(p) - a . mean(I)."""
    height, width = mean_p.shape
    for y in range(height):
        for x in range(width):
            r, g, b = mean_I[y, x, 0], mean_I[y, x, 1], mean_I[y, x, 2]
            p = mean_p[y, x]
            cr, cg, cb = cross[y, x, 0] - r * p, cross[y, x, 1] - g * p, cross[y, x, 2] - b * p
            rr = squares[y, x, 0] - r * r + eps
            gg = squares[y, x, 1] - g * g + eps
            bb = squares[y, x, 2] - b * b + eps
            rg, gb, br = mixed[y, x, 0] - r * g, mixed[y, x, 1] - g * b, mixed[y, x, 2] - b * r
            i00, i01, i02 = gg * bb - gb * gb, br * gb - rg * bb, rg * gb - br * gg
            i11, i12, i22 = rr * bb - br * br, br * rg - rr * gb, rr * gg - rg * rg
            scale = np.float32(1) / (rr * i00 + rg * i01 + br * i02)
            ar = scale * (i00 * cr + i01 * cg + i02 * cb)
            ag = scale * (i01 * cr + i11 * cg + i12 * cb)
            ab = scale * (i02 * cr + i12 * cg + i22 * cb)
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = ar, ag, ab
            out[y, x, 3] = p - ar * r - ag * g - ab * b


@kernel(fastmath=True)
def _evaluate(first, stop, out, guide, near, hair, firm, soft, contrast, ys, xs):
    """out += near * (lerp(contrast(firm . I), soft . I, hair) - out), maps interpolated linearly.

    For pixels between rows [first, stop) of the maps and the next: those of row j begin at ys[j], of column i at xs[i].
    """
    rows, columns = near.shape
    down, right = np.float32(rows / out.shape[0]), np.float32(columns / out.shape[1])
    one, half, zero = np.float32(1), np.float32(0.5), np.float32(0)
    for j in range(first, stop):
        k = min(j + 1, rows - 1)
        for i in range(columns):
            n = min(i + 1, columns - 1)
            if max(near[j, i], near[j, n], near[k, i], near[k, n]) <= zero:
                continue
            for y in range(ys[j], ys[j + 1]):
                fy = min(max((np.float32(y) + half) * down - half, zero), np.float32(rows - 1)) - np.float32(j)
                for x in range(xs[i], xs[i + 1]):
                    fx = min(max((np.float32(x) + half) * right - half, zero), np.float32(columns - 1)) - np.float32(i)
                    w00, w01, w10, w11 = (one - fy) * (one - fx), (one - fy) * fx, fy * (one - fx), fy * fx
                    share = w00 * near[j, i] + w01 * near[j, n] + w10 * near[k, i] + w11 * near[k, n]
                    q, s = zero, zero
                    for c in range(4):
                        value = np.float32(guide[y, x, c]) / np.float32(255) if c < 3 else one
                        q += value * (
                            w00 * firm[j, i, c] + w01 * firm[j, n, c] + w10 * firm[k, i, c] + w11 * firm[k, n, c]
                        )
                        s += value * (
                            w00 * soft[j, i, c] + w01 * soft[j, n, c] + w10 * soft[k, i, c] + w11 * soft[k, n, c]
                        )
                    q, s = min(max(q, zero), one), min(max(s, zero), one)
                    q = min(max((q - half) * contrast + half, zero), one)
                    mix = w00 * hair[j, i] + w01 * hair[j, n] + w10 * hair[k, i] + w11 * hair[k, n]
                    out[y, x] += share * (q + mix * (s - q) - out[y, x])


def _begin(count: int, size: int) -> NDArray[np.intp]:
    """(count + 1,): the first of `size` pixels that lies between each of `count` samples and the next."""
    at = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(count / size) - np.float32(0.5)
    before = np.minimum(np.clip(at, 0, count - 1).astype(np.intp), max(count - 2, 0))
    return np.searchsorted(before, np.arange(count + 1))


def _plane_of(alpha: F32, guide: U8, windows: tuple[tuple[float, float], ...], unit_px: float) -> F32:
    """(h, w, 4), as `reference.plane_of`."""
    I = guide.astype(np.float32)
    I /= np.float32(255)
    crossed, squared, mixed = I * alpha[..., None], I * I, I * I[..., [1, 2, 0]]  # rg, gb, br
    total: F32 = np.zeros((*alpha.shape, 4), np.float32)
    for radius, eps in windows:
        side = window_px(radius, unit_px)
        means = [np.ascontiguousarray(box(x, side)) for x in (I, alpha, crossed, squared, mixed)]
        plane = np.empty((*alpha.shape, 4), np.float32)
        _solve(*means, np.float32(eps), plane)
        total = cv2.add(total, box(plane, side)).reshape(total.shape)
    total /= np.float32(len(windows))
    return total


def follow_edges(large: F32, alpha: F32, small_guide: U8, guide: U8, *, unit_px: float) -> F32:
    """As `reference.follow_edges`; the result is in `large`."""
    near, hair = transition(alpha, unit_px)
    with ThreadPoolExecutor() as threads:
        firm, soft = threads.map(lambda windows: _plane_of(alpha, small_guide, windows, unit_px), (NARROW, WIDE))
    ys, xs = (_begin(*sizes) for sizes in zip(near.shape, large.shape, strict=True))
    maps = (np.ascontiguousarray(guide), near, hair, firm, soft)
    in_threads(_evaluate, len(near), PIECE, large, *maps, np.float32(CONTRAST), ys, xs)
    return large
