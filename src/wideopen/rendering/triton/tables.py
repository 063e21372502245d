"""The arguments of both looks' kernels: tables of the lens on the device, planes in use, the spread of running sums.

The tables hold spans, small kernels and the barrel that cuts them. Building them takes a few milliseconds of CPU time
for 32 planes, so those of the last few lenses are cached.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import triton
from torch import Tensor

from wideopen.optics import Pupil
from wideopen.rendering.aperture import Barrel, Spans, antialiased_spans, barrel, binary_spans, kernel
from wideopen.rendering.numba.paper_look import COARSE_RADIUS as PAPER_COARSE_RADIUS
from wideopen.rendering.numba.spans import level_of, radius_at
from wideopen.rendering.triton import spread_kernels

BY, BX = 2, 128
"""Cells of a tile of output. Low and wide, because neighbours in a row look up neighbouring sums.

On an H100, `spread` at 4K took 3.7 ms (10.1 exact); with tiles of 8 x 32 cells it took 6.8 ms (16.4)."""
WARPS = {"place": 4, "find_used": 1, "near": 2, "plane_sums": 2, "bent_sums": 8, "spread": 4, "lay": 2, "show": 2}
"""Warps per tile of each kernel: the fastest of 2, 4 and 8 on that GPU (`find_used`: of 1, 2, 4)."""
NEAR_RADIUS = 4.0
"""Radius below which all planes of a sheet are blurred at once, tap by tap: as fast as spans, without cancellation."""
NEAR_REACH = 4
SMALLEST_SEGMENT = 64
BLOCK = 32
"""Side in pixels of the blocks whose used planes are recorded."""
BUDGET = 1 << 30
"""Largest amount of running sums, or of planes, held at a time, in bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class SpanTable:
    """Spans of all kernels: kernel k has rows starts[k] up to the next start.

    An edge is a cell, relative to the output cell, and a fraction of it; lengths are in cells of the kernel's level.
    """

    starts: Tensor  # (K + 1,) int32
    dys: Tensor  # (R,) int32
    first_lows: Tensor
    first_parts: Tensor  # (R,) float32
    last_lows: Tensor
    last_parts: Tensor
    weights: Tensor  # (R,) float32
    scales: Tensor  # (K,) float32, one over the kernel's area in pixels
    levels: tuple[int, ...]  # (K,)
    reaches: tuple[int, ...]  # (K,) cells
    radii: Tensor  # (K,) float32, signed
    cut: Tensor  # (15,) float32: across, middle, squeeze and shift of `aperture.Barrel`; (0,) if nothing is cut


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """The planes of one level that are not near, and where they are needed; reaches in pixels, -1 for other planes."""

    planes: tuple[int, ...]
    chosen: Tensor  # the same, int32
    segment: int  # cells of running sums
    rows: int  # number of rows of cells summed at a time
    used: Tensor  # (N,) int32: 0
    reaches: Tensor  # (N,) int32: how far a plane spreads
    needed: Tensor  # (N,) int32: how far from a plane's pixels running sums may be looked up


@dataclass(frozen=True, slots=True, eq=False)
class ThinLens:
    """The lens for one sheet, with planes grouped by how they are blurred."""

    radii: Tensor  # (N + 1,) float32, the last one repeated
    spans: SpanTable
    near: Tensor  # (81, N + 1) float32, 0 for planes that are not near
    near_reaches: Tensor  # (N,) int32 pixels, -1 for planes that are not near
    far: dict[int, Level]  # levels with planes that are not near


def _span_table(
    spans: Sequence[Spans],
    radii: Sequence[float],
    levels: Sequence[int],
    barrel: Barrel | None,
    height: int,
    device: str,
) -> SpanTable:
    areas = np.array([s.area for s in spans]) * 4.0 ** np.array(levels)
    reaches = tuple(int(max(np.abs(s.dy).max(), np.ceil(max(s.right.max(), -s.left.min()) - 0.5))) for s in spans)
    spans = [_inside(s, height) for s in spans]
    first = np.concatenate([0.5 - s.right.astype(np.float64) for s in spans])
    last = np.concatenate([0.5 - s.left.astype(np.float64) for s in spans])
    lows = [np.floor(edge) for edge in (first, last)]
    cut = np.empty(0)
    if barrel is not None:
        cut = np.concatenate([barrel.across, barrel.middle, [barrel.squeeze], barrel.shift.ravel()])

    def load(values: np.ndarray, dtype: torch.dtype) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(device=device, dtype=dtype)

    return SpanTable(
        starts=load(np.cumsum([0] + [len(s.dy) for s in spans]), torch.int32),
        dys=load(np.concatenate([s.dy for s in spans]), torch.int32),
        first_lows=load(lows[0], torch.int32),
        first_parts=load(first - lows[0], torch.float32),
        last_lows=load(lows[1], torch.int32),
        last_parts=load(last - lows[1], torch.float32),
        weights=load(np.concatenate([s.weight for s in spans]), torch.float32),
        scales=load(1 / areas, torch.float32),
        levels=tuple(levels),
        reaches=reaches,
        radii=load(np.array(radii), torch.float32),
        cut=load(cut, torch.float32),
    )


