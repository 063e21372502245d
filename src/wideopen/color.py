"""Color encodings: transfer curves, primaries and the sRGB formulas.

An `Encoding` says how display-encoded values in [0, 1] become linear light in the photo's own primaries, and how
those primaries relate to sRGB. Photos keep their own primaries (docs/conventions.md); `to_srgb` only feeds the
matting network and previews.

References: IEC 61966-2-1 (sRGB curve); ICC.1:2022, 10.6 and 10.18 (sampled and parametric curves), Annex E (adaptation
to D50); the published primaries of Display P3 and Adobe RGB (1998); ITU-R BT.2100-3, tables 4 and 5 (PQ, HLG), and
BT.2408-7, 2.1 (white of 203 cd/m2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

F64 = NDArray[np.float64]
Matrix: TypeAlias = tuple[tuple[float, float, float], ...]

D50_XYZ = (0.9642, 1.0, 0.8249)  # the white of the ICC profile connection space
_D65_XY = (0.3127, 0.3290)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def srgb_decode(encoded: ArrayLike) -> F64:
    """Return linear light for sRGB-encoded values in [0, 1], any shape; computed in float64."""
    v = np.asarray(encoded, np.float64)
    return np.where(v <= 0.04045, v / 12.92, ((np.maximum(v, 0) + 0.055) / 1.055) ** 2.4)


def srgb_encode(linear: ArrayLike) -> F64:
    """Return sRGB-encoded values for linear light >= 0, any shape; float64, not clipped."""
    v = np.asarray(linear, np.float64)
    return np.where(v <= 0.04045 / 12.92, v * 12.92, 1.055 * np.maximum(v, 0) ** (1 / 2.4) - 0.055)


HDR_WHITE = 203.0  # cd/m2 of white in pictures coded as PQ or HLG
_PQ_M1, _PQ_M2, _PQ_C1, _PQ_C2, _PQ_C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
_HLG_A, _HLG_B, _HLG_C = 0.17883277, 0.28466892, 0.55991073
_HLG_PEAK, _HLG_GAMMA = 1000.0, 1.2  # of the display that HLG is made for


def pq_decode(encoded: ArrayLike) -> F64:
    """Return light, 1 = white, for PQ-encoded values in [0, 1], any shape: 0 to 49."""
    v = np.clip(np.asarray(encoded, np.float64), 0, 1) ** (1 / _PQ_M2)
    return np.asarray((np.maximum(v - _PQ_C1, 0) / (_PQ_C2 - _PQ_C3 * v)) ** (1 / _PQ_M1) * (10_000 / HDR_WHITE))


def pq_encode(light: ArrayLike) -> F64:
    """Return PQ-encoded values in [0, 1] for light >= 0, 1 = white, any shape."""
    y = np.clip(np.asarray(light, np.float64) * (HDR_WHITE / 10_000), 0, 1) ** _PQ_M1
    return np.asarray(((_PQ_C1 + _PQ_C2 * y) / (1 + _PQ_C3 * y)) ** _PQ_M2)


def hlg_decode(encoded: ArrayLike) -> F64:
    """Return the scene's light, 1 = the brightest, for HLG-encoded values in [0, 1], any shape; see `hlg_display`."""
    v = np.clip(np.asarray(encoded, np.float64), 0, 1)
    return np.where(v <= 0.5, v * v / 3, (np.exp((v - _HLG_C) / _HLG_A) + _HLG_B) / 12)


def hlg_display(luminance: ArrayLike) -> F64:
    """Return what the scene's light is multiplied by on the display, 1 = white, given its luminance in [0, 1]."""
    y = np.maximum(np.asarray(luminance, np.float64), 1e-9)
    return np.asarray(y ** (_HLG_GAMMA - 1) * (_HLG_PEAK / HDR_WHITE))


@dataclass(frozen=True, slots=True)
class ParametricCurve:
    """`(a x + b)^g + e` for x >= d, else `c x + f`: type 4 of ICC.1:2022, 10.18, Table 68."""

    g: float
    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0
    e: float = 0.0
    f: float = 0.0

    def decode(self, encoded: ArrayLike) -> F64:
        """Return linear light for encoded values in [0, 1], any shape."""
        x = np.asarray(encoded, np.float64)
        power = np.maximum(self.a * x + self.b, 0) ** self.g + self.e
        return np.where(x >= self.d, power, self.c * x + self.f)


@dataclass(frozen=True, slots=True)
class SampledCurve:
    """Linear interpolation between equally spaced samples over [0, 1]: ICC.1:2022, 10.6."""

    samples: tuple[float, ...]

    def decode(self, encoded: ArrayLike) -> F64:
        """Return linear light for encoded values in [0, 1], any shape."""
        x = np.asarray(encoded, np.float64)
        return np.interp(x, np.linspace(0, 1, len(self.samples)), self.samples)


Curve: TypeAlias = ParametricCurve | SampledCurve


