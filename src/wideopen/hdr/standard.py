"""From a standard picture to the light above white and back.

A gain map holds L, the log2 of how much brighter than in the standard picture each pixel was:
    HDR = (SDR + offset_sdr) 2^L - offset_hdr,   light, per channel, SDR in [0, 1]
Reference: ISO 21496-1:2025; Ultra HDR Image Format 1.1 (developer.android.com). Deviation: L itself is interpolated
between the map's pixels, not its code; with a gamma of 1, which phones write, that is the same.

The standard picture of a result (ours). What the lens left unchanged keeps the photo's own codes and gain. For the rest
the photo's own tone curve is estimated: the mean L as a function of the brightest channel m, and how far L deviates
from it, smoothly over the photo. A photo without a map gets a shoulder: values up to `KNEE` stay, infinite light is 1.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wideopen.arrays import transfer
from wideopen.arrays.maps import enlarged_rows, greatest_channel, in_strips, work_size
from wideopen.arrays.transfer.reference import code_type
from wideopen.checks import F32
from wideopen.color import Encoding
from wideopen.hdr import Channels, GainMap, Hdr

KNEE = 0.6
SAME = 1e-3  # relative change of light up to which the lens has left a pixel as it was
LIVELY = 0.02
_EVERY = 4  # pixels, for what needs no more
_ROWS = 128
_LEARN_PX = 512  # long side at which the tone curve is learnt
_LOCAL = 0.03  # of the long side: the reach of what is particular to a place
_DARKEST, _BRIGHTEST = -10, 10  # of a table of L by light: log2 of light
_SHIFT = 13  # the other 10 bits of a float32's mantissa name an entry of it, so that no logarithm is taken
_FIRST = int(np.float32(2.0**_DARKEST).view(np.int32)) >> _SHIFT
_BINS = 4  # per stop, from which a curve is learnt


def brighten(light: F32, gain: GainMap) -> None:
    """Turn the standard picture's `light` (H, W, 3) into the photo's, in place."""
    _scale(light, gain.log2, 1, gain.offset_sdr, gain.offset_hdr)


def darken(light: F32, gain: GainMap) -> None:
    """Turn the photo's `light` (H, W, 3) into that of its standard picture, in place."""
    _scale(light, gain.log2, -1, gain.offset_hdr, gain.offset_sdr)


def standard_light(rgb: F32, hdr: Hdr, encoding: Encoding) -> F32:
    """Light (H, W, 3) of the standard picture of a photo as it was read; `rgb` itself for floats, which have none."""
    if hdr.standard is not None:
        return transfer.decode(hdr.standard, encoding, bit_depth=hdr.bit_depth)
    if hdr.kind == "floats":
        return rgb
    light = rgb.copy()
    darken(light, hdr.gain or GainMap(log2=_at(_shoulder(), greatest_channel(light))))
    return light


