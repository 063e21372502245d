"""Grain, and its estimation from the photo alone.

Ours, after the idea common to such estimators: flat regions show the noise, and nothing varies less than the noise.
1. Blocks of 8 x 8 pixels on a grid over the photo, display-encoded, without clipped pixels; a plane is subtracted from
   each.
2. The channels are transformed to R + G + B and two differences, all of length 1: white noise stays white and equal.
3. The *floor*, in bins of brightness: the mean variance of the lowest cluster of blocks, as wide as the variances of
   pure noise would be. A bin with only textured content lies too high: strengths may not grow by more than `STEEPEST`
   from one bin to the next, and bins are smoothed, each weighted by the number of blocks in its cluster.
4. Size: the Gaussian whose smoothed white noise has the correlations at 1 and 2 pixels found in the clusters. The
   effect of subtracting the plane is known exactly for each size, so the small blocks bias neither size nor strength.

There is no grain if there is no floor (variances that keep rising past the cluster: texture everywhere), if the cluster
varies too smoothly for noise (a photo without grain, slightly soft), or below `LEAST_CODES`.
Blocks without any variation (smoothed by JPEG, or flat in 8 bits) count only if most blocks are like that.

Display-encoded values come from a transfer curve tabulated with linear interpolation: fractional codes, within
0.005 8-bit codes of the curve from 0.03 codes on (`arrays.transfer` is exact and returns whole codes).
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from wideopen.arrays.transfer.reference import light_of_codes
from wideopen.checks import F32
from wideopen.color import Encoding

CODES = 255.0
"""Users see strengths in 8-bit codes; arrays hold fractions of white."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grain:
    """Noise of a photo in display-encoded values. Strength: the standard deviation of a channel."""

    strength: F32  # (N,) fraction of white, at the centres of N equal bins of brightness (the mean of the channels)
    size_px: float = 0.0  # sigma of the Gaussian that white noise was smoothed with
    colour: float = 0.0  # [0, 1]: share of the variance that is not common to the three channels

    def __bool__(self) -> bool:
        """Whether the photo has grain."""
        return bool(self.strength.any())

    @property
    def codes(self) -> float:
        """Strength at mid grey, 8-bit codes; 0 = none."""
        middles = (np.arange(len(self.strength)) + 0.5) / len(self.strength)
        return float(np.interp(0.5, middles, self.strength)) * CODES

    def with_codes(self, codes: float) -> "Grain":
        """The same grain with another strength at mid grey; without grain, fine grey grain, equal at every level."""
        if self.codes == 0:
            return Grain(strength=np.full(1, codes / CODES, np.float32))
        return replace(self, strength=self.strength * np.float32(codes / self.codes))


NO_GRAIN = Grain(strength=np.zeros(1, np.float32))


CURVE = 4096
"""Steps of a transfer curve's table, over the square root of light."""


@lru_cache(maxsize=8)
def curve_table(encoding: Encoding) -> F32:
    """(3, CURVE + 1): encoded values at light (i / CURVE)^2."""
    light = light_of_codes(encoding, 16).astype(np.float64)
    squares, codes = np.linspace(0, 1, CURVE + 1) ** 2, np.linspace(0, 1, light.shape[1])
    return np.stack([np.interp(squares, row, codes) for row in light]).astype(np.float32)


def look_up(table: F32, position: F32) -> F32:
    """Linear interpolation in `table` at fractional indices, which must lie within it."""
    index = np.minimum(position.astype(np.int64), len(table) - 2)
    share = position - index.astype(np.float32)
    return table[index] + share * (table[index + 1] - table[index])


def encoded(rgb: F32, encoding: Encoding) -> F32:
    """Display-encoded values of linear light (..., 3), in [0, 1]; light outside [0, 1] clips."""
    encode = curve_table(encoding)
    root = np.sqrt(np.clip(rgb, 0, 1)) * np.float32(CURVE)
    return np.stack([look_up(encode[c], root[..., c]) for c in range(3)], axis=-1)