@dataclass(frozen=True, slots=True)
class Encoding:
    """How display-encoded values map to linear light in the photo's own primaries."""

    name: str  # "sRGB", "Display P3", "Adobe RGB" or the description in an ICC profile
    curves: tuple[Curve, Curve, Curve]  # R, G, B; strictly increasing over [0, 1]
    to_srgb: Matrix  # linear primaries of the photo -> linear sRGB primaries, column vectors

    @property
    def is_linear(self) -> bool:
        """Whether the encoded values are linear light, up to rounding in profiles (2e-4)."""
        x = np.linspace(0, 1, 33)
        return all(np.abs(curve.decode(x) - x).max() < 2e-4 for curve in self.curves)

    @property
    def has_srgb_primaries(self) -> bool:
        """Whether `to_srgb` is the identity, up to rounding in profiles (5e-4)."""
        return bool(np.abs(np.array(self.to_srgb) - np.eye(3)).max() < 5e-4)


def primaries_to_xyz_d50(primaries: Sequence[Sequence[float]], white_xy: Sequence[float] = _D65_XY) -> F64:
    """Return the (3, 3) matrix from linear RGB with the white `white_xy` to XYZ adapted to D50.

    `primaries` are the CIE xy of R, G, B. Bradford adaptation, as ICC.1:2022, Annex E.
    """
    columns = np.array([_xyz(xy) for xy in primaries]).T
    white = _xyz(white_xy)
    return np.asarray(_bradford(white, np.array(D50_XYZ)) @ (columns * np.linalg.solve(columns, white)))


def chromaticities(encoding: "Encoding") -> tuple[float, ...]:
    """Return the CIE xy of R, G, B and the white (D65) of `encoding`: 8 numbers."""
    columns = np.linalg.solve(D65_TO_D50, SRGB_XYZ_D50 @ np.array(encoding.to_srgb)).T
    return (*(float(v) for xyz in columns for v in (xyz / xyz.sum())[:2]), *_D65_XY)


def luminance_of(encoding: "Encoding") -> tuple[float, float, float]:
    """Return what each primary of `encoding` adds to the luminance of white, 1."""
    red, green, blue = np.linalg.solve(D65_TO_D50, SRGB_XYZ_D50 @ np.array(encoding.to_srgb))[1]
    return float(red), float(green), float(blue)


def _xyz(xy: Sequence[float]) -> F64:
    x, y = xy
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _bradford(white: F64, target: F64) -> F64:
    gain = (_BRADFORD @ target) / (_BRADFORD @ white)
    return np.asarray(np.linalg.inv(_BRADFORD) @ np.diag(gain) @ _BRADFORD)


def to_srgb_matrix(xyz_d50: F64) -> Matrix:
    """Return linear RGB -> linear sRGB, given the (3, 3) matrix from linear RGB to XYZ (D50)."""
    m = np.linalg.solve(SRGB_XYZ_D50, xyz_d50)
    return tuple((float(row[0]), float(row[1]), float(row[2])) for row in m)


D65_TO_D50 = _bradford(_xyz(_D65_XY), np.array(D50_XYZ))
SRGB_XYZ_D50 = primaries_to_xyz_d50([(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)])
P3_XYZ_D50 = primaries_to_xyz_d50([(0.680, 0.320), (0.265, 0.690), (0.150, 0.060)])
REC2020_XYZ_D50 = primaries_to_xyz_d50([(0.708, 0.292), (0.170, 0.797), (0.131, 0.046)])
ADOBE_XYZ_D50 = primaries_to_xyz_d50([(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)])

SRGB_CURVE = ParametricCurve(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
ADOBE_CURVE = ParametricCurve(563 / 256)

SRGB = Encoding("sRGB", (SRGB_CURVE,) * 3, ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
DISPLAY_P3 = Encoding("Display P3", (SRGB_CURVE,) * 3, to_srgb_matrix(P3_XYZ_D50))
ADOBE_RGB = Encoding("Adobe RGB", (ADOBE_CURVE,) * 3, to_srgb_matrix(ADOBE_XYZ_D50))
REC2020 = Encoding("Rec. 2020", (SRGB_CURVE,) * 3, to_srgb_matrix(REC2020_XYZ_D50))  # with the curve of sRGB
HDR_PRIMARIES = {1: SRGB, 9: REC2020, 12: DISPLAY_P3}  # by their numbers in ITU-T H.273

LINEAR_CURVE = ParametricCurve(1.0)
SRGB_LINEAR = Encoding("linear sRGB", (LINEAR_CURVE,) * 3, SRGB.to_srgb)


def linear(encoding: Encoding) -> Encoding:
    """Return the linear encoding with the primaries of `encoding`."""
    return Encoding(f"linear {encoding.name}", (LINEAR_CURVE,) * 3, encoding.to_srgb)


def for_display(encoding: Encoding) -> Encoding:
    """Return `encoding`; if it is linear, return a display encoding with the same primaries."""
    if not encoding.is_linear:
        return encoding
    for known in (SRGB, DISPLAY_P3, ADOBE_RGB, REC2020):
        if np.abs(np.array(known.to_srgb) - np.array(encoding.to_srgb)).max() < 2e-3:
            return known
    return Encoding(encoding.name.removeprefix("linear "), (SRGB_CURVE,) * 3, encoding.to_srgb)
