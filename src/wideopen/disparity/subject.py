"""What the matte tells about depth and a small network misses: a subject is shallow, in front, and touches its ground.

Ours. Maps are (h, w) float32, large = near; lengths are fractions of the long side.
"""

import cv2
import numpy as np

from wideopen.arrays.maps import enlarged_rows, fill_holes, in_strips, nearest_value
from wideopen.checks import F32
from wideopen.disparity.planar import SMALL_AREA, floor_behind, parts_of, strip_window

ROUND = 0.1
"""How far the middle of a subject, round as a ball, bulges beyond its outline, as a share of its disparity. In 21
ray-traced ones the outline is 0.03 farther than most of it, the middle 0.02 nearer, and hair is farther still."""
RIM = 0.006  # at the edge of a subject the network's map already falls to the background
BELOW = 0.012  # the ground is read this far below the lowest pixels of what stands on it
SOLE = 0.08  # these are the lowest, as a share of its height
CONTACT = 0.02  # so far around them the ground is as near as the network has it with the subject
LEAST_TOUCH = 0.5  # a ground farther than this share of the subject's disparity is not what it stands on
MOST_TOUCH = 1.15  # nor is one nearer than this; it rises a little between the foot and where it is read
LEAST, MOST = 0.9, 0.93  # disparity of the subject: the first if the network has something nearer, a table or a floor
BEHIND = 0.8  # and this behind a fence or net, which is nearest
FENCE = 0.5  # least share of the outline that the strips of one make, where the subject is seen through it
USUAL = 0.085
"""Most that the middle of the background has of the subject's disparity. In 21 ray-traced scenes it has 0.04 to 0.34,
0.094 in the geometric mean; what the network has there says little (correlation of the logarithms 0.16)."""
SAME = 0.95  # a background this near the network cannot tell from the subject
SKY = 0.02  # disparity below which the background counts less and less as ground
FLOOR = 0.5  # share of a level floor in a background that rises just as it does


def shaped_by_matte(whole: F32, behind: F32, alpha: F32) -> tuple[F32, F32]:
    """Disparity of the background and of the subject, both (h, w) in [0, 1], from a network's maps and the matte.

    whole: of the photo; behind: of what is around and behind the subject, on the same scale; alpha: the matte. All
    (h, w), and the matte has at least one part (`parts_of`).
    Each part is at its median, rounded towards its outline, so that one focus holds all of it. Thin strips that divide
    a part into many are in front of it. If the largest part stands in the photo, the ground at its foot is moved to its
    distance. A small network, when in doubt, puts things too close together, so all distances behind the subject are
    multiplied by the factor that brings the middle of the background to `USUAL`. Where that part stands, or the lower
    edge cuts it off, a background that rises like a level floor is moved towards one.
    """
    _, belongs = parts_of(alpha)
    flat, bulge = _flat_and_round(whole, belongs)
    low, high = np.percentile(np.where(belongs >= 0, flat, behind), (0.1, 99.9))
    whole, behind, flat = (
        np.clip((x - low) / max(high - low, 1e-6), 0, 1).astype(np.float32) for x in (whole, behind, flat)
    )
    largest = belongs == np.bincount(belongs[belongs >= 0]).argmax()
    level = ground = max(float(np.median(flat[largest])), 1e-3)
    soles, on_floor = _soles(largest), bool(largest[-1].any())
    if soles is not None:
        behind = _in_contact(behind, whole, soles)
        found = _ground(behind, whole, alpha, soles, level)
        ground, on_floor = found or level, found is not None
    fence = _fence(alpha)
    near = BEHIND if fence.any() else float(np.clip(level, LEAST, MOST))
    middle = np.clip(np.median(behind[~largest]) / ground, USUAL, SAME) if not largest.all() else USUAL
    farther = (1 / USUAL - 1) / (1 / middle - 1)
    share = np.minimum(behind, ground) / ground  # 1 / (1 + a) at a distance of a behind the subject at 1
    below = near * share / (share + farther * (1 - share))
    subject = (near * np.minimum(flat, level) / level + _before(flat, level, near)) * bulge
    subject = _continued(np.minimum(subject, 1), belongs >= 0)
    background = np.minimum(below + _before(behind, ground, near), 1).astype(np.float32)
    if on_floor:
        background = _with_floor(background, near, alpha)
    background[fence] = 1
    return background, subject


def _before(d: F32, level: float, near: float) -> F32:
    """What `d` (h, w) has beyond `level`, for a range that ends at 1 and starts at `near` instead."""
    return np.asarray(np.maximum(d - level, 0) * ((1 - near) / max(1 - level, 1e-6)), np.float32)


