"""Where a head is in a matte, found without a network: the round end at the top of the subject.

The distance to the outline, largest in each row, grows from the top of a head downwards until the
head is as wide as it gets; there lies its centre. Hair drawn around a raised hand, where that is the
top, is as exact as around a head.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from wideopen.checks import F32, U8

ANGLES = 64  # of the outline around the centre
SEARCH = 1.9  # how far the outline is looked for, in radii
WORKING_PX = 256  # long side of the matte that is searched


@dataclass(frozen=True, slots=True)
class Head:
    """A head in pixels of its photo; `outline[i]` is how far the subject reaches at 2 pi i / ANGLES."""

    x: float
    y: float
    radius: float
    outline: F32  # (ANGLES,)

    def moved(self, window: tuple[int, int, int], size: int) -> "Head":
        """The same head in pixels of a crop of (x, y, side), resized to `size`."""
        x, y, side = window
        scale = size / side
        return Head((self.x - x) * scale, (self.y - y) * scale, self.radius * scale, self.outline * scale)

    def reach(self, angles: F32) -> F32:
        """Distance (len(angles),) from the centre to the outline, angles in radians."""
        places = np.arange(ANGLES + 1) * (2 * np.pi / ANGLES)
        return np.interp(np.mod(angles, 2 * np.pi), places, np.append(self.outline, self.outline[0])).astype(np.float32)


def find_head(alpha: U8) -> Head | None:
    """The head of the subject in `alpha` (H, W) uint8; None if its top is cut off or there is nobody."""
    scale = max(1.0, max(alpha.shape) / WORKING_PX)
    sides = (max(1, round(alpha.shape[1] / scale)), max(1, round(alpha.shape[0] / scale)))
    small = cv2.resize(alpha, sides, interpolation=cv2.INTER_AREA)
    solid = (small > 127).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    if count < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    solid = (labels == largest).astype(np.uint8)
    top = int(stats[largest, cv2.CC_STAT_TOP])
    depth = cv2.distanceTransform(solid, cv2.DIST_L2, 5)
    inner = depth.max(1)
    y = next((y for y in range(top + 3, len(inner)) if _widest(inner, y)), None)
    if top < 1 or y is None or inner[y] < 3:
        return None
    x = int(depth[y].argmax())
    radius = float(inner[y])
    outline = _outline(solid, x, y, radius) * scale
    return Head((x + 0.5) * scale, (y + 0.5) * scale, radius * scale, outline)


def _widest(inner: F32, y: int) -> bool:
    """Whether row `y` is where the subject, seen from its top, stops growing wider."""
    window = max(2, int(inner[y] * 0.3))
    return bool(inner[y] >= 3 and inner[y + 1 : y + 1 + window].max(initial=0) <= inner[y])


def _outline(solid: U8, x: int, y: int, radius: float) -> F32:
    angles = np.arange(ANGLES) * (2 * np.pi / ANGLES)
    steps = np.arange(0, SEARCH * radius, 0.5)
    xs = np.clip((x + np.outer(np.cos(angles), steps)).round().astype(int), 0, solid.shape[1] - 1)
    ys = np.clip((y + np.outer(np.sin(angles), steps)).round().astype(int), 0, solid.shape[0] - 1)
    left = solid[ys, xs] == 0
    return np.where(left.any(1), left.argmax(1), len(steps)).astype(np.float32) * np.float32(0.5)
