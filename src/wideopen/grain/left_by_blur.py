"""How much of the photo's grain remains after a look, as a factor of its amplitude: 1 = all of it.

Ours. A blur with kernel K scales the amplitude of a photo's noise, in linear light or not, by the square root of the
variance that it keeps,
    kept(r)^2 = sum |K_r * g|^2 / sum |g|^2,
where g is the Gaussian that gives the noise its size. This falls as 1 / r. Below one pixel it is interpolated linearly
to 1 at r = 0, because pixels between the plane in focus and the next are mixtures. The factor in a look depends on
disparity alone, so it is a table. Sheets in front add by amplitude: where both are in focus, they are the photo itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from wideopen.arrays.maps import resize_map, work_size
from wideopen.checks import F32
from wideopen.grain.estimate import look_up, taps
from wideopen.lens import PaperLook
from wideopen.optics import Optics, Pupil
from wideopen.rendering.aperture import antialiased_spans, kernel
from wideopen.rendering.planes import paper_alpha, paper_planes
from wideopen.rendering.reference import paper_radii
from wideopen.sheets import Sheet
from wideopen.sheets.photo_sheets import SMALL_PX, PhotoSheets

ENTRIES = 4096
RADII_PX = np.array([1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 9.0])


@dataclass(frozen=True, slots=True, eq=False)
class GrainLayer:
    """One surface, as far as grain needs it."""

    coverage: F32  # (h, w) in [0, 1]: of the photo at any size, or of a piece
    kept: F32  # (h, w) factor of the grain's amplitude: of the photo at any size
    corner: tuple[int, int] | None = None  # (y, x) in the photo of the first pixel of coverage, if that is a piece


def kept_by_blur(radius_px: F32, pupil: Pupil, size_px: float) -> F32:
    """Factor of the amplitude of noise of this size after a blur, for radii >= 0 of any shape."""
    weights = taps(size_px)
    width = 2 * int(RADII_PX[-1]) + len(weights) + 2
    grain = np.abs(np.fft.fft(weights, width)) ** 2
    grain = grain[:, None] * grain
    known = []
    for radius in RADII_PX:
        spectrum = np.abs(np.fft.fft2(kernel(antialiased_spans(pupil, float(radius))), (width, width))) ** 2
        known.append(np.sqrt((spectrum * grain).sum() / grain.sum()))
    near = np.interp(radius_px, [0.0, *RADII_PX], [1.0, *known])
    return (near * np.minimum(1, RADII_PX[-1] / np.maximum(radius_px, RADII_PX[-1]))).astype(np.float32)


def kept_by_thin_lens(optics: Optics, size_px: float) -> F32:
    """Table over disparity, 0 to 1 in `ENTRIES` steps: the factor for a surface at that disparity."""
    radius = optics.signed_radius(np.linspace(0, 1, ENTRIES + 1, dtype=np.float32))
    return kept_by_blur(np.abs(radius), optics.pupil, size_px)


def kept_by_paper(disparity: F32, optics: Optics, constants: PaperLook, size_px: float) -> F32:
    """The same table for the `paper` look: its planes' factors, weighted by their visible share in Eqs. (5)-(9)."""
    mids, extent = paper_planes(disparity, optics.planes)
    radii = paper_radii(mids, focus_disparity=optics.focus_disparity, radius_px=optics.radius_px, delta=constants.delta)
    kept = kept_by_blur(radii.astype(np.float32), optics.pupil, size_px)
    over, shown = np.zeros(ENTRIES + 1), np.zeros(ENTRIES + 1)
    table = np.linspace(0, 1, ENTRIES + 1, dtype=np.float32)
    for mid, factor in zip(mids, kept, strict=True):  # farthest first
        alpha = paper_alpha(table, float(mid), extent)
        over = factor * alpha + over * (1 - alpha)
        shown = alpha + shown * (1 - alpha)
    return np.divide(over, shown, out=np.ones_like(over), where=shown > 0).astype(np.float32)


