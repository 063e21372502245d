"""Spill shows the background's colours; a thing at the subject's disparity has its own.

A cap that a matte misses, a stick along an arm, the rim of a box behind a hand are as narrow as spill. Ours.
"""

from typing import Protocol

import cv2
import numpy as np

from wideopen.checks import F32
from wideopen.disparity.along_matte.rays import Ends, Mask, Rays

AROUND = tuple(
    (r * np.sin(t), r * np.cos(t)) for r in (0.7, 1.2, 1.7) for t in np.linspace(0, 2 * np.pi, 12, endpoint=False)
)
"""Where the background's colours are looked up besides, (y, x) in ring widths."""


class Limits(Protocol):
    """What `own_colour` needs of the filter's settings."""

    @property
    def ring(self) -> float: ...  # noqa: D102
    @property
    def unlike(self) -> float: ...  # noqa: D102
    @property
    def unlike_natural(self) -> float: ...  # noqa: D102
    @property
    def vote(self) -> float: ...  # noqa: D102
    @property
    def majority(self) -> float: ...  # noqa: D102


def own_colour(colour: F32, background: Mask, rays: Rays, ends: Ends, limits: Limits) -> Mask:
    """(H, W): where what seems spill has a colour (H, W, 3) that the background around has not.

    A pixel is compared with the most alike of many that surely are `background` (H, W) in a wide neighbourhood, in
    units of how unlike neighbours behind the spill are; then all within a few pixels vote.
    """
    height, width = background.shape
    ask = np.flatnonzero(ends.spilt & ends.known)
    y, x = rays.y[ask], rays.x[ask]
    own = colour[y, x]  # (M, 3)
    behind = colour.reshape(-1, 3)[ends.beyond[:, ask]]  # (K, M, 3)
    unlike = np.abs(behind - own).max(-1).min(0)  # (M,)
    for dy, dx in AROUND:
        step = limits.ring * max(height, width)
        there = (np.clip(y + round(step * dy), 0, height - 1), np.clip(x + round(step * dx), 0, width - 1))
        found = np.where(background[there], np.abs(colour[there] - own).max(-1), np.float32(np.inf))
        unlike = np.minimum(unlike, found)
    natural = np.abs(behind[1:] - behind[:-1]).max(-1).mean(0)
    asked, so = np.zeros((2, height, width), np.float32)
    asked[y, x] = 1
    so[y, x] = unlike > np.maximum(limits.unlike, limits.unlike_natural * natural)
    side = 2 * max(1, round(limits.vote * max(height, width))) + 1
    all_votes, votes = (cv2.boxFilter(v, -1, (side, side), normalize=False).reshape(v.shape) for v in (asked, so))
    return (votes > np.float32(limits.majority) * all_votes) & (all_votes > 0)
