"""What a worker process does once, before its first task."""

import ctypes
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wideopen.session.settings import MapSettings

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_LIBC = ctypes.CDLL(None) if os.name == "posix" else None
_COMPILING_S = 180.0  # kernels take some 25 s; whoever compiles may have been killed meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """Loads networks and kernels by rendering a tiny photo the way all photos will be; call it in a worker.

    Without `needs_matting` the matting network is not loaded, because every photo comes with its matte.
    """

    maps: "MapSettings"
    look: str = "thin-lens"
    backend: str = "auto"
    needs_matting: bool = True

    def __call__(self) -> None:
        """Load everything. Raises WeightsError, BackendUnavailable, InvalidInput as the first photo would."""
        import numpy as np

        from wideopen.lens import Lens
        from wideopen.pipeline import analyze, render, understand
        from wideopen.session.matte_source import network

        photo = np.random.default_rng(0).random((48, 64, 3), np.float32)
        matte = np.zeros((48, 64), np.float32)
        matte[12:40, 20:44] = 1
        if self.needs_matting and self.maps.matting != "embedded":
            understand(
                photo, matting=network(self.maps.matting), inference=self.maps.inference, device=self.maps.device
            )
        # With a subject, which no network would see in noise: else the kernels that take a scene apart stay unused.
        scene = analyze(
            photo,
            matte=matte,
            depth="planar" if self.maps.depth == "embedded" else self.maps.depth,
            device=self.maps.device,
            backend=self.backend,
        )
        look: Any = self.look  # Lens refuses other words
        render(scene, Lens(focus_disparity=0.5, max_radius=0.1, look=look, grain=4.0), backend=self.backend)

    @property
    def compiles(self) -> bool:
        """Whether this will compile kernels, because none are cached yet."""
        from wideopen.rendering import first_use_compiles

        return first_use_compiles(self.backend, self.look)


def share_cores(threads: int) -> None:
    """Let every library of this process use `threads` threads; to be called before any of them is imported."""
    for name in _THREADS:
        os.environ[name] = str(threads)


def limit_threads(threads: int) -> None:
    """`share_cores` for the libraries whose own setting counts more than the environment."""
    import sys

    import cv2

    cv2.setNumThreads(threads)
    if "numba" in sys.modules:  # imported before the environment was set
        numba: Any = sys.modules["numba"]
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    if "torch" in sys.modules:
        torch: Any = sys.modules["torch"]
        torch.set_num_threads(threads)


def end_with_parent() -> None:
    """End this process at once when its parent is gone, also in the middle of a photo.

    Otherwise a worker whose parent was killed would finish its photo beside the run that resumes the work.
    """
    from multiprocessing import connection, parent_process

    parent = parent_process()
    if parent is None:
        return
    sentinel: Any = parent.sentinel

    def wait() -> None:
        connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=wait, name="parent watch", daemon=True).start()


def return_freed_memory() -> None:
    """Give what was freed back to the system, where the C library is glibc; it keeps scattered pieces otherwise.

    Without it a worker grew by 3 to 6% over 500 photos, with it by 0.1% (benchmarks/results/batch.json).
    """
    trim = getattr(_LIBC, "malloc_trim", None)
    if trim is not None:
        trim(0)


def warm_one_after_another(warm_up: Any, lock: Any) -> None:
    """Run `warm_up`; where it compiles kernels, only one worker at a time does, and the others find them cached."""
    if not getattr(warm_up, "compiles", False):
        warm_up()
        return
    held = lock.acquire(timeout=_COMPILING_S)
    try:
        warm_up()
    finally:
        if held:
            lock.release()