def paper_layers(disparity: F32, matte: F32 | None, kept: F32) -> list[GrainLayer]:
    """The photo, and the unchanged subject pasted over it."""
    whole = np.ones((1, 1), np.float32)
    photo = GrainLayer(whole, _at(disparity, kept))
    return [photo] if matte is None else [photo, GrainLayer(matte, whole)]


def _at(disparity: F32, kept: F32) -> F32:
    """(h, w): the factors at these disparities, from a table over disparities from 0 to 1."""
    return look_up(kept, np.clip(disparity, 0, 1) * np.float32(len(kept) - 1))


class Shares:
    """The layers of the thin lens, for any rows of a photo; the coverage of sheets out of focus includes their blur."""

    def __init__(self, sheets: Sequence[Sheet], optics: Optics, size_px: float) -> None:
        small = sheets.smallest if isinstance(sheets, PhotoSheets) else [_small(sheet) for sheet in sheets]
        table = kept_by_thin_lens(optics, size_px)
        self.width = (sheets if isinstance(sheets, PhotoSheets) else sheets[0].disparity).shape[1]
        self.runs: list[GrainLayer] = []  # layers that no sheet in focus divides, as one, farthest first
        self.in_focus: list[tuple[int, F32]] = []  # the sheet that is before each run but the last, and its factors
        below = GrainLayer(np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32))
        for number, (alpha, disparity) in enumerate(small):
            kept, soft = _at(disparity, table), _blurred(alpha, disparity, optics, self.width)
            below = _over(below, GrainLayer(_inside(alpha) if soft is None else soft, kept))
            if soft is None:
                self.runs.append(below)
                self.in_focus.append((number, kept))
                below = GrainLayer(np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32))
        self.runs.append(below)

    def layers(self, rows: Sequence[Sheet]) -> list[GrainLayer]:
        """The layers, farthest first, where these pieces of the sheets lie.

        Sheets in focus may have parts far out of focus, of which no coverage is made at the photo's size.
        """
        layers = self.runs[:1]
        for run, (number, kept) in zip(self.runs[1:], self.in_focus, strict=True):
            sheet = rows[number]
            if sheet.alpha is not None and sheet.alpha.size:
                layers.append(GrainLayer(sheet.alpha, kept, sheet.corner))
            layers.append(run)
        return [layer for layer in layers if layer.coverage.any()]


def _over(below: GrainLayer, above: GrainLayer) -> GrainLayer:
    """Two layers as one, where no other lies between them."""
    shown = (1 - above.coverage) * below.coverage
    coverage = above.coverage + shown
    mixed = above.coverage * above.kept + shown * below.kept
    return GrainLayer(coverage, np.divide(mixed, coverage, out=np.zeros_like(mixed), where=coverage > 0))


def _inside(alpha: F32) -> F32:
    """(h, w): 1 where a sheet covers everything around."""
    return (cv2.erode(alpha, np.ones((3, 3), np.uint8)) > 0.99).astype(np.float32).reshape(alpha.shape)


def _small(sheet: Sheet) -> tuple[F32, F32]:
    """Coverage and disparity, (h, w), of at most `SMALL_PX`: for what needs no detail."""
    size = work_size(sheet.disparity.shape, SMALL_PX)
    alpha = np.ones_like(sheet.disparity) if sheet.alpha is None else sheet.alpha
    return resize_map(alpha, size), resize_map(sheet.disparity, size)


def _blurred(alpha: F32, disparity: F32, optics: Optics, width: int) -> F32 | None:
    """The blurred coverage of a sheet, (h, w), in a photo of this width; None for one in focus."""
    solid = disparity[alpha > 0.5]
    typical = np.float32(np.median(solid)) if solid.size else np.float32(optics.focus_disparity)
    radius = abs(float(optics.signed_radius(np.array([typical]))[0]))
    if alpha.min() >= 1:
        return np.ones((1, 1), np.float32)
    if radius < 1:
        return None
    spread = radius / 2 * alpha.shape[1] / width  # a disk's, along one axis
    return cv2.GaussianBlur(alpha, (0, 0), max(spread, 0.3), borderType=cv2.BORDER_REPLICATE)
