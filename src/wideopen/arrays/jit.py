"""How numba runs our kernels; imported by every `numba_cpu.py` before its kernels are compiled.

numba's own default may end at `workqueue`, which aborts the process when two threads call parallel
kernels at once. OpenMP does not. A user's NUMBA_THREADING_LAYER is obeyed; where numba was built
without OpenMP its default stays.
"""

import os
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numba
from numba.core.dispatcher import Dispatcher


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


def forget_stale_kernels(kernels: ModuleType, *used: ModuleType) -> None:
    """Drop the kernels of a module from numba's cache on disk if a module that they take code from is newer.

    numba itself compares the age of the kernels' own file only.
    """
    changed = max(Path(str(module.__file__)).stat().st_mtime for module in (kernels, *used))
    own = Path(str(kernels.__file__)).stem
    for name, kernel in vars(kernels).items():
        if isinstance(kernel, Dispatcher) and kernel.stats.cache_path:
            for index in Path(kernel.stats.cache_path).glob(f"{own}.{name}-*.nbi"):
                with suppress(OSError):  # gone by now, or not ours to remove
                    if index.stat().st_mtime < changed:
                        index.unlink()


prefer_openmp()
