"""Loading numba and the kernels of the render beside the analysis; on a machine's first run a process compiles them."""

import gc
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from wideopen.arrays.transfer import encode
from wideopen.backends import pick, usable
from wideopen.color import SRGB
from wideopen.grain import BACKENDS as GRAINERS
from wideopen.grain import Grain
from wideopen.grain.left_by_blur import GrainLayer
from wideopen.lens import Lens
from wideopen.pipeline import Maps, Scene, render
from wideopen.rendering import BACKENDS, first_use_compiles
from wideopen.sheets import Sheet
from wideopen.timing import Steps

_HEIGHT, _WIDTH = 96, 128  # pixels: enough for lenses to blur some planes at a lower resolution
_PROGRAM = "import gc, sys; gc.disable(); from wideopen.session.first_run import run_kernels; run_kernels(sys.argv[1])"
_loaded: set[str] = set()  # looks whose kernels this process has loaded


@contextmanager
def kernels_meanwhile(backend: str, look: str, step: Steps) -> Iterator[None]:
    """Load what rendering this look needs while the block runs; on the first run a second process compiles it.

    If that process fails, the kernels compile when they are first called.
    """
    with ThreadPoolExecutor(1) as beside:
        loading = beside.submit(_load, backend, look, step)
        gc.disable()  # collecting numba's syntax trees takes a seventh of the time to compile
        try:
            yield
            if (compiling := loading.result()) is not None:
                step("compiling kernels (first run only)")
                run_grain()
                compiling.wait()
        finally:
            gc.enable()
            if loading.exception() is None and (compiling := loading.result()) is not None:
                compiling.kill()
                compiling.wait()


def _load(backend: str, look: str, step: Steps) -> "subprocess.Popen[bytes] | None":
    """Load the kernels of this look, or start a process that compiles them."""
    if usable(BACKENDS, backend) != "numba" or look in _loaded:
        return None
    if not first_use_compiles(backend, look):
        _loaded.add(look)
        run_kernels(look)
        run_grain()
        return None
    step.note("first run only: compiling kernels adds about 20 s")
    return subprocess.Popen(  # noqa: S603  our own program
        [sys.executable, "-c", _PROGRAM, look],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def run_kernels(look: str) -> None:
    """Render a small scene with two sheets: loads or compiles the kernels of this look."""
    rgb = np.random.default_rng(0).random((_HEIGHT, _WIDTH, 3), np.float32)
    matte = np.zeros((_HEIGHT, _WIDTH), np.float32)
    matte[24:80, 40:88] = 1
    disparity = np.tile(np.linspace(0, 1, _WIDTH, dtype=np.float32), (_HEIGHT, 1))
    subject = Sheet(rgb=rgb * matte[..., None], alpha=matte, disparity=disparity)
    scene = Scene(
        rgb=rgb,
        encoding=SRGB,
        sheets=(Sheet(rgb=rgb, alpha=None, disparity=disparity), subject),
        maps=Maps(matte=matte, disparity=disparity),
    )
    lens = Lens(focus_disparity=0.0, max_radius=0.25, look=look)  # type: ignore[arg-type]
    render(scene, lens, backend="numba")


def run_grain() -> None:
    """Add grain to a small picture and encode it: loads or compiles the kernels for what follows any look."""
    image, plain = np.full((_HEIGHT, _WIDTH, 3), 0.5, np.float32), np.ones((_HEIGHT, _WIDTH), np.float32)
    grain = Grain(strength=np.full(1, 0.02, np.float32), size_px=0.5, colour=0.5)
    pick(GRAINERS, "numba")[1].add_grain(image, [GrainLayer(plain, plain)], grain, SRGB)
    encode(image, SRGB, bit_depth=8)
