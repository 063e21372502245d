"""Putting grain back, in plain NumPy.

Where a blur kept the share k of the amplitude of the photo's grain, grain of the amplitude sqrt(1 - k^2) is added, so
that the variances add up to the photo's. It is added to display-encoded values, where it was measured, and clipped
symmetrically, by the smaller distance to black or white, so that no channel's mean shifts:
    e = E(v);  n = lost * strength(mean of e) * noise, within +-min(e, 1 - e);  out = v + n (D' + n D'' / 2),
which is D(e + n) up to the second order, with derivatives at e. E, D' and D'' are fits in the root of v.
For a photo that was not clipped at white, n is limited by e alone, and light v > 1 becomes v + n D'(1) sqrt(v), as
for photon noise.

Noise is a function of the pixel's position alone: a tile that is repeated, of white noise filtered with a Gaussian that
wraps around. It is the same for every run, any rows and any number of threads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from wideopen.arrays.transfer.reference import light_of_codes
from wideopen.checks import F32
from wideopen.color import Encoding
from wideopen.grain.estimate import Grain, taps
from wideopen.grain.left_by_blur import GrainLayer

FIELDS = (1, 2, 3)
"""Seeds of the three independent fields: one common to the channels, and two differences of channels."""
TILE = 512  # pixels after which the noise repeats
LEAST_LOST = 1e-3


def noise(shape: tuple[int, int], seed: int, size_px: float) -> F32:
    """(H, W), variance 1: white noise smoothed by a Gaussian that wraps around."""
    field = np.random.RandomState(seed).standard_normal(shape).astype(np.float32)  # its numbers never change
    weights = taps(size_px).astype(np.float32)
    reach = len(weights) // 2
    for axis in (1, 0):
        field = sum(w * np.roll(field, reach - k, axis) for k, w in enumerate(weights))
    return field


@lru_cache(maxsize=2)
def noise_tile(size_px: float, colour: float) -> F32:
    """(3, TILE, TILE), variance 1 in each channel: a common field and two differences; `colour` is the differences'
    share of the variance.
    """
    side = TILE, TILE
    fields = [noise(side, seed, size_px) for seed in (FIELDS if colour > 0 else FIELDS[:1])]
    common, first, second = (fields * 3)[:3]
    grey, a, b = np.sqrt(1 - colour), np.sqrt(1.5 * colour / 2), np.sqrt(1.5 * colour / 6)
    mixed = (
        grey * common + a * first + b * second,
        grey * common - 2 * b * second,
        grey * common - a * first + b * second,
    )
    return np.stack(mixed).astype(np.float32)


DARK = 0.08
"""Root of light up to which curves have fits of their own: sRGB is straight up to 0.056."""


@lru_cache(maxsize=8)
def curve_fits(encoding: Encoding) -> F32:
    """(3, 3, 2, 4): of each channel, E, D' and D'' / 2 by powers of the root of light, up to DARK and beyond it.

    Grain of 12 codes moves the mean by up to 0.4 codes near black, its strength is right to 4 %. Looking up exact
    values takes eight times as long.
    """
    fits = np.zeros((3, 3, 2, 4), np.float32)
    for c, light in enumerate(light_of_codes(encoding, 16).astype(np.float64)):
        e = np.linspace(0, 1, 1025)
        v = np.interp(e, np.linspace(0, 1, light.size), light)
        slope, root = np.gradient(v, e), np.sqrt(v)
        curves = e, slope, np.gradient(slope, e) / 2
        trust = 1 / (np.minimum(e, 1 - e) + 0.01), 1 / slope, 1 / slope
        for k, powers in enumerate(((1, 2), (0, 1, 2), (0, 1))):
            for part, (here, chosen) in enumerate(((root <= DARK, powers), (root > DARK, (0, 1, 2, 3)))):
                terms = root[here, None] ** chosen
                w = trust[k][here]
                fits[c, k, part, list(chosen)] = np.linalg.lstsq(terms * w[:, None], curves[k][here] * w, rcond=None)[0]
    return fits


def _fitted(fit: F32, root: F32) -> F32:
    dark, light = (f[0] + root * (f[1] + root * (f[2] + root * f[3])) for f in fit)
    return np.where(root <= np.float32(DARK), dark, light)


@dataclass(frozen=True, slots=True)
class PhotoRows:
    """Rows of a photo (height, width): `count` from `top` on."""

    top: int
    count: int
    height: int
    width: int


def places(count: int, size: int) -> tuple[np.ndarray, F32]:
    """Where the centres of `size` pixels lie among `count` samples: the sample before, and the share of the next."""
    at = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(count / size) - np.float32(0.5)
    at = np.clip(at, 0, count - 1)
    low = at.astype(np.int32)
    return low, at - low.astype(np.float32)


def taps_of(layer: GrainLayer, rows: PhotoRows) -> tuple[slice, slice, list[tuple[np.ndarray, F32]]]:
    """Which of `rows` and columns a layer covers, and the `places` of its pixels: in the rows and columns of its
    coverage, then of what it kept.
    """
    (y, x), (n, m) = layer.corner or (0, 0), layer.coverage.shape
    if layer.corner is None:
        n, m = rows.height, rows.width
    first = max(y, rows.top)
    last = max(first, min(y + n, rows.top + rows.count))
    piece = slice(first, last), slice(x, x + m)
    taps = [
        (low[y0:y1], share[y0:y1])
        for y0, y1, (low, share) in (
            (first - y, last - y, places(layer.coverage.shape[0], n)),
            (0, m, places(layer.coverage.shape[1], m)),
            (first, last, places(layer.kept.shape[0], rows.height)),
            (x, x + m, places(layer.kept.shape[1], rows.width)),
        )
    ]
    return slice(first - rows.top, last - rows.top), piece[1], taps


def kept_amplitude(layers: Sequence[GrainLayer], rows: PhotoRows) -> F32:
    """(n, W): the share of the grain's amplitude that remains in `rows`; layers farthest first."""
    out = np.zeros((rows.count, rows.width), np.float32)
    for layer in layers:
        ys, xs, taps = taps_of(layer, rows)
        coverage, own = _sampled(layer.coverage, taps[:2]), _sampled(layer.kept, taps[2:])
        out[ys, xs] += coverage * (own - out[ys, xs])
    return out


