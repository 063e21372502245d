"""Strands drawn with antialiased coverage: polylines with a width and a colour at each point.

Coverage of a pixel by a segment is the overlap of the pixel with the strand across it, a box filter:
at a distance d from the centre line of width w it is clip(min(d + 1/2, w/2) - max(d - 1/2, -w/2), 0, 1), so
that a strand of a third of a pixel covers a third. Within a strand the largest coverage counts, so
that joints of segments are not drawn twice; strands are laid over one another in their order. The
result is its own truth: a photo composited with it has exactly this matte.
"""

import numpy as np
from numba import njit

from wideopen.checks import F32, require
from wideopen.ops import _numba  # noqa: F401  (sets the threading layer before the first kernel runs)


@njit(cache=True, nogil=True)
def _draw(points, widths, colours, opacity, rgb, alpha):
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


def draw(points: F32, widths: F32, colours: F32, opacity: F32, height: int, width: int) -> tuple[F32, F32]:
    """Premultiplied colour (height, width, 3) and coverage (height, width) of strands, first to last.

    `points` (S, N, 2) are (x, y) in pixels, pixel centres at +0.5, inside the picture or not; `widths` (S, N) in
    pixels; `colours` (S, N, 3) and `opacity` (S,) in [0, 1]. Colour space: that of `colours`.
    """
    strands, count = points.shape[:2]
    found = (points.shape, widths.shape, colours.shape, opacity.shape)
    expected = ((strands, count, 2), (strands, count), (strands, count, 3), (strands,))
    require(found == expected, f"strands: expected shapes {expected}, found {found}")
    rgb, alpha = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    arrays = (np.ascontiguousarray(a, dtype=np.float32) for a in (points, widths, colours, opacity))
    _draw(*arrays, rgb, alpha)
    return rgb, alpha
