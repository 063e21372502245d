"""Numba's threads and cache; every `numba_cpu.py` imports this before it compiles kernels.

Numba's default may be `workqueue`, which aborts the process when two threads call parallel kernels at once. OpenMP
does not. A user's NUMBA_THREADING_LAYER is respected; a numba built without OpenMP keeps its default.
"""

import atexit
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np
from numba.core.dispatcher import Dispatcher

LOG = logging.getLogger(__name__)
MATHS = {"contract", "nsz"}  # fused multiply-add; nothing that reorders sums


def keep_kernels_somewhere() -> None:
    """Cache kernels until this process ends, if neither this package's folder nor the user's cache can be written.

    Numba would raise at the first kernel. Processes that this one starts use the same folder.
    """
    try:
        numba.njit(cache=True)(prefer_openmp)  # nothing is compiled yet, but a folder is chosen
    except RuntimeError:
        folder = tempfile.mkdtemp(prefix="wideopen-kernels-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        numba.config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"] = folder
        LOG.warning("no folder for compiled kernels is writable, so each run compiles them; NUMBA_CACHE_DIR sets one")


def prefer_openmp() -> None:
    """Run numba's parallel loops on OpenMP, unless the user chose another layer or OpenMP is missing."""
    if "NUMBA_THREADING_LAYER" in os.environ:
        return
    if find_spec("numba.np.ufunc.omppool") is None:
        return
    # Waiting threads must not block a core: spinning made small renders ten times slower on busy machines. OpenMP
    # reads this once, when it is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    numba.config.THREADING_LAYER = "omp"


def leave_scipy_out() -> None:
    """Load numba's array functions as if scipy were not installed: saves 0.2 s of importing an unused BLAS."""
    name = "scipy.linalg.cython_blas"
    if name in sys.modules:
        return
    sys.modules[name] = None  # type: ignore[assignment]  # numba looks for it once, here
    try:
        from numba.np import arraymath
    finally:
        del sys.modules[name]
    arraymath._HAVE_BLAS = find_spec("scipy") is not None  # for other kernels in this process


def kernel(**options: Any) -> Callable[[Any], Any]:
    """As `numba.njit` with a cache, for functions that Python calls.

    All kernels and what they call have the same options as far as possible: numba compiles `max`, `np.empty`, ... again
    for each set. Its own model of errors would check each division.
    """
    common = {"nogil": True, "fastmath": MATHS, "error_model": "numpy", "no_cfunc_wrapper": True}
    return numba.njit(**{"cache": True} | common | options)


def inner(**options: Any) -> Callable[[Any], Any]:
    """As `kernel`, for functions that only kernels call: no wrappers to call them from Python, no file of their own
    in the cache. A kernel and what it calls compile in 8 % less time.
    """
    return kernel(cache=False, no_cpython_wrapper=True, **options)


def in_threads(kernel: Callable[..., None], count: int, piece: int, *arguments: Any) -> None:
    """Call a compiled `kernel(first, stop, *arguments)` on pieces of range(count), in as many threads as numba has.

    The kernel must be compiled with nogil. It compiles in a third less time than one with `prange`, whose loop numba
    compiles as functions of its own.
    """
    firsts = iter(range(0, count, piece))  # shared: whichever thread is free takes the next piece

    def work() -> None:
        for first in firsts:
            kernel(first, min(first + piece, count), *arguments)

    threads = min(numba.get_num_threads(), -(-count // piece))
    if threads < 2:
        kernel(0, count, *arguments)
        return
    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(work) for _ in range(threads - 1)]
        work()
        for other in others:
            other.result()  # raises what a piece raised


def frozen(array: np.ndarray) -> np.ndarray:
    """A read-only view. Numba compiles a kernel separately for read-only and for writable arrays."""
    view = array.view()
    view.flags.writeable = False
    return view


def forget_stale_kernels(kernels: ModuleType, *used: ModuleType) -> None:
    """Drop a module's kernels from numba's disk cache if a module whose code they inline is newer.

    Numba itself only checks the age of the kernels' own file.
    """
    changed = max(Path(str(module.__file__)).stat().st_mtime for module in (kernels, *used))
    own = Path(str(kernels.__file__)).stem
    for name, kernel in vars(kernels).items():
        if isinstance(kernel, Dispatcher) and kernel.stats.cache_path:
            for index in Path(kernel.stats.cache_path).glob(f"{own}.{name}-*.nbi"):
                with suppress(OSError):  # already gone, or not ours to remove
                    if index.stat().st_mtime < changed:
                        index.unlink()


prefer_openmp()
leave_scipy_out()
keep_kernels_somewhere()
