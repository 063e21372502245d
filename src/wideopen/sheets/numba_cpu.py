"""Foreground and background colours on all cores; formulas in `reference` and `transport`."""

import cv2
import numpy as np
from numba import njit

from wideopen.arrays.jit import frozen, in_threads, inner
from wideopen.arrays.maps import Place
from wideopen.checks import F32
from wideopen.sheets import transport
from wideopen.sheets.lamps import FAINT, LIT, TINT
from wideopen.sheets.reference import EPS, OMEGA, SOLID_AT, SOLID_FROM, coarse_to_fine
from wideopen.sheets.transport import DELTA, KAPPA, REACH, SPREAD, windows

ROWS = 64  # that a thread takes at a time


@njit(cache=True, nogil=True)
def _half_step(image, alpha, F, B, say, active, colour):
    """`reference.half_step`."""
    height, width = alpha.shape
    F_mean, B_mean = np.empty(3, np.float32), np.empty(3, np.float32)
    for y in range(height):
        for x in range((y + colour) % 2, width, 2):
            if active[y, x] == 0:
                continue
            a = alpha[y, x]
            b = np.float32(1) - a
            weight = np.float32(0)
            F_mean[:] = 0
            B_mean[:] = 0
            for j in range(4):
                ny = y + (j == 1) - (j == 0)
                nx = x + (j == 3) - (j == 2)
                if 0 <= ny < height and 0 <= nx < width:
                    w = EPS + OMEGA * abs(a - alpha[ny, nx])
                    weight += w
                    for c in range(3):
                        F_mean[c] += w * F[ny, nx, c]
                        B_mean[c] += w * B[ny, nx, c]
            to_F, to_B = a * say[y, x], b / say[y, x]
            for c in range(3):
                F_c, B_c = F[y, x, c], B[y, x, c]
                if weight > 0:
                    F_c, B_c = F_mean[c] / weight, B_mean[c] / weight
                error = image[y, x, c] - a * F_c - b * B_c
                step = error / (max(weight, EPS) + a * to_F + b * to_B)
                F[y, x, c] = max(F_c + to_F * step, np.float32(0))
                B[y, x, c] = max(B_c + to_B * step, np.float32(0))


def estimate_colours(image: F32, alpha: F32) -> tuple[F32, F32]:
    """`reference.estimate_colours`."""
    return coarse_to_fine(image, alpha, _half_step)


@inner()
def _row_between(x, y, height, columns, out, first):
    """out (w + 1, first to first + C) <- x (h, w, C), linearly at row y of `height`; the last column twice.

    columns: those of x that are needed, ascending, each with the next one.
    """
    h, w = x.shape[:2]
    v = min(max((y + 0.5) * h / height - 0.5, 0.0), h - 1.0)
    y0 = int(v)
    y1, f = min(y0 + 1, h - 1), np.float32(v - y0)
    for i in range(columns[0], columns[-1] + 2) if columns.size else range(0):
        j = min(i, w - 1)
        for c in range(x.shape[2]):
            out[i, first + c] = x[y0, j, c] + f * (x[y1, j, c] - x[y0, j, c])


@inner(inline="always")
def _at(row, i, f, c):
    return row[i, c] + f * (row[i + 1, c] - row[i, c])


@njit(cache=True, nogil=True)
def _split(start, stop, image, alpha, F, B, filled, first, share, white, top, left, height, subject):
    """`reference.split` of rows. Column x lies by share[x] between the small columns first[x] and the next."""
    one, zero = np.float32(1), np.float32(0)
    row, known = np.empty((F.shape[1] + 1, 9), np.float32), np.isinf(white)
    for y in range(start, stop):
        if not alpha[y].any():
            continue
        _row_between(F, top + y, height, first, row, 0)
        _row_between(B, top + y, height, first, row, 3)
        _row_between(filled, top + y, height, first, row, 6)
        for x in range(alpha.shape[1]):
            a = alpha[y, x]
            if a == zero:
                continue
            i, f, b = first[x], share[x], one - a
            t = min(max((a - np.float32(SOLID_FROM)) / np.float32(SOLID_AT - SOLID_FROM), zero), one)
            t *= t * (np.float32(3) - 2 * t)
            for c in range(3):
                value = image[y, left + x, c]
                g = zero
                if t < one:
                    g = _at(row, i, f, c + 3)
                    error = value - a * _at(row, i, f, c) - b * g
                    g = min(max(g + b * error / (a * a + b * b), zero), white)
                if t > zero:
                    g = min(g + t * (_at(row, i, f, c + 6) - g), white)
                if known and b > zero:
                    if g > one:
                        g = min(g, max(value - a * min(_at(row, i, f, c), one), zero) / b)
                    g = max(g, (value - a) / b)
                image[y, left + x, c] = g
                subject[y, x, c] = value if a == one else value - b * g


