"""How good a source of disparity is for bokeh, on photos whose depth was recorded.

The truth is the depth inside a photo's file, or sharp/NAME and disparity/NAME.png (16 bits, largest = nearest), as for
`eval bokeh`. Relative disparity has no scale, so errors are taken after the best scale and shift (Ranftl et al.,
"Towards Robust Monocular Depth Estimation", 2020); the order of pairs needs none (Chen et al., "Single-Image Depth
Perception in the Wild", 2016). What bokeh shows is the error of the blur's radius, and where depth ends.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from wideopen.arrays.maps import resize_map, work_size
from wideopen.arrays.transfer import decode
from wideopen.checks import F32, U8, require
from wideopen.color import SRGB
from wideopen.disparity.along_matte import filter_along_matte
from wideopen.disparity.depth_map import aligned, normalise, to_disparity
from wideopen.disparity.find_disparity import find_disparity
from wideopen.errors import InvalidInput
from wideopen.evals.report import Line
from wideopen.files import read, read_disparity
from wideopen.files.inside import read_embedded
from wideopen.matting.find_matte import Matter
from wideopen.photo import srgb_u8

WORK_PX = 1024  # long side at which everything is measured; recorded maps are smaller still
PAIRS, APART = 20_000, 0.05  # random pairs of pixels; those whose true disparity differs by at least this count
EDGE, REACH_PX = 0.1, 3  # a depth edge jumps by this within 5 pixels; an edge that close to a true one is right
COLUMNS = {"order": "order", "disparity": "disparity", "radius_px": "radius px", "edges": "edges F1"}


@dataclass(frozen=True, slots=True, eq=False)
class DepthCase:
    """A photo with its true disparity, both at the working size."""

    name: str
    rgb: U8  # (h, w, 3), sRGB-encoded
    truth: F32  # (h, w) in [0, 1], 1 = nearest


@dataclass(frozen=True, slots=True)
class DepthFigures:
    """The figures of one map; lower is better, except for edges."""

    order: float  # share of pairs in the wrong order
    disparity: float  # root mean square after scale and shift, of the truth's range
    radius_px: float  # mean error of the blur's radius at the working size
    edges: float  # F1 of depth edges


def find_cases(folder: Path, skipped: Callable[[str], None]) -> Iterator[DepthCase]:
    """The photos of a folder whose depth is known; `skipped` is called with a line for each other one.

    Raises InvalidInput for a missing folder.
    """
    require(folder.is_dir(), f"data: expected a folder, found {folder}")
    sharp = folder / "sharp" if (folder / "sharp").is_dir() else folder
    for path in sorted(p for p in sharp.iterdir() if p.is_file()):
        try:
            photo = read(path)
            rows, columns = work_size(photo.rgb.shape, WORK_PX)
            beside = folder / "disparity" / f"{path.stem}.png"
            inside = None if sharp != folder else read_embedded(path).depth
            require(sharp != folder or inside is not None, f"{path}: expected depth inside the photo, found none")
            truth = read_disparity(beside, size=photo.rgb.shape[:2]) if inside is None else to_disparity(inside)
            rgb = cv2.resize(srgb_u8(photo), (columns, rows), interpolation=cv2.INTER_AREA)
        except InvalidInput as error:
            skipped(str(error))
            continue
        yield DepthCase(path.name, np.asarray(rgb, np.uint8), resize_map(normalise(truth), (rows, columns)))


def judge_depth(disparity: F32, case: DepthCase, subject: F32, blur: float) -> DepthFigures:
    """The figures of `disparity` (h, w), focused on `subject`, a matte (h, w); blur: as a fraction of the long side."""
    truth = case.truth
    fitted = aligned(disparity, truth)
    sharp = subject > 0.5 if (subject > 0.5).any() else np.ones(truth.shape, bool)
    radius = blur * max(truth.shape)
    radii, true_radii = (radius * np.abs(d - np.median(d[sharp])) for d in (fitted, truth))
    return DepthFigures(
        order=wrong_order(disparity, truth),
        disparity=float(np.sqrt(np.mean((fitted - truth) ** 2))),
        radius_px=float(np.abs(radii - true_radii).mean()),
        edges=edges_f1(fitted, truth),
    )


def wrong_order(disparity: F32, truth: F32) -> float:
    """Share of random pairs of pixels, clearly apart in `truth`, that `disparity` puts in the wrong order."""
    first, second = np.random.default_rng(0).integers(0, truth.size, (2, PAIRS))
    gap = truth.ravel()[first] - truth.ravel()[second]
    found = disparity.ravel()[first] - disparity.ravel()[second]
    apart = np.abs(gap) >= APART
    return float(np.mean(np.sign(found[apart]) != np.sign(gap[apart]))) if apart.any() else 0.0


def edges_f1(disparity: F32, truth: F32) -> float:
    """F1 of depth edges: harmonic mean of how many found edges are true, and how many true edges are found."""
    found, true = (_edges(d) for d in (disparity, truth))
    window = np.ones((2 * REACH_PX + 1,) * 2, np.uint8)
    if not found.any() or not true.any():
        return float(found.any() == true.any())
    near_found, near_true = (cv2.dilate(e.astype(np.uint8), window) > 0 for e in (found, true))
    precision, recall = float(near_true[found].mean()), float(near_found[true].mean())
    return 2 * precision * recall / max(precision + recall, 1e-9)


def _edges(disparity: F32) -> np.ndarray:
    """Where a depth edge is steepest, (h, w) bool."""
    jump = cv2.morphologyEx(disparity, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8))
    return np.asarray((jump > EDGE) & (jump >= cv2.dilate(jump, np.ones((3, 3), np.uint8)) - 1e-6))


def judge_sources(
    cases: Iterable[DepthCase], sources: Sequence[str], matter: Matter, blur: float, step: Callable[[str], None]
) -> list[Line]:
    """Judge the disparity that `render --depth SOURCE` would use, filtered along the matte of `matter`.

    Raises InvalidInput, WeightsError, BackendUnavailable as `find_disparity`.
    """
    lines: list[Line] = []
    for case in cases:
        step(case.name)
        alpha, linear = matter(case.rgb), decode(case.rgb, SRGB, bit_depth=8)
        for source in sources:
            found = find_disparity(lambda alpha=alpha: alpha, lambda rgb=case.rgb: rgb, source, None)  # type: ignore[misc]
            d = found.disparity if found.along_matte else filter_along_matte(found.disparity, alpha, linear)
            lines.append({"photo": case.name, "source": source, **asdict(judge_depth(d, case, alpha, blur))})
    return lines


def worse_than(lines: Sequence[Line], source: str, other: str) -> list[str]:
    """The photos on which `source` has more pairs in the wrong order than `other`."""
    order = {(line["photo"], line["source"]): line["order"] for line in lines}
    return [photo for photo, name in order if name == source and order[photo, source] > order[photo, other]]
