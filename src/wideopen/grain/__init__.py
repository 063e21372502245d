"""Grain: how noisy a photo is, how much noise a blur leaves, and putting back the rest.

`estimate` measures it, `left_by_blur` computes what remains, `reference` holds the formulas for putting it back;
`numba_cpu` computes the same on all cores.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wideopen.backends import Backend, missing
from wideopen.grain.estimate import NO_GRAIN, Grain

__all__ = ["BACKENDS", "NO_GRAIN", "Grain", "Grainer"]


@dataclass(frozen=True, slots=True)
class Grainer:
    """The operator of one backend, with the signature of `reference`."""

    add_grain: Any  # (image, layers, grain, encoding) -> image


def _load_numba() -> Grainer:
    from wideopen.arrays.jit import forget_stale_kernels
    from wideopen.grain import estimate, numba_cpu, reference

    forget_stale_kernels(numba_cpu, estimate, reference)
    return Grainer(numba_cpu.add_grain)


def _load_reference() -> Grainer:
    from wideopen.grain import reference

    return Grainer(reference.add_grain)


BACKENDS: Mapping[str, Backend[Grainer]] = {
    "numba": Backend(missing("numba"), _load_numba),
    "reference": Backend(lambda: None, _load_reference),
}
