"""Make the studio's two sample photos: `python scripts/studio_samples.py` (extras demo and bench).

bear.jpg is ray-traced from the shapes of benchmarks/lens: a plush bear on a table at night, with its exact matte and
disparity kept inside, so it shows what the page does with a phone's own depth. astronaut.jpg is scikit-image's
portrait of Eileen Collins (NASA, public domain), so it shows what the networks find.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
if TYPE_CHECKING:
    from lens.shapes import Part

FOLDER = ROOT / "src" / "wideopen" / "studio" / "samples"
RAYS = 128
EXPOSURE = 1.9
GRAIN = 1.2  # standard deviation in 8-bit codes: a photo at night has some


def street() -> "list[Part]":
    """Dark houses with lit windows, and lamps whose colours show once they are blurred."""
    from lens import surroundings as s
    from lens import textures

    rng = np.random.default_rng(5)
    asphalt = textures.speckled((0.02, 0.02, 0.025), (0.07, 0.07, 0.08), rng, cells=16)
    dark = textures.sky(rng, (0.006, 0.01, 0.03), (0.02, 0.02, 0.04), (0.03, 0.02, 0.03))
    parts: list[Part] = [s.backdrop(dark, distance=50), *s.floor(asphalt)]
    for left, width, z, height, glow in ((-7, 6.3, 18, 9, 0.8), (1.2, 8, 24, 12, 1.0), (-1.4, 2.2, 32, 6, 0.7)):
        parts += s.lit_windows(left, width, z, rng, height=height, glow=glow)
    for count, z in ((9, 4), (26, 8), (46, 16), (60, 28)):
        where = rng.uniform(-0.5, 0.5, (count, 3)) * (0.62 * z, 0.34 * z, 0.3 * z) + (0, 0.05 * z, -z)
        across, up = where[:, 0] / z, where[:, 1] / z
        where = where[~((np.abs(across + 0.046) < 0.17) & (up < 0.16))]  # seen through fur they would stay specks
        parts += s.lamps(rng, where, radius=0.0011 * z * rng.uniform(0.8, 2, len(where)), glow=2.6, warm=0.5)
    return parts


def bear_at_night() -> None:
    """Trace the scene and write it with its maps."""
    from lens import scenes
    from lens.camera import Camera, Light
    from lens.others import bear
    from lens.trace import World, pinhole
    from wideopen import Photo
    from wideopen.files import Keep, write

    camera = Camera(width=1440, height=1080, focal_px=2450, near=1.0, far=60)
    light = Light(sun=(-0.75, 0.5, 0.6), sun_rgb=(0.5, 0.36, 0.23), sky_rgb=(0.035, 0.045, 0.085))
    subject = bear((-0.06, 0.1, -1.3), seed=31, turn_deg=14, colour=(0.42, 0.27, 0.14))
    maps = pinhole(World([*street(), *subject, *scenes.table()], light), camera, RAYS)
    rng = np.random.default_rng(7)
    from wideopen.color import srgb_decode, srgb_encode

    encoded = srgb_encode(np.clip(maps["radiance"] * EXPOSURE, 0, 1))
    encoded = np.clip(encoded + rng.normal(0, GRAIN / 255, encoded.shape), 0, 1)
    light_again = srgb_decode(encoded).astype(np.float32)
    coarse = {name: np.rint(maps[name] * 255).astype(np.float32) / 255 for name in ("matte", "disparity")}
    FOLDER.mkdir(exist_ok=True)
    write(
        FOLDER / "bear.jpg", light_again, like=Photo(rgb=light_again), quality=86, keep=Keep(**coarse), overwrite=True
    )


def astronaut() -> None:
    """Copy scikit-image's portrait as a JPEG."""
    import skimage.data
    from PIL import Image

    Image.fromarray(skimage.data.astronaut()).save(FOLDER / "astronaut.jpg", quality=92, subsampling=0, optimize=True)


if __name__ == "__main__":
    astronaut()
    bear_at_night()
