"""Compile numba's kernels into their cache beside the sources, so that no test and no other process has to."""

from wideopen.settings import MapSettings
from wideopen.workers import WarmUp

WarmUp(maps=MapSettings(depth="planar"), looks=("thin-lens", "paper"))()
