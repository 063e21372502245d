"""The depth network inside the package: 0.8 MB, for photos without other depth.

TCMonoDepth's small network (docs/model-card-small.md) is right about order at 256 pixels and about edges at 512. So the
two are merged: the coarse structure of the first, the detail of the second. On nine photos with known depth that gave
fewer wrongly ordered pairs and smaller errors beside edges than any single size.

Ours: the network puts the surroundings of a subject too near, and cannot see what it hides. So if a matte is known, the
network is run again on the photo without its subject.

Ours: clearly visible sky, which the network puts at uneven distances, is far (`plain_sky`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import cv2
import numpy as np

from wideopen.arrays.maps import nearest_value, resize_map
from wideopen.checks import F32, U8
from wideopen.disparity.depth_map import aligned
from wideopen.disparity.planar import strip_window
from wideopen.networks import Session

FILE = Path(__file__).with_name("weights") / "small.onnx"
ORDER_PX, DETAIL_PX = 256, 512
"""Short sides at which the network is right about what is nearer, and about where it ends."""
COARSE = 0.03  # standard deviation that divides structure from detail, as a fraction of the long side
MULTIPLE = 32
LONGEST = 4  # in multiples of the short side: a panorama is squeezed rather than seen at any length
SUBJECT = 0.05  # a matte above this is the subject, or its edge
ERASED = 0.006  # what is erased reaches this far beyond it, as a fraction of the long side
BLURRED = 0.012  # and the subject's own detail this far
SPREAD = 0.05  # farther away the subject changes little of what the network says
LEAST_SEEN = 0.03  # share of a photo in which a background can be recognised
GUESSED = 1.5
"""A subject makes what is around it nearer, never farther. So what is nearer without it is a guess, the more it hides:
this times its share of the photo is taken back."""
FAR, NOT_FAR = 0.13, 0.25
"""Highest median of the network's answer, about 1 at near things, in a sky, and in a blue one that fills the photo."""
NEAREST = 0.45  # and its highest 95th percentile
FARTHER = (0.06, 0.1, 0.2)
"""Highest median of the network's answer in a smooth sky: grey, of another colour; and where it is no sky any more."""
LEAST_SKY = 0.02  # share of the photo
WIDE = 0.25  # and of the upper edge, for a smooth sky
STEP, STEP_PX = 0.06, 9  # a step of the network's answer within so many pixels: its nearer side is no sky
TIPS = 0.006  # how far leaf tips and twigs reach into the sky, as a fraction of the long side
SMOOTH = 16  # of 255: most by which neighbours differ in most of a smooth sky


@dataclass(frozen=True, eq=False)
class SmallDepth:
    """The network's answers for a photo."""

    seen: U8  # (h, w, 3) the photo, its short side at `ORDER_PX`
    order: F32  # (h, w)
    detail: F32  # (rows, columns), its short side at `DETAIL_PX`

    @cached_property
    def whole(self) -> F32:
        """(rows, columns): relative disparity of what the photo shows."""
        return self._under_sky(_merged(self.order, self.detail, np.ones_like(self.detail)))

    def behind(self, alpha: F32) -> F32:
        """(rows, columns): relative disparity, on the scale of `whole`, of what lies around and behind the subject of
        the matte `alpha` (rows, columns).
        """
        small = resize_map(alpha, self.order.shape)
        if (small <= SUBJECT).mean() < LEAST_SEEN:
            return self.whole
        hidden = _grown(small > SUBJECT, ERASED)
        order = _both_ways(cv2.inpaint(self.seen, hidden.astype(np.uint8), 3, cv2.INPAINT_TELEA))
        far = ~_grown(small > SUBJECT, SPREAD)
        order = _on_scale_of(self.order, order, far if far.mean() >= LEAST_SEEN else small <= SUBJECT)
        hides = _grown(alpha > SUBJECT, BLURRED)
        behind = self._under_sky(_merged(order, self.detail, (~hides).astype(np.float32)))
        nearer = np.maximum(behind - self.whole, 0)
        return np.asarray(behind - min(GUESSED * hides.mean(), 1) * nearer, np.float32)

    def _under_sky(self, merged: F32) -> F32:
        """A map (rows, columns) with clearly visible sky at the far end.

        A network hardly sees what is thin, and takes its nearness from the sky around it. So leaf tips and twigs are as
        far away as the thick thing that they touch; posts that touch none are as far as the sky.
        """
        sky = resize_map(self._sky, merged.shape)
        thick = cv2.morphologyEx((sky > 0.5).astype(np.uint8), cv2.MORPH_CLOSE, strip_window(sky.shape)) == 0
        around = _grown(thick, TIPS)
        sky[around] = 0
        thin = _grown(~around & (sky <= 0.5), 0) & ~around  # with the slopes at its edges
        count, parts = cv2.connectedComponents(thin.astype(np.uint8), connectivity=8)
        beside = nearest_value(merged, thick)
        touching = thin & _grown(around, 0)
        touches = np.bincount(parts[touching], minlength=count)
        mean = np.bincount(parts[touching], beside[touching], count) / np.maximum(touches, 1)
        placed = np.where(around & ~thick, beside, merged + sky * (merged.min() - merged))
        placed = np.where(thin, np.where(touches > 0, mean, merged.min())[parts], placed)
        return np.asarray(placed, np.float32)

    @cached_property
    def _sky(self) -> F32:
        return plain_sky(self.seen, self.order)


