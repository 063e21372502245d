"""Clean the background of the subject's rim where the matte missed it and the lens would show it.

Ours. A matte that ends a pixel too early leaves the subject's own rim on the sheet behind it. The rim is invisible
while that sheet is blurred more than the subject. With the background in focus it stays as a thin sharp outline within
the subject's blur. Only in that case, the background beside and under the subject is replaced by the background
continued from farther away.

With an exact matte the background is right up to the outline, and replacing it costs 6 to 14 dB. So a matte that may be
exact is examined: just outside a matte that is too tight the photo lies between the background C, continued from
farther away, and the subject's colour F, continued outwards. Its share of the subject is the least-squares fit of
I - C to F - C in a window along the outline: texture of the background averages out. The median over the outline tells
how far out the matte missed the subject, and the background is replaced only that far. This does not find a single
piece or a few hairs that a matte missed: in single windows a wall that ends behind a face resembles a missed cheek, and
a tenth of exact mattes' windows were wrong. Networks miss just such pieces, so their mattes are not examined.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from wideopen.arrays.maps import fill_holes
from wideopen.checks import F32
from wideopen.optics import Optics
from wideopen.sheets import Sheet
from wideopen.sheets.photo_sheets import PhotoSheets
from wideopen.sheets.prepare import PART_PX, WORK_PX

RIM = 0.005
"""How far the subject may extend beyond its matte, as a fraction of the long side; fades to 0 at twice that."""
LEAST_REACH_PX = 4.5
WINDOW = 0.02
"""Half the side of the window along the outline, as a fraction of the long side."""
MISSED = 0.07, 0.12
"""Median share of the subject in the nearest third of the ring at which a matte begins to count as too tight, and
counts fully: -0.01 to 0.05 for ten exact mattes on other backgrounds, 0.15 to 0.45 for the same a pixel inside."""
MISSED_FARTHER = 0.02, 0.06
"""Likewise for the other thirds of a matte that is too tight."""
NOISE = 1e-2  # squared difference of square roots of colours at which a rim is hardly seen
SOLID = 0.95  # coverage from which a pixel shows the subject's own colour
FAINT = 0.02  # coverage at which a pixel begins to count as the subject
LEAST = 1 / 255  # smallest visible change


class Rims:
    """The sheets of one photo, and its background without rims, which is computed once, on first use."""

    def __init__(self, sheets: PhotoSheets, *, examine: bool = False) -> None:
        """`examine`: clean only where the photo shows that the matte missed a rim; otherwise all along the outline."""
        self.sheets, self.examine = sheets, examine
        self._work_px = WORK_PX if examine else PART_PX

    def cleaned(self, optics: Optics) -> PhotoSheets:
        """Return the sheets, with the farthest one cleaned of the rims of any sheet that the lens blurs more.

        A thread computes the replacement meanwhile: the colours are not needed at once.
        """
        beside = ThreadPoolExecutor(1)
        found = beside.submit(self._replacement, optics)
        beside.shutdown(wait=False)
        return replace(self.sheets, clean=found.result)

    def _replacement(self, optics: Optics) -> F32 | None:
        """Colours that replace the farthest sheet's, and by what share, (h, w, 4); None if no sheet is blurred more,
        for example with the subject in focus, or there is no rim.
        """
        ground, *sheets = self._reduced
        sharper = _blur_px(ground.disparity, optics)
        amount = np.zeros_like(sharper)
        for sheet, around in zip(sheets, self._around, strict=True):
            more = (_blur_px(sheet.disparity, optics) - sharper) / (RIM * max(self.sheets.shape))
            np.maximum(amount, np.clip(more, 0, 1) * around, out=amount)
        if amount.max() < LEAST or np.maximum.reduce(self._around).min() > 0:
            return None
        clean, missed = self._clean
        amount *= missed
        return None if amount.max() < LEAST else cv2.merge([*cv2.split(clean), amount])

    @cached_property
    def _reduced(self) -> tuple[Sheet, ...]:
        """Without colours, which few lenses need."""
        return self.sheets.reduced(self._work_px, colours=False)

    @cached_property
    def _around(self) -> list[F32]:
        """For each sheet but the background, (h, w): 1 on it and within RIM of it, falling to 0 at twice RIM."""
        reach = RIM * max(self._reduced[0].disparity.shape)
        return [np.clip(2 - _distance(sheet) / np.float32(reach), 0, 1) for sheet in self._reduced[1:]]

    @cached_property
    def _clean(self) -> tuple[F32, F32]:
        """The background continued from farther away (h, w, 3), and (h, w) in [0, 1] where mattes missed a rim."""
        (background, *sheets), fill = self.sheets.reduced(self._work_px), self.sheets.separator.continue_colours
        ground = background.rgb
        clean = fill(ground, 1 - np.maximum.reduce(self._around))
        if not self.examine:
            return clean, np.ones_like(self._reduced[0].disparity)
        missed = np.maximum.reduce([_missed(ground, clean, sheet) for sheet in sheets])
        if missed.max() > 0:  # again, from as near as the rim allows
            hidden = [_distance(sheet) == 0 for sheet in sheets]
            clean = fill(ground, 1 - np.maximum.reduce([missed, *hidden]).astype(np.float32))
        return clean, missed


def _missed(ground: F32, clean: F32, sheet: Sheet) -> F32:
    """(h, w) in [0, 1]: how far out the ground beside the sheet's outline still shows the sheet; under it, too."""
    assert sheet.alpha is not None  # for the type checker
    solid = (sheet.alpha > SOLID).astype(np.float32)
    size = max(solid.shape)
    side, reach = 2 * round(WINDOW * size) + 1, np.float32(max(RIM * size, LEAST_REACH_PX))
    out = _distance(sheet) / reach
    I, C, F = (np.sqrt(np.maximum(x, 0)) for x in (ground, clean, fill_holes(sheet.rgb, solid)))
    along, across = ((I - C) * (F - C)).sum(axis=2), ((F - C) ** 2).sum(axis=2) + np.float32(NOISE)

    def median_share(ring: Any) -> float:
        fits = (cv2.blur(x * ring, (side, side)).reshape(solid.shape)[ring] for x in (along, across))
        return float(np.median(np.divide(*fits))) if ring.any() else 0.0

    thirds = [median_share((out > n / 3) & (out <= (n + 1) / 3)) for n in range(3)]
    near = _ramp(thirds[0], *MISSED) if solid.any() else 0.0
    middle, far = (near * _ramp(share, *MISSED_FARTHER) for share in thirds[1:])
    amounts = [near, middle, min(middle, far), 0]
    return np.interp(out, [1 / 3, 2 / 3, 1, 4 / 3], amounts).astype(np.float32)


def _ramp(x: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high` on."""
    return min(max((x - low) / (high - low), 0), 1)


def _blur_px(disparity: F32, optics: Optics) -> F32:
    """(h, w) radius of the circle of confusion, in the photo's pixels."""
    return np.abs(optics.signed_radius(disparity))


def _distance(sheet: Sheet) -> F32:
    """(h, w): distance in pixels from what the sheet covers."""
    assert sheet.alpha is not None  # for the type checker
    clear = (sheet.alpha < FAINT).astype(np.uint8)
    return cv2.distanceTransform(clear, cv2.DIST_L2, cv2.DIST_MASK_5).reshape(sheet.alpha.shape)
