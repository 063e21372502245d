"""The functions of `rendering.aperture` and `rendering.planes` on tensors, with gradients for the radius.

The gradient only needs the outline, which is in radii, to be scaled by a tensor.
"""

import numpy as np
import torch
from torch import Tensor

from wideopen.optics import Pupil
from wideopen.rendering.aperture import NO_CUT, SUB_ROWS, Outline, outline, scaled, unsqueezed
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


def pupil_kernel(pupil: Pupil, radius: Tensor, cut: tuple[float, float] = NO_CUT) -> Tensor:
    """`aperture.kernel(antialiased_spans(...))` for a signed radius of at least half a pixel: (2R+1, 2R+1), sum 1."""
    behind, whole = float(radius.detach()) >= 0, outline(pupil.aperture, cut)
    K = sum(weight * _covered(scaled(whole, k, cut), radius.abs(), pupil) for k, weight in pupil.disks(behind=behind))
    assert isinstance(K, Tensor)
    K = K / K.sum()
    return K if behind else K.flip(0, 1)


def _covered(shape: Outline, size: Tensor, pupil: Pupil) -> Tensor:
    """How much of each pixel the shape covers, (2R+1, 2R+1)."""
    reach = int(np.floor(float(size.detach()) + 0.5))
    middle = torch.arange(-reach, reach + 1, dtype=size.dtype, device=size.device)
    within = (torch.arange(SUB_ROWS, dtype=size.dtype, device=size.device) + 0.5) / SUB_ROWS - 0.5
    lines = middle[:, None] + within  # (2R+1, SUB_ROWS)
    left, right = _edges(lines, size, shape, pupil)
    hit = right > left
    width = torch.where(hit, right - left, 0.0)
    total = width.sum(1, keepdim=True)
    moment = torch.where(hit, (left + right) / 2, 0.0).mul(width).sum(1, keepdim=True)
    some = total > 0
    centre = moment / torch.where(some, total, 1.0)
    half = total / SUB_ROWS / 2
    K = torch.minimum(middle + 0.5, centre + half) - torch.maximum(middle - 0.5, centre - half)
    return torch.where(some, K.clamp(0, 1), 0.0)


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
