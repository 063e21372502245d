"""Disparity maps: from metric depth, from the matte alone, and corrected along the matte.

Maps are (H, W) float32 in [0, 1], 1 = nearest.
"""

from wideopen.disparity.along_matte import MatteFilter, filter_along_matte
from wideopen.disparity.depth_map import from_depth_m, normalise, subject_disparity
from wideopen.disparity.planar import Extent, extent, planar

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
