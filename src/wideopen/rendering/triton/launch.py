"""Launch code that both looks share: which planes are used where, and the spread of running sums."""

import torch
import triton
from torch import Tensor

from wideopen.rendering.triton import spread_kernels
from wideopen.rendering.triton.tables import BX, BY, WARPS, SpanTable

BLOCK = 32
"""Side in pixels of the blocks whose used planes are recorded."""
BUDGET = 1 << 30
"""Largest amount of running sums, or of planes, held at a time, in bytes."""


def tiles(rows: int, columns: int) -> int:
    """Number of output tiles that cover these cells."""
    return triton.cdiv(rows, BY) * triton.cdiv(columns, BX)


def find_used(used: Tensor, reaches: Tensor, tile: tuple[int, int], shape: tuple[int, int]) -> Tensor:
    """(tiles, N) int32: the planes used within reach (pixels) of each tile (height, width in pixels)."""
    blocks_y, blocks_x, planes = used.shape
    across = triton.cdiv(shape[1], tile[1])
    out = torch.empty(triton.cdiv(shape[0], tile[0]) * across, planes, dtype=torch.int32, device=used.device)
    spread_kernels.find_used[(len(out),)](
        used,
        reaches,
        out,
        blocks_y,
        blocks_x,
        planes,
        across,
        *tile,
        BLOCK=BLOCK,
        PLANES=triton.next_power_of_2(planes),
        num_warps=WARPS["find_used"],
    )
    return out


def spread(
    sums: Tensor, chosen: Tensor, active: Tensor, spans: SpanTable, out: Tensor, *,
    shape: tuple[int, int], level: int, top: int, sums_planes: int, segment: int, fractions: bool,
    add: bool, unit: float = 1.0, bend: tuple[float, float, float] | None = None,
) -> None:  # fmt: skip
    """Run `spread_kernels.spread` into out (C, m, n), or (planes, 3, m, n) if there is a `bend` (root, a2, b2)."""
    height, width = shape
    size = 1 << level
    rows, columns = triton.cdiv(height, size), triton.cdiv(width, size)
    channels = 4 if bend is not None else out.shape[0]
    per = 1 if bend is not None else len(chosen)
    grid = (tiles(out.shape[-2], columns), triton.cdiv(len(chosen), per))
    spread_kernels.spread[grid](
        sums, chosen, active, spans.starts, spans.dys, spans.first_lows, spans.first_parts, spans.last_lows,
        spans.last_parts, spans.weights, spans.scales, spans.radii, spans.cut, out, rows, columns,
        triton.cdiv(columns, segment), top, out.shape[-2], size,
        len(chosen), per, len(spans.levels), sums_planes, unit, *(bend or (1.0, 1.0, 0.0)),
        SEG=segment, CHANNELS=channels, CUT=len(spans.cut) > 0, FRACTIONS=fractions,
        PAPER=bend is not None, ADD=add, BY=BY, BX=BX, num_warps=WARPS["spread"],
    )  # fmt: skip
