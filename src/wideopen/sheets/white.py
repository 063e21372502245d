"""Recover radiance that the photo clipped at white from what is seen through hair, and the hair's own colour.

Ours. In front of a sky three times as bright as white, a pixel half covered by a dark strand is white in the photo:
the strand looks thin, and I - (1 - alpha) B would give it the colour of the sky. But hair acts as a grey wedge. Where
it covers enough of a pixel to prevent clipping, I = alpha F + (1 - alpha) L determines the radiance L behind it. F is
the subject's own colour, continued from where it is seen pure. So L is the weighted median of
    (I - alpha F) / (1 - alpha),   weights 1 - alpha,
over such pixels, one value for each connected white area. Areas without enough such pixels stay unchanged. Because an
area has a single value, a matte that is too wide does no harm: the changes to strand and sky cancel.

With L known, clipped pixels become alpha F + (1 - alpha) L, but never darker than before. Displayed, they are the same
white.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from wideopen.arrays.maps import Place, fill_holes, greatest_channel
from wideopen.checks import F32

CLIPPED = 0.99
"""Linear light at or above which a pixel counts as clipped: 8-bit sRGB codes 254 and 255."""
MOST = 4.0
"""Upper limit of a measured radiance."""
BRIGHTER = 1.05
"""A measurement must exceed this to count as brighter than white."""
LEAST_PIXELS, LEAST_SHARE = 30, 0.4
"""How many of an area's measurements must be brighter than white, as a number and as a share of all."""
DARK = 0.5
"""The subject's colour must be darker than this, in linear light: white hair before a white wall is no evidence."""
BRIDGE = 0.01
"""White areas closer than this fraction of the long side are joined, such as a sky behind branches."""
SOLID = 0.98
"""Coverage at which too little of the background shows through."""


@dataclass(frozen=True, slots=True, eq=False)
class White:
    """Measurements of the clipped areas behind a subject, at a working size."""

    radiance: F32  # (h, w): L in and closely around a measured area, 1 elsewhere
    own: F32  # (h, w, 3) the subject's colour, continued


def measure_white(rgb: F32, alpha: F32, small: F32, small_alpha: F32) -> White | None:
    """Measure the radiance of white areas behind the subject; None if no area is brighter than white.

    rgb (H, W, 3) linear light; alpha (H, W); small (h, w, 3) and small_alpha (h, w): the same at the size at which
    areas are found.
    """
    size, a = small_alpha.shape, small_alpha
    clipped = _is_clipped(small)
    beside, pure = a < 0.05, (a > 0.99) & ~clipped
    mixed = cv2.dilate((~beside & (a < 0.99)).astype(np.uint8), _window(size)).reshape(size) > 0
    if not ((clipped & beside & mixed).any() and pure.any()):
        return None
    behind = fill_holes(clipped.astype(np.float32), beside.astype(np.float32)) > 0.5
    areas = cv2.dilate(np.where(a < 0.5, clipped, behind).astype(np.uint8), _window(size))
    count, label = cv2.connectedComponents(areas)
    own = fill_holes(small, pure.astype(np.float32))
    at = np.flatnonzero((alpha > np.float32(0.3)) & (alpha < np.float32(0.95)))
    there = _nearest(at, alpha.shape, size, Place.of_all(alpha.shape))
    at, there = (x[behind.ravel()[there]] for x in (at, there))
    I, share = rgb.reshape(-1, 3)[at], 1 - alpha.ravel()[at]
    seen = ((I - (1 - share)[:, None] * own.reshape(-1, 3)[there]) / share[:, None]).mean(axis=1)
    dark = own.reshape(-1, 3)[there].max(axis=1) < np.float32(DARK)
    open_ = (I.max(axis=1) < np.float32(CLIPPED)) & dark
    seen, share, area = seen[open_], share[open_], label.ravel()[there[open_]]
    levels = np.ones(count, np.float32)
    for n in range(1, count):
        levels[n] = _level(seen[area == n], share[area == n])
    return White(levels[label], own) if (levels > 1).any() else None


def _is_clipped(rgb: F32) -> np.ndarray:
    """(H, W) bool: all channels are."""
    red, green, blue = cv2.split(rgb)
    return cv2.min(cv2.min(red, green), blue).reshape(rgb.shape[:2]) >= np.float32(CLIPPED)


def _level(seen: F32, weight: F32) -> np.float32:
    """An area's radiance from its measurements; 1 if they do not show that it is brighter than white."""
    brighter = seen > BRIGHTER
    if brighter.sum() < max(LEAST_PIXELS, LEAST_SHARE * seen.size):
        return np.float32(1)
    seen, weight = seen[brighter], weight[brighter]
    order = np.argsort(seen)
    total = np.cumsum(weight[order])
    return np.float32(min(seen[order][np.searchsorted(total, total[-1] / 2)], MOST))


