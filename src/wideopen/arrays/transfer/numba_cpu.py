"""Transfer with numba: the tables of `reference.py`, looked up in parallel.

Encoding finds a code in two steps: the upper bits of a float32 select a bucket of lights, whose first code is in a
table; then the thresholds inside the bucket, mostly one or none, are compared. The result equals the reference, bit for
bit.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wideopen.arrays.jit import frozen, in_threads, inner, kernel
from wideopen.arrays.transfer.reference import code_type, light_of_codes, thresholds
from wideopen.checks import F32
from wideopen.color import Encoding

# Mantissa bits that name a bucket: about one threshold, or fewer, per bucket in the densest octave.
# 12 MP at 16 bits on 2 cores: 13 bits 0.47 s, 14 bits 0.27 s, 15 bits 0.13 s, 16 bits 0.14 s.
_MANTISSA_BITS = {8: 7, 10: 9, 12: 11, 16: 15}
_PIECE = 1 << 19  # pixels that a thread takes at a time


@kernel()
def _decode(first, stop, codes, light, out):
    """out[p, c] = light[c, codes[p, c]]."""
    for p in range(first, stop):
        out[p, 0] = light[0, codes[p, 0]]
        out[p, 1] = light[1, codes[p, 1]]
        out[p, 2] = light[2, codes[p, 2]]


@inner()
def _code(light, bits, limits, first_code, first_bucket, shift, more):
    """Number of limits <= light; `bits`: `light` as int32; `more`: limits in a bucket beyond the first."""
    bucket = min(max((bits >> shift) - first_bucket, np.int32(0)), np.int32(first_code.shape[0] - 1))
    code = np.intp(first_code[bucket])
    code += light >= limits[code]
    for _ in range(more):
        code += light >= limits[code]
    return code


@kernel()
def _encode(first, stop, rgb, bits, row_of, limits, first_code, first_bucket, shift, more, out):
    """out[p, c] = `_code` of rgb[p, c] with limits[row_of[c]]. Without a loop over c: a quarter of the time."""
    r, g, b = row_of[0], row_of[1], row_of[2]
    start, shift = np.int32(first_bucket), np.int32(shift)
    limits_r, limits_g, limits_b = limits[r], limits[g], limits[b]
    first_r, first_g, first_b = first_code[r], first_code[g], first_code[b]
    for p in range(first, stop):
        out[p, 0] = _code(rgb[p, 0], bits[p, 0], limits_r, first_r, start, shift, more)
        out[p, 1] = _code(rgb[p, 1], bits[p, 1], limits_g, first_g, start, shift, more)
        out[p, 2] = _code(rgb[p, 2], bits[p, 2], limits_b, first_b, start, shift, more)


@lru_cache(maxsize=8)
def _buckets(encoding: Encoding, bit_depth: int) -> tuple[NDArray[np.intp], F32, NDArray[np.uint16], int, int, int]:
    """Return (row of each channel, limits and inf, first code per bucket, first bucket, shift, more): see `_code`.

    Channels with the same curve share a row: a third of the table stays in the cache.
    """
    rows = thresholds(encoding, bit_depth)
    kinds = list(dict.fromkeys(map(bytes, rows)))  # np.unique would take 0.2 s for 16 bits
    row_of = np.array([kinds.index(bytes(row)) for row in rows])
    limits = np.stack([np.frombuffer(kind, np.float32) for kind in kinds])
    shift = 23 - _MANTISSA_BITS[bit_depth]
    first_bucket = int(limits[:, 0].min().view(np.int32)) >> shift
    last_bucket = int(np.float32(1).view(np.int32)) >> shift
    lowest = (np.arange(first_bucket, last_bucket + 1, dtype=np.int32) << shift).view(np.float32)
    lowest[0] = 0  # darker light than the first threshold, and negative light, land in this bucket
    first_code = np.stack([np.searchsorted(row, lowest, side="right") for row in limits])
    most = max(int(np.diff(row, append=limits.shape[1]).max()) for row in first_code)
    ended = np.concatenate([limits, np.full((len(limits), 1), np.inf, np.float32)], axis=1)
    return row_of, ended, first_code.astype(np.uint16), first_bucket, shift, max(most - 1, 0)


def decode(codes: NDArray[Any], encoding: Encoding, bit_depth: int) -> F32:
    """`reference.decode`, in parallel."""
    out = np.empty(codes.shape, np.float32)
    flat = frozen(np.ascontiguousarray(codes).reshape(-1, 3))  # (H * W, 3)
    in_threads(_decode, len(flat), _PIECE, flat, light_of_codes(encoding, bit_depth), out.reshape(-1, 3))
    return out


def encode(rgb: F32, encoding: Encoding, bit_depth: int) -> NDArray[Any]:
    """`reference.encode`, in parallel."""
    out = np.empty(rgb.shape, code_type(bit_depth))
    flat = frozen(np.ascontiguousarray(rgb).reshape(-1, 3))  # (H * W, 3)
    arguments = flat, flat.view(np.int32), *_buckets(encoding, bit_depth), out.reshape(-1, 3)
    in_threads(_encode, len(flat), _PIECE, *arguments)
    return out
