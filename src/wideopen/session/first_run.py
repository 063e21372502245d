"""Call Numba's kernels with a small photo, which loads them or, on a machine's first run, compiles them.

A command loads them during the analysis. On the first run a second process compiles the kernels of the look, by far the
largest; this process compiles those of the analysis as it calls them, then all others.
"""

import gc
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from wideopen.arrays.transfer import decode, encode
from wideopen.backends import pick, usable
from wideopen.checks import F32
from wideopen.color import SRGB
from wideopen.disparity.depth_map import Kind
from wideopen.grain import BACKENDS as GRAINERS
from wideopen.grain import Grain
from wideopen.grain.left_by_blur import GrainLayer
from wideopen.hdr import GainMap, Hdr
from wideopen.hdr.standard import to_standard
from wideopen.lens import Lens
from wideopen.matting.edges import follow_edges
from wideopen.photo import Photo, srgb_u8
from wideopen.pipeline import Maps, Scene, analyze, render
from wideopen.rendering import BACKENDS, first_use_compiles
from wideopen.sheets import Sheet
from wideopen.timing import Steps

_HEIGHT, _WIDTH = 96, 128  # pixels: enough for lenses to blur some planes at a lower resolution
_PROGRAM = "import gc, sys; gc.disable(); from wideopen.session.first_run import run_kernels; run_kernels(sys.argv[1])"
_loaded: set[str] = set()  # looks whose kernels this process has loaded


@contextmanager
def kernels_meanwhile(backend: str, look: str, step: Steps) -> Iterator[None]:
    """Load the kernels that rendering this look needs while the block runs; on the first run a second process compiles
    them.

    If that process fails, the kernels compile when they are first called.
    """
    with ThreadPoolExecutor(1) as beside:
        loading = beside.submit(_load, backend, look, step)
        gc.disable()  # collecting numba's syntax trees takes a seventh of the time to compile
        try:
            yield
            if (compiling := loading.result()) is not None:
                step("compiling kernels (first run only)")
                run_others(small_scene(backend))
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
    step.note("first run only: compiling kernels adds about 16 s")
    return subprocess.Popen(  # noqa: S603  our own program
        [sys.executable, "-c", _PROGRAM, look],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


class _OwnDepth:
    """Depth as in a phone's photo: smaller than the photo, with steps and holes."""

    name = "warm-up"
    kind: Kind = "disparity"

    @property
    def values(self) -> F32:
        """(h, w) float32, NaN where unknown."""
        values = np.tile(np.linspace(0, 1, _WIDTH // 4, dtype=np.float32), (_HEIGHT // 4, 1))
        values[6:20, 10:22] = 2.0
        values[:2, :2] = np.nan
        return values


def small_photo() -> tuple[F32, F32]:
    """Return (noise (h, w, 3), the matte (h, w) of a made-up subject)."""
    matte = np.zeros((_HEIGHT, _WIDTH), np.float32)
    matte[24:80, 40:88] = 1
    return np.random.default_rng(0).random((_HEIGHT, _WIDTH, 3), np.float32), matte


def small_scene(backend: str) -> Scene:
    """Analyse the small photo: loads or compiles the kernels of an analysis without networks."""
    rgb, matte = small_photo()
    follow_edges(matte[::2, ::2].copy(), srgb_u8(Photo(rgb=rgb)))  # only photos larger than the network's input need it
    # As with a network's matte: ground in focus behind the subject is then continued.
    return analyze(rgb, matte=matte, depth="embedded", embedded=_OwnDepth(), exact_matte=False, backend=backend)


def run_transfer() -> None:
    """Convert light: loads or compiles the transfer curves of photos with 8 and with more bits, and with gain maps."""
    for kind, bits in ((np.uint8, 8), (np.uint16, 16)):
        light = decode(np.zeros((4, 4, 3), kind), SRGB, bit_depth=bits)
        encode(light, SRGB, bit_depth=bits)
    to_standard(light, light, Hdr(kind="warm-up", headroom=2.0, gain=GainMap(log2=light[..., 0])), SRGB)


def run_kernels(look: str) -> None:
    """Render two sheets that need no kernels themselves: loads or compiles the kernels of this look."""
    rgb, matte = small_photo()
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
    )
    lens = Lens(focus_disparity=0.0, max_radius=0.25, look=look)  # type: ignore[arg-type]
    render(scene, lens, backend="numba")


def run_others(scene: Scene) -> None:
    """Make the scene's sheets and grain: loads or compiles the kernels that rendering needs besides the look's."""
    render(scene, Lens(focus_disparity=0.0, max_radius=0.01, grain=0.0), backend="reference")
    run_grain()


def run_grain() -> None:
    """Add grain to a small picture and encode it: loads or compiles the kernels that run after any look."""
    image, plain = small_photo()
    grain = Grain(strength=np.full(1, 0.02, np.float32), size_px=0.5, colour=0.5)
    pick(GRAINERS, "numba")[1].add_grain(image, [GrainLayer(plain, plain)], grain, SRGB)
    encode(image, SRGB, bit_depth=8)
