"""The first run on a machine: a second process compiles the kernels of the render while this one analyses the photo."""

import gc
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from wideopen.arrays.transfer import encode
from wideopen.color import SRGB
from wideopen.grain import Grain
from wideopen.lens import Lens
from wideopen.pipeline import Maps, Scene, render
from wideopen.rendering import first_use_compiles
from wideopen.sheets import Sheet
from wideopen.timing import Steps

_HEIGHT, _WIDTH = 96, 128  # pixels: enough for lenses to blur some planes at a lower resolution
_PROGRAM = "import sys; from wideopen.session.first_run import compile_kernels; compile_kernels(sys.argv[1])"


@contextmanager
def compiled_meanwhile(backend: str, look: str, step: Steps) -> Iterator[None]:
    """Compile what rendering this look needs while the block runs; at its end all of it is in numba's cache.

    Does nothing if it is there already. If the process fails, the kernels compile when they are first called.
    """
    if not first_use_compiles(backend, look):
        yield
        return
    step.note("first run only: compiling kernels adds half a minute")
    compiling = subprocess.Popen(  # noqa: S603  our own program
        [sys.executable, "-c", _PROGRAM, look],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    gc.disable()  # collecting numba's syntax trees takes a seventh of the time to compile
    try:
        yield
        step("compiling kernels (first run only)")
        compiling.wait()
    finally:
        gc.enable()
        compiling.kill()
        compiling.wait()


def compile_kernels(look: str) -> None:
    """Render and encode a small scene with two sheets and grain, which compiles all kernels that a photo needs."""
    gc.disable()  # this process ends soon
    rgb = np.random.default_rng(0).random((_HEIGHT, _WIDTH, 3), np.float32)
    matte = np.zeros((_HEIGHT, _WIDTH), np.float32)
    matte[24:80, 40:88] = 1
    disparity = np.tile(np.linspace(0, 1, _WIDTH, dtype=np.float32), (_HEIGHT, 1))
    subject = Sheet(rgb=rgb * matte[..., None], alpha=matte, disparity=disparity)
    scene = Scene(
        rgb=rgb,
        encoding=SRGB,
        sheets=(Sheet(rgb=rgb, alpha=None, disparity=disparity), subject),
        maps=Maps(
            matte=matte,
            disparity=disparity,
            matte_source="given",
            disparity_source="given",
            disparity_filtered=False,
            notes=(),
            seconds={},
        ),
        grain=Grain(strength=np.full(1, 0.02, np.float32), size_px=0.5, colour=0.5),
    )
    lens = Lens(focus_disparity=0.0, max_radius=0.25, look=look)  # type: ignore[arg-type]
    encode(render(scene, lens, backend="numba"), SRGB, bit_depth=8)