def _sampled(x: F32, taps: Sequence[tuple[np.ndarray, F32]]) -> F32:
    """x (h, w), interpolated linearly at these rows and columns."""
    for axis, (low, share) in enumerate(taps):
        high = np.minimum(low + 1, x.shape[axis] - 1)
        near = np.take(x, low, axis)
        x = near + np.expand_dims(share, 1 - axis) * (np.take(x, high, axis) - near)
    return x


def rows_of(image: F32, top: int, height: int | None) -> PhotoRows:
    """The rows that `image` (n, W, 3) is; None = a whole photo."""
    return PhotoRows(top, image.shape[0], height or image.shape[0], image.shape[1])


def add_grain(
    image: F32,
    layers: Sequence[GrainLayer],
    grain: Grain,
    encoding: Encoding,
    top: int = 0,
    height: int | None = None,
    *,
    above: bool = False,
) -> F32:
    """`image` (n, W, 3), linear light, with its lost grain restored; changed in place and returned.

    The image is rows `top` and on of a photo of this height; None = the whole photo. `above`: the photo was not clipped
    at white, so that its grain does not end there.
    """
    rows = rows_of(image, top, height)
    lost = np.sqrt(np.maximum(1 - kept_amplitude(layers, rows) ** 2, 0))
    fits, root = curve_fits(encoding), np.sqrt(np.clip(image, 0, 1))
    e, slope, bend = (np.stack([_fitted(fits[c, k], root[..., c]) for c in range(3)], 2) for k in range(3))
    bins = len(grain.strength)
    middle = np.clip(e.mean(2) * bins - 0.5, 0, bins - 1)
    strength = np.interp(middle, np.arange(bins), grain.strength) * lost
    ys, xs = (np.arange(first, first + count) % TILE for first, count in ((top, len(image)), (0, rows.width)))
    field = noise_tile(grain.size_px, grain.colour)[:, ys[:, None], xs].transpose(1, 2, 0)
    room = np.maximum(e if above else np.minimum(e, 1 - e), 0)
    n = np.clip(strength[..., None] * field, -room, room).astype(np.float32)
    moved = np.clip(image + n * (slope + n * bend), 0, None if above else 1)
    bright = image + n * slope * np.sqrt(np.maximum(image, 0)) if above else image
    moved = np.where(image >= 1, bright, moved)
    image[:] = np.where((lost >= LEAST_LOST)[..., None] & (image > 0), moved, image)
    return image
