"""Foreground and background colours on all cores; formulas in `reference` and `transport`."""

from functools import lru_cache

import cv2
import numpy as np

from wideopen.arrays.jit import frozen, in_threads, inner, kernel
from wideopen.arrays.maps import Place
from wideopen.checks import F32, Mask
from wideopen.optics import Optics
from wideopen.sheets import transport
from wideopen.sheets.lamps import FAINT, LIT, NEARLY, TINT
from wideopen.sheets.reference import EPS, LEAST_SEEN, OMEGA, SOLID_AT, SOLID_FROM, coarse_to_fine
from wideopen.sheets.transport import DELTA, KAPPA, REACH, SPREAD, windows

ROWS = 64  # that a thread takes at a time
RUN = 64  # pixels


@inner()
def _times(S, v):
    """The symmetric matrix of the six values S times v."""
    return (
        S[0] * v[0] + S[3] * v[1] + S[5] * v[2],
        S[3] * v[0] + S[1] * v[1] + S[4] * v[2],
        S[5] * v[0] + S[4] * v[1] + S[2] * v[2],
    )


@kernel()
def _half_step(image, alpha, F, B, of_F, of_B, active, colour):
    """`reference.half_step`."""
    height, width = alpha.shape
    F_mean, B_mean, error = np.empty((3, 3), np.float32)
    m, inverse = np.empty((2, 6), np.float32)
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
            for c in range(3):
                F_mean[c], B_mean[c] = (
                    (F_mean[c] / weight, B_mean[c] / weight) if weight > 0 else (F[y, x, c], B[y, x, c])
                )
                error[c] = image[y, x, c] - a * F_mean[c] - b * B_mean[c]
            S_F = of_F[y * of_F.shape[0] // height, x * of_F.shape[1] // width]
            S_B = of_B[y * of_B.shape[0] // height, x * of_B.shape[1] // width]
            for k in range(6):
                m[k] = a * a * S_F[k] + b * b * S_B[k]
            for k in range(3):
                m[k] += max(weight, EPS)
            inverse[0] = m[1] * m[2] - m[4] * m[4]
            inverse[1] = m[0] * m[2] - m[5] * m[5]
            inverse[2] = m[0] * m[1] - m[3] * m[3]
            inverse[3] = m[5] * m[4] - m[3] * m[2]
            inverse[4] = m[3] * m[5] - m[0] * m[4]
            inverse[5] = m[3] * m[4] - m[5] * m[1]
            determinant = m[0] * inverse[0] + m[3] * inverse[3] + m[5] * inverse[5]
            step = _times(inverse, error)
            to_F, to_B = _times(S_F, step), _times(S_B, step)
            for c in range(3):
                F[y, x, c] = max(F_mean[c] + a * to_F[c] / determinant, np.float32(0))
                B[y, x, c] = max(B_mean[c] + b * to_B[c] / determinant, np.float32(0))


def estimate_colours(image: F32, alpha: F32) -> tuple[F32, F32]:
    """`reference.estimate_colours`."""
    return coarse_to_fine(image, alpha, _half_step)


@inner()
def _rows_around(y, height, h):
    """Of a map of h rows: the two around row y of `height`, and the second's share."""
    v = min(max((y + 0.5) * h / height - 0.5, 0.0), h - 1.0)
    return int(v), min(int(v) + 1, h - 1), np.float32(v - int(v))


@lru_cache(maxsize=32)
def _columns(width: int, w: int, values: int) -> tuple[np.ndarray, F32, np.uint64]:
    """Of a map of w columns with so many values each, for each of `width` pixels: where the first of the two columns
    around it begins, and the second's share; and how much farther the second begins.
    """
    v = np.clip((np.arange(width) + 0.5) * (w / width) - 0.5, 0, w - 1)
    low = np.minimum(v.astype(np.int64), max(w - 2, 0))
    return low.astype(np.uint64) * np.uint64(values), (v - low).astype(np.float32), np.uint64(values * (w > 1))


def _columns_of(place: Place, w: int, values: int) -> tuple[np.ndarray, F32, np.uint64]:
    """`_columns` of a piece."""
    at, shares, beyond = _columns(place.width, w, values)
    return at[place.left : place.right], shares[place.left : place.right], beyond


@inner(inline="always")
def _across(line, i, beyond, share):
    return line[i] + share * (line[i + beyond] - line[i])


@inner()
def _between(low, high, down, line):
    """line <- what lies between two rows."""
    for i in range(line.size):
        line[i] = low[i] + down * (high[i] - low[i])


@kernel()
def _split(start, stop, image, alpha, F, B, filled, white, known, where, at, shares, beyond, subject):
    """`reference.split` of rows; all but alpha are (n, 3 W). In runs of `RUN` pixels, most of which are of one kind."""
    one, zero, three = np.float32(1), np.float32(0), np.uintp(3)
    top, left, height, begins = where
    width, skip, into = at.size, three * np.uintp(left), np.uintp(begins)
    lines = np.empty((3, F.shape[1]), np.float32)
    of_F, of_B, of_filled = lines[0], lines[1], lines[2]
    for row in range(start, stop):
        y, made = np.uintp(row), False
        for begin in range(0, width, RUN):
            x0, count = np.uintp(begin), np.uintp(min(RUN, width - begin))
            none = whole = np.uintp(0)
            for x in range(count):
                none += np.uintp(alpha[y, into + x0 + x] == zero)
                whole += np.uintp(alpha[y, into + x0 + x] == one)
            if none == count:
                subject[y, three * (into + x0) : three * (into + x0 + count)] = zero
                continue
            if not made:
                made = True
                low, high, down = _rows_around(top + row, height, F.shape[0])
                _between(F[low], F[high], down, of_F)
                _between(B[low], B[high], down, of_B)
                _between(filled[low], filled[high], down, of_filled)
            if whole == count:  # only the layer shows, and what was continued lies behind it
                for x in range(x0, x0 + count):
                    for c in range(three):
                        i = three * x + c
                        subject[y, three * into + i] = image[y, skip + i]
                        image[y, skip + i] = min(_across(of_filled, at[x] + c, beyond, shares[x]), white)
                continue
            for x in range(x0, x0 + count):
                a = alpha[y, into + x]
                b = one - a
                t = min(max((a - np.float32(SOLID_FROM)) / np.float32(SOLID_AT - SOLID_FROM), zero), one)
                t *= t * (np.float32(3) - 2 * t)
                for c in range(three):
                    i, k, share = three * x + c, at[x] + c, shares[x]
                    if a == zero:
                        subject[y, three * into + i] = zero
                        continue
                    value, g = image[y, skip + i], zero
                    f = _across(of_F, k, beyond, share)
                    if t < one:
                        g = _across(of_B, k, beyond, share)
                        g = min(max(g + b * (value - a * f - b * g) / (a * a + b * b), zero), white)
                    if t > zero:
                        g = min(g + t * (_across(of_filled, k, beyond, share) - g), white)
                    if known and b > zero:
                        if g > one:
                            g = min(g, max(value - a * f, zero) / b)
                        g = max(g, min((value - a * max(f, one)) / max(b, np.float32(LEAST_SEEN)), white))
                    image[y, skip + i] = g
                    subject[y, three * into + i] = value if a == one else value - b * g


def split(
    image: F32,
    alpha: F32,
    F: F32,
    B: F32,
    filled: F32,
    white: float,
    known: bool,
    place: Place,
    subject: F32,
    left: int = 0,
) -> None:
    """`reference.split` on all cores."""
    flat = [x.reshape(len(x), -1) for x in (image, F, B, filled, subject)]
    columns = _columns_of(place, F.shape[1], 3)
    where = place.top, place.left, place.height, left
    maps = [frozen(x) for x in flat[1:4]]
    in_threads(_split, len(alpha), ROWS, flat[0], alpha, *maps, np.float32(white), known, where, *columns, flat[4])


@kernel(fastmath=True)
def _reveal(start, stop, disparity, matte, maps, seen, where, at, shares, beyond, coverage, out):
    """`reference.reveal` of rows; maps are (h, 4 w). Loops of so few arrays become vector code.

    A photo has several rows to each of a map: these are resized to its columns as needed.
    """
    top, left, height, begins = where
    m, skip, into, four = np.uintp(at.size), np.uintp(left), np.uintp(begins), np.uintp(4)
    wide, held = np.empty((2, 4 * m), np.float32), np.array([-1, -1])
    line = np.empty(4 * m, np.float32)
    for row in range(start, stop):
        low, high, down = _rows_around(top + row, height, maps.shape[0])
        for r in (low, high):
            if held[r % 2] != r:
                held[r % 2] = r
                source, to = maps[r], wide[r % 2]
                for x in range(m):
                    for c in range(four):
                        to[c * m + x] = _across(source, at[x] + c, beyond, shares[x])
        _between(wide[low % 2], wide[high % 2], down, line)
        y = np.uintp(row)
        for x in range(m):
            coverage[y, into + x] = line[x] if line[m + x] > 0 else matte[y, skip + x]
        for x in range(m):
            visible = seen[y, skip + x] * coverage[y, into + x]
            seen[y, skip + x] -= visible
            sure = min(max(visible * np.float32(20) - np.float32(19), np.float32(0)), np.float32(1))
            continued = line[m + m + x]
            out[y, into + x] = continued + sure * line[m + m + m + x] * (disparity[y, skip + x] - continued)


def reveal(
    disparity: F32, matte: F32, maps: F32, seen: F32, place: Place, coverage: F32, out: F32, left: int = 0
) -> None:
    """`reference.reveal` on all cores."""
    columns = _columns_of(place, maps.shape[1], 4)
    where, flat = (place.top, place.left, place.height, left), maps.reshape(len(maps), -1)
    photo = frozen(disparity), frozen(matte), frozen(flat), seen
    in_threads(_reveal, len(out), ROWS, *photo, where, *columns, coverage, out)


@kernel()
def _blend(start, stop, image, maps, where, at, shares, beyond):
    """`reference.blend` of rows; maps are (h, 4 w)."""
    top, left, height = where
    line = np.empty(maps.shape[1], np.float32)
    for y in range(start, stop):
        low, high, down = _rows_around(top + y, height, maps.shape[0])
        _between(maps[low], maps[high], down, line)
        for x in range(at.size):
            amount = _across(line, at[x] + np.uintp(3), beyond, shares[x])
            if amount > 0:
                for c in range(3):
                    colour = _across(line, at[x] + np.uintp(c), beyond, shares[x])
                    image[y, left + x, c] += amount * (colour - image[y, left + x, c])


def blend(image: F32, maps: F32, place: Place) -> None:
    """`reference.blend` on all cores."""
    columns = _columns_of(place, maps.shape[1], 4)
    where, flat = (place.top, place.left, place.height), frozen(maps.reshape(len(maps), -1))
    in_threads(_blend, len(image), ROWS, image, flat, where, *columns)


@kernel()
def _shine(start, stop, rgb, alpha, disparity, photo, lamps, strength, lens, place, edges):
    """`lamps.shine` of rows; an `alpha` of one pixel is 1 everywhere. Lamps' column j ends at pixel edges[j + 1]."""
    one, (top, _, left, right, height, _) = np.float32(1), place
    focus, sharp, radius = lens
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
                spread = min(max((abs(focus - disparity[y, x - left]) - sharp) * radius - one, np.float32(0)), one)
                for c in range(3):
                    share = one
                    if to[c] / cover < LIT:
                        share = spread * max((to[c] / cover - NEARLY) / (LIT - NEARLY), np.float32(0))
                    to[c] *= one + share * strength * max(lamps[row, column, c] * damped - one, np.float32(0))


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
    """`lamps.shine` on all cores."""
    cover = np.ones((1, 1), np.float32) if alpha is None else alpha
    arrays = [frozen(np.ascontiguousarray(x)) for x in (cover, disparity, photo, lamps)]
    lens = (0.0, 0.0, 0.0) if optics is None else (optics.focus_disparity, optics.focus_range, optics.radius_px)
    numbers = np.float32(strength), tuple(np.float32(x) for x in lens), tuple(place)
    edges = -(-np.arange(lamps.shape[1] + 1) * place.width // lamps.shape[1])
    in_threads(_shine, len(rgb), ROWS, rgb, *arrays, *numbers, edges)


SIDE = int(2 * SPREAD)
"""Unknown pixels around the arrays that `_march` takes, so that no window leaves them."""
AROUND, NEAR = 4 * (2 * SIDE + 1), 4 * (2 * REACH + 1)
"""Values in a row of the windows: of slopes, and of colours."""


@kernel(fastmath=True)
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
    sum_up = np.ones((1, 3), np.float32)
    pairs = (gx, gx), (gx, gy), (gy, gy)
    channels = (cv2.split(u * seen[..., None]), (cv2.transform(p * q, sum_up).reshape(seen.shape) for p, q in pairs))
    padded = [cv2.copyMakeBorder(cv2.merge([*x, seen]), *(SIDE,) * 4, cv2.BORDER_CONSTANT) for x in channels]
    state, slopes = (x.reshape(len(x), -1) for x in padded)  # (h, 4 w)
    around, near = (np.repeat(window, 4, axis=1) for window in windows())
    along = np.arange(-REACH, REACH + 1, dtype=np.float32)
    _march(state, slopes, pixels, around, near, along, np.repeat(along, 4))
    y, x = pixels.T
    u[y, x] = padded[0][y + SIDE, x + SIDE, :3]


def continue_colours(values: F32, weight: F32, wanted: Mask | None = None) -> F32:
    """`transport.continue_colours`, compiled."""
    return transport.continue_colours(values, weight, wanted, _march_all)