def to_standard(
    rgb: F32, photo: F32 | None, hdr: Hdr, encoding: Encoding, *, bit_depth: int = 8
) -> tuple[NDArray[Any], GainMap]:
    """Return (codes (H, W, 3) of the standard picture of the result `rgb`, the gain map that leads back to `rgb`).

    photo: (H, W, 3), the light that `rgb` was made from; if its size differs, all pixels count as changed. None = made
    again, some rows at a time, from what `hdr` holds, unless `hdr.needs_light`.
    """
    from wideopen.hdr import numba_cpu

    own = hdr.gain
    stops = _table().astype(np.float32)
    curve, apart, kept = _shoulder() if hdr.kind != "floats" else np.maximum(stops, 0), None, None
    if own is not None:
        curve, apart = _learnt(photo, hdr, own, encoding)
        if photo is None or rgb.shape == photo.shape:
            rows_of = _light_again(hdr, own, encoding) if photo is None else photo.__getitem__
            kept = _unchanged(rgb, rows_of)
    log2 = np.zeros((*rgb.shape[:2], *(() if own is None else own.log2.shape[2:])), np.float32)
    codes = np.empty(rgb.shape, code_type(bit_depth))
    offsets = ((0.0, 0.0, 0.0),) * 2 if own is None else (own.offset_hdr, own.offset_sdr)
    own_codes = hdr.standard if hdr.bit_depth == bit_depth else None

    def work(top: int, bottom: int) -> None:
        rows = slice(top, bottom)
        light, found = rgb[rows].copy(), log2[rows]
        near = np.zeros_like(found) if apart is None else enlarged_rows(apart, rgb.shape, top, bottom)
        share = np.zeros(found.shape[:2], np.uint8) if kept is None else kept[rows]
        if kept is not None and own is not None:
            found[:] = enlarged_rows(own.log2, rgb.shape, top, bottom)
        numba_cpu.find_gains(light, curve, stops, _FIRST, _SHIFT, near, share, found)
        _scale_rows(light, found, -1, *offsets)
        codes[rows] = transfer.encode(light, encoding, bit_depth=bit_depth)
        if kept is not None and own_codes is not None:
            cv2.copyTo(own_codes[rows], cv2.compare(kept[rows], 255, cv2.CMP_EQ), codes[rows])

    in_strips(work, 0, len(rgb), _ROWS)
    return codes, GainMap(log2=log2, offset_hdr=offsets[0], offset_sdr=offsets[1])


def _light_again(hdr: Hdr, gain: GainMap, encoding: Encoding) -> Callable[[slice], F32]:
    """A function that makes rows of the photo's light (n, W, 3) as reading the file did."""

    def rows_of(rows: slice) -> F32:
        assert hdr.standard is not None  # as there is a gain map
        light = transfer.decode(hdr.standard[rows], encoding, bit_depth=hdr.bit_depth)
        log2 = enlarged_rows(gain.log2, hdr.standard.shape, rows.start, rows.stop)
        _scale_rows(light, log2, 1, gain.offset_sdr, gain.offset_hdr)
        return light

    return rows_of


def _scale(light: F32, log2: F32, sign: int, add: Channels, take: Channels) -> None:
    """light (H, W, 3) <- (light + add) 2^(sign L) - take, at least 0; L is resized from log2 (h, w) or (h, w, 3)."""

    def work(top: int, bottom: int) -> None:
        _scale_rows(light[top:bottom], enlarged_rows(log2, light.shape, top, bottom), sign, add, take)

    in_strips(work, 0, len(light), _ROWS)


def _scale_rows(light: F32, log2: F32, sign: int, add: Channels, take: Channels) -> None:
    gain = cv2.exp(log2 * np.float32(sign * np.log(2)))  # as fast as numba, which need not be loaded yet
    gain = gain.reshape(light.shape) if log2.ndim == 3 else cv2.merge([gain] * 3).reshape(light.shape)
    if any(add):
        light += np.array(add, np.float32)
    light *= gain
    if any(take):
        light -= np.array(take, np.float32)
    np.maximum(light, 0, out=light)


def _table() -> NDArray[np.float64]:
    """The log2 of light at the entries of a curve's table."""
    count = ((_BRIGHTEST - _DARKEST) << (23 - _SHIFT)) + 2  # one more than there are, for the upper end of the last
    return np.log2(((np.arange(count, dtype=np.int32) + _FIRST) << _SHIFT).view(np.float32).astype(np.float64))


def _shoulder() -> F32:
    light = 2 ** _table()
    over = np.maximum(light - KNEE, 0) / (1 - KNEE)
    return np.log2(light / np.where(over > 0, KNEE + (1 - KNEE) * -np.expm1(-over), light)).astype(np.float32)


def _at(curve: F32, light: F32) -> F32:
    """L (h, w) by the brightest channel (h, w)."""
    return curve[np.clip((light.view(np.int32) >> _SHIFT) - _FIRST, 0, len(curve) - 2)]


