"""Grain: how noisy a photo is, how much noise a blur leaves, and adding back the rest.

`estimate` measures it, `left_by_blur` computes what remains, `reference` holds the formulas for adding it back;
`numba_cpu` computes the same on all cores.
"""

from wideopen.backends import numba_or_reference
from wideopen.grain.estimate import NO_GRAIN, Grain

__all__ = ["BACKENDS", "NO_GRAIN", "Grain"]

BACKENDS = numba_or_reference(__name__)
