"""Tables of the lens for the kernels, on the device: spans, small kernels and field nodes.

Building them takes a few milliseconds of CPU time for 32 planes, so those of the last few lenses are cached.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from wideopen.optics import Pupil
from wideopen.rendering.aperture import FieldNodes, Spans, antialiased_spans, binary_spans, field_nodes, kernel
from wideopen.rendering.numba.paper_look import COARSE_RADIUS as PAPER_COARSE_RADIUS
from wideopen.rendering.numba.spans import level_of, radius_at

BY, BX = 2, 128
"""Cells of a tile of output. Low and wide, because neighbours in a row look up neighbouring sums.

On an H100, `spread` at 4K took 3.7 ms (10.1 exact); with tiles of 8 x 32 cells it took 6.8 ms (16.4)."""
WARPS = {
    "place": 4,
    "find_used": 1,
    "near": 2,
    "plane_sums": 2,
    "bent_sums": 8,
    "spread": 4,
    "lay": 2,
    "show": 2,
}
"""Warps per tile of each kernel: the fastest of 2, 4 and 8 on that GPU (`find_used`: of 1, 2, 4)."""
NEAR_RADIUS = 4.0
"""Radius below which all planes of a sheet are blurred at once, tap by tap: as fast as spans, without cancellation."""
NEAR_REACH = 4
SMALLEST_SEGMENT = 64


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """`aperture.FieldNodes` on the device, with their spacing in pixels."""

    hats_y: Tensor
    hats_x: Tensor
    nodes: tuple[int, int]
    steps: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class SpanTable:
    """Spans of all kernels at all nodes: kernel k at node n has rows starts[n * K + k] up to the next start.

    An edge is a cell, relative to the output cell, and a fraction of it; lengths are in cells of the kernel's level.
    """

    starts: Tensor  # (nodes * K + 1,) int32
    dys: Tensor  # (R,) int32
    first_lows: Tensor
    first_parts: Tensor  # (R,) float32
    last_lows: Tensor
    last_parts: Tensor
    weights: Tensor  # (R,) float32
    scales: Tensor  # (nodes * K,) float32, one over the kernel's area in pixels
    levels: tuple[int, ...]  # (K,)
    reaches: tuple[int, ...]  # (K,) cells


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
    field: Field
    spans: SpanTable
    near: Tensor  # (nodes, 81, N + 1) float32, 0 for planes that are not near
    near_reaches: Tensor  # (N,) int32 pixels, -1 for planes that are not near
    far: dict[int, Level]  # levels with planes that are not near


def _field(nodes: FieldNodes, device: str) -> Field:
    hats = [torch.from_numpy(hat).to(device) for hat in (nodes.hats_y, nodes.hats_x)]
    steps = [hat.shape[1] / (hat.shape[0] - 1) if hat.shape[0] > 1 else 1e9 for hat in hats]
    return Field(hats[0], hats[1], (len(hats[0]), len(hats[1])), (steps[0], steps[1]))


def _span_table(
    spans_of: Callable[[int, tuple[float, float]], Spans], levels: Sequence[int], nodes: FieldNodes, device: str
) -> SpanTable:
    cuts = [(float(x), float(y)) for x, y in nodes.cuts.reshape(-1, 2)]
    spans = [spans_of(k, cut) for cut in cuts for k in range(len(levels))]
    areas = np.array([s.area for s in spans])
    areas *= np.tile(4.0 ** np.array(levels), len(cuts))
    reaches = [max(np.abs(s.dy).max(), np.ceil(max(s.right.max(), -s.left.min()) - 0.5)) for s in spans]
    spans = [_inside(s, nodes.hats_y.shape[1]) for s in spans]
    first = np.concatenate([0.5 - s.right.astype(np.float64) for s in spans])
    last = np.concatenate([0.5 - s.left.astype(np.float64) for s in spans])
    lows = [np.floor(edge) for edge in (first, last)]

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
        reaches=tuple(int(r) for r in np.array(reaches).reshape(len(cuts), -1).max(0)),
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
    nodes = field_nodes(shape, *cat_eye)

    def spans_of(k: int, cut: tuple[float, float]) -> Spans:
        return antialiased_spans(pupil, radius_at(levels[k], radii[k]), cut)

    near = [abs(r) < NEAR_RADIUS for r in radii]
    side = 2 * NEAR_REACH + 1
    table = np.zeros((nodes.cuts[..., 0].size, side * side, len(radii) + 1), np.float32)
    for n, (x, y) in enumerate(nodes.cuts.reshape(-1, 2)):
        for k in np.flatnonzero(near):
            K = kernel(spans_of(int(k), (float(x), float(y))))
            table[n, :, k] = np.pad(K, NEAR_REACH - len(K) // 2).ravel()
    spans = _span_table(spans_of, levels, nodes, device)
    reaches = [reach if close else -1 for reach, close in zip(spans.reaches, near, strict=True)]
    return ThinLens(
        radii=torch.tensor([*radii, radii[-1]], dtype=torch.float32, device=device),
        field=_field(nodes, device),
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
) -> tuple[Field, SpanTable]:
    """Tables of the distinct radii of the paper look, ascending."""
    levels = [level_of(r, max(shape), PAPER_COARSE_RADIUS) if fast else 0 for r in radii]
    nodes = field_nodes(shape, *cat_eye)

    def spans_of(g: int, cut: tuple[float, float]) -> Spans:
        if levels[g] == 0:
            return binary_spans(pupil, radii[g], cut)
        return antialiased_spans(pupil, radius_at(levels[g], float(radii[g])), cut)

    return _field(nodes, device), _span_table(spans_of, levels, nodes, device)


def segment_of(reach: int, columns: int) -> int:
    """Cells in a segment of running sums: a power of two, at least as long as every span."""
    longest = min(2 * reach + 3, columns + 1)
    return max(SMALLEST_SEGMENT, 1 << (longest - 1).bit_length())