def predict_small(srgb_u8: U8) -> SmallDepth:
    """Depth of a photo (H, W, 3) uint8, sRGB-encoded."""
    height, width = srgb_u8.shape[:2]
    larger = resize_map(srgb_u8, network_size(height, width, DETAIL_PX))
    seen = resize_map(larger, network_size(height, width, ORDER_PX))
    return SmallDepth(seen, _both_ways(seen), _run(larger))


def network_size(height: int, width: int, short_px: int) -> tuple[int, int]:
    """(h, w) of the network's input for a photo (`height`, `width`): multiples of 32, the short side at `short_px`."""
    scale = short_px / min(height, width)
    rows, columns = (min(round(side * scale / MULTIPLE) * MULTIPLE, LONGEST * short_px) for side in (height, width))
    return rows, columns


def _merged(order: F32, detail: F32, weight: F32) -> F32:
    """The structure of `order` (h, w) with `detail` (rows, columns), where `weight` (rows, columns) is 1."""
    order = resize_map(order, detail.shape)
    detail = aligned(detail, order)
    sigma = COARSE * max(detail.shape)
    coarse, mass = (_blurred(x, sigma) for x in ((order - detail) * weight, weight))
    fine = detail + coarse / np.maximum(mass, np.float32(1e-3)) - order
    fade = _blurred(weight, sigma / 3) * weight
    return np.asarray(order + fade * fine, np.float32)


