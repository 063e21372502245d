"""Radiance given back to highlights that the photo clipped at white.

A lamp in a photo is white, in the scene it is many times brighter; blurred as it is, it gives a grey disk. Ours:
before the blur, a curve E stretches what is near white, and after it E^-1 brings everything back:
    E(m) = m (1 + s t^4),  t = clip((m - KNEE) / (1 - KNEE), 0, 1),  m the brightest channel; hue is kept
So what is not blurred, and any flat area however bright, comes back as it was, while a small lamp keeps its energy.
"""

import numpy as np

from wideopen.checks import F32

KNEE = 0.85
"""Linear light; 8-bit sRGB code 237. Below it nothing changes."""
FULL_GAIN = 12.0
"""s at strength 1: a clipped pixel counts as 13 times white. By eye, on street photos; not yet against truth."""
NEWTON_STEPS = 5
"""E is convex above the knee, so Newton's steps from the right are monotone; 5 reach 1e-7 for strengths up to 10."""


def highlight_gain(rgb: F32, alpha: F32, strength: float) -> F32:
    """Return (H, W): E(m) / m for premultiplied `rgb` (H, W, 3) over its `alpha` (H, W)."""
    brightest = rgb.max(axis=2)
    level = np.divide(brightest, alpha, out=np.zeros_like(brightest), where=alpha > np.float32(1e-3))
    t = np.clip((level - np.float32(KNEE)) / np.float32(1 - KNEE), 0, 1)
    return 1 + np.float32(FULL_GAIN * strength) * (t * t) ** 2


def compress_highlights(rgba: np.ndarray, strength: float) -> np.ndarray:
    """E^-1: return the blurred sheet `rgba` (H, W, 4), premultiplied, with its brightest channel brought back.

    Sheet by sheet, before they go over one another: so hair in focus before a bright sky comes back as it was.
    """
    s = FULL_GAIN * strength
    alpha = rgba[..., 3].astype(np.float64)
    level = np.divide(rgba[..., :3].max(axis=2), alpha, out=np.zeros_like(alpha), where=alpha > 1e-3)
    if s == 0:
        return rgba
    bound = (np.maximum(level / KNEE - 1, 0) / s) ** 0.25  # of t, since m >= KNEE
    m = np.clip(np.minimum(level, KNEE + (1 - KNEE) * bound), KNEE, 1)
    for _ in range(NEWTON_STEPS):
        t = (m - KNEE) / (1 - KNEE)
        m -= (m * (1 + s * t**4) - level) / (1 + s * t**4 + 4 * s * m * t**3 / (1 - KNEE))
    m = np.where(level > 1 + s, level / (1 + s), m)
    factor = np.where(level > KNEE, m / np.maximum(level, KNEE), 1)
    out = rgba.copy()
    out[..., :3] *= factor[..., None]
    return out
