"""Build the sheets that the thin lens renders from photo, matte and disparity.

There are usually two: the subject, and the background continued under it. There are more where disparity jumps (see
`layers`): what stands in front of the subject, with subject and background continued behind it, and background parts
in front of a farther one. Sheets are peeled off the photo, nearest first. What remains after each is a complete
photo, so the composited sheets reproduce the photo exactly. Everything here works at small sizes; `photo_sheets` brings
it to the photo's.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np

from wideopen.arrays.maps import (
    Place,
    box_around,
    fill_holes,
    greatest_channel,
    halved,
    resize_map,
    scaled,
    shows_outline,
    work_size,
)
from wideopen.checks import F32
from wideopen.sheets import Separator, Sheet
from wideopen.sheets.lamps import guess_lamps
from wideopen.sheets.layers import EdgeRules, Layers, ends_sharply, find_layers, square, widened
from wideopen.sheets.photo_sheets import HeldLayer, PhotoSheets
from wideopen.sheets.reference import SOLID_AT, SOLID_FROM, own_light, pure
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

SEEN = 0.01  # coverage below which a pixel shows what lies behind
HARD = 0.003  # width of an edge, from pure to solid, up to which it counts as hard, as a fraction of the long side
NEARBY = 0.01  # how far around a pixel the colours behind it are looked for, as a fraction of the long side
SURE = 0.9995  # coverage from which a layer's disparity is its own, unless its map is exact
FAINT = 0.002  # a share of a pixel that nobody sees


def prepare_sheets(
    rgb: F32, alpha: F32, disparity: F32, separator: Separator, *, clipped: bool = True
) -> Sequence[Sheet]:
    """Return the sheets, farthest first. rgb (H, W, 3) is linear light; alpha and disparity are (H, W).

    With an empty or full matte there is no subject, and depth edges alone separate sheets. If not `clipped`, rgb is
    the scene's own light also above white, and no highlights are estimated.
    """
    work, part = (work_size(alpha.shape, px) for px in (WORK_PX, PART_PX))
    has_subject = shows_outline(alpha)
    if not has_subject:
        alpha = np.zeros_like(alpha)
    half = None  # for the renderer, too; and from it the small sizes take a quarter of the time
    if max(alpha.shape) >= 2 * WORK_PX:
        half = tuple(halved(x) for x in (rgb, alpha, disparity))
    small_image, small_alpha, small_disparity = (resize_map(x, work) for x in half or (rgb, alpha, disparity))
    beside = ThreadPoolExecutor(1)
    shining = beside.submit(guess_lamps, small_image, small_alpha) if clipped else None
    beside.shutdown(wait=False)
    white = measure_white(rgb, alpha, small_image, small_alpha) if clipped else None
    brightest = max(1.0, float(rgb.max()))
    everywhere = Place.of_all(work)
    small = small_image, small_alpha, small_disparity
    if white is None:
        small_image = small_image.copy()  # what lies behind each layer takes its place
    else:
        small_image = unclip(small_image, small_alpha, white, everywhere)
        brightest = max(brightest, float(white.radiance.max()))
    # exact maps are sampled: a mean of two distances is neither
    part_alpha, part_disparity = (
        cv2.resize(x, part[::-1], interpolation=cv2.INTER_NEAREST_EXACT) for x in (alpha, disparity)
    )
    rules, own_from = EdgeRules(own_from=0.5), 0.5
    if not ends_sharply(part_alpha, part_disparity, rules):
        rules, own_from = EdgeRules(), SURE
        part_alpha, part_disparity = resize_map(small_alpha, part), resize_map(small_disparity, part)
    layers = find_layers(resize_map(small_image, part), part_alpha if has_subject else None, part_disparity, rules)
    small_coverages, part_coverages = (_at_size(layers, a) for a in (small_alpha, part_alpha))
    subject = None if layers.subject is None else len(layers.front)
    one = np.ones(part, np.float32)
    maps = _maps(part_disparity, [*part_coverages, one], layers, subject, own_from)
    found = []
    for k, coverage in enumerate(small_coverages):
        colours = _colours(small_image, small_coverages[k:], work if k == subject else part, separator)
        if k == subject and white is not None:  # what estimates give to the subject of a sky
            own = np.where(white.radiance[..., None] > 1, np.minimum(colours[0], white.own), colours[0])
            colours = (own, *colours[1:])
        if not clipped:
            size = colours[0].shape[:2]
            own = own_light(colours[0], resize_map(small_image, size), resize_map(coverage, size))
            colours = (own, *colours[1:])
        here = brightest, not clipped, everywhere, np.empty_like(small_image)
        separator.split(small_image, coverage, *colours, *here)
        found.append(HeldLayer(maps=maps[k], colours=colours, is_subject=k == subject))
    found.append(HeldLayer(maps=maps[-1], colours=None))
    lamps = None if shining is None else shining.result()
    if lamps is not None and white is not None:
        lamps = np.where(white.radiance[..., None] > 1, np.float32(0), lamps)
    return PhotoSheets(
        rgb=rgb,
        small=small,
        matte=alpha,
        disparity=disparity,
        layers=tuple(found),
        white=white,
        lamps=lamps,
        brightest=brightest,
        separator=separator,
        known=not clipped,
        found={} if half is None else {"halved": (half, {})},
    )


def with_radiance(sheets: Sequence[Sheet], strength: float) -> Sequence[Sheet]:
    """Sheets for a lens of this highlight strength: lamps' light above white is scaled, measured light only dimmed."""
    if strength == 1:
        return sheets
    if isinstance(sheets, PhotoSheets):
        return replace(sheets, radiance=strength)
    dim = min(strength, 1.0)
    return tuple(replace(s, rgb=limit_radiance(s.rgb, s.alpha, dim), radiant=False) if s.radiant else s for s in sheets)


