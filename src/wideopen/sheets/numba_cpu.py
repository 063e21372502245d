"""Foreground and background colours on all cores; formulas in `reference` and `transport`."""

import cv2
import numpy as np
from numba import njit

from wideopen.arrays.jit import frozen, in_threads, inner
from wideopen.arrays.maps import Place
from wideopen.checks import F32
from wideopen.sheets import transport
from wideopen.sheets.lamps import FAINT, LIT, TINT
from wideopen.sheets.reference import EPS, LEAST_SEEN, OMEGA, SOLID_AT, SOLID_FROM, coarse_to_fine
from wideopen.sheets.transport import DELTA, KAPPA, REACH, SPREAD, windows

ROWS = 64  # that a thread takes at a time
RUN = 64  # pixels


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
def _rows_around(y, height, h, first):
    """Of the rows of a map of h rows, from `first` on: the two around row y of `height`, and the second's share."""
    v = min(max((y + 0.5) * h / height - 0.5, 0.0), h - 1.0)
    return np.uintp(int(v) - first), np.uintp(min(int(v) + 1, h - 1) - first), np.float32(v - int(v))


def _rows_at(x: F32, place: Place) -> tuple[F32, tuple[int, ...]]:
    """The rows of x (h, w, C) around a place; and where they lie, as the kernels take it."""
    h = len(x)
    first, last = (int(np.clip((y + 0.5) * h / place.height - 0.5, 0, h - 1)) for y in (place.top, place.bottom - 1))
    return x[first : max(first, last) + 2], (place.top, place.left, place.height, h, first)