BLOCK = 8
MOST_BLOCKS = 8192
FEWEST_BLOCKS = 24
MOSTLY = 3
"""Ratio of still blocks to blocks in the cluster above which noise is invisible."""
BINS = 8
SIZES_PX = np.arange(0, 2.01, 0.05)
SMOOTH_PX = 1.45
"""From this size on it is not noise. Clean, slightly soft photos gave 1.6 to 2.0; true sizes of 1.2 gave up to 1.4."""
LEAST_CODES, MOST_CODES = 0.7, 16.0
LEAST_COLOUR = 1e-3
"""Share of colour in the variance below which grain is grey: differences of a thirtieth of a code are not seen."""
STILL_CODES2 = 0.3
"""Variance of a block, 8-bit codes squared, below which it is still; rounding to 8 bits alone gives 0.08."""
STEEPEST = 1.25
NO_FLOOR = 1.0
"""Ratio of blocks up to three times as far above the floor as the cluster reaches to blocks in the cluster: 0.1 to 0.6
for noise, up to 0.9 for noise distorted by JPEG, 1.6 for grass and gravel."""

OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])


def estimate_grain(rgb: F32, encoding: Encoding) -> Grain:
    """The grain of a photo (H, W, 3), linear light; `NO_GRAIN` if none is visible."""
    blocks = _blocks(rgb, encoding)
    blocks = blocks[(blocks.min((1, 2, 3)) > 0.5) & (blocks.max((1, 2, 3)) < CODES - 0.5)]
    bins = np.minimum((blocks.mean((1, 2, 3)) / CODES * BINS).astype(int), BINS - 1)
    variance, lag1, lag2 = _residuals(blocks)  # (n, 3), (n,), (n,)
    lively = variance[:, 0] > STILL_CODES2
    expected, size = _expected(), 0
    for _ in range(5):  # the cluster's width depends on the size, and the size on the cluster
        share, _, _, spread = expected[size]
        grey, trust = _floors(variance[:, 0], lively, bins, spread)
        reach = grey[bins] * (1 + 2 * spread)
        cluster = lively & (variance[:, 0] < reach)
        if cluster.sum() < FEWEST_BLOCKS or (~lively).sum() > MOSTLY * cluster.sum():
            return NO_GRAIN
        found = np.array([lag1[cluster].sum(), lag2[cluster].sum()]) / variance[cluster, 0].sum()
        size = int(((expected[:, 1:3] / expected[:, :1] - found) ** 2).sum(1).argmin())
    above = lively & ~cluster & (variance[:, 0] < grey[bins] * (1 + 6 * spread))
    if above.sum() > NO_FLOOR * cluster.sum() or SIZES_PX[size] >= SMOOTH_PX:
        return NO_GRAIN
    colour = float(np.median(variance[cluster, 1:] / grey[bins][cluster, None]))  # 1 for white noise
    channel = (1 + 2 * colour) / 3
    if not LEAST_CODES**2 <= (grey * trust).sum() / trust.sum() / share * channel <= MOST_CODES**2:
        return NO_GRAIN
    colour = 2 * colour / (1 + 2 * colour)
    return Grain(
        strength=(np.sqrt(grey / share * channel) / CODES).astype(np.float32),
        size_px=float(SIZES_PX[size]),
        colour=colour if colour > LEAST_COLOUR else 0.0,
    )