def split(image: F32, alpha: F32, F: F32, B: F32, filled: F32, white: float, place: Place) -> F32:
    """`reference.split` on all cores."""
    subject = np.zeros((*alpha.shape, 3), np.float32)  # not zeros_like, which writes them all
    where = np.float32(white), place.top, place.left, place.height
    in_threads(_split, len(alpha), ROWS, image, alpha, F, B, filled, *_columns(F, place), *where, subject)
    return subject


def _columns(small: F32, place: Place) -> tuple[np.ndarray, F32]:
    """For each column of a place: the column of `small` to the left of its centre, and how far it lies beyond."""
    w = small.shape[1]
    u = np.clip((np.arange(place.left, place.right) + 0.5) * w / place.width - 0.5, 0, w - 1)
    return u.astype(np.int64), (u - np.floor(u)).astype(np.float32)


@njit(cache=True, nogil=True, fastmath=True)
def _reveal(start, stop, disparity, matte, maps, first, share, seen, top, left, height, coverage, out):
    """`reference.reveal` of rows."""
    row = np.empty((maps.shape[1] + 1, 4), np.float32)
    for y in range(start, stop):
        _row_between(maps, top + y, height, first, row, 0)
        for x in range(out.shape[1]):
            i, f = first[x], share[x]
            a = _at(row, i, f, 0) if _at(row, i, f, 1) > 0 else matte[y, left + x]
            visible = seen[y, left + x] * a
            seen[y, left + x] -= visible
            sure = min(max(visible * np.float32(20) - np.float32(19), np.float32(0)), np.float32(1))
            continued = _at(row, i, f, 2)
            coverage[y, x] = a
            out[y, x] = continued + sure * _at(row, i, f, 3) * (disparity[y, left + x] - continued)


def reveal(disparity: F32, matte: F32, maps: F32, seen: F32, place: Place) -> tuple[F32, F32]:
    """`reference.reveal` on all cores."""
    size = (len(seen), place.right - place.left)
    coverage, out = np.empty(size, np.float32), np.empty(size, np.float32)
    photo = frozen(disparity), frozen(matte), maps, *_columns(maps, place)
    in_threads(_reveal, size[0], ROWS, *photo, seen, place.top, place.left, place.height, coverage, out)
    return coverage, out


@njit(cache=True, nogil=True)
def _blend(start, stop, image, maps, first, share, top, left, height):
    """`reference.blend` of rows."""
    row = np.empty((maps.shape[1] + 1, 4), np.float32)
    for y in range(start, stop):
        _row_between(maps, top + y, height, first, row, 0)
        for x in range(first.size):
            i, f = first[x], share[x]
            amount = _at(row, i, f, 3)
            if amount > 0:
                for c in range(3):
                    image[y, left + x, c] += amount * (_at(row, i, f, c) - image[y, left + x, c])


def blend(image: F32, maps: F32, place: Place) -> None:
    """`reference.blend` on all cores."""
    in_threads(_blend, len(image), ROWS, image, maps, *_columns(maps, place), place.top, place.left, place.height)


@njit(cache=True, nogil=True)
def _shine(start, stop, rgb, alpha, photo, lamps, strength, top, left, height, width, out):
    """`lamps.shine` of rows; an `alpha` of one pixel is 1 everywhere."""
    one = np.float32(1)
    for y in range(start, stop):
        row = (top + y) * lamps.shape[0] // height
        for x in range(rgb.shape[1]):
            for c in range(3):
                out[y, x, c] = rgb[y, x, c]
            if max(photo[y, left + x, 0], photo[y, left + x, 1], photo[y, left + x, 2]) < LIT:
                continue
            column = (left + x) * lamps.shape[1] // width
            if lamps[row, column, 0] == 0:
                continue
            cover = one if alpha.size == 1 else max(alpha[y, x], FAINT)
            white = min(rgb[y, x, 0] / cover, rgb[y, x, 1] / cover, rgb[y, x, 2] / cover, one)
            damped = np.float32(2 ** (TINT * (white - one)))
            for c in range(3):
                if rgb[y, x, c] / cover >= LIT:
                    out[y, x, c] *= one + strength * max(lamps[row, column, c] * damped - one, np.float32(0))


