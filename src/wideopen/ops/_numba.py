"""How numba runs our kernels; imported by every `numba_cpu.py` before its kernels are compiled.

numba's own default may end at `workqueue`, which aborts the process when two threads call parallel
kernels at once. OpenMP does not. A user's NUMBA_THREADING_LAYER is obeyed; where numba was built
without OpenMP its default stays.
"""

import os
from importlib.util import find_spec

import numba


def prefer_openmp() -> None:
    """Let numba's parallel loops run on OpenMP, unless the user chose or OpenMP is not there."""
    if "NUMBA_THREADING_LAYER" in os.environ:
        return
    if find_spec("numba.np.ufunc.omppool") is None:
        return
    # Waiting threads must not keep a core from other programs, or from each other: spinning ones made small renders ten
    # times slower on a busy machine. OpenMP reads this once, when it is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    numba.config.THREADING_LAYER = "omp"


prefer_openmp()
