"""The functions of `rendering.aperture` and `rendering.planes` on tensors, with gradients for the radius.

The gradient only needs the outline, which is in radii, to be scaled by a tensor.
"""

import numpy as np
import torch
from torch import Tensor

from wideopen.optics import Pupil
from wideopen.rendering.aperture import CHORDS, SUB_ROWS, Barrel, Outline, outline, scaled, unsqueezed
from wideopen.rendering.planes import PLANE_SPACING, thin_lens_planes


def _edges(y: Tensor, radius: Tensor, shape: Outline, pupil: Pupil) -> tuple[Tensor, Tensor]:
    """Left and right edge on the lines y; left > right where the shape misses the line."""
    (dx, dy), (ox, oy) = unsqueezed(pupil)
    length = dx * dx + dy * dy
    left, right = torch.full_like(y, -torch.inf), torch.full_like(y, torch.inf)
    for cx, cy, size in shape.disks:
        px, py = ox * y - cx * radius, oy * y - cy * radius
        middle = -(dx * px + dy * py) / length
        inner = (size * radius) ** 2 - (dx * py - dy * px) ** 2 / length
        inside = inner > 0
        half = torch.where(inside, torch.sqrt(torch.where(inside, inner, 1.0) / length), -torch.inf)
        left, right = torch.maximum(left, middle - half), torch.minimum(right, middle + half)
    for nx, ny, distance in shape.sides:
        slope, room = nx * dx + ny * dy, distance * radius - (nx * ox + ny * oy) * y
        if abs(slope) < 1e-12:
            left = torch.where(room >= 0, left, torch.inf)
        elif slope > 0:
            right = torch.minimum(right, room / slope)
        else:
            left = torch.maximum(left, room / slope)
    return left, right


Rows = tuple[Tensor, ...]
"""dy, left, right and weight of `aperture.Spans`, each (R,)."""


def pupil_rows(pupil: Pupil, radius: Tensor) -> Rows:
    """`aperture.antialiased_spans` for a signed radius of at least half a pixel."""
    size, behind, whole = radius.abs(), float(radius.detach()) >= 0, outline(pupil.aperture)
    disks = pupil.disks(behind=behind)
    parts = [(*_rows(scaled(whole, scale), size, pupil), size.new_tensor(weight)) for scale, weight in disks]
    dy, left, right = (torch.cat([part[i] for part in parts]) for i in range(3))
    weight = torch.cat([part[3].expand(part[0].shape) for part in parts])
    return (dy, left, right, weight) if behind else (-dy, -right, -left, weight)


def _rows(shape: Outline, size: Tensor, pupil: Pupil) -> tuple[Tensor, Tensor, Tensor]:
    """dy and ends of the rows that the shape has any part of."""
    reach = int(np.floor(float(size.detach()) + 0.5))
    middle = torch.arange(-reach, reach + 1, dtype=size.dtype, device=size.device)
    within = (torch.arange(SUB_ROWS, dtype=size.dtype, device=size.device) + 0.5) / SUB_ROWS - 0.5
    lines = middle[:, None] + within  # (2R+1, SUB_ROWS)
    left, right = _edges(lines, size, shape, pupil)
    hit = right > left
    width = torch.where(hit, right - left, 0.0)
    total = width.sum(1)
    some = total > 0
    centre = torch.where(hit, (left + right) / 2, 0.0).mul(width).sum(1)[some] / total[some]
    half = total[some] / SUB_ROWS / 2
    return middle[some], centre - half, centre + half


def rows_kernel(rows: Rows) -> Tensor:
    """`aperture.kernel` of rows: (2R+1, 2R+1), sum 1."""
    dy, left, right, weight = rows
    reach = int(max(dy.abs().max(), (torch.maximum(right.max(), -left.min()) - 0.5).ceil()))
    dx = torch.arange(-reach, reach + 1, dtype=left.dtype, device=left.device)
    covered = torch.minimum(dx + 0.5, right[:, None]) - torch.maximum(dx - 0.5, left[:, None])  # (R, 2R+1)
    K = left.new_zeros(2 * reach + 1, 2 * reach + 1)
    K = K.index_add(0, dy.long() + reach, weight[:, None] * covered.clamp(0, 1))
    return K / K.sum()


