"""What differs between two exposures of a real pair besides the blur: a small shift, exposure, white balance.

The picture is moved and scaled to fit the truth, in linear light:
    fitted(x) = gain_c * picture(x + shift)
Shift: Evangelidis and Psarakis, "Parametric Image Alignment Using Enhanced Correlation Coefficient Maximization", TPAMI
2008 (OpenCV), which does not see gain and offset. Gain, per channel: the median of truth / picture over pixels that are
neither dark nor clipped; least squares would follow the few brightest, where a picture is most wrong (0.90 instead of 1
for lamps in the night, on a ray-traced scene).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from wideopen.checks import F32, require
from wideopen.errors import InvalidInput

MOST_SHIFT = 0.02
"""Of the long side; a larger one is a wrong fit, or another picture."""
DARK, CLIPPED = 0.02, 0.98
LANCZOS_PX = 4
STEPS, PRECISION = 200, 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """How a picture was brought to fit the truth, and what both have in common."""

    shift_px: tuple[float, float]  # x to the right, y down: where in the picture a pixel of the truth is found
    gain: tuple[float, float, float]  # of linear light
    picture: F32  # (h, w, 3) linear light, moved and scaled, without the border that the shift lost
    window: tuple[slice, slice]  # rows and columns of the truth that `picture` covers


def fit(picture: F32, truth: F32) -> Fit:
    """`picture` (H, W, 3) brought to fit `truth` (H, W, 3), both linear light.

    Raises InvalidInput where no shift of at most `MOST_SHIFT` explains the two.
    """
    shift = find_shift(_grey(picture), _grey(truth))
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    height, width = truth.shape[:2]
    moved = cv2.warpAffine(
        picture,
        matrix,
        (width, height),
        flags=cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    rows, columns = _inside(shift[1], height), _inside(shift[0], width)
    moved, seen = np.maximum(moved[rows, columns], 0), truth[rows, columns]
    gain = find_gain(moved, seen)
    return Fit(shift_px=shift, gain=gain, picture=moved * np.array(gain, np.float32), window=(rows, columns))


def find_shift(picture: F32, truth: F32) -> tuple[float, float]:
    """(x, y) in pixels between two grey pictures (H, W). Raises InvalidInput where none is found."""
    start = np.eye(2, 3, dtype=np.float32)
    until = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, STEPS, PRECISION)
    try:
        _, matrix = cv2.findTransformECC(truth, picture, start, cv2.MOTION_TRANSLATION, until, None, 5)
    except cv2.error as error:
        raise InvalidInput("align: expected pictures of one scene, found no shift that fits them") from error
    x, y = float(matrix[0, 2]), float(matrix[1, 2])
    most = MOST_SHIFT * max(truth.shape)
    require(
        bool(np.hypot(x, y) <= most), f"align: expected a shift of at most {most:.1f} pixels, found ({x:.1f}, {y:.1f})"
    )
    return x, y


def find_gain(picture: F32, truth: F32) -> tuple[float, float, float]:
    """Factors of R, G, B that bring `picture` to `truth`, (H, W, 3) linear light each; 1 where nothing is known."""
    gains = []
    for channel in range(3):
        p, t = picture[..., channel], truth[..., channel]
        known = (np.minimum(p, t) > DARK) & (np.maximum(p, t) < CLIPPED)
        gains.append(float(np.median(t[known] / p[known])) if known.any() else 1.0)
    return gains[0], gains[1], gains[2]


def _grey(picture: F32) -> F32:
    light = np.clip(picture, 0, 1) @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    return np.asarray(np.sqrt(light), np.float32)  # close to display-encoded: shadows count too


def _inside(shift: float, length: int) -> slice:
    """Pixels of the truth, along one axis, whose values in the picture do not depend on what lies beyond its border."""
    lost = int(np.ceil(abs(shift))) + LANCZOS_PX if abs(shift) > 0.01 else 0
    require(length > 2 * lost, f"align: expected more than {2 * lost} pixels along each side, found {length}")
    return slice(lost, length - lost)
