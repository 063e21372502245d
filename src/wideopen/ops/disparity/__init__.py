"""Disparity maps: from metric depth, from the matte alone, and cleaned along the matte.

Maps are (H, W) float32 in [0, 1], 1 = nearest.
"""

from wideopen.ops.disparity.filtered import MatteFilter, filter_along_matte
from wideopen.ops.disparity.metric import from_depth_m, normalise
from wideopen.ops.disparity.planar import Extent, extent, planar
from wideopen.ops.disparity.subject import subject_disparity

__all__ = [
    "Extent",
    "MatteFilter",
    "extent",
    "filter_along_matte",
    "from_depth_m",
    "normalise",
    "planar",
    "subject_disparity",
]