def _learnt(photo: F32 | None, hdr: Hdr, own: GainMap, encoding: Encoding) -> tuple[F32, F32]:
    """Return the tone curve of a photo with the gain map `own`, and how far L lies from it, (h, w) or (h, w, 3)."""
    whole = hdr.standard if photo is None else photo
    assert whole is not None  # as there is a gain map
    size = work_size(whole.shape, _LEARN_PX)
    rows, columns = ((np.arange(n) * 2 + 1) * m // (2 * n) for n, m in zip(size, whole.shape, strict=False))
    some, log2 = whole[rows[:, None], columns], enlarged_rows(own.log2, size, 0, size[0])
    if photo is None:
        some = transfer.decode(some, encoding, bit_depth=hdr.bit_depth)
        _scale_rows(some, log2, 1, own.offset_sdr, own.offset_hdr)
    light = greatest_channel(some)
    stops = np.log2(np.clip(light, np.float32(2.0**_DARKEST), np.float32(2.0**_BRIGHTEST)))
    curve = _tone_curve(stops, log2 if log2.ndim == 2 else log2.mean(axis=2))
    by_curve = np.maximum(_at(curve, light), stops)
    apart = log2 - (by_curve if log2.ndim == 2 else by_curve[..., None])
    return curve, np.asarray(cv2.GaussianBlur(apart, (0, 0), _LOCAL * max(size)), np.float32).reshape(apart.shape)


def _tone_curve(found: F32, log2: F32) -> F32:
    """The table of mean L over log2 of light. More light never makes a darker standard picture: slopes are up to 1."""
    stops = _table()
    at = ((found.ravel() - _DARKEST) * _BINS).astype(int)
    count = np.bincount(at)
    mean = np.bincount(at, log2.ravel(), minlength=len(count)) / np.maximum(count, 1)
    seen = np.flatnonzero(count)
    middles = (seen + 0.5) / _BINS + _DARKEST
    curve = np.interp(stops, middles, mean[seen])
    above = stops > middles[-1]
    curve[above] += stops[above] - middles[-1]  # light brighter than any in the photo adds nothing
    return np.asarray(np.minimum.accumulate(curve - stops) + stops, np.float32)


def _unchanged(rgb: F32, photo: Callable[[slice], F32]) -> NDArray[np.uint8]:
    """(H, W): 255 where the lens left the photo, whose rows a function gives, unchanged; falls to 0 beside it.

    A blur also leaves flat areas unchanged, such as the middle of a clipped sun. So a connected region counts only if
    it has detail: differences between neighbours, even noise, in at least `LIVELY` of it.
    """
    from wideopen.hdr import numba_cpu

    same, lively = (np.empty(rgb.shape[:2], np.uint8) for _ in range(2))

    def work(top: int, bottom: int) -> None:
        rows = slice(top, bottom)
        numba_cpu.compare(rgb[rows], photo(rows), SAME, same[rows], lively[rows])

    in_strips(work, 0, len(rgb), _ROWS)
    inner = cv2.erode(same, np.ones((9, 9), np.uint8)).reshape(same.shape)
    if not inner.all():
        some = np.ascontiguousarray(inner[::_EVERY, ::_EVERY])
        count, label = cv2.connectedComponents(some, connectivity=4)
        detail = np.bincount(label.ravel(), lively[::_EVERY, ::_EVERY].ravel() > 0, count)
        alive = detail >= LIVELY * np.bincount(label.ravel(), minlength=count)
        alive[0] = False
        regions = cv2.dilate(alive[label].astype(np.uint8), np.ones((3, 3), np.uint8))
        inner = inner * cv2.resize(regions, same.shape[::-1], interpolation=cv2.INTER_NEAREST).reshape(same.shape)
    return np.asarray(cv2.blur(inner, (5, 5)), np.uint8).reshape(same.shape)