def _at_size(layers: Layers, alpha: F32) -> list[F32]:
    """Coverages at the size of `alpha`, nearest first; the matte is unchanged wherever nothing hides it."""
    nearer = []
    if layers.subject is not None:
        nearer = [alpha]
        if layers.front:
            front, subject = [resize_map(c, alpha.shape) for c in layers.front], alpha.copy()
            hidden = resize_map(layers.in_front, alpha.shape) > 0
            cv2.copyTo(resize_map(layers.subject, alpha.shape), hidden.astype(np.uint8), subject)
            nearer = [*front, subject]
    return [*nearer, *(resize_map(c, alpha.shape) for c in layers.behind)]


def _colours(image: F32, coverages: list[F32], size: tuple[int, int], separator: Separator) -> tuple[F32, F32, F32]:
    """Return the colours of a layer and of what lies behind it, and the latter continued where the layer hides it.

    All are (h, w, 3) of `size`. coverages: the layer's and those behind it, nearest first. Each layer behind is
    continued from itself, and only where it takes part in what is hidden.
    """
    image, coverage, *behind = (resize_map(x, size) for x in (image, *coverages))
    F, B = separator.estimate_colours(image, coverage)
    make_plausible(image, coverage, F, B)
    part = work_size(size, PART_PX)
    around, coverage, *behind = (resize_map(x, part) for x in (_without_lamps(B), coverage, *behind))
    shows = np.clip(1 - coverage / np.float32(SOLID_FROM), 0, 1)
    near = widened(coverage > 0, np.ones((3, 3), np.uint8)).reshape(part)
    left, hidden = np.ones(part, np.float32), []
    for c in [*behind, np.ones(part, np.float32)]:
        share = left * c
        wanted = near & (share > np.float32(FAINT))
        if wanted.any():
            wanted = widened(wanted, square(RING, part)).reshape(part)  # edges reach it from beside it
            hidden.append((share, wanted))
        left = left - share

    def continued(share: F32, wanted: np.ndarray) -> F32:
        return scaled(separator.continue_colours(around, shows * pure(share), wanted), share)

    with ThreadPoolExecutor(cv2.getNumThreads()) as beside:  # each holds several copies
        parts = beside.map(continued, *zip(*hidden, strict=True)) if hidden else ()
        filled = sum(parts, np.zeros(around.shape, np.float32))
    return F, B, resize_map(filled, size)


def make_plausible(image: F32, coverage: F32, F: F32, B: F32) -> None:
    """At hard edges B (h, w, 3) is kept among the colours that are seen pure nearby, and F takes the rest; in place.

    Ours. A matte slightly too wide gives a bright subject's share to pixels that have none, so B is dark there, and its
    blur a dark line along the outline. Within hair the photo knows better, and B stays as it is.
    """
    seen, edge = coverage < np.float32(SEEN), square(HARD, coverage.shape)
    hard = (widened(seen, edge) & widened(coverage > np.float32(SOLID_AT), edge)).reshape(coverage.shape)
    if not hard.any():
        return
    window = square(NEARBY, coverage.shape)
    here = box_around(hard, len(window))
    image, coverage, F, B = (x[here] for x in (image, coverage, F, B))
    hard, known = hard[here], seen[here].astype(np.uint8)
    low, high = (
        extreme(cv2.copyTo(image, known, np.full(image.shape, none, np.float32)), window)[hard]
        for extreme, none in ((cv2.erode, np.inf), (cv2.dilate, -np.inf))
    )
    I, a = image[hard], coverage[hard][:, None]
    limited = np.clip(B[hard], low, high)
    rest = np.clip((I - (1 - a) * limited) / np.maximum(a, np.float32(SEEN)), 0, max(1.0, float(I.max(initial=1))))
    F[hard], B[hard] = np.where(limited != B[hard], rest, F[hard]), limited


def _without_lamps(colours: F32) -> F32:
    """Colours (h, w, 3), above white no brighter than the mean around: a hidden sky continues, hidden lamps do not."""
    if colours.max() <= 1:
        return colours
    side = 2 * max(1, round(RING * max(colours.shape))) + 1
    level = greatest_channel(colours)
    most = np.maximum(cv2.blur(level, (side, side)).reshape(level.shape), 1)
    return scaled(colours, np.minimum(most / np.maximum(level, 1), 1))


def _maps(disparity: F32, coverages: list[F32], layers: Layers, subject: int | None, own_from: float) -> list[F32]:
    """For each layer, nearest first, what `reference.reveal` takes; all are (h, w), the size of the layers.

    A layer's disparity is the photo's where only that layer is visible and its disparity trusted, and continued
    elsewhere. coverages: with that of the farthest layer, which is 1. own_from: as in `EdgeRules`, for all layers.
    """
    nearer = [*layers.front, *([] if layers.subject is None else [layers.subject])]
    own = [*nearer, *layers.behind, coverages[-1]]
    hides = layers.in_front
    seen, maps = np.ones_like(disparity), []
    for k, (coverage, trusted) in enumerate(zip(coverages, layers.trusted, strict=True)):
        visible = seen * coverage
        seen -= visible
        known = ((visible > own_from) & trusted).astype(np.float32)
        continued = fill_holes(disparity, known if known.any() else pure(visible))
        instead = hides if k == subject else np.ones_like(disparity)
        maps.append(cv2.merge([own[k], instead, continued, trusted.astype(np.float32)]))
    return maps
