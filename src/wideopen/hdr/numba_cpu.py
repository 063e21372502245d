"""What `standard` does to each pixel, with numba. Pixels are (n, 3), L is log2 (n, 1) or (n, 3).

Tables of L by light have entries for the upper bits of a float32, so that no logarithm is taken.
"""

import numpy as np

from wideopen.arrays.jit import inner, kernel
from wideopen.hdr import MOST_STOPS

DARKEST, BRIGHTEST = -10, 10  # of a table: log2 of light
FINE = 10  # bits of the mantissa that name an entry
FIRST = int(np.float32(2.0**DARKEST).view(np.int32)) >> 23 - FINE
_STEPS = 256  # per stop, of the table of powers; with interpolation, they are right to 1e-6
POWERS = (2.0 ** (np.arange(2 * MOST_STOPS * _STEPS + 2) / _STEPS - MOST_STOPS)).astype(np.float32)


@inner()
def _power(stops, powers):
    at = (stops + np.float32(MOST_STOPS)) * np.float32(_STEPS)
    low = int(at)
    return powers[low] + (at - np.float32(low)) * (powers[low + 1] - powers[low])


@kernel()
def scale_pixels(light, log2, sign, powers, add, take):
    """light[p] <- (light[p] + add) 2^(sign L[p]) - take, at least 0."""
    several = log2.shape[1] == 3
    for p in range(len(light)):
        red = _power(sign * log2[p, 0], powers)
        green, blue = red, red
        if several:
            green, blue = _power(sign * log2[p, 1], powers), _power(sign * log2[p, 2], powers)
        light[p, 0] = max((light[p, 0] + add[0]) * red - take[0], np.float32(0))
        light[p, 1] = max((light[p, 1] + add[1]) * green - take[1], np.float32(0))
        light[p, 2] = max((light[p, 2] + add[2]) * blue - take[2], np.float32(0))


@kernel()
def gains(bits, curve, stops, apart, kept, log2):
    """Blend the photo's own log2[p], by kept[p] / 255, with L of a result by the curve and `apart`, in place.

    bits: light as int32, which sorts like floats. L leaves no channel above 1 in the standard picture.
    """
    for p in range(len(bits)):
        brightest = max(bits[p, 0], bits[p, 1], bits[p, 2])
        at = min(max((brightest >> 23 - FINE) - FIRST, 0), len(curve) - 2)
        share = np.float32(kept[p]) * np.float32(1 / 255)
        for c in range(log2.shape[1]):
            found = max(curve[at] + apart[p, c], stops[at + 1])
            found += share * (log2[p, c] - found)
            log2[p, c] = min(max(found, np.float32(-MOST_STOPS)), np.float32(MOST_STOPS))


@kernel()
def compare(rgb, photo, same_to, same, lively):
    """same <- 255 where a result is the photo; lively <- 1 where the photo differs from its pixel on the left."""
    for y in range(rgb.shape[0]):
        before = np.float32(0)
        for x in range(rgb.shape[1]):
            r, g, b = photo[y, x, 0], photo[y, x, 1], photo[y, x, 2]
            level = max(r, g, b)
            change = max(abs(rgb[y, x, 0] - r), abs(rgb[y, x, 1] - g), abs(rgb[y, x, 2] - b))
            limit = level * same_to + np.float32(1e-5)
            same[y, x] = 255 * (change <= limit)
            lively[y, x] = x > 0 and abs(level - before) > 2 * limit
            before = level