def _chord(cut: Barrel, dy: int, r: Tensor, y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """`aperture.Barrel.chord`."""
    (a, *at), (m, *along) = (of.tolist() for of in (cut.across, cut.middle))
    across, middle = (f * dy + r * (g[0] + g[1] * y + g[2] * x) for f, g in ((a, at), (m, along)))
    half = torch.zeros_like(across)
    for line in ((np.arange(CHORDS) + 0.5) / CHORDS - 0.5) * a:
        inner = r * r - (across + float(line)) ** 2
        half = half + torch.where(inner > 0, torch.sqrt(torch.where(inner > 0, inner, 1.0)), 0.0)
    half = half / (CHORDS * cut.squeeze)
    return middle - half, middle + half


def cut_blur(pixels: Tensor, rows: Rows, radius: Tensor, cut: Barrel) -> Tensor:
    """`reference.cut_scatter` of (C, H, W) by running sums."""
    channels, height, width = pixels.shape
    total = torch.nn.functional.pad(pixels.cumsum(2), (1, 0))  # (C, H, W + 1)
    y, x = torch.arange(height).to(pixels)[:, None] + 0.5, torch.arange(width).to(pixels)[None, :] + 0.5

    def upto(edge: Tensor, source: Tensor) -> Tensor:
        """Sum of the rows `source` up to an edge (h, W)."""
        edge = edge.clamp(0, width)
        low = edge.detach().floor().clamp(max=width - 1).long().expand(channels, -1, -1)
        before, after = source.gather(2, low), source.gather(2, low + 1)
        return before + (edge - low[0]) * (after - before)

    out = torch.zeros_like(pixels)
    for dy, left, right, weight in zip(*rows, strict=True):
        step = int(dy)
        to = slice(max(0, step), height + min(0, step))
        if to.start >= to.stop:
            continue
        first, last = _chord(cut, step, radius, y[to], x)
        first, last = torch.maximum(first, left), torch.minimum(last, right)
        source = total[:, to.start - step : to.stop - step]
        span = upto(x - first, source) - upto(x - last, source)
        out = out + torch.nn.functional.pad(
            weight * torch.where(last > first, span, 0.0), (0, 0, to.start, height - to.stop)
        )
    return out / (rows[3] * (rows[2] - rows[1])).sum()


def signed_radius(disparity: Tensor, *, focus_disparity: Tensor, focus_range: Tensor, radius_px: Tensor) -> Tensor:
    """`planes.signed_radius`."""
    offset = focus_disparity - disparity
    return torch.sign(offset) * torch.clamp(offset.abs() - focus_range, min=0) * radius_px


def plane_radii(radius: Tensor, count: int) -> Tensor:
    """`planes.thin_lens_planes` of the smallest and largest radius: fixed fractions of these two."""
    low, high = radius.amin(), radius.amax()
    radii = thin_lens_planes(float(low.detach()), float(high.detach()), count)
    behind, front = int((radii > 0).sum()), int((radii < 0).sum())
    far, near = torch.linspace(1, 0, behind + 1, dtype=low.dtype), torch.linspace(0, 1, front + 1, dtype=low.dtype)
    far, near = (x.to(low.device) ** PLANE_SPACING for x in (far[:-1], near[1:]))
    return torch.cat([far * high, low.new_zeros(1), near * low])


def plane_shares(radius: Tensor, radii: Tensor) -> tuple[Tensor, Tensor]:
    """`planes.plane_position` in two parts (H, W): the plane on the far side, and the next one's share."""
    if len(radii) == 1:
        return torch.zeros_like(radius, dtype=torch.long), torch.zeros_like(radius)
    with torch.no_grad():
        index = torch.searchsorted(-radii, -radius.contiguous(), right=True).sub_(1).clamp_(0, len(radii) - 2)
    first, second = radii[index], radii[index + 1]
    return index, (first - radius) / (first - second)
