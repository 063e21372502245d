"""Strands drawn with antialiased coverage: polylines with a width and a colour at each point.

Coverage of a pixel by a segment is the overlap of the pixel with the strand across it, a box filter:
at a distance d from the centre line of width w it is clip(min(d + 1/2, w/2) - max(d - 1/2, -w/2), 0, 1), so
that a strand of a third of a pixel covers a third. Within a strand the largest coverage counts, so
that joints of segments are not drawn twice; strands are laid over one another in their order. The
result is its own truth: a photo composited with it has exactly this matte.
"""

import numpy as np

from wideopen.checks import F32, require
from wideopen.train.strands.numba_cpu import draw_strands


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
    draw_strands(*arrays, rgb, alpha)
    return rgb, alpha
