"""Grain: how noisy a photo is, what a blur leaves of it, and putting back the rest.

`estimate` measures, `kept` says what is left, `reference` holds the formulas of putting it back; `numba` computes the
same on all cores.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from wideopen.backends import Backend
from wideopen.grain.measured import NO_GRAIN, Grain

__all__ = ["BACKENDS", "NO_GRAIN", "Grain", "Grainer"]


@dataclass(frozen=True, slots=True)
class Grainer:
    """The operator of one backend, with the signature of `reference`."""

    add_grain: Any  # (image, layers, grain, encoding) -> image


def _load_numba() -> Grainer:
    from wideopen.arrays.jit import forget_stale_kernels
    from wideopen.grain import curves, estimate, numba_cpu, reference

    forget_stale_kernels(numba_cpu, curves, estimate, reference)
    return Grainer(numba_cpu.add_grain)


def _load_reference() -> Grainer:
    from wideopen.grain import reference

    return Grainer(reference.add_grain)


BACKENDS: Mapping[str, Backend[Grainer]] = {
    "numba": Backend(lambda: None if find_spec("numba") else "numba is not installed", _load_numba),
    "reference": Backend(lambda: None, _load_reference),
}
