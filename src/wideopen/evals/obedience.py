"""Whether the blur follows the setting: two measures that need no true picture.

LVCorr: "for images generated from the same all-in-focus input with a fixed focus plane across varying bokeh levels K,
  [...] the Pearson correlation coefficient between these K values and the Laplacian variance trend" (Tuan Mu et al.,
  "Generative Refocusing", arXiv:2512.16923v3, section 4.1). Variance falls as blur grows and the paper's best methods
  are near +1, so the sign is turned: lvcorr = -corr(K, var(Laplacian)). Not stated there, and chosen here: the grey of
  OpenCV in codes of 8 bits, its 3 x 3 Laplacian of four neighbours, the whole picture.

Blur error: the radius that a picture shows, less the circle of confusion that was asked for, |r_shown - r_asked| in
  pixels, mean over the pixels where it can be measured. r_shown is the radius of the disk that, convolved with the
  sharp photo in linear light, comes nearest to the picture in a window. It can be measured where the sharp photo has
  texture, nothing is clipped, and one radius is asked for within reach of the window: occlusion edges are left out.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from wideopen.checks import F32, Mask

MOST_PX = 4.0  # the largest radius asked for, at the size at which it is measured
STEP_PX = 0.5  # between the radii tried; the nearest is refined by a parabola
WINDOW_PX = 9
UNIFORM_PX = 0.5  # the asked radius varies by at most this within reach
TEXTURE = 0.012  # RMS by which the worst radius misses more than the best: three codes of 8 bits
CLIPPED = 0.98


def laplacian_variance(shown: F32) -> float:
    """Variance of the Laplacian of a display-encoded picture (H, W, 3) in [0, 1], in squared codes of 8 bits."""
    grey = cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY) * np.float32(255)
    return float(cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_32F))[1][0, 0]) ** 2  # in float64


def lvcorr(levels: Sequence[float], variances: Sequence[float]) -> float | None:
    """LVCorr of pictures of one photo and focus at several blur `levels`; None for fewer than 3 levels or no change."""
    if len(set(levels)) < 3 or len(set(variances)) < 2:
        return None
    return float(-np.corrcoef(levels, variances)[0, 1])


def blur_error_px(picture: F32, sharp: F32, asked_px: F32) -> float | None:
    """Mean error of the blur radius in pixels of the picture; None if no window shows it.

    picture, sharp: linear light (H, W, 3); asked_px: the radius asked for (H, W), without sign.
    """
    scale = min(1.0, MOST_PX / max(float(asked_px.max()), 1e-6))
    size = tuple(max(1, round(n * scale)) for n in reversed(asked_px.shape))
    seen, photo = (_grey(cv2.resize(x, size, interpolation=cv2.INTER_AREA)) for x in (picture, sharp))
    asked = cv2.resize(asked_px, size, interpolation=cv2.INTER_AREA) * np.float32(scale)
    shown, known = shown_radius(seen, photo, 1.5 * float(asked.max()) + 1)
    known &= _uniform(asked) & (cv2.dilate(np.maximum(seen, photo), _square(WINDOW_PX)) < CLIPPED)
    return float(np.abs(shown - asked)[known].mean() / scale) if known.any() else None


def shown_radius(seen: F32, photo: F32, most_px: float) -> tuple[F32, Mask]:
    """Return the radius in pixels that each window of `seen` shows, and where it can be measured, both (h, w).

    seen, photo: grey of linear light (h, w), the picture and the sharp photo; most_px: the largest radius tried.
    """
    radii = np.arange(0, most_px + STEP_PX, STEP_PX)
    root = np.sqrt(np.maximum(seen, 0))
    misses = np.stack([_mean(np.square(np.sqrt(np.maximum(_disk_blur(photo, r), 0)) - root)) for r in radii])
    best = misses.argmin(axis=0)
    below, at, above = (
        np.take_along_axis(misses, np.clip(best + k, 0, len(radii) - 1)[None], axis=0)[0] for k in (-1, 0, 1)
    )
    bend = below + above - 2 * at
    shift = np.where((best > 0) & (best < len(radii) - 1), 0.5 * (below - above) / np.maximum(bend, 1e-12), 0)
    visible = np.sqrt(np.maximum(misses.max(axis=0) - at, 0)) > TEXTURE
    return np.asarray(STEP_PX * (best + np.clip(shift, -1, 1)), np.float32), np.asarray(visible)


def _uniform(asked: F32) -> Mask:
    """Where one radius, to within `UNIFORM_PX`, is asked for as far as windows and blur reach, (h, w)."""
    reach = WINDOW_PX + 2 * int(np.ceil(asked.max()))
    window = _square(reach)
    inside = np.zeros(asked.shape, np.uint8)
    margin = reach // 2
    inside[margin : asked.shape[0] - margin, margin : asked.shape[1] - margin] = 1
    return np.asarray((cv2.dilate(asked, window) - cv2.erode(asked, window) <= UNIFORM_PX) & (inside > 0))


def _disk_blur(grey: F32, radius_px: float) -> F32:
    """`grey` convolved with a disk whose rim is one pixel soft."""
    if radius_px < STEP_PX:
        return grey
    reach = int(np.ceil(radius_px))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    kernel = np.clip(radius_px + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    return np.asarray(cv2.filter2D(grey, cv2.CV_32F, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101))


def _mean(x: F32) -> F32:
    return np.asarray(cv2.blur(x, (WINDOW_PX, WINDOW_PX)))


def _square(side_px: int) -> np.ndarray:
    return np.ones((side_px, side_px), np.uint8)


def _grey(rgb: F32) -> F32:
    return np.asarray(rgb @ np.array([0.2126, 0.7152, 0.0722], np.float32), np.float32)
