"""Both looks in plain NumPy: the formulas, plane by plane. Slow and exact; every kernel is compared with it.

paper: Eqs. (3)-(9), on display-encoded colour, as printed.
thin_lens: every surface point spreads over an aperture of its own signed radius, in linear light; see `planes`.

Borders (ours, both looks): the kernel is cut at the photo's border and normalised by the rest.
Cat's eye (ours, both looks): the kernel varies over the photo; see `rendering.aperture`.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from wideopen.checks import F32
from wideopen.optics import Optics
from wideopen.rendering.aperture import FieldNodes, Spans, antialiased_spans, binary_spans, field_nodes, kernel
from wideopen.rendering.planes import (
    Mpi,
    composite,
    paper_alpha,
    paper_planes,
    plane_position,
    plane_weight,
    thin_lens_planes,
)
from wideopen.sheets import Sheet
from wideopen.sheets.highlights import compress_highlights, highlight_gain, stretch


def scatter(image: F32, spans: Spans) -> F32:
    """out[y, x] = sum K(dy, dx) image[y - dy, x - dx] over the pixels inside; (H, W, C), K sums to 1."""
    K = kernel(spans)
    reach = K.shape[0] // 2
    height, width = image.shape[:2]
    out = np.zeros(image.shape)
    for row, column in zip(*np.nonzero(K), strict=True):
        dy, dx = int(row) - reach, int(column) - reach
        if abs(dy) >= height or abs(dx) >= width:
            continue
        to_y, from_y = (
            slice(max(dy, 0), height + min(dy, 0)),
            slice(max(-dy, 0), height - max(dy, 0)),
        )
        to_x, from_x = slice(max(dx, 0), width + min(dx, 0)), slice(max(-dx, 0), width - max(dx, 0))
        out[to_y, to_x] += np.float64(K[row, column]) * image[from_y, from_x]
    return out.astype(np.float32)


def field_scatter(image: F32, spans_of: Callable[[tuple[float, float]], Spans], nodes: FieldNodes) -> F32:
    """out = sum over nodes of hat(y, x) * scatter(image, kernel of the node); `spans_of` takes a node's cut.

    Each node's blur is computed where its hat is not 0, from the pixels within its kernel's reach.
    """
    height, width = image.shape[:2]
    out = np.zeros_like(image)
    for j, i in np.ndindex(nodes.cuts.shape[:2]):
        spans = spans_of((float(nodes.cuts[j, i, 0]), float(nodes.cuts[j, i, 1])))
        reach = kernel(spans).shape[0] // 2
        rows, columns = np.flatnonzero(nodes.hats_y[j]), np.flatnonzero(nodes.hats_x[i])
        if rows.size == 0 or columns.size == 0:
            continue
        y0, y1, x0, x1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        top, left = max(y0 - reach, 0), max(x0 - reach, 0)
        blurred = scatter(image[top : min(y1 + reach, height), left : min(x1 + reach, width)], spans)
        hat = nodes.hats_y[j, y0:y1, None] * nodes.hats_x[i, None, x0:x1]
        out[y0:y1, x0:x1] += hat[..., None] * blurred[y0 - top : y1 - top, x0 - left : x1 - left]
    return out


def paper_mpi(encoded: F32, disparity: F32, optics: Optics) -> Mpi:
    """Eqs. (3)-(5): the MPI of the `paper` look. encoded (H, W, 3) in [0, 1], disparity (H, W)."""
    p = optics.constants
    mids, extent = paper_planes(disparity, optics.planes)
    radii = paper_radii(mids, focus_disparity=optics.focus_disparity, radius_px=optics.radius_px, delta=p.delta)
    bent = np.maximum(np.float32(p.a1) * encoded + np.float32(p.b1), 0) ** np.float32(p.alpha1)
    inside = np.ones((*disparity.shape, 1), np.float32)
    nodes = field_nodes(disparity.shape, optics.cat_eye, optics.swirl)
    rgba = []
    for mid, radius in zip(mids, radii, strict=True):
        spans_of = partial(binary_spans, optics.pupil, int(radius))
        blurred = field_scatter(bent, spans_of, nodes) / field_scatter(inside, spans_of, nodes)
        colour = np.maximum(blurred, 0) ** np.float32(1 / p.alpha2) / np.float32(p.a2) + np.float32(p.b2)  # Eq. (4)
        alpha = paper_alpha(disparity, float(mid), extent)[..., None]  # Eq. (5)
        rgba.append(np.concatenate([colour * alpha, alpha], axis=2))
    stack = np.stack(rgba).astype(np.float32)  # (N, H, W, 4)
    return Mpi(stack, np.ones(stack.shape[:3], np.float32), np.arange(optics.planes))


def paper_radii(mids: F32, *, focus_disparity: float, radius_px: float, delta: float) -> np.ndarray:
    """Eq. (3) with sigma = 1 / radius_px: whole pixels, (N,) int."""
    return np.maximum(np.floor(np.abs(mids - np.float32(focus_disparity)) * np.float32(radius_px) + delta), 0).astype(
        int
    )


def paper(encoded: F32, disparity: F32, optics: Optics) -> F32:
    """Eqs. (3)-(9): (H, W, 3) display-encoded, before the paste of Eq. (10). Exact at either quality."""
    return composite(paper_mpi(encoded, disparity, optics))


def thin_lens_mpi(sheets: Sequence[Sheet], optics: Optics) -> Mpi:
    """Each sheet divided among the planes, each plane blurred with its own radius; sheets farthest first."""
    planes, weights, numbers = [], [], []
    nodes = field_nodes(sheets[0].disparity.shape, optics.cat_eye, optics.swirl)
    for number, sheet in enumerate(sheets):
        radius = optics.signed_radius(sheet.disparity)
        radii = thin_lens_planes(float(radius.min()), float(radius.max()), optics.planes)
        position = plane_position(radius, radii)
        alpha = np.ones_like(radius) if sheet.alpha is None else sheet.alpha
        rgb = (
            sheet.rgb
            * highlight_gain(sheet.rgb, alpha, stretch(sheet.lamps, radius.shape, optics.highlights))[..., None]
        )
        rgba = np.concatenate([rgb, alpha[..., None]], axis=2)
        for k, plane_radius in enumerate(radii):
            w = plane_weight(position, k)[..., None]
            spans_of = partial(antialiased_spans, optics.pupil, float(plane_radius))
            planes.append(field_scatter(rgba * w, spans_of, nodes))
            weights.append(field_scatter(w, spans_of, nodes)[..., 0])
            numbers.append(number)
    return Mpi(np.stack(planes), np.stack(weights), np.array(numbers))


def thin_lens(sheets: Sequence[Sheet], optics: Optics) -> F32:
    """(H, W, 3) linear light: `sheets`, farthest first, seen through the lens."""

    def finish(number: int, rgba: np.ndarray) -> np.ndarray:
        return compress_highlights(rgba, stretch(sheets[number].lamps, rgba.shape[:2], optics.highlights))

    return np.maximum(composite(thin_lens_mpi(sheets, optics), finish), 0)
