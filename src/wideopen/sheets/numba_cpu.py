"""Foreground and background colours on all cores; formulas in `reference` and `transport`."""

import numpy as np
from numba import njit, prange

from wideopen.arrays import jit as _numba  # noqa: F401  (sets the threading layer before the first kernel runs)
from wideopen.checks import F32
from wideopen.sheets import transport
from wideopen.sheets.reference import EPS, OMEGA, SOLID_AT, SOLID_FROM, coarse_to_fine
from wideopen.sheets.transport import DELTA, KAPPA, REACH, windows


@njit(cache=True, parallel=True)
def _half_step(image, alpha, F, B, say, colour):
    """`reference.half_step`."""
    height, width = alpha.shape
    for y in prange(height):
        F_mean, B_mean = np.empty(3, np.float32), np.empty(3, np.float32)
        for x in range((y + colour) % 2, width, 2):
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
    """`reference.estimate_colours` on all cores."""
    return coarse_to_fine(image, alpha, _half_step)


@njit(cache=True, inline="always")
def _between(x, y0, x0, y1, x1, fy, fx, c):
    """Bilinear sample of x (h, w, 3), channel c."""
    one = np.float32(1)
    top = x[y0, x0, c] * (one - fx) + x[y0, x1, c] * fx
    return top * (one - fy) + (x[y1, x0, c] * (one - fx) + x[y1, x1, c] * fx) * fy


@njit(cache=True, parallel=True)
def _split(image, alpha, F, B, filled, white, subject, background):
    height, width = alpha.shape
    h, w = F.shape[0], F.shape[1]
    one, zero = np.float32(1), np.float32(0)
    for y in prange(height):
        v = min(max((y + 0.5) * h / height - 0.5, 0.0), h - 1.0)
        y0 = int(v)
        y1, fy = min(y0 + 1, h - 1), np.float32(v - y0)
        for x in range(width):
            a = alpha[y, x]
            b = one - a
            if a == zero:
                for c in range(3):
                    subject[y, x, c] = zero
                    background[y, x, c] = image[y, x, c]
                continue
            u = min(max((x + 0.5) * w / width - 0.5, 0.0), w - 1.0)
            x0 = int(u)
            x1, fx = min(x0 + 1, w - 1), np.float32(u - x0)
            t = min(max((a - np.float32(SOLID_FROM)) / np.float32(SOLID_AT - SOLID_FROM), zero), one)
            t *= t * (np.float32(3) - 2 * t)
            for c in range(3):
                value = image[y, x, c]
                g = zero
                if t < one:
                    f = _between(F, y0, x0, y1, x1, fy, fx, c)
                    g = _between(B, y0, x0, y1, x1, fy, fx, c)
                    g = min(max(g + b * (value - a * f - b * g) / (a * a + b * b), zero), white)
                if t > zero:
                    g = min(g + t * (_between(filled, y0, x0, y1, x1, fy, fx, c) - g), white)
                background[y, x, c] = g
                subject[y, x, c] = value if a == one else value - b * g


def split(image: F32, alpha: F32, F: F32, B: F32, filled: F32) -> tuple[F32, F32]:
    """`reference.split` on all cores."""
    subject, background = np.empty_like(image), np.empty_like(image)
    white = np.maximum(np.float32(1), image.max())
    _split(image, alpha, F, B, filled, white, subject, background)
    return subject, background


@njit(cache=True)
def _structure(y, x, around, known, gy, gx):
    """mu and the normal (ny, nx) of `transport` at one pixel."""
    height, width = known.shape
    a, b, c, total = 0.0, 0.0, 0.0, 0.0
    for i in range(around.shape[0]):
        v, u = y + int(around[i, 0]), x + int(around[i, 1])
        if 0 <= v < height and 0 <= u < width and known[v, u]:
            w = around[i, 2]
            total += w
            for k in range(3):
                sy, sx = gy[v, u, k], gx[v, u, k]
                a += w * sx * sx
                b += w * sx * sy
                c += w * sy * sy
    total = max(total, 1e-30)
    a, b, c = a / total, b / total, c / total
    spread = np.hypot(a - c, 2 * b)
    angle = 0.5 * np.arctan2(2 * b, a - c)
    return 1 + KAPPA * np.exp(-DELTA / max(spread * spread, 1e-12)), np.sin(angle), np.cos(angle)


@njit(cache=True, inline="always")
def _slope(u, y0, x0, y1, x1, k):
    return (u[y1, x1, k] - u[y0, x0, k]) / max(y1 - y0 + x1 - x0, 1)


@njit(cache=True)
def _march(u, known, pixels, gy, gx, around, colours):
    """`transport.march`, one pixel after another: each needs those before it."""
    height, width = known.shape
    mean = np.empty(3)
    for n in range(pixels.shape[0]):
        y, x = pixels[n, 0], pixels[n, 1]
        mu, ny, nx = _structure(y, x, around, known, gy, gx)
        mean[:] = 0
        total = 0.0
        for i in range(colours.shape[0]):
            dy, dx = int(colours[i, 0]), int(colours[i, 1])
            if 0 <= y + dy < height and 0 <= x + dx < width and known[y + dy, x + dx]:
                across = (dx * nx + dy * ny) * mu / REACH
                w = colours[i, 2] * np.exp(-0.5 * across * across)
                total += w
                for k in range(3):
                    mean[k] += w * u[y + dy, x + dx, k]
        if total > 0:
            for k in range(3):
                u[y, x, k] = mean[k] / total
        known[y, x] = 1
        y0, y1 = y - (y > 0 and known[y - 1, x]), y + (y + 1 < height and known[min(y + 1, height - 1), x])
        x0, x1 = x - (x > 0 and known[y, x - 1]), x + (x + 1 < width and known[y, min(x + 1, width - 1)])
        for k in range(3):
            gy[y, x, k] = _slope(u, y0, x, y1, x, k)
            gx[y, x, k] = _slope(u, y, x0, y, x1, k)


def _march_all(u, known, pixels, gy, gx):
    _march(u, known, pixels, gy, gx, *windows())


def continue_colours(values: F32, weight: F32) -> F32:
    """`transport.continue_colours`, compiled."""
    return transport.continue_colours(values, weight, _march_all)
