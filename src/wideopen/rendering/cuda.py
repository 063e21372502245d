"""Whether CUDA kernels can run here, from the driver: importing torch only to find that they cannot costs a second."""

import ctypes
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec

TRITON = (3, 6)
"""The oldest Triton that the kernels have run with; torch 2.11 includes it."""


@cache
def devices() -> int:
    """Number of GPUs that the CUDA driver shows to this process."""
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
    if devices() == 0:
        return "no CUDA device"
    if find_spec("torch") is None:
        return "torch is not installed (pip install 'wideopen[torch]')"
    import torch

    return None if torch.cuda.is_available() else "torch is built without CUDA"
