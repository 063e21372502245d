"""The thin-lens look on a GPU, sheet by sheet from the farthest.

place   assign pixels to planes, and find which planes each block of pixels uses
near    blur the planes of radius below `tables.NEAR_RADIUS`, all at once
sums    running sums of each other plane, cut into segments; cells at level L are 2^L x 2^L pixels
spread  add up spans of the sums over planes: 2 look-ups per row instead of 2r + 1
lay     upsample and add the levels, divide by their weight, composite over the sheets behind

`sums` and `spread` skip planes that no pixel within reach uses. Sums are float32, relative to a segment.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import triton
from torch import Tensor

from wideopen.optics import Optics
from wideopen.rendering.planes import thin_lens_planes
from wideopen.rendering.triton import light_kernels, spread_kernels, tables
from wideopen.rendering.triton.tables import (
    BLOCK,
    BX,
    BY,
    NEAR_REACH,
    WARPS,
    ThinLens,
    find_used,
    spread,
    thin_lens_tables,
    tiles,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GpuSheet:
    """`Sheet` as contiguous float32 tensors on the device."""

    rgb: Tensor  # (H, W, 3)
    alpha: Tensor | None  # (H, W)
    disparity: Tensor  # (H, W)


def lens_of(sheet: GpuSheet, optics: Optics) -> ThinLens:
    """Tables of the lens for one sheet; synchronises to read the sheet's range of disparity."""
    ends = np.array(torch.stack(torch.aminmax(sheet.disparity)).tolist(), np.float32)
    offset = np.float32(optics.focus_disparity) - ends
    far, near = np.sign(offset) * np.maximum(np.abs(offset) - np.float32(optics.focus_range), 0) * optics.radius_px
    radii = tuple(float(r) for r in thin_lens_planes(float(near), float(far), optics.planes))
    height, width = sheet.disparity.shape
    fast = optics.quality == "fast"
    return thin_lens_tables(
        radii, optics.pupil, (optics.cat_eye, optics.swirl), fast, (height, width), str(sheet.rgb.device)
    )


def place(sheet: GpuSheet, optics: Optics, lens: ThinLens) -> tuple[Tensor, Tensor]:
    """Colour, plane position and alpha, (4 or 5, H, W); planes that each block uses, (Y, X, N)."""
    height, width = sheet.disparity.shape
    planes = len(lens.radii) - 1
    blocks = triton.cdiv(height, BLOCK), triton.cdiv(width, BLOCK)
    base = torch.empty(4 if sheet.alpha is None else 5, height, width, device=sheet.rgb.device)
    used = torch.empty(*blocks, planes, dtype=torch.int32, device=sheet.rgb.device)
    light_kernels.place[blocks](
        sheet.rgb, sheet.disparity if sheet.alpha is None else sheet.alpha, sheet.disparity, lens.radii,
        base, used, height, width, planes, optics.focus_disparity, optics.focus_range, optics.radius_px,
        OPAQUE=sheet.alpha is None, BLOCK=BLOCK, num_warps=WARPS["place"],
    )  # fmt: skip
    return base, used


def _near(base: Tensor, used: Tensor, lens: ThinLens) -> Tensor:
    """(C, H, W): the planes of small radius, blurred and added."""
    channels, height, width = base.shape
    active = (find_used(used, lens.near_reaches, (BY, BX), (height, width)).amax(1)).contiguous()
    out = torch.empty_like(base)
    cut = lens.spans.cut
    light_kernels.near[(tiles(height, width),)](
        base, active, lens.near, cut[9:], out, height, width, lens.near.shape[1],
        REACH=NEAR_REACH, CUT=len(cut) > 0, OPAQUE=channels == 4, BY=BY, BX=BX, num_warps=WARPS["near"],
    )  # fmt: skip
    return out


def _far(base: Tensor, used: Tensor, lens: ThinLens, level: int, out: Tensor, *, add: bool) -> None:
    """Write or add the planes of a level, blurred and summed, to out (C, m, n)."""
    channels, height, width = base.shape
    size, at, spans = 1 << level, lens.far[level], lens.spans
    rows, columns = out.shape[1:]
    whole = rows * size, columns * size
    segments = triton.cdiv(columns, at.segment)
    active = find_used(used, at.reaches, (BY * size, BX * size), whole)
    filled, needed = (find_used(used, r, (at.rows * size, at.segment * size), whole) for r in (at.used, at.needed))
    plane_size = rows * segments * channels * (at.segment + 1)
    at_a_time = max(1, min(len(at.planes), tables.BUDGET // (4 * plane_size)))
    sums = torch.empty(at_a_time * plane_size, device=base.device)
    for start in range(0, len(at.planes), at_a_time):
        chosen = at.chosen[start : start + at_a_time]
        spread_kernels.plane_sums[(segments, triton.cdiv(rows, at.rows), len(chosen))](
            base, chosen, filled, needed, sums, height, width, rows, segments, size, len(spans.levels),
            OPAQUE=channels == 4, SEG=at.segment, ROWS=at.rows, num_warps=WARPS["plane_sums"],
        )  # fmt: skip
        spread(
            sums, chosen, active, spans, out, shape=(height, width), level=level, top=0,
            sums_planes=at_a_time, segment=at.segment, fractions=True, add=add or start > 0,
        )  # fmt: skip


def _coarse(base: Tensor, used: Tensor, lens: ThinLens) -> tuple[Tensor, Tensor]:
    """The blurred cells of all coarse levels, concatenated, and the start of each level, -1 for none."""
    channels, height, width = base.shape
    offsets, length = [-1] * (max(lens.far, default=0) + 1), 0
    for level in lens.far:
        if level > 0:
            offsets[level] = length
            length += channels * triton.cdiv(height, 1 << level) * triton.cdiv(width, 1 << level)
    cells = torch.empty(max(length, 1), device=base.device)
    for level, offset in enumerate(offsets):
        if offset >= 0:
            shape = channels, triton.cdiv(height, 1 << level), triton.cdiv(width, 1 << level)
            out = cells[offset : offset + int(np.prod(shape))].view(shape)
            _far(base, used, lens, level, out, add=False)
    return cells, torch.tensor(offsets, dtype=torch.int64, device=base.device)


def thin_lens_on_gpu(sheets: Sequence[GpuSheet], optics: Optics) -> Tensor:
    """`reference.thin_lens` on tensors of the device: (H, W, 3)."""
    height, width = sheets[0].disparity.shape
    device = sheets[0].rgb.device
    image, canvas = torch.empty(height, width, 3, device=device), torch.empty(4, height, width, device=device)
    for number, sheet in enumerate(sheets):
        lens = lens_of(sheet, optics)
        base, used = place(sheet, optics, lens)
        fine = _near(base, used, lens)
        if 0 in lens.far:
            _far(base, used, lens, 0, fine, add=True)
        coarse, offsets = _coarse(base, used, lens)
        light_kernels.lay[(tiles(height, width),)](
            fine, coarse, offsets, canvas, image, height, width, len(offsets), OPAQUE=sheet.alpha is None,
            FIRST=number == 0, LAST=number == len(sheets) - 1, BY=BY, BX=BX, num_warps=WARPS["lay"],
        )  # fmt: skip
    return image
