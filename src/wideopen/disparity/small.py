"""The depth network inside the package: 0.8 MB, so that no photo has to be rendered on a made-up floor.

TCMonoDepth's small network (docs/model-card-small.md), which is right about order at 256 pixels and about edges at 512.
So the two are merged: the coarse structure of the first, the detail of the second. On nine photos with known depth
that gave fewer wrongly ordered pairs and smaller errors beside edges than any single size.
"""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from wideopen.arrays.maps import resize_map
from wideopen.checks import F32, U8
from wideopen.disparity.depth_map import aligned
from wideopen.disparity.predict import Prediction
from wideopen.networks import Session

FILE = Path(__file__).with_name("weights") / "small.onnx"
ORDER_PX, DETAIL_PX = 256, 512
"""Short sides at which the network is right about what is nearer, and about where it ends."""
COARSE = 0.03
"""Standard deviation that divides structure from detail, as a fraction of the long side."""
MULTIPLE = 32
LONGEST = 4
"""In multiples of the short side: a panorama is squeezed rather than seen at any length."""


def predict_small(srgb_u8: U8) -> Prediction:
    """Depth of a photo (H, W, 3) uint8, sRGB-encoded; the short side of the result is `DETAIL_PX`."""
    order, detail = (_at(srgb_u8, short) for short in (ORDER_PX, DETAIL_PX))
    order = resize_map(order, detail.shape)
    detail = aligned(detail, order)
    coarse = cv2.GaussianBlur(order - detail, (0, 0), COARSE * max(detail.shape))
    return Prediction(np.asarray(detail + coarse, np.float32), "relative_disparity", "small")


def network_size(height: int, width: int, short_px: int) -> tuple[int, int]:
    """(h, w) of the network's input for a photo (`height`, `width`): multiples of 32, the short side at `short_px`."""
    scale = short_px / min(height, width)
    rows, columns = (min(round(side * scale / MULTIPLE) * MULTIPLE, LONGEST * short_px) for side in (height, width))
    return rows, columns


def _at(srgb_u8: U8, short_px: int) -> F32:
    """The network's output (h, w) for a photo whose short side becomes `short_px`."""
    seen = resize_map(srgb_u8, network_size(srgb_u8.shape[0], srgb_u8.shape[1], short_px))
    image = np.ascontiguousarray(seen.transpose(2, 0, 1)[None], np.float32)  # 0 to 255
    return _network().run("disparity", {"image": image})[0, 0]


@lru_cache(maxsize=1)
def _network() -> Session:
    return Session(FILE, "depth model small")
