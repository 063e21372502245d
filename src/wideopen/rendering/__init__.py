"""Rendering: sheets, or one photo and its disparity, through a lens.

`reference` holds the formulas; `triton` computes the same on a CUDA GPU, `numba` on all cores, `torch` by FFT on any
device. `BACKENDS` lists them, fastest first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wideopen.backends import Backend, missing
from wideopen.networks import why_no_torch
from wideopen.optics import Optics
from wideopen.rendering.cuda import why_no_triton
from wideopen.sheets import Sheet

__all__ = ["BACKENDS", "Optics", "Renderer", "Sheet", "first_use_compiles"]


@dataclass(frozen=True, slots=True)
class Renderer:
    """The operators of one backend, with the signatures of `reference`."""

    thin_lens: Any  # (sheets, optics) -> (H, W, 3)
    paper: Any  # (encoded, disparity, optics) -> (H, W, 3)


def _load_triton() -> Renderer:
    from wideopen.rendering import triton as triton_gpu

    return Renderer(triton_gpu.thin_lens, triton_gpu.paper)


def _load_numba() -> Renderer:
    from wideopen.rendering import numba as numba_cpu

    return Renderer(numba_cpu.thin_lens, numba_cpu.paper)


def _load_torch() -> Renderer:
    from wideopen.rendering.torch import fft as torch_fft

    return Renderer(torch_fft.thin_lens, torch_fft.paper)


def _load_reference() -> Renderer:
    from wideopen.rendering import reference

    return Renderer(reference.thin_lens, reference.paper)


BACKENDS: Mapping[str, Backend[Renderer]] = {
    "triton": Backend(why_no_triton, _load_triton),
    "numba": Backend(missing("numba"), _load_numba),
    "torch": Backend(lambda: why_no_torch("torch"), _load_torch),
    "reference": Backend(lambda: None, _load_reference),
}


def first_use_compiles(name: str = "auto", look: str = "thin-lens") -> bool:
    """Whether rendering this look with this backend must first compile kernels (some 20 s): none are cached yet."""
    usable = (key for key, backend in BACKENDS.items() if name in ("auto", key) and backend.why_not() is None)
    if next(usable, None) != "numba":
        return False
    from wideopen.rendering.numba import needs_compiling

    return needs_compiling(look)
