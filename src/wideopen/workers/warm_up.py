"""What a worker process loads before its first task, and keeps for all of them."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wideopen.session.depth_source import Depths
    from wideopen.session.settings import MapSettings


def depths_of(maps: "MapSettings") -> "Depths":
    """The source of depth of all photos of this process: a model that cannot be fetched is tried once, not per photo.

    Raises InvalidInput for a word that names no source.
    """
    return _depths(maps.depth, maps.offline)


@cache
def _depths(asked: str, offline: bool) -> "Depths":
    from wideopen.session.depth_source import Depths

    return Depths(asked, offline=offline)


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
