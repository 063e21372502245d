"""Build the sheets that the thin lens renders from photo, matte and disparity.

There are usually two: the subject, and the background continued under it. There are more where disparity jumps (see
`layers`): what stands in front of the subject, with subject and background continued behind it, and background parts
that stand before a farther one. Sheets are peeled off the photo, nearest first. What remains after each is a complete
photo, so the composited sheets reproduce the photo exactly. All that is done here is done at small sizes;
`photo_sheets` brings it to the photo's.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np

from wideopen.arrays.maps import fill_holes, resize_map, scaled, work_size
from wideopen.checks import F32
from wideopen.sheets import Separator, Sheet
from wideopen.sheets.highlights import find_lamps
from wideopen.sheets.layers import Layers, find_layers, square, widened
from wideopen.sheets.photo_sheets import HeldLayer, PhotoSheets
from wideopen.sheets.place import Place
from wideopen.sheets.reference import SOLID_FROM, pure
from wideopen.sheets.transport import RING
from wideopen.sheets.white import limit_radiance, measure_white, unclip

WORK_PX = 1280
"""Long side at which colours are estimated and holes are filled; `split` brings both to the photo's size.

What is estimated is smooth: at 12 MP this takes 0.35 s instead of some 3 s. `split` adds the photo's own detail.
"""
PART_PX = 640
"""Long side at which parts are found by depth edges, and their colours and all disparities continued.

Parts have no strands.
"""

FAINT = 0.002  # a share of a pixel that nobody sees

NO_LAMPS = np.zeros((1, 1), np.float32)
"""People carry few lamps; with stretching, every glint in a slightly defocused beard became a bead."""


def prepare_sheets(
    rgb: F32, alpha: F32, disparity: F32, separator: Separator, *, clipped: bool = True
) -> Sequence[Sheet]:
    """Return the sheets, farthest first. rgb (H, W, 3) is linear light; alpha and disparity are (H, W).

    An empty or full matte gives one opaque sheet: the photo with its disparity. If not `clipped`, rgb is the scene's
    own light also above white, and no highlights are guessed.
    """
    work, part = (work_size(alpha.shape, px) for px in (WORK_PX, PART_PX))
    small_image = resize_map(rgb, work)
    lamps = find_lamps(small_image) if clipped else NO_LAMPS
    if alpha.max() < 0.5 or alpha.min() > 0.5:
        return (Sheet(rgb=rgb, alpha=None, disparity=disparity, lamps=lamps),)
    small_alpha = resize_map(alpha, work)
    white = measure_white(rgb, alpha, small_image, small_alpha) if clipped else None
    brightest = max(1.0, float(rgb.max())) if clipped else np.inf
    everywhere = Place.of_all(work)
    if white is None:
        small_image = small_image.copy() if small_image is rgb else small_image
    else:
        small_image = unclip(small_image, small_alpha, white, everywhere)
        brightest = max(brightest, float(white.radiance.max()))
    part_alpha, part_disparity = resize_map(small_alpha, part), resize_map(disparity, part)
    layers = find_layers(resize_map(small_image, part), part_alpha, part_disparity)
    small_coverages, part_coverages = (_at_size(layers, a) for a in (small_alpha, part_alpha))
    subject, one = 0 if layers.front is None else 1, np.ones(part, np.float32)
    maps = _maps(part_disparity, [*part_coverages, one], layers, subject)
    found = []
    for k, coverage in enumerate(small_coverages):
        colours = _colours(small_image, small_coverages[k:], work if k == subject else part, separator)
        separator.split(small_image, coverage, *colours, brightest, everywhere)
        is_subject, shows = k == subject, part_coverages[k] > 0
        own = NO_LAMPS if is_subject else lamps
        found.append(HeldLayer(maps=maps[k], colours=colours, shows=shows, lamps=own, is_subject=is_subject))
    found.append(HeldLayer(maps=maps[-1], colours=None, shows=one > 0, lamps=lamps))
    return PhotoSheets(
        rgb=rgb,
        matte=alpha,
        disparity=disparity,
        layers=tuple(found),
        white=white,
        brightest=brightest,
        separator=separator,
    )


def with_radiance(sheets: Sequence[Sheet], strength: float) -> Sequence[Sheet]:
    """Sheets for a lens with this highlight strength; below 1, it reduces the measured light above white."""
    if strength >= 1:
        return sheets
    if isinstance(sheets, PhotoSheets):
        return replace(sheets, radiance=strength)
    return tuple(
        replace(s, rgb=limit_radiance(s.rgb, s.alpha, strength), radiant=False) if s.radiant else s for s in sheets
    )


def _at_size(layers: Layers, alpha: F32) -> list[F32]:
    """Coverages at the size of `alpha`, nearest first; the matte is unchanged wherever nothing hides it."""
    subject, front = alpha, []
    if layers.front is not None:
        front = [resize_map(layers.front, alpha.shape)]
        subject = alpha.copy()
        cv2.copyTo(resize_map(layers.subject, alpha.shape), (front[0] > 0).astype(np.uint8), subject)
    return [*front, subject, *(resize_map(c, alpha.shape) for c in layers.behind)]


def _colours(image: F32, coverages: list[F32], size: tuple[int, int], separator: Separator) -> tuple[F32, F32, F32]:
    """Return the colours of a layer and of what lies behind it, and the latter continued where the layer hides it.

    All are (h, w, 3) of `size`. coverages: the layer's and those behind it, nearest first. Each layer behind is
    continued from itself, and only where it takes part in what is hidden.
    """
    image, coverage, *behind = (resize_map(x, size) for x in (image, *coverages))
    F, B = separator.estimate_colours(image, coverage)
    shows = np.clip(1 - coverage / np.float32(SOLID_FROM), 0, 1)
    near = widened(coverage > 0, np.ones((3, 3), np.uint8)).reshape(size)
    left, hidden = np.ones(size, np.float32), []
    for c in [*behind, np.ones(size, np.float32)]:
        share = left * c
        wanted = near & (share > np.float32(FAINT))
        if wanted.any():
            wanted = widened(wanted, square(RING, size)).reshape(size)  # edges reach it from beside it
            hidden.append((share, wanted))
        left = left - share

    def continued(share: F32, wanted: np.ndarray) -> F32:
        return scaled(separator.continue_colours(B, shows * pure(share), wanted), share)

    with ThreadPoolExecutor() as beside:
        parts = beside.map(continued, *zip(*hidden, strict=True)) if hidden else ()
        filled = sum(parts, np.zeros(B.shape, np.float32))
    return F, B, filled


def _maps(disparity: F32, coverages: list[F32], layers: Layers, subject: int) -> list[F32]:
    """For each layer, nearest first, what `reference.reveal` takes; all are (h, w), the size of the layers.

    A layer's disparity is the photo's where only that layer is visible and its disparity trusted, and continued
    elsewhere. coverages: with that of the farthest layer, which is 1.
    """
    own = [*([] if layers.front is None else [layers.front]), layers.subject, *layers.behind, coverages[-1]]
    hides = np.zeros_like(disparity) if layers.front is None else layers.front
    seen, maps = np.ones_like(disparity), []
    for k, (coverage, trusted) in enumerate(zip(coverages, layers.trusted, strict=True)):
        visible = seen * coverage
        seen -= visible
        sure = pure(visible)
        known = ((sure > 0.99) & trusted).astype(np.float32)
        continued = fill_holes(disparity, known if known.any() else sure)
        instead = hides if k == subject else np.ones_like(disparity)
        maps.append(cv2.merge([own[k], instead, continued, trusted.astype(np.float32)]))
    return maps