def _window(size: tuple[int, ...]) -> np.ndarray:
    side = 2 * max(1, round(BRIDGE * max(size))) + 1
    return np.ones((side, side), np.uint8)


def _nearest(at: np.ndarray, shape: tuple[int, ...], size: tuple[int, ...], place: Place) -> np.ndarray:
    """Map flat indices `at` into a piece (n, w) = shape of the photo to flat indices into a map of (h, w) = size."""
    y, x = np.divmod(at, shape[1])
    y, x = y + place.top, x + place.left
    return y * size[0] // place.height * size[1] + x * size[1] // place.width


def unclip(rgb: F32, alpha: F32, white: White, place: Place) -> F32:
    """Return rows of the photo, (n, W, 3) at `place`, with clipped pixels in measured areas at their radiance.

    The edge crosses a clipped pixel that lies beside a dark one, so such a pixel counts half.
    """
    at = np.flatnonzero(_is_clipped(rgb))
    there = _nearest(at, alpha.shape, white.radiance.shape, place)
    known = white.radiance.ravel()[there] > 1
    at, there = at[known], there[known]
    L, a = white.radiance.ravel()[there], alpha.ravel()[at]
    edge = _beside_dark(rgb).ravel()[at] & (a < np.float32(0.05))
    L = np.where(edge, (1 + L) / 2, L)[:, None]
    a = a[:, None]
    out = rgb.copy()
    flat = out.reshape(-1, 3)
    flat[at] = np.maximum(flat[at], a * white.own.reshape(-1, 3)[there] + (1 - a) * L)
    return out


def _beside_dark(rgb: F32) -> np.ndarray:
    """(H, W) bool: a neighbour is far from white and about as dark as the darkest pixel within two pixels."""
    level = cv2.transform(rgb, np.full((1, 3), 1 / 3, np.float32)).reshape(rgb.shape[:2])
    near = cv2.erode(level, np.ones((3, 3), np.uint8))
    dark = cv2.erode(level, np.ones((5, 5), np.uint8))
    return (dark < np.float32(0.7)) & (near - dark < np.float32(0.1))


def give_own_colour(alpha: F32, white: White, subject: F32, background: F32, place: Place) -> None:
    """Restore the subject's own colour, in place, where a measured white area lies behind it.

    alpha (n, w), subject (premultiplied) and background, (n, w, 3), lie at `place` and come from `reference.split` of
    what `unclip` returned; subject + (1 - alpha) background stays that image.
    """
    at = np.flatnonzero((alpha > 0) & (alpha < np.float32(SOLID)))
    there = _nearest(at, alpha.shape, white.radiance.shape, place)
    known = white.radiance.ravel()[there] > 1
    pixels, there = np.unravel_index(at[known], alpha.shape), there[known]
    a = alpha[pixels][:, None]
    S, B = subject[pixels], background[pixels]
    I = S + (1 - a) * B
    t = np.clip((B.min(axis=1, keepdims=True) - np.float32(0.9)) / np.float32(0.08), 0, 1)
    S = S + t * (a * white.own.reshape(-1, 3)[there] - S)
    least = t * np.minimum(B, 1)  # the background is white: less is a matte or colour error and shows as specks
    B = np.clip((I - S) / (1 - a), least, np.float32(MOST))
    background[pixels] = B
    subject[pixels] = I - (1 - a) * B


def limit_radiance(rgb: F32, alpha: F32 | None, strength: float) -> F32:
    """Return a sheet's rgb (H, W, 3), premultiplied, with radiance L > 1 mapped to 1 + strength (L - 1).

    `strength` is in [0, 1]. A pixel on an edge mixes the two sides; only the brighter side's light is limited, not the
    mixture. With D and L the extremes within two pixels, D + s (L - D) becomes D' + s (L' - D').
    """
    level = greatest_channel(rgb)
    if alpha is not None:
        level = np.divide(level, alpha, out=np.zeros_like(level), where=alpha > np.float32(1e-3))
    L, D = cv2.dilate(level, np.ones((3, 3), np.uint8)), cv2.erode(level, np.ones((5, 5), np.uint8))
    low, high = (np.where(x > 1, 1 + np.float32(strength) * (x - 1), x) for x in (D, L))
    contrast = L - D
    share = np.divide(level - D, contrast, out=np.ones_like(level), where=contrast > np.float32(1e-3))
    gain = np.divide(low + share * (high - low), level, out=np.ones_like(level), where=(L > 1) & (level > 0))
    return rgb * np.minimum(gain, 1)[..., None]