def _blurred(x: F32, sigma: float) -> F32:
    """A Gaussian mean of `x` (h, w), computed at a quarter of the size."""
    small = resize_map(x, (x.shape[0] // 4, x.shape[1] // 4))
    return resize_map(cv2.GaussianBlur(small, (0, 0), sigma / 4), x.shape)


def _on_scale_of(like: F32, values: F32, where: np.ndarray) -> F32:
    """`values` (h, w) with the median of `like` (h, w), and as far from it in the mean, where the mask is true."""
    middle, wanted = np.median(values[where]), np.median(like[where])
    spread = np.abs(values[where] - middle).mean()
    scale = np.abs(like[where] - wanted).mean() / spread if spread > 0 else 0.0
    return np.asarray((values - middle) * np.float32(scale) + wanted, np.float32)


def _grown(mask: np.ndarray, by: float) -> np.ndarray:
    """`mask` (h, w) and all within `by` of it, as a fraction of the long side."""
    side = 2 * max(1, round(by * max(mask.shape))) + 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.dilate(mask.astype(np.uint8), disk).reshape(mask.shape) > 0


def _both_ways(seen: U8) -> F32:
    """(h, w): the mean of the network's answers for a photo (h, w, 3) and for its mirror image."""
    mirrored = _run(seen[:, ::-1])[:, ::-1]
    return np.asarray((_run(seen) + mirrored) / 2, np.float32)


def _run(seen: U8) -> F32:
    image = np.ascontiguousarray(seen.transpose(2, 0, 1)[None], np.float32)  # 0 to 255
    return _network().run("disparity", {"image": image})[0, 0]


@lru_cache(maxsize=1)
def _network() -> Session:
    return Session(FILE, "depth model small")


def plain_sky(seen: U8, order: F32) -> F32:
    """(h, w): the share of sky in a small photo (h, w, 3), sRGB-encoded; order (h, w): the network's raw answer.

    Sky reaches the upper edge. Where it is blue, or bright and grey, it is far for the network too, unlike walls and
    white backdrops, and far in all its parts, unlike water that comes near. Of any colour that skies have, when the sun
    is low too, it is smooth, wide at the upper edge and farther still, and ends slowly, since water may go on from it.
    """
    red, green, blue = np.moveaxis(seen.astype(np.int16), 2, 0)
    bright = seen.max(2).astype(np.int16)
    is_blue = (blue > red + 10) & (blue >= green - 2) & (green > red - 6) & (bright > 70)
    is_grey = (bright > 120) & (bright - seen.min(2) < 0.14 * bright + 4)
    smooth = cv2.morphologyEx(seen, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(2) < SMOOTH
    smooth = cv2.blur(smooth.astype(np.float32), (9, 9)) > 0.5
    sky = np.zeros(order.shape, np.float32)
    for own in _from_above(is_blue | is_grey):
        limit = NOT_FAR if own.mean() > 0.5 and is_blue[own].mean() > 0.3 else FAR
        middle, near = np.percentile(order[own], (50, 95))
        if middle < limit and near < NEAREST:
            sky[_above_steps(own, order)] = 1
    dark_blue = (blue > red + 10) & (blue > green + 6) & (bright > 45)
    orange = (red > blue + 20) & (red >= green) & (bright > 140)
    purple = (np.minimum(red, blue) > green) & (bright > 80)
    may_be = (is_blue | is_grey | dark_blue | orange | purple) & (order < FARTHER[2])
    for own in _from_above(may_be & smooth):
        limit = FARTHER[0] if is_grey[own].mean() > 0.5 else FARTHER[1]
        if own[0].mean() > WIDE and np.median(order[own]) < limit:
            share = (FARTHER[2] - order) / (FARTHER[2] - FARTHER[1])
            to_its_edges = may_be & _grown(own, 0.01)
            sky = np.maximum(sky, to_its_edges * np.clip(share, 0, 1))
    return sky.astype(np.float32)


def _above_steps(own: np.ndarray, order: F32) -> np.ndarray:
    """Bool (h, w): what no step of the network's answer divides from a part's upper edge: sky, but no glass front."""
    steep = cv2.morphologyEx(order, cv2.MORPH_GRADIENT, np.ones((STEP_PX, STEP_PX), np.uint8)) > STEP
    _, parts = cv2.connectedComponents((own & ~steep).astype(np.uint8), connectivity=4)
    above = np.isin(parts, parts[0][parts[0] > 0])
    if not above.any():
        return own
    mean = np.bincount(parts.flat, order.flat) / np.maximum(np.bincount(parts.flat), 1)
    nearer = (parts > 0) & ~above & (mean[parts] > np.median(order[above]) + STEP)
    return own & (_away_from(above) <= _away_from(nearer)) if nearer.any() else own


def _away_from(mask: np.ndarray) -> F32:
    """Distance in pixels, (h, w), from a mask's true pixels."""
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5).reshape(mask.shape)


def _from_above(alike: np.ndarray) -> Iterator[np.ndarray]:
    """The large connected parts of a mask (h, w) that reach its upper edge."""
    opened = cv2.morphologyEx(alike.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, parts = cv2.connectedComponents(opened, connectivity=4)
    for part in np.unique(parts[0][parts[0] > 0]):
        own = parts == part
        if own.mean() > LEAST_SKY:
            yield own
