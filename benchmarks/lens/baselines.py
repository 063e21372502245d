"""Simple methods for the table to compare with; readable rather than fast."""

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


def disk(radius_px: float) -> F32:
    """A disk's coverage of each pixel, to 1 / 16 of a pixel, sum 1."""
    reach, n = int(np.ceil(radius_px)) + 1, 16
    fine = (np.arange((2 * reach + 1) * n) + 0.5) / n - reach - 0.5
    inside = (fine[:, None] ** 2 + fine[None] ** 2 <= max(radius_px, 0.5) ** 2).reshape(2 * reach + 1, n, -1, n)
    share = inside.mean((1, 3))
    return (share / share.sum()).astype(np.float32)


def blur_and_paste(photo: F32, matte: F32, disparity: F32, *, focus_disparity: float, full_radius_px: float) -> F32:
    """Blur the whole photo with one disk, paste what is in focus with the matte.

    The radius is the median one of what is out of focus: of the background, or of the subject when that is blurred.
    """
    radius = full_radius_px * np.abs(disparity - focus_disparity)
    inside, outside = (float(np.median(radius[where])) for where in (matte > 0.5, matte <= 0.5))
    kernel = disk(max(inside, outside))
    blurred = cv2.filter2D(photo, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT)
    sharp = (matte if inside < outside else 1 - matte)[..., None]
    return blurred * (1 - sharp) + photo * sharp


def scatter(photo: F32, disparity: F32, *, focus_disparity: float, full_radius_px: float, layers: int = 64) -> F32:
    """Every pixel spread over its disk, far to near: what depth alone can do, without a matte.

    Pixels are grouped into `layers` of disparity. A layer's disks add; the layer covers what lies behind it by the
    share of light that its disks bring. What no disk reaches is filled by normalising.
    """
    level = np.clip((disparity * layers).astype(int), 0, layers - 1)
    colour, cover = np.zeros(photo.shape, np.float32), np.zeros(disparity.shape, np.float32)
    for k in range(layers):
        own = level == k
        if not own.any():
            continue
        kernel = disk(full_radius_px * abs(float(disparity[own].mean()) - focus_disparity))
        spread = lambda x: cv2.filter2D(x, cv2.CV_32F, kernel, borderType=cv2.BORDER_CONSTANT)  # noqa: B023, E731
        share = np.minimum(spread(own.astype(np.float32)), 1)
        colour = colour * (1 - share[..., None]) + spread(photo * own[..., None])
        cover = cover * (1 - share) + share
    return colour / np.maximum(cover, 1e-4)[..., None]


def typical_radius(matte: F32, disparity: F32, *, focus_disparity: float, full_radius_px: float) -> float:
    """The median radius in pixels of what is out of focus: of the background, or of the subject."""
    radius = full_radius_px * np.abs(disparity - focus_disparity)
    parts = [radius[where] for where in (matte > 0.5, matte <= 0.5)]
    return max(float(np.median(part)) for part in parts if part.size)


def uniform_gaussian(photo: F32, matte: F32, disparity: F32, *, focus_disparity: float, full_radius_px: float) -> F32:
    """The whole photo through one Gaussian, as wide as the typical disk: sigma = radius / 2 along each axis."""
    radius = typical_radius(matte, disparity, focus_disparity=focus_disparity, full_radius_px=full_radius_px)
    if radius < 0.1:
        return photo
    return np.asarray(cv2.GaussianBlur(photo, (0, 0), radius / 2, borderType=cv2.BORDER_REFLECT))


def gather(photo: F32, disparity: F32, *, focus_disparity: float, full_radius_px: float, steps: int = 48) -> F32:
    """Every pixel the mean over a disk of its own radius: the textbook's depth of field, which bleeds at edges.

    `steps` disks; between two of them a pixel is a mixture, linear in its radius.
    """
    radius = full_radius_px * np.abs(disparity - focus_disparity)
    top = float(radius.max())
    if top < 0.5:
        return photo
    position = radius / top * (steps - 1)
    out = np.zeros_like(photo)
    for k in range(steps):
        share = np.maximum(0, 1 - np.abs(position - k)).astype(np.float32)
        if share.any():
            size = k * top / (steps - 1)
            kernel = disk(size)
            blurred = photo if size < 0.5 else cv2.filter2D(photo, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT)
            out += share[..., None] * blurred
    return out