def _fence(alpha: F32) -> np.ndarray:
    """Bool (h, w): strips that cross the subject and divide it into parts: a fence, a net.

    They make much of the parts' outline, unlike the gap between two people who stand side by side.
    """
    _, parts, stats, _ = cv2.connectedComponentsWithStats((alpha > 0.5).astype(np.uint8), connectivity=4)
    areas = stats[1:, cv2.CC_STAT_AREA]
    inside = np.isin(parts, 1 + np.flatnonzero(areas >= SMALL_AREA * areas.max(initial=0)))
    window = strip_window(alpha.shape)
    highest = cv2.dilate(np.where(inside, parts, 0).astype(np.float32), window, iterations=2)
    lowest = cv2.erode(np.where(inside, parts, np.inf).astype(np.float32), window, iterations=2)
    bridged = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_CLOSE, window) > 0
    between = bridged & (alpha <= 0.5) & (lowest < highest)
    outline = inside & (cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) == 0)
    beside = cv2.dilate(between.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return between if (beside & outline).sum() > FENCE * outline.sum() else np.zeros_like(between)


def _with_floor(background: F32, near: float, alpha: F32) -> F32:
    """`background` brought towards a level floor under a subject at `near`, as far as it rises as that floor does."""
    floor = np.broadcast_to(np.minimum(near * floor_behind(alpha), 1)[:, None], background.shape)
    seen = alpha < 0.05
    if not seen.any() or np.ptp(floor[seen]) == 0 or np.ptp(background[seen]) == 0:
        return background
    alike = np.corrcoef(background[seen], floor[seen])[0, 1]
    of_ground = np.minimum(background / SKY, 1)
    return np.asarray(background + FLOOR * max(alike, 0) * of_ground * (floor - background), np.float32)


def put_before(background: F32, subject: F32, alpha: F32) -> F32:
    """`background` (H, W), changed in place, with `subject` (h, w) over it by the matte `alpha` (H, W)."""

    def put(top: int, bottom: int) -> None:
        behind = background[top:bottom]
        behind += alpha[top:bottom] * (enlarged_rows(subject, alpha.shape, top, bottom) - behind)

    in_strips(put, 0, len(alpha))
    return background


def _flat_and_round(d: F32, belongs: np.ndarray) -> tuple[F32, F32]:
    """(h, w) twice: each part at its median of `d`; and the factor that makes it round, with a median of 1."""
    margin = np.ones((2 * round(RIM * max(d.shape)) + 1,) * 2, np.uint8)
    flat, bulge = d.copy(), np.ones_like(d)
    for part in range(belongs.max() + 1):
        own = belongs == part
        sure = cv2.erode(own.astype(np.uint8), margin, borderValue=1).astype(bool)
        flat[own] = np.median(d[sure if sure.any() else own])
        inward = cv2.distanceTransform(own.astype(np.uint8), cv2.DIST_L2, 5)[own]
        inward /= max(inward.max(), 1)
        ball = np.sqrt(inward * (2 - inward))
        bulge[own] = 1 + ROUND * (ball - np.median(ball))
    return flat, bulge


def _continued(d: F32, inside: np.ndarray) -> F32:
    """`d` (h, w), known where the mask is true, continued around."""
    around = cv2.dilate(inside.astype(np.uint8), np.ones((5, 5), np.uint8))
    return fill_holes(nearest_value(d, inside), around.astype(np.float32))


def _soles(part: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """(rows, columns) of the lowest pixels of a part (h, w); None if an edge of the photo cuts it off."""
    rows, columns = np.nonzero(part)
    height, width = part.shape
    if min(columns.min(), width - 1 - columns.max(), height - 1 - rows.max()) < 1:
        return None
    lowest = np.full(width, -1)
    np.maximum.at(lowest, columns, rows)
    column = np.flatnonzero(lowest >= rows.max() - SOLE * (rows.max() - rows.min()))
    return lowest[column], column


def _in_contact(behind: F32, whole: F32, soles: tuple[np.ndarray, np.ndarray]) -> F32:
    """`behind` with the ground around the soles as near as in `whole`: there the subject's nearness is the ground's.

    What was guessed in the subject's place may end the ground at its foot.
    """
    at = np.zeros_like(behind)
    at[soles] = 1
    side = 2 * round(CONTACT * max(behind.shape)) + 1
    around = cv2.dilate(at, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    share = cv2.GaussianBlur(around, (0, 0), CONTACT / 2 * max(behind.shape))
    return np.asarray(behind + share * np.maximum(whole - behind, 0), np.float32)


def _ground(behind: F32, whole: F32, alpha: F32, soles: tuple[np.ndarray, np.ndarray], level: float) -> float | None:
    """Disparity of the ground just below the soles; None if the part at `level` does not stand on it.

    Ground that the network has well before the part's foot is not what it stands on.
    """
    row, column = soles
    gap = max(2, round(BELOW * max(behind.shape)))
    below, above = np.minimum(row + gap, len(behind) - 1), np.maximum(row - gap, 0)
    seen = alpha[below, column] < 0.05
    if not seen.any():
        return None
    ground = float(np.median(behind[below, column][seen]))
    foot = float(np.median(whole[above, column]))
    return ground if LEAST_TOUCH * level <= ground < max(level, MOST_TOUCH * foot) else None
