"""Rendering: sheets, or one photo and its disparity, through a lens.

`reference` holds the formulas; `triton` computes the same on a CUDA GPU, `numba` on all cores. `BACKENDS` lists these
modules, fastest first; each has `thin_lens(sheets, optics)` and `paper(encoded, disparity, optics)`, which return
(H, W, 3).
"""

import ctypes
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from types import ModuleType

from wideopen.backends import Backend, missing, usable
from wideopen.optics import Optics
from wideopen.sheets import Sheet

__all__ = ["BACKENDS", "Optics", "Sheet", "first_use_compiles"]

TRITON = (3, 6)
"""The oldest Triton that the kernels have run with; torch 2.11 includes it."""


@cache
def cuda_devices() -> int:
    """Number of GPUs that the CUDA driver shows to this process. Asking torch would take a second for the import."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int()
    failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    return 0 if failed else count.value


def why_no_triton() -> str | None:
    """What is missing for the Triton kernels, or None."""
    if find_spec("triton") is None:
        return "triton is not installed"
    found = version("triton")
    if tuple(int(part) for part in found.split(".")[:2]) < TRITON:
        return f"triton {found} is installed, {'.'.join(map(str, TRITON))} or later is needed"
    if cuda_devices() == 0:
        return "no CUDA device"
    if find_spec("torch") is None:
        return "torch is not installed (pip install 'wideopen[torch]')"
    import torch

    return None if torch.cuda.is_available() else "torch is built without CUDA"


BACKENDS: Mapping[str, Backend[ModuleType]] = {
    "triton": Backend(why_no_triton, lambda: import_module("wideopen.rendering.triton")),
    "numba": Backend(missing("numba"), lambda: import_module("wideopen.rendering.numba")),
    "reference": Backend(lambda: None, lambda: import_module("wideopen.rendering.reference")),
}


def first_use_compiles(name: str = "auto", look: str = "thin-lens") -> bool:
    """Whether rendering this look with this backend must first compile kernels (some 20 s): none are cached yet."""
    if usable(BACKENDS, name) != "numba":
        return False
    from wideopen.rendering.numba import needs_compiling

    return needs_compiling(look)
