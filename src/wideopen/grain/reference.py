"""Putting grain back, in plain NumPy.

Where a blur kept the share k of the amplitude of the photo's grain, grain of the amplitude sqrt(1 - k^2) is added, so
that the variances add up to the photo's. It is added to display-encoded values, where it was measured. It is clipped
symmetrically, by the smaller distance to black or white, so that no channel's mean shifts:
    e = E(v);  n = lost * strength(mean of e) * noise;  out = D(e + clip(n, +-min(e, 1 - e))).

Noise is a function of the pixel's position alone: a hash of the position, mapped through the inverse of the normal
distribution, then filtered with a Gaussian that wraps around at the borders. It is the same for every run, tile and
number of threads.
"""

from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from wideopen.checks import F32
from wideopen.color import Encoding
from wideopen.grain.estimate import CURVE, Grain, curve_tables, encoded, look_up, taps
from wideopen.grain.left_by_blur import Layer

FIELDS = (0x9E3779B9, 0x7F4A7C15, 0x1CE4E5B9)
"""Seeds of the three independent fields: one common to the channels, and two differences of channels."""
NORMAL_BITS = 12
LEAST_LOST = 1e-3


@lru_cache(maxsize=1)
def normal_table() -> F32:
    """(2**NORMAL_BITS,) equally probable values of a normal distribution with variance 1."""
    count = 2**NORMAL_BITS
    values = np.array([NormalDist().inv_cdf((k + 0.5) / count) for k in range(count)])
    table: F32 = (values / values.std()).astype(np.float32)
    table.flags.writeable = False
    return table


def white_noise(shape: tuple[int, int], seed: int) -> F32:
    """(H, W), variance 1, independent pixels."""
    h = np.arange(shape[0] * shape[1], dtype=np.uint64).reshape(shape)
    mask = np.uint64(0xFFFFFFFF)
    h = (h + np.uint64(seed)) & mask  # Wellons' lowbias32
    h ^= h >> np.uint64(16)
    h = (h * np.uint64(0x7FEB352D)) & mask
    h ^= h >> np.uint64(15)
    h = (h * np.uint64(0x846CA68B)) & mask
    h ^= h >> np.uint64(16)
    return normal_table()[h >> np.uint64(32 - NORMAL_BITS)]


def noise(shape: tuple[int, int], seed: int, size_px: float) -> F32:
    """(H, W), variance 1: white noise smoothed by a Gaussian."""
    field, weights = white_noise(shape, seed), taps(size_px).astype(np.float32)
    reach = len(weights) // 2
    for axis in (1, 0):
        field = sum(w * np.roll(field, reach - k, axis) for k, w in enumerate(weights))
    return field


def stretched(x: F32, shape: tuple[int, int]) -> F32:
    """(h, w) sampled at the pixel centres of `shape`, bilinearly."""
    for axis, size in enumerate(shape):
        at = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(x.shape[axis] / size) - np.float32(0.5)
        at = np.clip(at, 0, x.shape[axis] - 1)
        low = at.astype(np.int64)
        share = np.expand_dims(at - low.astype(np.float32), 1 - axis)
        high = np.minimum(low + 1, x.shape[axis] - 1)
        x = np.take(x, low, axis) + share * (np.take(x, high, axis) - np.take(x, low, axis))
    return x


def kept_amplitude(layers: Sequence[Layer]) -> F32:
    """(H, W): the share of the grain's amplitude that remains; layers farthest first."""
    shape = layers[0].disparity.shape
    out = np.zeros(shape, np.float32)
    for layer in layers:
        own = look_up(layer.kept, np.clip(layer.disparity, 0, 1) * np.float32(len(layer.kept) - 1))
        out += stretched(layer.coverage, shape) * (own - out)
    return out


def add_grain(image: F32, layers: Sequence[Layer], grain: Grain, encoding: Encoding) -> F32:
    """`image` (H, W, 3), linear light, with its lost grain restored; changed in place and returned."""
    shape = image.shape[:2]
    lost = np.sqrt(np.maximum(1 - kept_amplitude(layers) ** 2, 0))
    _, decode = curve_tables(encoding)
    e = encoded(image, encoding)
    bins = len(grain.strength)
    middle = np.clip(e.mean(2) * bins - 0.5, 0, bins - 1)
    strength = np.interp(middle, np.arange(bins), grain.strength) * lost
    field = channel_noise([noise(shape, seed, grain.size_px) for seed in FIELDS], grain.colour)
    room = np.minimum(e, 1 - e)
    moved = e + np.clip(strength[..., None] * field, -room, room).astype(np.float32)
    for c in range(3):
        grainy = look_up(decode[c], moved[..., c] * np.float32(CURVE))
        image[..., c] = np.where((lost >= LEAST_LOST) & (room[..., c] > 0), grainy, image[..., c])
    return image


def channel_noise(fields: Sequence[F32], colour: float) -> F32:
    """(H, W, 3), variance 1 in each channel: a common field and two differences; `colour` is the differences' share."""
    common, first, second = fields
    grey, a, b = np.sqrt(1 - colour), np.sqrt(1.5 * colour / 2), np.sqrt(1.5 * colour / 6)
    return np.stack(
        [
            grey * common + a * first + b * second,
            grey * common - 2 * b * second,
            grey * common - a * first + b * second,
        ],
        axis=-1,
    ).astype(np.float32)