def _widened(rows: F32, place: Place) -> F32:
    """Some rows (n, w, C), resized linearly to a place's columns, (n, m, C).

    A photo has several rows to each of them, and between rows kernels interpolate in vector code.
    """
    wide = cv2.resize(rows, (place.width, len(rows)), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(wide.reshape(len(rows), place.width, -1)[:, place.left : place.right])


@inner(inline="always")
def _between(rows, low, high, down, i):
    return rows[low, i] + down * (rows[high, i] - rows[low, i])


@njit(cache=True, nogil=True)
def _split(start, stop, image, alpha, F, B, filled, white, known, where, subject):
    """`reference.split` of rows; all but alpha are (n, 3 W). In runs of `RUN` pixels, most of which are of one kind."""
    one, zero, three = np.float32(1), np.float32(0), np.uintp(3)
    top, left, height, h, first = where
    width = alpha.shape[1]
    for row in range(start, stop):
        low, high, down = _rows_around(top + row, height, h, first)
        y, at = np.uintp(row), three * np.uintp(left)
        for begin in range(0, width, RUN):
            x0, count = np.uintp(begin), np.uintp(min(RUN, width - begin))
            none = whole = np.uintp(0)
            for x in range(count):
                none += np.uintp(alpha[y, x0 + x] == zero)
                whole += np.uintp(alpha[y, x0 + x] == one)
            if none == count:
                continue
            if whole == count:  # only the layer shows, and what was continued lies behind it
                for i in range(three * count):
                    k = three * x0 + i
                    subject[y, k] = image[y, at + k]
                    image[y, at + k] = min(_between(filled, low, high, down, k), white)
                continue
            for x in range(x0, x0 + count):
                a = alpha[y, x]
                if a == zero:
                    continue
                b = one - a
                t = min(max((a - np.float32(SOLID_FROM)) / np.float32(SOLID_AT - SOLID_FROM), zero), one)
                t *= t * (np.float32(3) - 2 * t)
                for i in range(three * x, three * x + three):
                    value, g = image[y, at + i], zero
                    f = _between(F, low, high, down, i)
                    if t < one:
                        g = _between(B, low, high, down, i)
                        g = min(max(g + b * (value - a * f - b * g) / (a * a + b * b), zero), white)
                    if t > zero:
                        g = min(g + t * (_between(filled, low, high, down, i) - g), white)
                    if known and b > zero:
                        if g > one:
                            g = min(g, max(value - a * f, zero) / b)
                        g = max(g, min((value - a * max(f, one)) / max(b, np.float32(LEAST_SEEN)), white))
                    image[y, at + i] = g
                    subject[y, i] = value if a == one else value - b * g


def split(image: F32, alpha: F32, F: F32, B: F32, filled: F32, white: float, known: bool, place: Place) -> F32:
    """`reference.split` on all cores."""
    subject = np.zeros((*alpha.shape, 3), np.float32)  # not zeros_like, which writes them all
    (F, where), (B, _), (filled, _) = (_rows_at(x, place) for x in (F, B, filled))
    F, B, filled = (_widened(x, place) for x in (F, B, filled))
    flat = [x.reshape(len(x), 3 * x.shape[1]) for x in (image, F, B, filled, subject)]
    in_threads(_split, len(alpha), ROWS, flat[0], alpha, *flat[1:4], np.float32(white), known, where, flat[4])
    return subject


@njit(cache=True, nogil=True, fastmath=True)
def _reveal(start, stop, disparity, matte, maps, seen, where, coverage, out):
    """`reference.reveal` of rows; maps are (n, 4 m). Loops of so few arrays become vector code."""
    top, left, height, h, first = where
    m, at = np.uintp(out.shape[1]), np.uintp(left)
    line = np.empty(maps.shape[1], np.float32)
    for row in range(start, stop):
        low, high, down = _rows_around(top + row, height, h, first)
        y = np.uintp(row)
        for i in range(np.uintp(line.size)):
            line[i] = _between(maps, low, high, down, i)
        for x in range(m):
            coverage[y, x] = line[x] if line[m + x] > 0 else matte[y, at + x]
        for x in range(m):
            visible = seen[y, at + x] * coverage[y, x]
            seen[y, at + x] -= visible
            sure = min(max(visible * np.float32(20) - np.float32(19), np.float32(0)), np.float32(1))
            continued = line[m + m + x]
            out[y, x] = continued + sure * line[m + m + m + x] * (disparity[y, at + x] - continued)


def reveal(disparity: F32, matte: F32, maps: F32, seen: F32, place: Place) -> tuple[F32, F32]:
    """`reference.reveal` on all cores."""
    size = (len(seen), place.right - place.left)
    coverage, out = np.empty(size, np.float32), np.empty(size, np.float32)
    rows, where = _rows_at(maps, place)
    planes = np.concatenate([_widened(plane, place)[..., 0] for plane in cv2.split(rows)], axis=1)
    in_threads(_reveal, size[0], ROWS, frozen(disparity), frozen(matte), planes, seen, where, coverage, out)
    return coverage, out


@njit(cache=True, nogil=True)
def _blend(start, stop, image, maps, where):
    """`reference.blend` of rows; maps are (n, m, 4)."""
    top, left, height, h, first = where
    for y in range(start, stop):
        low, high, down = _rows_around(top + y, height, h, first)
        for x in range(maps.shape[1]):
            amount = maps[low, x, 3] + down * (maps[high, x, 3] - maps[low, x, 3])
            if amount > 0:
                for c in range(3):
                    colour = maps[low, x, c] + down * (maps[high, x, c] - maps[low, x, c])
                    image[y, left + x, c] += amount * (colour - image[y, left + x, c])


def blend(image: F32, maps: F32, place: Place) -> None:
    """`reference.blend` on all cores."""
    rows, where = _rows_at(maps, place)
    in_threads(_blend, len(image), ROWS, image, _widened(rows, place), where)


@njit(cache=True, nogil=True)
def _shine(start, stop, rgb, alpha, photo, lamps, strength, place, edges):
    """`lamps.shine` of rows; an `alpha` of one pixel is 1 everywhere. Lamps' column j ends at pixel edges[j + 1]."""
    one, (top, _, left, right, height, _) = np.float32(1), place
    for y in range(start, stop):
        row = (top + y) * lamps.shape[0] // height
        for column in range(lamps.shape[1]):
            if lamps[row, column, 0] == 0:
                continue
            for x in range(max(left, edges[column]), min(right, edges[column + 1])):
                if max(photo[y, x, 0], photo[y, x, 1], photo[y, x, 2]) < LIT:
                    continue
                to = rgb[y, x - left]
                cover = one if alpha.size == 1 else max(alpha[y, x - left], FAINT)
                if max(to[0], to[1], to[2]) / cover < LIT:
                    continue
                white = min(to[0] / cover, to[1] / cover, to[2] / cover, one)
                damped = one if white == one else np.exp2(np.float32(TINT) * (white - one))
                for c in range(3):
                    if to[c] / cover >= LIT:
                        to[c] *= one + strength * max(lamps[row, column, c] * damped - one, np.float32(0))


def shine(rgb: F32, alpha: F32 | None, photo: F32, lamps: F32, strength: float, place: Place) -> None:
    """`lamps.shine` on all cores."""
    cover = np.ones((1, 1), np.float32) if alpha is None else alpha
    arrays = [frozen(np.ascontiguousarray(x)) for x in (cover, photo, lamps)]
    edges = -(-np.arange(lamps.shape[1] + 1) * place.width // lamps.shape[1])
    in_threads(_shine, len(rgb), ROWS, rgb, *arrays, np.float32(strength), tuple(place), edges)


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
    sum_up = np.ones((1, 3), np.float32)
    sums = [cv2.transform(p * q, sum_up).reshape(seen.shape) for p, q in ((gx, gx), (gx, gy), (gy, gy))]
    of_slopes = cv2.merge([*sums, seen])
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