def _inside(spans: Spans, height: int) -> Spans:
    """The spans without the rows that extend beyond the photo's height."""
    some = np.abs(spans.dy) < height
    return Spans(spans.dy[some], spans.left[some], spans.right[some], spans.weight[some])


@lru_cache(maxsize=8)
def thin_lens_tables(
    radii: tuple[float, ...],
    pupil: Pupil,
    cat_eye: tuple[float, float],
    fast: bool,
    shape: tuple[int, int],
    device: str,
) -> ThinLens:
    """Tables of one sheet; radii (N,) as from `planes.thin_lens_planes`."""
    levels = [level_of(r, max(shape)) if fast else 0 for r in radii]
    cells = [radius_at(level, r) for level, r in zip(levels, radii, strict=True)]
    cut = barrel(shape, pupil, *cat_eye)
    shapes = [antialiased_spans(pupil, r, cut=cut is not None) for r in cells]
    near = [abs(r) < (NEAR_RADIUS if cut is None else 0.5) for r in radii]
    side = 2 * NEAR_REACH + 1
    table = np.zeros((side * side, len(radii) + 1), np.float32)
    for k in np.flatnonzero(near):
        K = kernel(shapes[k])
        table[:, k] = np.pad(K, NEAR_REACH - len(K) // 2).ravel()
    spans = _span_table(shapes, cells, levels, cut, shape[0], device)
    reaches = [reach if close else -1 for reach, close in zip(spans.reaches, near, strict=True)]
    return ThinLens(
        radii=torch.tensor([*radii, radii[-1]], dtype=torch.float32, device=device),
        spans=spans,
        near=torch.from_numpy(table).to(device),
        near_reaches=torch.tensor(reaches, dtype=torch.int32, device=device),
        far={
            level: _level(level, planes, spans, shape, device)
            for level in sorted(set(levels))
            if (planes := tuple(k for k in range(len(radii)) if levels[k] == level and not near[k]))
        },
    )


def _level(level: int, planes: tuple[int, ...], spans: SpanTable, shape: tuple[int, int], device: str) -> Level:
    def reaches(of: Callable[[int], int]) -> Tensor:
        values = [of((spans.reaches[k] + 2) << level) if k in planes else -1 for k in range(len(spans.levels))]
        return torch.tensor(values, dtype=torch.int32, device=device)

    segment = segment_of(max(spans.reaches[k] for k in planes), -(-shape[1] // (1 << level)))
    return Level(
        planes=planes,
        chosen=torch.tensor(planes, dtype=torch.int32, device=device),
        segment=segment,
        rows=max(1, 1024 // segment),
        used=reaches(lambda _: 0),
        reaches=reaches(lambda reach: reach),
        needed=reaches(lambda reach: 2 * reach + (max(BY, BX) << level)),
    )


@lru_cache(maxsize=8)
def paper_tables(
    radii: tuple[int, ...], pupil: Pupil, cat_eye: tuple[float, float], fast: bool, shape: tuple[int, int], device: str
) -> SpanTable:
    """Table of the distinct radii of the paper look, ascending."""
    levels = [level_of(r, max(shape), PAPER_COARSE_RADIUS) if fast else 0 for r in radii]
    cells = [radius_at(level, float(r)) for level, r in zip(levels, radii, strict=True)]
    spans = [
        binary_spans(pupil, int(r)) if level == 0 else antialiased_spans(pupil, r)
        for level, r in zip(levels, cells, strict=True)
    ]
    return _span_table(spans, cells, levels, barrel(shape, pupil, *cat_eye), shape[0], device)


def segment_of(reach: int, columns: int) -> int:
    """Cells in a segment of running sums: a power of two, at least as long as every span."""
    longest = min(2 * reach + 3, columns + 1)
    return max(SMALLEST_SEGMENT, 1 << (longest - 1).bit_length())


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
