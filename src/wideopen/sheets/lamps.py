"""Estimate how bright the lights were that the photo clipped at white, and restore their radiance.

A lamp is white in a photo but many times brighter in the scene; blurred unchanged, it gives a grey disk. Ours: the
light of each clipped region is estimated from its edge. A light far above white ends abruptly: its flanks are as dark
as the surroundings. A sky, a cloud or a wall that barely clips fades into white. With d the brightness of the ring of
pixels around a region, or the mean brightness around it if that is less, and h the colour that the ring has beyond what
lies farther out, its greatest channel 1 (a lamp's colour survives in its flanks),
    L = (1 + PALE (d^-STEEP - 1)) h.
Only a colour far above white clips in all three channels, so a pixel whose least channel is w gets
    max(L 2^(TINT (w - 1)), 1)
times its light in the channels that are clipped, and partly in others, the more the closer they are to clipping:
cameras compress values near white, and red alone times eight would turn a warm lamp pink. In focus these others stay
unchanged, and nothing changes except that codes of 252 to 254 may become white.

Tuned on 41 pictures whose true light is known (18 CC0 panoramas at two exposures, four phone photos with gain maps, the
ray-traced scene night), blurred with a disk of 2.4 % of the long side; PSNR against the same blur of the true light.
Mean of the nine scenes with lamps: 21.5 dB without an estimate, 24.5 with a constant 6 in the dark, 27 with this one.
Mean of the others, skies and white walls among them: 34.1, 33.3 and 37 dB.
"""

import cv2
import numpy as np

from wideopen.arrays.maps import Place, greatest_channel
from wideopen.checks import F32
from wideopen.optics import Optics

LIT = np.float32(0.97)
"""Linear light at or above which a channel counts as clipped: 8-bit sRGB code 252."""
NEARLY = np.float32(0.5)
"""Light from which a channel that did not clip shines a little with those that did."""
PALE, STEEP, TINT = 1.2, 0.75, 3.0
"""PALE 1.5 suits lamps better (27.4 dB instead of 27.0), skies behind leaves worse (ray-traced: 25.0, not 28.5 dB)."""
MOST = 12.0
SURROUND = 0.03
"""Radius of "around", as a fraction of the long side."""
LEAST = 0.02  # light in the dark, and in a colour
FAINT = np.float32(1e-3)  # coverage below which a sheet's colour says nothing


def guess_lamps(rgb: F32, alpha: F32) -> F32 | None:
    """Return (h, w, 3): L in and beside each light of a photo (h, w, 3), 0 elsewhere; None if there is no light.

    alpha (h, w): lights on the subject itself are glints, and stay as they are.
    """
    bright = greatest_channel(rgb)
    lit = bright >= LIT
    if not lit.any():
        return None
    count, label = cv2.connectedComponents(lit.astype(np.uint8), connectivity=8)
    beside, near = (_widened(label, radius) for radius in (1, 3))
    side = 2 * max(1, round(SURROUND * max(lit.shape))) + 1
    around = cv2.blur(cv2.blur(np.minimum(bright, 1), (side, side)), (side, side)).reshape(lit.shape)

    at = np.flatnonzero(near)

    def mean(values: F32, of: np.ndarray) -> np.ndarray:
        total, pixels = (np.bincount(of.ravel()[at], x, minlength=count) for x in (values.ravel()[at], None))
        return np.where(pixels > 0, total / np.maximum(pixels, 1), 1)

    ring, beyond = beside * ~lit, near * (beside == 0)
    dark = np.clip(np.minimum(mean(bright, ring), mean(around, label)), LEAST, 1)
    flank = np.stack([mean(rgb[..., c], ring) - mean(rgb[..., c], beyond) for c in range(3)], axis=1)
    hue = np.maximum(flank, 0) + LEAST
    light = np.minimum(1 + PALE * (dark**-STEEP - 1), MOST)[:, None] * hue / hue.max(axis=1, keepdims=True)
    light[mean(alpha, label) > 0.5] = 0
    light[0] = 0
    return light.astype(np.float32)[beside] if (light > 1).any() else None


def _widened(label: np.ndarray, radius: int) -> np.ndarray:
    """Regions (h, w) with the pixels within `radius` of them."""
    window = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    return cv2.dilate(label.astype(np.float32), window).reshape(label.shape).astype(np.int32)


def shine(
    rgb: F32,
    alpha: F32 | None,
    disparity: F32,
    photo: F32,
    lamps: F32,
    strength: float,
    optics: Optics | None,
    place: Place,
) -> None:
    """Put the light of `lamps` (h, w, 3), times `strength`, into a sheet's premultiplied rgb (n, w, 3) at `place`.

    photo (n, W, 3), the rows of the place: only pixels clipped in it get light, not those continued behind the subject.
    optics: the lens, which says what stays in focus; None = everything.
    """
    y, x = np.nonzero(greatest_channel(place.of(photo)) >= LIT)
    rows, columns = lamps.shape[:2]
    light = lamps[(y + place.top) * rows // place.height, (x + place.left) * columns // place.width]
    known = light.any(axis=1)
    y, x, light = y[known], x[known], light[known]
    colour = rgb[y, x] if alpha is None else rgb[y, x] / np.maximum(alpha[y, x], FAINT)[:, None]
    white = np.minimum(colour.min(axis=1, keepdims=True), 1)
    more = np.float32(strength) * np.maximum(light * np.exp2(np.float32(TINT) * (white - 1)) - 1, 0)
    radius = np.zeros(len(y), np.float32) if optics is None else np.abs(optics.signed_radius(disparity[y, x]))
    nearly = np.maximum((colour - NEARLY) / (LIT - NEARLY), 0) * np.clip(radius[:, None] - 1, 0, 1)
    share = np.where(colour >= LIT, 1, nearly) * (colour.max(axis=1, keepdims=True) >= LIT)
    rgb[y, x] *= 1 + more * share
