"""Models and kernels that a worker process loads before its first task and keeps."""

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wideopen.settings import MapSettings


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
        from wideopen.lens import Lens
        from wideopen.matting.find_matte import REMBG, load_network
        from wideopen.pipeline import render, understand
        from wideopen.session.first_run import run_transfer, small_photo, small_scene

        rgb, matte = small_photo()
        maps = self.maps
        if self.needs_matting and maps.matting != "embedded":
            load_network(maps)  # running ours takes 0.6 s, and the first matte no longer than later ones
            if maps.network.startswith(REMBG):
                understand(rgb, replace(maps, depth="planar"))
        if maps.depth not in ("embedded", "planar"):
            understand(rgb, maps, matte=matte)
        run_transfer()
        scene = small_scene(self.backend)
        for look, focus, cat_eye in product(self.looks, (0.0, 1.0), self.cat_eyes):
            lens = Lens(focus_disparity=focus, max_radius=0.25, look=look, cat_eye=cat_eye, grain=4.0)  # type: ignore[arg-type]
            render(scene, lens, backend=self.backend)