def shine(rgb: F32, alpha: F32 | None, photo: F32, lamps: F32, strength: float, place: Place) -> F32:
    """`lamps.shine` on all cores."""
    first, last = (y * len(lamps) // place.height for y in (place.top, place.bottom - 1))
    if not lamps[first : last + 1, :, 0].any():
        return rgb
    out = np.empty(rgb.shape, np.float32)
    cover = np.ones((1, 1), np.float32) if alpha is None else alpha
    arrays = [frozen(np.ascontiguousarray(x)) for x in (rgb, cover, photo, lamps)]
    in_threads(_shine, len(rgb), ROWS, *arrays, np.float32(strength), place.top, place.left, *place[-2:], out)
    return out


SIDE = int(2 * SPREAD)
"""Unknown pixels around the arrays that `_march` takes, so that no window leaves them."""
AROUND, NEAR = 4 * (2 * SIDE + 1), 4 * (2 * REACH + 1)
"""Values in a row of the windows: of slopes, and of colours."""


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _march(state, slopes, pixels, around, near, dy, dx):
    """`transport.march` on `_packed` arrays, one pixel after another: each needs those before it.

    Windows repeat each weight, and dy and dx, four times: once for each value of a pixel.
    """
    one = np.float32(1)
    sums, means = np.empty(AROUND, np.float32), np.empty(NEAR, np.float32)
    for n in range(pixels.shape[0]):
        y, x = pixels[n, 0], pixels[n, 1]
        sums[:] = 0
        for i in range(around.shape[0]):
            row = slopes[y + i, 4 * x : 4 * x + AROUND]
            for j in range(AROUND):
                sums[j] += around[i, j] * row[j]
        a = b = c = total = np.float32(1e-30)
        for j in range(0, AROUND, 4):
            a += sums[j]
            b += sums[j + 1]
            c += sums[j + 2]
            total += sums[j + 3]
        a, b, c = a / total, b / total, c / total
        spread = np.sqrt((a - c) * (a - c) + np.float32(4) * b * b)
        cos2, sin2 = one, np.float32(0)  # of twice the angle of the normal
        if spread > 0:
            cos2, sin2 = (a - c) / spread, np.float32(2) * b / spread
        mu = one + np.float32(KAPPA) * np.exp(-np.float32(DELTA) / max(spread * spread, np.float32(1e-12)))
        scale = mu * mu / np.float32(4 * 64 * REACH * REACH)  # the rest of a half is in (1 + cos2) / 2
        p, q, r = scale * (one + cos2), scale * (one - cos2), scale * np.float32(2) * sin2
        means[:] = 0
        top, left = y + SIDE - REACH, 4 * (x + SIDE - REACH)
        for i in range(near.shape[0]):
            row, v = state[top + i, left : left + NEAR], dy[i]
            for j in range(NEAR):
                u = dx[j]
                f = one - (p * u * u + q * v * v + r * u * v)
                f = f * f if f > 0 else np.float32(0)
                f *= f
                f *= f
                f *= f
                f *= f
                f *= f
                means[j] += near[i, j] * f * row[j]
        a = b = c = total = np.float32(0)
        for j in range(0, NEAR, 4):
            a += means[j]
            b += means[j + 1]
            c += means[j + 2]
            total += means[j + 3]
        y, x = y + SIDE, 4 * (x + SIDE)
        if total > 0:
            state[y, x], state[y, x + 1], state[y, x + 2] = a / total, b / total, c / total
        state[y, x + 3] = one
        y0, y1 = y - int(state[y - 1, x + 3]), y + int(state[y + 1, x + 3])
        x0, x1 = x - 4 * int(state[y, x - 1]), x + 4 * int(state[y, x + 7])
        down, right = one / max(y1 - y0, 1), np.float32(4) / max(x1 - x0, 4)
        a = b = c = np.float32(0)
        for k in range(3):
            gy = (state[y1, x + k] - state[y0, x + k]) * down
            gx = (state[y, x1 + k] - state[y, x0 + k]) * right
            a += gx * gx
            b += gx * gy
            c += gy * gy
        slopes[y, x], slopes[y, x + 1], slopes[y, x + 2], slopes[y, x + 3] = a, b, c, one


def _march_all(u, known, pixels, gy, gx):
    """`transport.march`, compiled; updates only u."""
    seen = known.astype(np.float32)
    of_colours = cv2.merge([*cv2.split(u * seen[..., None]), seen])
    of_slopes = cv2.merge([(p * q).sum(2) for p, q in ((gx, gx), (gx, gy), (gy, gy))] + [seen])
    padded = [cv2.copyMakeBorder(x, *(SIDE,) * 4, cv2.BORDER_CONSTANT) for x in (of_colours, of_slopes)]
    state, slopes = (x.reshape(len(x), -1) for x in padded)  # (h, 4 w)
    around, near = (np.repeat(window, 4, axis=1) for window in windows())
    along = np.arange(-REACH, REACH + 1, dtype=np.float32)
    _march(state, slopes, pixels, around, near, along, np.repeat(along, 4))
    y, x = pixels.T
    u[y, x] = padded[0][y + SIDE, x + SIDE, :3]


def continue_colours(values: F32, weight: F32, wanted: np.ndarray | None = None) -> F32:
    """`transport.continue_colours`, compiled."""
    return transport.continue_colours(values, weight, wanted, _march_all)
