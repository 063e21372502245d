"""Models and kernels that a worker process loads before its first task and keeps."""

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wideopen.checks import F32
    from wideopen.settings import MapSettings

_HEIGHT, _WIDTH = 96, 128  # pixels: enough for lenses to blur some planes at a lower resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """Load networks and compile kernels for photos with their own depth and for `looks`; call it in a worker.

    Kernels are compiled once per machine and then cached. Without `needs_matting` the matting network is not loaded,
    because every photo comes with its matte.
    """

    maps: "MapSettings"
    looks: tuple[str, ...] = ("thin-lens",)
    cat_eyes: tuple[float, ...] = (0.0, 0.5)  # strengths; kernels for cat's eyes are compiled apart from the others
    backend: str = "auto"
    needs_matting: bool = True

    def __call__(self) -> None:
        """Load everything. Raises WeightsError, BackendUnavailable, InvalidInput as the first photo would."""
        import numpy as np

        from wideopen.arrays.transfer import decode, encode
        from wideopen.color import SRGB
        from wideopen.disparity.predict import Prediction
        from wideopen.lens import Lens
        from wideopen.pipeline import analyze, render

        rgb = np.random.default_rng(0).random((_HEIGHT, _WIDTH, 3), np.float32)
        matte = np.zeros((_HEIGHT, _WIDTH), np.float32)  # with a subject, which a network would not find in noise
        matte[24:80, 40:88] = 1
        self._warm_networks(rgb, matte)
        for kind, bits in ((np.uint8, 8), (np.uint16, 16)):
            encode(decode(np.zeros((4, 4, 3), kind), SRGB, bit_depth=bits), SRGB, bit_depth=bits)
        values = np.tile(np.linspace(0, 1, _WIDTH // 4, dtype=np.float32), (_HEIGHT // 4, 1))
        values[6:20, 10:22], values[:2, :2] = 2.0, np.nan  # as in a photo's file: small, with steps and holes
        own = Prediction(values, "disparity", "warm-up")
        # As with a network's matte: ground in focus behind the subject is then continued.
        scene = analyze(rgb, matte=matte, depth="embedded", embedded=own, exact_matte=False, backend=self.backend)
        for look, focus, cat_eye in product(self.looks, (0.0, 1.0), self.cat_eyes):
            lens = Lens(focus_disparity=focus, max_radius=0.25, look=look, cat_eye=cat_eye, grain=4.0)  # type: ignore[arg-type]
            render(scene, lens, backend=self.backend)

    def _warm_networks(self, rgb: "F32", matte: "F32") -> None:
        """Load the matting network and the depth network, each if photos may need it."""
        from wideopen.matting.edges import follow_edges
        from wideopen.photo import Photo, srgb_u8
        from wideopen.pipeline import understand

        maps = self.maps
        if self.needs_matting and maps.matting != "embedded":
            understand(rgb, replace(maps, depth="planar"))
            # Only photos larger than the network's input need it.
            follow_edges(matte[::2, ::2].copy(), srgb_u8(Photo(rgb=rgb)))
        if maps.depth not in ("embedded", "planar"):
            understand(rgb, maps, matte=matte)
