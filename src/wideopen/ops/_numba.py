"""How numba runs our kernels; imported by every `numba_cpu.py` before its kernels are compiled.

numba's own default may end at `workqueue`, which aborts the process when two threads call parallel
kernels at once. OpenMP does not. A user's NUMBA_THREADING_LAYER is obeyed; where numba was built
without OpenMP its default stays.
"""

import os
from importlib import import_module

import numba


def prefer_openmp() -> None:
    """Let numba's parallel loops run on OpenMP, unless the user chose or OpenMP is not there."""
    if "NUMBA_THREADING_LAYER" in os.environ:
        return
    try:
        import_module("numba.np.ufunc.omppool")
    except ImportError:
        return
    numba.config.THREADING_LAYER = "omp"


prefer_openmp()
