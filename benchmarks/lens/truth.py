"""Truth on disk: renders what is missing, continues where it was stopped, and loads it.

A file's name holds a hash of the scene's arrays, light, camera and lens, so what was rendered of other settings is
never taken for it. Two independent halves are kept: their difference is the noise.
"""

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lens.scenes import Scene, Shot
from lens.shapes import Part
from wideopen import Lens
from wideopen.color import srgb_decode, srgb_encode
from wideopen.evals.measures import displayed, edge_band, psnr

F32 = NDArray[np.float32]
VERSION = 1  # of what trace.py computes from the same scene: raise it and everything is rendered anew
PHOTO_RAYS = 256
RAYS_A_ROUND = 16  # per pixel and half; after each the noise is looked at
MOST_RAYS = 512  # per pixel and half
FLOOR_DB = 45.0  # of the clamped truth, in the whole picture and in the band
TRUE_SLACK_DB = 6.0
CLAMPED, TRUE = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """A shot with all that a method is given, and the truth."""

    photo: F32  # (H, W, 3) linear light, through 8 bits of sRGB
    matte: F32  # (H, W)
    disparity: F32  # (H, W)
    lens: Lens  # of the `thin-lens` look, highlights 0
    full_radius_px: float
    halves: F32  # (2 halves, 2 truths, H, W, 3): clamped at white, then true radiance
    rays: int  # per pixel, both halves together

    @property
    def clamped(self) -> F32:
        """(H, W, 3): every ray clamped at display white before the lens adds them up."""
        return self.halves[:, CLAMPED].mean(0)

    @property
    def true(self) -> F32:
        """(H, W, 3): true radiance, above 1 where it is."""
        return self.halves[:, TRUE].mean(0)

    def floors(self, truth: int = CLAMPED) -> tuple[float, float]:
        """Noise floor of a truth in dB: whole picture, edge band."""
        first, second = self.halves[:, truth]
        return noise_floor(first, second), noise_floor(first, second, edge_band(self.matte))

    def is_clean(self, floor_db: float) -> bool:
        """Whether the clamped truth reaches `floor_db` in picture and band; true radiance may lack TRUE_SLACK_DB."""
        return min(self.floors(CLAMPED)) >= floor_db and min(self.floors(TRUE)) >= floor_db - TRUE_SLACK_DB


def noise_floor(first: F32, second: F32, where: NDArray[np.bool_] | None = None) -> float:
    """PSNR in dB of the mean of two independent estimates against what they estimate: its error is half their gap."""
    return psnr(displayed(first), displayed(second), where) + 20 * np.log10(2)


def default_cache() -> Path:
    """The user's cache folder for renders."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wideopen" / "lens-benchmark"


def key(parts: list[Part], *settings: Any) -> str:
    """A short hash of the arrays of a scene and of its settings."""
    digest = hashlib.sha256(repr((VERSION, settings)).encode())
    for part in parts:
        for field in fields(part):
            value = getattr(part, field.name)
            array = value if isinstance(value, np.ndarray) else None
            # as rendered: in float32
            content = repr(value).encode() if array is None else np.ascontiguousarray(array, np.float32).tobytes()
            digest.update(field.name.encode() + content)
    return digest.hexdigest()[:12]


class Renders:
    """The renders of one scene in a cache folder."""

    def __init__(self, scene: Scene, cache: Path, say: Callable[[str], None] = print):
        self.scene, self.cache, self.say = scene, cache, say
        self.parts = scene.build()
        self._world: Any = None
        cache.mkdir(parents=True, exist_ok=True)

    def view(self, shot: Shot, *, floor_db: float = FLOOR_DB, most_rays: int = MOST_RAYS) -> View:
        """A shot, rendered as far as it is not on disk."""
        maps = self._maps()
        scene, radius = self.scene, self.scene.camera.full_radius_px(self.scene.aperture_m(shot))
        fixed = {
            "photo": srgb_decode(maps["photo"] / 255).astype(np.float32),
            "matte": maps["matte"],
            "disparity": maps["disparity"],
            "lens": scene.camera.lens(scene.focus_m(shot), scene.aperture_m(shot)),
            "full_radius_px": radius,
        }
        file = self._file(shot.focus, scene.light, scene.camera, scene.focus_m(shot), scene.aperture_m(shot))
        shape = (2, 2, scene.camera.height, scene.camera.width, 3)
        saved = dict(np.load(file)) if file.exists() else {"sums": np.zeros(shape, np.float32), "rays": np.int64(0)}
        sums, rays = saved["sums"], int(saved["rays"])
        while True:
            view = View(**fixed, halves=sums / np.float32(max(rays, 1)), rays=2 * rays)
            if rays and (view.is_clean(floor_db) or rays >= most_rays):
                return view
            started = time.perf_counter()
            for half in (0, 1):
                sums[half] += self._trace(shot, seed=10 + half, first=rays)
            rays += RAYS_A_ROUND
            _save(file, sums=sums, rays=np.int64(rays))
            floor = "{:.1f} / {:.1f} dB".format(*View(**fixed, halves=sums / np.float32(rays), rays=rays).floors())
            seconds = time.perf_counter() - started
            self.say(f"{scene.name}, {shot.focus}: {2 * rays} rays a pixel, floor {floor}, {seconds:.0f} s")

    def _file(self, kind: str, *settings: Any) -> Path:
        return self.cache / f"{self.scene.name}-{kind}-{key(self.parts, *settings)}.npz"

    def _maps(self) -> dict[str, Any]:
        file = self._file("photo", self.scene.light, self.scene.camera, PHOTO_RAYS)
        if not file.exists():
            self.say(f"{self.scene.name}: the photo, its matte and disparity")
            from lens.trace import pinhole

            maps = pinhole(self.world, self.scene.camera, PHOTO_RAYS)
            photo = np.rint(srgb_encode(np.clip(maps.pop("radiance"), 0, 1)) * 255).astype(np.uint8)
            _save(file, photo=photo, **maps)
        return dict(np.load(file))

    def radiance(self) -> F32:
        """The photo's light (H, W, 3) before it is clipped and rounded to 8 bits, rendered if it is not on disk."""
        file = self._file("radiance", self.scene.light, self.scene.camera, PHOTO_RAYS)
        if not file.exists():
            from lens.trace import pinhole

            _save(file, radiance=pinhole(self.world, self.scene.camera, PHOTO_RAYS)["radiance"].astype(np.float32))
        return np.asarray(np.load(file)["radiance"])

    def _trace(self, shot: Shot, seed: int, first: int) -> F32:
        import mitsuba as mi

        from lens.trace import through_lens

        scene = self.scene
        sensor = mi.load_dict(scene.camera.sensor(scene.focus_m(shot), scene.aperture_m(shot)))
        return through_lens(self.world, scene.camera, sensor, RAYS_A_ROUND, seed, first)

    @property
    def world(self) -> Any:
        """The scene in Mitsuba, made when first needed: loading from the cache needs no Mitsuba."""
        if self._world is None:
            from lens.trace import World

            self._world = World(self.parts, self.scene.light)
        return self._world


def _save(file: Path, **arrays: Any) -> None:
    """Write whole or not at all, so that a stopped run leaves nothing half written."""
    partial = file.with_suffix(".partial.npz")
    np.savez(partial, **arrays)
    partial.replace(file)
