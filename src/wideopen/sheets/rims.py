"""Clean the background of the subject's rim where the matte missed it and the lens would show it.

Ours. A matte that ends a pixel too early leaves the subject's own rim on the sheet behind it. The rim is invisible
while that sheet is blurred more than the subject. With the background in focus it stays as a thin sharp outline within
the subject's blur. Only in that case, the background beside and under the subject is replaced by the background
continued from farther away.

With an exact matte the background is right up to the outline, and replacing it costs 5 to 12 dB. So a matte that may be
exact is examined: just outside a matte that is too tight the photo lies between the background C, continued from
farther away, and the subject's colour F, continued outwards. Its share of the subject is the least-squares fit of
I - C to F - C over the ring beside the outline: texture of the background averages out, a rim does not. Networks'
mattes miss single hairs and pieces too short for that, so they are not examined.
"""

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

RIM = 0.005
"""How far the subject may extend beyond its matte, as a fraction of the long side; fades to 0 at twice that."""
WORK_PX = 1280
WINDOW = 0.02
"""Half the side of the window along the outline, as a fraction of the long side."""
MISSED = 0.02, 0.06
"""Median share of the subject in the ring at which a matte begins to count as too tight, and counts fully: -0.02 to
0.02 for ten exact mattes on other backgrounds, 0.03 to 0.12 for the same a pixel inside."""
MISSED_HERE = 0.5, 0.8
"""Likewise for one window, since a matte that is right elsewhere may miss a rim in one place. 1 % of the windows of
exact mattes reach the first."""
NOISE = 1e-2  # squared difference of square roots of colours at which a rim is hardly seen
SOLID = 0.95  # coverage from which a pixel shows the subject's own colour
FAINT = 0.02  # coverage at which a pixel begins to count as the subject
LEAST = 1 / 255  # smallest visible change


class Rims:
    """The sheets of one photo, and its background without rims, which is computed once, on first use."""

    def __init__(self, sheets: PhotoSheets, *, examine: bool = False) -> None:
        """`examine`: clean only where the photo shows that the matte missed a rim; otherwise all along the outline."""
        self.sheets, self.examine = sheets, examine

    def cleaned(self, optics: Optics) -> PhotoSheets:
        """Return the sheets, with the farthest one cleaned of the rims of any sheet that the lens blurs more.

        Returns the sheets unchanged if there is no such sheet, for example with the subject in focus, or no rim.
        """
        sharper, *blurs = (_blur_px(sheet.disparity, optics) for sheet in self._reduced)
        amount = np.zeros_like(sharper)
        for blur, around in zip(blurs, self._around, strict=True):
            more = (blur - sharper) / (RIM * max(self.sheets.shape))
            np.maximum(amount, np.clip(more, 0, 1) * around, out=amount)
        if amount.max() < LEAST or np.maximum.reduce(self._around).min() > 0:
            return self.sheets
        clean, missed = self._clean
        amount *= missed
        if amount.max() < LEAST:
            return self.sheets
        return replace(self.sheets, clean=cv2.merge([*cv2.split(clean), amount]))

    @cached_property
    def _reduced(self) -> tuple[Sheet, ...]:
        return self.sheets.reduced(WORK_PX)

    @cached_property
    def _around(self) -> list[F32]:
        """For each sheet but the background, (h, w): 1 on it and within RIM of it, falling to 0 at twice RIM."""
        reach = RIM * max(self._reduced[0].disparity.shape)
        return [np.clip(2 - _distance(sheet) / np.float32(reach), 0, 1) for sheet in self._reduced[1:]]

    @cached_property
    def _clean(self) -> tuple[F32, F32]:
        """The background continued from farther away (h, w, 3), and (h, w) in [0, 1] where mattes missed a rim."""
        ground = self._reduced[0].rgb
        clean = self.sheets.separator.continue_colours(ground, 1 - np.maximum.reduce(self._around))
        if not self.examine:
            return clean, np.ones_like(self._reduced[0].disparity)
        return clean, np.maximum.reduce([_missed(ground, clean, sheet) for sheet in self._reduced[1:]])


def _missed(ground: F32, clean: F32, sheet: Sheet) -> F32:
    """(h, w) in [0, 1]: whether the ground beside the sheet's outline still shows the sheet; under it, too."""
    assert sheet.alpha is not None  # for the type checker
    solid = (sheet.alpha > SOLID).astype(np.float32)
    distance, size = _distance(sheet), max(solid.shape)
    ring = np.clip(1 - distance / np.float32(max(RIM * size, 2)), 0, 1) * (distance > 0)
    if not (solid.any() and ring.any()):
        return np.zeros_like(solid)
    I, C, F = (np.sqrt(np.maximum(x, 0)) for x in (ground, clean, fill_holes(sheet.rgb, solid)))
    side = 2 * round(WINDOW * size) + 1
    along, across, near = (
        cv2.blur(x, (side, side)).reshape(solid.shape)
        for x in (ring * ((I - C) * (F - C)).sum(axis=2), ring * ((F - C) ** 2).sum(axis=2), ring)
    )
    share = along / np.maximum(across + np.float32(NOISE) * near, np.float32(1e-9))
    here = fill_holes(_ramp(share, *MISSED_HERE), (near > np.float32(1e-3)).astype(np.float32))
    return np.maximum(here, _ramp(np.median(share[ring > 0]), *MISSED))


def _ramp(x: Any, low: float, high: float) -> Any:
    """0 up to `low`, 1 from `high` on."""
    return np.clip((x - np.float32(low)) / np.float32(high - low), 0, 1)


def _blur_px(disparity: F32, optics: Optics) -> F32:
    """(h, w) radius of the circle of confusion, in the photo's pixels."""
    return np.abs(optics.signed_radius(disparity))


def _distance(sheet: Sheet) -> F32:
    """(h, w) pixels from what the sheet covers."""
    assert sheet.alpha is not None  # for the type checker
    clear = (sheet.alpha < FAINT).astype(np.uint8)
    return cv2.distanceTransform(clear, cv2.DIST_L2, cv2.DIST_MASK_5).reshape(sheet.alpha.shape)
