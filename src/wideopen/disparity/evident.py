"""Where to focus in a photo without a subject: on what stands out, is sharp, is near and towards the middle.

Ours. What stands out: the distance of a pixel's smoothed colour from the photo's mean colour, in CIELAB (Achanta et
al., "Frequency-tuned salient region detection", CVPR 2009).
"""

import cv2
import numpy as np

from wideopen.arrays.maps import resize_map, work_size
from wideopen.checks import F32

WORK_PX = 320
SHARP_PX = 960  # long side at which sharpness is seen: above a photo's noise, below what is out of focus
SMOOTH = 0.012  # standard deviation of the smoothing of colours, as a share of the long side
MIDDLE = 0.2  # and of the weight that falls off from the photo's middle
FAR = 0.5  # weight of what is farthest, where the nearest has 1 + this
BINS = 48
ALL_SKY = 0.8  # where less than this share of a photo is at the far end, that is not what stands out
TO_XYZ = np.array(
    [[0.433953, 0.376219, 0.189828], [0.212671, 0.715160, 0.072169], [0.017758, 0.109477, 0.872766]], np.float32
)
"""From linear sRGB light to CIE XYZ, each divided by white's."""
FAINTLY = 1e-3  # how much what has the mean colour still stands out
AT_ONCE = 0.035  # standard deviation, in disparity, of what counts as one distance


def evident_disparity(disparity: F32, rgb: F32) -> float:
    """The disparity at which most of what stands out lies; disparity (H, W), photo (H, W, 3) in linear light."""
    size = work_size(disparity.shape, WORK_PX)
    d = np.clip(resize_map(disparity, size), 0, 1)
    lab = _lab_of(np.clip(resize_map(rgb, size), 0, 1))
    smooth = cv2.GaussianBlur(lab, (0, 0), max(SMOOTH * max(size), 0.5))
    stands_out = np.linalg.norm(smooth - lab.mean((0, 1)), axis=2)
    y, x = (np.linspace(-0.5, 0.5, side) * side / max(size) for side in size)
    middle = np.exp(-(y[:, None] ** 2 + x**2) / (2 * MIDDLE**2))
    sharp = cv2.GaussianBlur(_sharpness(rgb, size), (0, 0), max(3 * SMOOTH * max(size), 0.5))
    weight = (stands_out + FAINTLY) * (sharp + np.float32(1e-6)) * middle * (FAR + d)
    far = d < 0.01
    if far.mean() < ALL_SKY:
        weight[far] = 0
    held, edges = np.histogram(d, BINS, (0, 1), weights=weight)
    near = (edges[1:] + edges[:-1]) / 2
    at_once = np.exp(-((near[:, None] - near) ** 2) / (2 * AT_ONCE**2)) @ held
    chosen = near[np.argmax(at_once)]
    nearby = np.abs(d - chosen) < 2 * AT_ONCE  # the fullest distance may lie between two that are held
    return float(np.median(d[nearby]))


def _sharpness(rgb: F32, size: tuple[int, int]) -> F32:
    """Finest detail that is not noise, (h, w) = size: how far brightness (a square root) is from its mean around."""
    light = cv2.transform(resize_map(rgb, work_size(rgb.shape[:2], SHARP_PX)), np.full((1, 3), 1 / 3, np.float32))
    seen = np.sqrt(np.clip(light, 0, 1))
    return resize_map(np.abs(seen - cv2.GaussianBlur(seen, (0, 0), 1.0)).reshape(light.shape[:2]), size)


def _lab_of(rgb: F32) -> F32:
    """CIELAB (h, w, 3) of linear light in [0, 1]; OpenCV first makes tables for 0.15 s."""
    xyz = cv2.transform(rgb, TO_XYZ).reshape(rgb.shape)
    x, y, z = cv2.split(np.where(xyz > 216 / 24389, np.cbrt(xyz), xyz * np.float32(841 / 108) + np.float32(4 / 29)))
    return cv2.merge([116 * y - 16, 500 * (x - y), 200 * (y - z)]).reshape(rgb.shape)
