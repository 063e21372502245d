"""Which sheets a photo needs: the subject, what stands in front of it, and depth edges in the background.

Ours; see `depth_edges` for what an edge is. Everything here has a working size (h, w).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from wideopen.arrays.fill import fill_holes
from wideopen.checks import F32
from wideopen.sheets.depth_edges import (
    EdgeRules,
    Mask,
    Part,
    best_level,
    continued,
    extremes,
    find_part,
    square,
    widened,
)

MOST_BEHIND = 2
"""Parts of the background that get sheets of their own."""


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """What a photo is made of. Coverages are over what lies behind, also where something nearer hides it."""

    front: F32 | None  # (h, w) coverage of what is nearer than the subject
    subject: F32  # (h, w) the matte, continued behind the front
    behind: tuple[F32, ...]  # (h, w) coverages of parts of the background, nearest first
    trusted: tuple[Mask, ...]  # nearest first, farthest background included: where disparity is the layer's own


def find_layers(rgb: F32, alpha: F32, disparity: F32, rules: EdgeRules | None = None) -> Layers:
    """Take a photo (h, w, 3) apart by its matte and its depth edges."""
    rules = rules or EdgeRules()
    disparity = cv2.medianBlur(disparity, 3).reshape(disparity.shape)  # single pixels are noise
    outside = extremes(disparity, alpha < 0.5, rules)
    front = _in_front(rgb, alpha, disparity, outside.known, rules)
    own = _subjects_own(alpha, disparity, rules)
    spill = widened(alpha > 0.05, square(rules.reach, alpha.shape))  # networks draw the subject too wide
    clear = alpha < 0.05
    clear &= ~(spill & _smeared(disparity, clear, rules))
    trusted = []
    subject = alpha
    coverage = None
    if front is not None:
        near_front = widened(front.coverage > 0.02, np.ones((3, 3), np.uint8))
        subject = continued(alpha, ~near_front)
        beside_nothing = (1 - subject) * front.coverage
        coverage = np.where(front.coverage > 0, np.clip(subject - alpha + beside_nothing, 0, 1), np.float32(0))
        own &= ~widened(near_front, square(rules.reach / 2, alpha.shape))
        clear &= front.far
        trusted.append(front.near)
    trusted.append(own)
    behind = []
    for _ in range(MOST_BEHIND):
        near_to = extremes(disparity, clear, rules)
        level = best_level(near_to, rules)
        if level is None:
            break
        part = find_part(rgb, disparity, near_to, np.full_like(disparity, level), np.zeros_like(clear), rules)
        if part is None or (part.near & ~spill).sum() < rules.least_area * clear.size:
            break
        behind.append(continued(part.coverage, clear))
        trusted.append(part.near)
        clear = part.far
        spill |= widened(part.coverage > 0, square(rules.reach, alpha.shape))
    return Layers(coverage, subject, tuple(behind), (*trusted, clear))


def _in_front(rgb: F32, alpha: F32, disparity: F32, outside: Mask, rules: EdgeRules) -> Part | None:
    """What lies nearer than the subject beside it, outside its matte."""
    level = fill_holes(disparity, (alpha > 0.95).astype(np.float32)) + np.float32(rules.jump / 2)
    spill = widened(alpha > 0.05, square(rules.reach / 2, alpha.shape))  # networks draw the subject too wide
    return find_part(rgb, disparity, extremes(disparity, outside, rules), level, spill, rules)


def _smeared(disparity: F32, known: Mask, rules: EdgeRules) -> Mask:
    """Where disparity is on its way up a depth edge, over more than a pixel."""
    jump = extremes(disparity, known, rules).jump
    slope = cv2.morphologyEx(disparity, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).reshape(disparity.shape)
    return (jump > rules.jump) & (slope > jump / 12)


def _subjects_own(alpha: F32, disparity: F32, rules: EdgeRules) -> Mask:
    """Where the subject's disparity is its own: not on the slope down to the background that networks draw."""
    sure = alpha > 0.95
    high = extremes(disparity, sure, rules).high
    fall = high - extremes(disparity, np.ones_like(sure), rules).low
    return sure & ((fall < rules.jump) | (disparity >= high - fall / 4))
