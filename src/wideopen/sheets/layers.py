"""Decide which sheets a photo needs: the subject, what stands in front of it, and depth edges in the background.

Ours. A separate sheet is worth its cost and its errors only where disparity jumps: a slanted floor has no edge and
stays whole. Networks smear depth edges, while exact maps are sharp to the pixel. So an edge is judged by the least and
the greatest disparity within `reach`, and its position is where disparity is halfway between them. The photo's colours
then determine the coverage of each pixel around that line. Everything here has a working size (h, w).
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from wideopen.arrays.maps import fill_holes
from wideopen.checks import F32, Mask

SLOPE = 0.08  # share of a fall within the subject below which its map ends sharply


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeRules:
    """What counts as a depth edge, and as a part worth a separate sheet. Lengths are fractions of the long side."""

    jump: float = 0.1  # least jump of disparity within `reach`
    reach: float = 0.02  # to either side; wider than the edges that a network smears
    least_area: float = 0.0005  # of the photo
    least_edge: float = 0.4  # share of a part's outline that must be a depth edge
    band: float = 0.003  # to either side of a part's outline, where the photo's colours determine coverage
    own_from: float = 0.95  # coverage from which disparity is the subject's own


@dataclass(frozen=True, slots=True, eq=False)
class NearPart:
    """A region that is nearer than a level and bounded by depth edges."""

    coverage: F32  # (h, w) coverage of the part over what lies behind it
    near: Mask  # where disparity certainly belongs to the part
    far: Mask  # where disparity certainly belongs to what lies behind


@dataclass(frozen=True, slots=True, eq=False)
class Extremes:
    """Least and greatest disparity within reach, among the pixels `known`."""

    low: F32
    high: F32
    known: Mask

    @property
    def jump(self) -> F32:
        """Range of disparity within reach."""
        return self.high - self.low


def ends_sharply(alpha: F32, disparity: F32, rules: EdgeRules) -> bool:
    """Whether disparity (h, w) is the subject's own up to its outline, and then falls within a pixel.

    Beside the fall, three quarters of the subject's pixels differ from their neighbours in the subject by up to 4 % of
    it in exact maps, by 12 % and more in maps of phones and networks.
    """
    subject, window = alpha > 0.5, np.ones((3, 3), np.uint8)
    fall = cv2.morphologyEx(disparity, cv2.MORPH_GRADIENT, window).reshape(disparity.shape)
    outline = subject & widened(~subject, window) & (fall > rules.jump)
    high = cv2.dilate(np.where(subject, disparity, np.float32(-1)), window)
    low = cv2.erode(np.where(subject, disparity, np.float32(2)), window)
    slope = (high - low)[outline] / fall[outline]
    return slope.size > 0 and bool(np.percentile(slope, 75) < SLOPE)


def extremes(disparity: F32, known: Mask, rules: EdgeRules) -> Extremes:
    """`Extremes` of disparity (h, w); where nothing is known within reach, high < low."""
    window = square(rules.reach, disparity.shape)
    low = cv2.erode(np.where(known, disparity, np.float32(2)), window)
    return Extremes(low, cv2.dilate(np.where(known, disparity, np.float32(-1)), window), known)


def square(length: float, shape: tuple[int, ...]) -> np.ndarray:
    """Square morphology window with a radius of `length` of the long side, at least one pixel."""
    side = 2 * max(1, round(length * max(shape))) + 1
    return np.ones((side, side), np.uint8)


def widened(mask: Mask, window: np.ndarray) -> Mask:
    """The mask dilated by `window`."""
    return cv2.dilate(mask.astype(np.uint8), window) > 0


def find_part(
    rgb: F32, disparity: F32, near_to: Extremes, level: F32, plain: Mask, hidden: Mask, rules: EdgeRules
) -> NearPart | None:
    """The part nearer than `level` (h, w), among the pixels known to `near_to`; None if no depth edge bounds one.

    hidden: where something nearer hides it.
    The part ends halfway up a depth edge that crosses the level. Elsewhere, and where `plain`, it ends at the level
    itself. Pieces that are small or not bounded by a jump are dropped.
    """
    edge = (near_to.jump > rules.jump) & (near_to.low < level) & (near_to.high > level)
    sides = _beside_edge(disparity, near_to, level, rules)
    ends = np.where(edge & ~plain, (sides.low + sides.high) / 2, level)
    near = near_to.known & (disparity > ends)
    if not near.any():
        return None
    everything = extremes(disparity, np.ones_like(near), rules)
    near = _worthwhile(near, hidden, everything.jump > rules.jump, rules)
    if not near.any():
        return None
    quarter = sides.jump / 4
    return NearPart(
        _coverage(rgb, near, near_to.known, rules),
        near & (~edge | (disparity >= sides.high - quarter)),
        near_to.known & ~near & (~edge | (disparity <= sides.low + quarter)),
    )


def _beside_edge(disparity: F32, near_to: Extremes, level: F32, rules: EdgeRules) -> Extremes:
    """The distances that meet at the edges across `level` (h, w): the nearest below and above it, not on a slope.

    Where three meet, the greatest and the least may lie on either side of the third, and so would what is halfway.
    """
    window, flat = square(rules.reach, disparity.shape), near_to.known & ~_on_slope(disparity, near_to)
    below = flat & (disparity <= level) & (disparity < near_to.high - rules.jump)
    above = flat & (disparity > level) & (disparity > near_to.low + rules.jump)
    low = cv2.dilate(np.where(below, disparity, np.float32(-1)), window)
    high = cv2.erode(np.where(above, disparity, np.float32(2)), window)
    return Extremes(np.where(low < 0, near_to.low, low), np.where(high > 1, near_to.high, high), near_to.known)


def _on_slope(disparity: F32, near_to: Extremes) -> Mask:
    """Where disparity is steeper than an edge that fills the window of `near_to`."""
    window = np.ones((3, 3), np.uint8)
    return cv2.morphologyEx(disparity, cv2.MORPH_GRADIENT, window).reshape(disparity.shape) > near_to.jump / 12


def _worthwhile(near: Mask, hidden: Mask, steep: Mask, rules: EdgeRules) -> Mask:
    """Keep the connected pieces that are large enough and have enough of a depth edge as their outline; and those with
    only `hidden` pixels around them, behind which the part goes on.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(near.astype(np.uint8), connectivity=4)
    inner = cv2.erode(near.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0
    outline = near & ~inner
    length = np.bincount(labels[outline], minlength=count)
    at_edge = np.bincount(labels[outline & steep], minlength=count)
    keep = stats[:, cv2.CC_STAT_AREA] >= rules.least_area * near.size
    keep &= at_edge > rules.least_edge * length
    keep |= np.bincount(labels[near & widened(~near & ~hidden, np.ones((3, 3), np.uint8))], minlength=count) == 0
    keep[0] = False
    return keep[labels]


def _coverage(rgb: F32, near: Mask, known: Mask, rules: EdgeRules) -> F32:
    """Coverage (h, w) of `near`; in a band around its outline, from where the colour lies between the two sides'."""
    window = square(rules.band, near.shape)
    inside = near & ~widened(known & ~near, window)
    outside = known & ~widened(near, window)
    prior = cv2.GaussianBlur(near.astype(np.float32), (0, 0), window.shape[0] / 4)
    if not (inside.any() and outside.any()):
        return prior
    encoded = np.sqrt(np.maximum(rgb, 0))
    F, B = fill_holes(encoded, inside.astype(np.float32)), fill_holes(encoded, outside.astype(np.float32))
    band = ~inside & ~outside & known
    I, F, B = (x[band] for x in (encoded, F, B))
    towards = F - B
    trust = np.float32(0.03)
    mixed = (((I - B) * towards).sum(1) + trust * prior[band]) / ((towards * towards).sum(1) + trust)
    coverage = near.astype(np.float32)
    coverage[band] = np.clip(mixed, 0, 1)
    return coverage


def continued(coverage: F32, known: Mask) -> F32:
    """Coverage (h, w), kept where known and continued elsewhere with an edge of about natural sharpness."""
    filled = fill_holes(coverage, known.astype(np.float32))
    crisp = np.clip((filled - 0.5) * 3 + 0.5, 0, 1)
    return np.where(known, coverage, crisp).astype(np.float32)


def best_level(near_to: Extremes, rules: EdgeRules) -> float | None:
    """The disparity that most depth edges cross; None if there are too few edges."""
    edge = near_to.known & (near_to.jump > rules.jump)
    if edge.sum() < rules.least_area * edge.size:
        return None
    levels = np.linspace(0, 1, 101)
    crossed = np.cumsum(np.histogram(near_to.low[edge], levels)[0] - np.histogram(near_to.high[edge], levels)[0])
    widest = np.flatnonzero(crossed == crossed.max())
    return float(levels[1 + widest[len(widest) // 2]])


MOST_BEHIND = 2
"""Greatest number of background parts that get separate sheets."""
MOST_BEFORE = 1
"""Greatest number of parts that get separate sheets before what is nearer than the subject."""


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """The layers of a photo. Each coverage is over what lies behind, also where something nearer hides the layer."""

    front: tuple[F32, ...]  # (h, w) coverages of what is nearer than the subject, nearest first
    subject: F32 | None  # (h, w) the matte, continued behind the front; None = there is no subject
    behind: tuple[F32, ...]  # (h, w) coverages of parts of the background, nearest first
    trusted: tuple[Mask, ...]  # where disparity is the layer's own; nearest first, with the farthest background

    @property
    def in_front(self) -> F32:
        """(h, w) coverage of the subject by all that is nearer."""
        return np.maximum.reduce([np.zeros_like(self.trusted[0], np.float32), *self.front])


def find_layers(rgb: F32, alpha: F32 | None, disparity: F32, rules: EdgeRules | None = None) -> Layers:
    """Separate a photo (h, w, 3) into layers by its matte and its depth edges; without a matte there is no subject."""
    rules = rules or EdgeRules()
    disparity = cv2.medianBlur(disparity, 3).reshape(disparity.shape)  # single pixels are noise
    if alpha is None:
        nowhere = np.zeros(disparity.shape, bool)
        return Layers((), None, *_parts(rgb, disparity, ~nowhere, nowhere, nowhere, rules, MOST_BEHIND))
    outside = extremes(disparity, alpha < 0.5, rules)
    front = _in_front(rgb, alpha, disparity, outside.known, rules)
    own = _subjects_own(alpha, disparity, rules)
    spill = widened(alpha > 0.05, square(rules.reach, alpha.shape))  # networks draw the subject too wide
    clear = alpha < 0.05
    clear &= ~(spill & _smeared(disparity, clear, rules))
    before: tuple[F32, ...] = ()
    nearer: tuple[Mask, ...] = ()
    subject, hidden = alpha, np.zeros_like(clear)
    if front is not None:
        near_front = widened(front.coverage > 0.02, np.ones((3, 3), np.uint8))
        mixed = _mixed_with(near_front, alpha, disparity, rules)
        near_front |= mixed
        subject = continued(alpha, ~near_front)
        beside_nothing = (1 - subject) * front.coverage
        covers = mixed | (front.coverage > 0)
        coverage = np.where(covers, np.clip(subject - alpha + beside_nothing, 0, 1), np.float32(0))
        own &= ~widened(near_front, square(rules.reach / 2, alpha.shape))
        hidden = clear & ~front.far
        clear &= front.far
        before, nearer = _parts_before(rgb, disparity, coverage, front.near, rules)
    behind, trusted = _parts(rgb, disparity, clear, hidden, spill, rules, MOST_BEHIND)
    return Layers(before, subject, behind, (*nearer, own, *trusted))


def _parts_before(
    rgb: F32, disparity: F32, whole: F32, near: Mask, rules: EdgeRules
) -> tuple[tuple[F32, ...], tuple[Mask, ...]]:
    """As `_parts`, of the front that covers `whole` (h, w), with the coverage of its farthest."""
    border = widened(~near, square(rules.reach, near.shape))
    inside = near & ~(border & _smeared(disparity, np.ones_like(near), rules))
    steep = replace(rules, jump=2 * rules.jump)  # across a smaller edge both sides are blurred about as much
    nothing = np.zeros_like(near)
    parts, trusted = _parts(rgb, disparity, inside, nothing, nothing, steep, MOST_BEFORE)
    shares = []
    for part in parts:
        shares.append(np.minimum(part, whole))
        whole = continued(whole, ~widened(shares[-1] > 0.02, np.ones((3, 3), np.uint8)))
    return (*shares, whole), trusted


def _parts(
    rgb: F32, disparity: F32, clear: Mask, hidden: Mask, spill: Mask, rules: EdgeRules, most: int
) -> tuple[tuple[F32, ...], tuple[Mask, ...]]:
    """Coverages of the nearer parts of a region, nearest first, and where disparity is each one's or the farthest's.

    clear: the region's pixels; hidden: what something nearer hides of the rest; spill: where something nearer may have
    smeared its disparity.
    """
    coverages, trusted = [], []
    for _ in range(most):
        near_to = extremes(disparity, clear, rules)
        level = best_level(near_to, rules)
        if level is None:
            break
        part = find_part(rgb, disparity, near_to, np.full_like(disparity, level), np.zeros_like(clear), hidden, rules)
        if part is None or (part.near & ~spill).sum() < rules.least_area * clear.size:
            break
        coverages.append(continued(part.coverage, clear))
        trusted.append(part.near)
        hidden, clear = hidden | (clear & ~part.far), part.far
        spill = spill | widened(part.coverage > 0, square(rules.reach, disparity.shape))
    return tuple(coverages), (*trusted, clear)


def _mixed_with(front: Mask, alpha: F32, disparity: F32, rules: EdgeRules) -> Mask:
    """Where a soft matte that reaches the front mixes the subject with it, and with nothing else."""
    near_to, own = extremes(disparity, np.ones_like(front), rules), _own_level(alpha, disparity)
    between = (near_to.low > own - rules.jump) & (near_to.high > own + 2 * rules.jump)
    outline = widened((alpha < 0.02) & ~front, np.ones((7, 7), np.uint8))
    soft = (alpha > 0.02) & (alpha < 0.98) & between & ~outline
    count, labels = cv2.connectedComponents(soft.astype(np.uint8), connectivity=4)
    touches = np.zeros(count, bool)
    touches[labels[front]] = True
    touches[0] = False
    return touches[labels]


def _own_level(alpha: F32, disparity: F32) -> F32:
    """Disparity (h, w) of the subject, continued around it."""
    return fill_holes(disparity, (alpha > 0.95).astype(np.float32))


def _in_front(rgb: F32, alpha: F32, disparity: F32, outside: Mask, rules: EdgeRules) -> NearPart | None:
    """The part beside the subject, outside its matte, that is nearer than the subject."""
    level = _own_level(alpha, disparity) + np.float32(rules.jump / 2)
    spill = widened(alpha > 0.05, square(rules.reach / 2, alpha.shape))  # networks draw the subject too wide
    nothing = np.zeros_like(outside)
    return find_part(rgb, disparity, extremes(disparity, outside, rules), level, spill, nothing, rules)


def _smeared(disparity: F32, known: Mask, rules: EdgeRules) -> Mask:
    """Where disparity is on the slope of a depth edge that is wider than a pixel."""
    near_to = extremes(disparity, known, rules)
    return (near_to.jump > rules.jump) & _on_slope(disparity, near_to)


def _subjects_own(alpha: F32, disparity: F32, rules: EdgeRules) -> Mask:
    """Where disparity is the subject's own, not on the slope that networks draw down to the background."""
    sure = alpha > rules.own_from
    high = extremes(disparity, sure, rules).high
    fall = high - extremes(disparity, np.ones_like(sure), rules).low
    return sure & ((fall < rules.jump) | (disparity >= high - fall / 4))
