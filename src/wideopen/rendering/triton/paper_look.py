"""The paper look on a GPU: running sums of the bent colour once per level, a blur and root for each distinct radius,
then all planes composited from the nearest.

Sums are int64, in a unit of the brightest value: exact, because otherwise the root 1 / alpha2 would amplify rounding
errors from a bright neighbour to visible grain in black. Rows are processed in bands, so that the blurred planes fit
the budget.
"""

import numpy as np
import torch
import triton
from torch import Tensor

from wideopen.lens import PaperLook
from wideopen.optics import Optics
from wideopen.rendering.planes import paper_planes
from wideopen.rendering.reference import paper_radii
from wideopen.rendering.triton import light_kernels, spread_kernels, tables
from wideopen.rendering.triton.tables import BX, BY, WARPS, SpanTable, paper_tables, segment_of, spread, tiles


def _bent(encoded: Tensor, p: PaperLook, longest: int) -> tuple[Tensor, float]:
    """Eq. (4) before the blur, in whole multiples of a unit so small that the sum of `longest` pixels fits 62 bits."""
    bent = (p.a1 * encoded + p.b1).clamp(min=0) ** p.alpha1
    brightest = max(float(bent.max()), 2.0**-100)
    unit = 2.0 ** (np.ceil(np.log2(brightest * longest)) - 62)
    return (bent.double() / unit).round().long(), float(unit)


def _bent_sums(bent: Tensor, spans: SpanTable, level: int) -> tuple[Tensor, int]:
    """Running sums of a level, and their segment length."""
    height, width = bent.shape[:2]
    rows, columns = triton.cdiv(height, 1 << level), triton.cdiv(width, 1 << level)
    reach = max(r for r, of in zip(spans.reaches, spans.levels, strict=True) if of == level)
    segment = segment_of(reach, columns)
    segments, height_of = triton.cdiv(columns, segment), max(1, 512 // segment)
    sums = torch.empty(rows * segments * 4 * (segment + 1), dtype=torch.int64, device=bent.device)
    spread_kernels.bent_sums[(segments, triton.cdiv(rows, height_of))](
        bent, sums, height, width, rows, segments, 1 << level, SEG=segment, ROWS=height_of,
        num_warps=WARPS["bent_sums"],
    )  # fmt: skip
    return sums, segment


def paper_on_gpu(encoded: Tensor, disparity: Tensor, optics: Optics) -> Tensor:
    """`reference.paper` on tensors of the device: (H, W, 3)."""
    height, width = disparity.shape
    p, planes, device = optics.constants, optics.planes, encoded.device
    mids, extent = paper_planes(torch.stack(torch.aminmax(disparity)).cpu().numpy(), planes)
    radii = paper_radii(mids, focus_disparity=optics.focus_disparity, radius_px=optics.radius_px, delta=p.delta)
    different, group = np.unique(radii, return_inverse=True)
    fast, whole_px = optics.quality == "fast", tuple(int(r) for r in different)
    spans = paper_tables(whole_px, optics.pupil, (optics.cat_eye, optics.swirl), fast, (height, width), str(device))
    longest = max((2 * r + 3) << (2 * level) for r, level in zip(spans.reaches, spans.levels, strict=True))
    bent, unit = _bent(encoded, p, longest)
    bend = (1 / p.alpha2, p.a2, p.b2)
    fine = spans.levels.count(0)  # these are the first groups
    band = min(height, max(1, tables.BUDGET // (12 * max(fine, 1) * width * BY)) * BY)
    offsets, length = [], 0
    for level in spans.levels:
        offsets.append(length)
        length += 3 * (band * width if level == 0 else triton.cdiv(height, 1 << level) * triton.cdiv(width, 1 << level))
    colours = torch.empty(length, device=device)
    image = torch.empty(height, width, 3, device=device)
    numbers = [torch.from_numpy(np.asarray(v)).to(device) for v in (mids, group.astype(np.int32))]
    where = [torch.tensor(v, dtype=torch.int64, device=device) for v in (spans.levels, offsets)]

    def blur(level: int, sums: Tensor, segment: int, top: int, rows: int) -> None:
        groups = [g for g, of in enumerate(spans.levels) if of == level]
        columns = triton.cdiv(width, 1 << level)
        size = len(groups) * 3 * rows * columns
        out = colours[offsets[groups[0]] : offsets[groups[0]] + size].view(len(groups), 3, rows, columns)
        chosen = torch.tensor(groups, dtype=torch.int32, device=device)
        active = torch.ones(tiles(rows, columns) * len(spans.levels), dtype=torch.int32, device=device)
        spread(
            sums, chosen, active, spans, out, shape=(height, width), level=level, top=top,
            sums_planes=1, segment=segment, fractions=level > 0 or len(spans.cut) > 0, add=False, unit=unit, bend=bend,
        )  # fmt: skip

    for level in sorted(set(spans.levels) - {0}):
        blur(level, *_bent_sums(bent, spans, level), 0, triton.cdiv(height, 1 << level))
    sums, segment = _bent_sums(bent, spans, 0) if fine else (bent, 0)
    for top in range(0, height, band):
        rows = min(band, height - top)
        if fine:
            where[1][:fine] = torch.arange(fine, device=device) * (3 * rows * width)
            blur(0, sums, segment, top, rows)
        light_kernels.show[(tiles(rows, width),)](
            disparity, numbers[0], numbers[1], *where, colours, image, height, width, top, rows, planes, extent,
            BY=BY, BX=BX, num_warps=WARPS["show"],
        )  # fmt: skip
    return image
