"""The functions of `rendering.aperture` and `rendering.planes` on tensors, with gradients for the radius.

The shape is a convex outline, in radii: the intersection of half planes (straight sides) and disks (the round aperture,
bulging sides, the cat's eye). So the edges of a row are the largest left bound and the smallest right bound. The
gradient only needs the outline to be scaled by a tensor.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wideopen.lens import Aperture
from wideopen.rendering.aperture import NEARLY_STRAIGHT, NO_CUT, SUB_ROWS
from wideopen.rendering.planes import PLANE_SPACING, thin_lens_planes


@dataclass(frozen=True, slots=True)
class Outline:
    """A convex shape, in radii, x to the right and y down."""

    disks: tuple[tuple[float, float, float], ...]  # centre x, y, radius
    sides: tuple[tuple[float, float, float], ...]  # outward normal x, y, distance from the centre


def outline(aperture: Aperture, cut: tuple[float, float]) -> Outline:
    """Return the aperture's outline, cut by its own disk shifted by `cut`, as in `aperture.antialiased_spans`."""
    cutting = () if cut == NO_CUT else ((cut[0], cut[1], 1 + 1e-9),)
    if aperture.blades == 0:
        return Outline(((0.0, 0.0, 1.0), *cutting), ())
    half = np.pi / aperture.blades
    angles = np.deg2rad(aperture.rotation_deg) + (2 * np.arange(aperture.blades) + 1) * half
    normals = [(-float(np.sin(a)), -float(np.cos(a))) for a in angles]
    apothem = float(np.cos(half))
    if aperture.curvature < NEARLY_STRAIGHT:
        return Outline(cutting, tuple((x, y, apothem) for x, y in normals))
    sagitta = aperture.curvature * (1 - apothem)
    arc = (float(np.sin(half)) ** 2 + sagitta**2) / (2 * sagitta)
    offset = apothem + sagitta - arc
    return Outline((*((offset * x, offset * y, arc) for x, y in normals), *cutting), ())


def _edges(y: Tensor, radius: Tensor, shape: Outline) -> tuple[Tensor, Tensor]:
    """Left and right edge on the lines y; left > right where the shape misses the line."""
    left, right = torch.full_like(y, -torch.inf), torch.full_like(y, torch.inf)
    for cx, cy, size in shape.disks:
        inner = (size * radius) ** 2 - (y - cy * radius) ** 2
        inside = inner > 0
        half = torch.where(inside, torch.sqrt(torch.where(inside, inner, 1.0)), -torch.inf)
        left, right = torch.maximum(left, cx * radius - half), torch.minimum(right, cx * radius + half)
    for nx, ny, distance in shape.sides:
        room = distance * radius - ny * y
        if abs(nx) < 1e-12:
            left = torch.where(room >= 0, left, torch.inf)
        elif nx > 0:
            right = torch.minimum(right, room / nx)
        else:
            left = torch.maximum(left, room / nx)
    return left, right


def aperture_kernel(aperture: Aperture, radius: Tensor, cut: tuple[float, float] = NO_CUT) -> Tensor:
    """`aperture.kernel(antialiased_spans(...))` for a signed radius of at least half a pixel: (2R+1, 2R+1), sum 1."""
    size = radius.abs()
    reach = int(np.floor(float(size.detach()) + 0.5))
    middle = torch.arange(-reach, reach + 1, dtype=radius.dtype, device=radius.device)
    within = (torch.arange(SUB_ROWS, dtype=radius.dtype, device=radius.device) + 0.5) / SUB_ROWS - 0.5
    lines = middle[:, None] + within  # (2R+1, SUB_ROWS)
    left, right = _edges(lines, size, outline(aperture, cut))
    hit = right > left
    width = torch.where(hit, right - left, 0.0)
    total = width.sum(1, keepdim=True)
    moment = torch.where(hit, (left + right) / 2, 0.0).mul(width).sum(1, keepdim=True)
    some = total > 0
    centre = moment / torch.where(some, total, 1.0)
    half = total / SUB_ROWS / 2
    K = torch.minimum(middle + 0.5, centre + half) - torch.maximum(middle - 0.5, centre - half)
    K = torch.where(some, K.clamp(0, 1), 0.0)
    K = K / K.sum()
    return K if float(radius.detach()) >= 0 else K.flip(0, 1)


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
