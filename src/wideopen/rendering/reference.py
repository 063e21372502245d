"""Both looks in plain NumPy: the formulas, plane by plane. Slow and exact; every kernel is compared with it.

paper: Eqs. (3)-(9), on display-encoded colour, as printed.
thin_lens: every surface point spreads over an aperture of its own signed radius, in linear light; see `planes`.

Borders (ours, both looks): the kernel is cut at the photo's border and normalised by the rest.
Cat's eye (ours, both looks): the kernel varies over the photo; see `rendering.aperture`.
"""

from collections.abc import Sequence

import numpy as np

from wideopen.checks import F32
from wideopen.optics import Optics
from wideopen.rendering.aperture import Barrel, Spans, antialiased_spans, barrel, binary_spans, kernel
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
        to_y, from_y = (slice(max(dy, 0), height + min(dy, 0)), slice(max(-dy, 0), height - max(dy, 0)))
        to_x, from_x = slice(max(dx, 0), width + min(dx, 0)), slice(max(-dx, 0), width - max(dx, 0))
        out[to_y, to_x] += np.float64(K[row, column]) * image[from_y, from_x]
    return out.astype(np.float32)


def cut_scatter(image: F32, spans: Spans, radius_px: float, cut: Barrel | None) -> F32:
    """As `scatter`, but each pixel written takes only what its barrel leaves of the spans; nothing is cut from None.

    radius_px: signed, that of the spans. Whole-pixel kernels also lose the parts of pixels outside their disk.
    """
    if cut is None or abs(radius_px) < 0.5:
        return scatter(image, spans)
    height, width = image.shape[:2]
    reach = kernel(spans).shape[0] // 2
    padded = np.pad(image, ((reach, reach), (reach, reach), (0, 0)))
    y, x = np.mgrid[0.5:height, 0.5:width]
    out = np.zeros(image.shape)
    for dy, left, right, weight in zip(spans.dy, spans.left, spans.right, spans.weight, strict=True):
        first, last = cut.chord(int(dy), radius_px, y, x)
        first, last = np.maximum(first, left), np.minimum(last, right)
        for dx in range(int(np.floor(left + 0.5)), int(np.ceil(right - 0.5)) + 1):
            share = weight * np.clip(np.minimum(dx + 0.5, last) - np.maximum(dx - 0.5, first), 0, 1)
            out += share[..., None] * padded[reach - dy :, reach - dx :][:height, :width]
    return (out / spans.area).astype(np.float32)


def paper_mpi(encoded: F32, disparity: F32, optics: Optics) -> Mpi:
    """Eqs. (3)-(5): the MPI of the `paper` look. encoded (H, W, 3) in [0, 1], disparity (H, W)."""
    p = optics.constants
    mids, extent = paper_planes(disparity, optics.planes)
    radii = paper_radii(mids, focus_disparity=optics.focus_disparity, radius_px=optics.radius_px, delta=p.delta)
    bent = np.maximum(np.float32(p.a1) * encoded + np.float32(p.b1), 0) ** np.float32(p.alpha1)
    inside = np.ones((*disparity.shape, 1), np.float32)
    cut = barrel(disparity.shape, optics.pupil, optics.cat_eye, optics.swirl)
    rgba = []
    for mid, radius in zip(mids, radii, strict=True):
        spans = binary_spans(optics.pupil, int(radius))
        blurred = cut_scatter(bent, spans, radius, cut) / cut_scatter(inside, spans, radius, cut)
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
    height, width = sheets[0].disparity.shape
    cut = barrel((height, width), optics.pupil, optics.cat_eye, optics.swirl)
    opened = np.float32(1) if cut is None else cut.open_share(*np.mgrid[0.5:height, 0.5:width])[..., None]
    for number, sheet in enumerate(sheets):
        radius = optics.signed_radius(sheet.disparity)
        radii = thin_lens_planes(float(radius.min()), float(radius.max()), optics.planes)
        position = plane_position(radius, radii)
        alpha = np.ones_like(radius) if sheet.alpha is None else sheet.alpha
        rgba = np.concatenate([sheet.rgb, alpha[..., None]], axis=2)
        for k, plane_radius in enumerate(radii):
            w = plane_weight(position, k)[..., None] * (opened if abs(plane_radius) < 0.5 else 1)
            spans = antialiased_spans(optics.pupil, float(plane_radius), cut=cut is not None)
            planes.append(cut_scatter(rgba * w, spans, float(plane_radius), cut))
            weights.append(cut_scatter(w, spans, float(plane_radius), cut)[..., 0])
            numbers.append(number)
    return Mpi(np.stack(planes), np.stack(weights), np.array(numbers))


def thin_lens(sheets: Sequence[Sheet], optics: Optics) -> F32:
    """(H, W, 3) linear light: `sheets`, farthest first, seen through the lens."""
    return np.maximum(composite(thin_lens_mpi(sheets, optics)), 0)