def _blocks(rgb: F32, encoding: Encoding) -> F32:
    """Blocks (n, BLOCK, BLOCK, 3) of a regular grid, display-encoded, in 8-bit codes (not rounded to them)."""
    rows, columns = rgb.shape[0] // BLOCK, rgb.shape[1] // BLOCK
    step = max(1, int(np.ceil(np.sqrt(rows * columns / MOST_BLOCKS))))
    inner = np.arange(BLOCK)
    y = (np.arange(0, rows, step)[:, None] * BLOCK + inner).ravel()
    x = (np.arange(0, columns, step)[:, None] * BLOCK + inner).ravel()
    if y.size == 0 or x.size == 0:
        return np.zeros((0, BLOCK, BLOCK, 3), np.float32)
    codes = encoded(rgb[y[:, None], x], encoding) * np.float32(CODES)
    grid = codes.reshape(len(y) // BLOCK, BLOCK, len(x) // BLOCK, BLOCK, 3)
    return grid.transpose(0, 2, 1, 3, 4).reshape(-1, BLOCK, BLOCK, 3)


def _residuals(blocks: F32) -> tuple[F32, F32, F32]:
    """Without each block's plane: variances of the opponents (n, 3), the first's products at 1 and 2 pixels (n,)."""
    ramp = (np.arange(BLOCK) - (BLOCK - 1) / 2).astype(np.float32)
    x = blocks @ OPPONENT.T.astype(np.float32)
    x = x - x.mean((1, 2), keepdims=True)
    for slope in (ramp[:, None, None], ramp[:, None]):  # along y, along x
        x = x - (x * slope).sum((1, 2), keepdims=True) / (BLOCK * (ramp**2).sum()) * slope
    grey = x[..., 0]

    def product(lag: int) -> F32:
        down, right = grey[:, lag:] * grey[:, :-lag], grey[:, :, lag:] * grey[:, :, :-lag]
        return (down.mean((1, 2)) + right.mean((1, 2))) / 2

    return (x**2).mean((1, 2)), product(1), product(2)


@lru_cache(maxsize=1)
def _expected() -> np.ndarray:
    """For noise of variance 1 and each size: residual variance, products at 1 and 2 pixels, spread of variances."""
    ramp = np.arange(BLOCK) - (BLOCK - 1) / 2
    y, x = (axis.ravel() for axis in np.meshgrid(ramp, ramp, indexing="ij"))
    plane, _ = np.linalg.qr(np.stack([np.ones_like(x), x, y], axis=1))
    rest = np.eye(BLOCK * BLOCK) - plane @ plane.T
    apart = np.abs(np.arange(BLOCK)[:, None] - np.arange(BLOCK))
    rows = []
    for size in SIZES_PX:
        along = correlation(size, BLOCK)[apart]
        covariance = rest @ np.kron(along, along) @ rest
        pairs = covariance.reshape(BLOCK, BLOCK, BLOCK, BLOCK)  # (y, x, y', x')
        lags = [np.mean([np.trace(pairs[:, k, :, k], lag) / (BLOCK - lag) for k in range(BLOCK)]) for lag in (0, 1, 2)]
        rows.append([*lags, np.sqrt(2 * (covariance**2).sum()) / BLOCK**2 / lags[0]])
    return np.array(rows)


def taps(size_px: float) -> np.ndarray:
    """Weights (2R + 1,) along one axis of the Gaussian that makes noise coarse; white noise keeps its variance."""
    reach = int(np.ceil(3 * size_px))
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * size_px**2)) if reach else np.ones(1)
    return np.asarray(weights / np.sqrt((weights**2).sum()))


def correlation(size_px: float, count: int) -> np.ndarray:
    """Correlation along one axis of noise of this size, at distances 0 to count - 1."""
    weights = taps(size_px)
    return np.pad(np.correlate(weights, weights, "full")[len(weights) - 1 :], (0, count))[:count]


def _floors(variance: np.ndarray, lively: np.ndarray, bins: np.ndarray, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Floor of each bin of brightness, without jumps or gaps, 0 where most blocks are still; and the cluster's size."""
    level, trust, still = np.zeros(BINS), np.zeros(BINS), np.zeros(BINS, bool)
    for i in range(BINS):
        level[i], kept = _floor(variance[lively & (bins == i)], spread)
        trust[i] = kept
        still[i] = (~lively & (bins == i)).sum() > MOSTLY * kept
    trust[still] = 0
    if not trust.any():
        return level * 0, trust
    apart = np.abs(np.arange(BINS)[:, None] - np.arange(BINS))
    sure = trust >= 0.05 * trust.max()
    limit = np.where(sure, level * STEEPEST ** (2 * apart), np.inf).min(1)
    weight = trust * np.exp(-(apart**2))
    smooth = ((weight * np.sqrt(np.minimum(level, limit))).sum(1) / weight.sum(1)) ** 2
    return np.where(still, 0, smooth), trust


def _floor(variance: np.ndarray, spread: float) -> tuple[float, int]:
    """Mean and size of the lowest cluster of (n,) variances; both 0 for fewer than `FEWEST_BLOCKS`."""
    if variance.size < FEWEST_BLOCKS:
        return 0.0, 0
    freedom = 2 / spread**2  # Wilson and Hilferty's 5th percentile of a chi-squared variable
    low = (1 - 2 / (9 * freedom) - 1.645 * np.sqrt(2 / (9 * freedom))) ** 3
    level = float(np.quantile(variance, 0.05) / low)
    for _ in range(8):
        level = float(variance[variance < level * (1 + 2 * spread)].mean())
    return level, int((variance < level * (1 + 2 * spread)).sum())
