"""Disparity maps: from metric depth, from the matte alone, and cleaned along the matte.

Maps are (H, W) float32 in [0, 1], 1 = nearest.
"""

from wideopen.disparity.along_matte.filtered import MatteFilter, filter_along_matte
from wideopen.disparity.metric import from_depth_m, normalise
from wideopen.disparity.planar import Extent, extent, planar
from wideopen.disparity.subject import subject_disparity

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
