"""The loop of `strands.draw`: each pixel near each segment, strand after strand; one core, without the GIL."""

import numpy as np
from numba import njit

from wideopen.arrays import jit as _numba  # noqa: F401  (sets the threading layer before the first kernel runs)


@njit(cache=True, nogil=True)
def draw_strands(points, widths, colours, opacity, rgb, alpha):
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
