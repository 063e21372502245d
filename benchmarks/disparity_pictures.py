"""Draw the pictures of docs/depth.md: disparity from the matte alone, and disparity cleaned along the matte.

Photos are drawn here, or scikit-image's astronaut (NASA, public domain), whose matte the network that ships predicts.
Run with `python benchmarks/disparity_pictures.py`; extra `demo`.
"""

from pathlib import Path

import cv2
import numpy as np
import skimage.data
from PIL import Image

from disparity_truth import HEIGHT, HORIZON, NETWORKS, WIDTH, degraded, person, scenes
from wideopen import Lens, analyze, render
from wideopen.checks import F32
from wideopen.color import srgb_decode, srgb_encode
from wideopen.disparity.along_matte import filter_along_matte
from wideopen.disparity.planar import planar
from wideopen.matting.inference import MattingSettings

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
GAP_PX = 6
PAINTS = ([0.05, 0.08, 0.2], [0.3, 0.07, 0.05], [0.06, 0.2, 0.1])
BLUR = 0.03


def shown(rgb: F32) -> np.ndarray:
    """Linear light as 8 bits."""
    return np.rint(srgb_encode(np.clip(rgb, 0, 1)) * 255).astype(np.uint8)


def heat(disparity: F32) -> np.ndarray:
    """Red near, blue far."""
    codes = np.rint(disparity * 255).astype(np.uint8)
    return cv2.applyColorMap(codes, cv2.COLORMAP_TURBO)[..., ::-1]


def save(name: str, *pictures: np.ndarray) -> None:
    """Pictures of one height side by side."""
    gap = np.full((len(pictures[0]), GAP_PX, 3), 255, np.uint8)
    row = [part for picture in pictures for part in (picture, gap)][:-1]
    Image.fromarray(np.concatenate(row, axis=1)).save(IMAGES / name, quality=88, optimize=True)
    print(IMAGES / name)


def painted(*people: F32) -> tuple[F32, F32]:
    """(photo, matte): people on tiles under a striped wall, seen from the height of their eyes."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32) + 0.5
    below = np.maximum(y - np.float32(HORIZON), 8)
    tiles = (np.floor((x - WIDTH / 2) / below * 2.5) + np.floor(1100 / below)) % 2
    wall = 0.25 + 0.3 * (np.floor(x / 25) % 2) + 0.1 * (np.floor(y / 20) % 2)
    grey = np.where(y > HORIZON + 40, 0.12 + 0.4 * tiles, wall)
    photo = grey[..., None] * np.float32([1, 0.9, 0.75])
    for matte, paint in zip(people, PAINTS, strict=False):
        photo += matte[..., None] * (np.float32(paint) - photo)
    return photo.astype(np.float32), np.maximum.reduce(people)


def standing(x: float, tall: float, **rest: bool) -> F32:
    """Somebody with the eyes at the horizon, so that who is smaller is farther."""
    return person(x, HORIZON + 0.85 * tall, tall, **rest)


def astronaut() -> tuple[F32, F32]:
    """(photo, matte as predicted)."""
    from wideopen.matting.find_matte import predict_matte

    codes = skimage.data.astronaut()
    return srgb_decode(codes / 255.0).astype(np.float32), predict_matte(
        codes, MattingSettings(matting="mobile", device="cpu")
    )


def bokeh(photo: F32, matte: F32) -> np.ndarray:
    """The photo with the subject in focus, its disparity made from the matte."""
    scene = analyze(photo, matte=matte)
    focus, reach = scene.focus_on_subject()
    return shown(render(scene, Lens(focus_disparity=focus, focus_range=reach, max_radius=BLUR, grain=0.0)))


def planar_pictures() -> None:
    """One for each case: photo, disparity, the photo with its blur."""
    cases = {
        "planar_full.jpg": painted(standing(190, 310)),
        "planar_several.jpg": painted(standing(350, 110), standing(255, 175), standing(110, 310)),
        "planar_bust.jpg": astronaut(),
    }
    for name, (photo, matte) in cases.items():
        save(name, shown(photo), heat(planar(matte)), bokeh(photo, matte))


def filter_pictures() -> None:
    """What a network says and what is left of it, beside photos."""
    for name, scene in (("filter_stick.jpg", "holds a stick"), ("filter_another.jpg", "beside another")):
        truth = scenes()[scene]
        before, _ = degraded(truth, NETWORKS["all of it"], seed=1)
        save(name, shown(truth.photo), heat(before), heat(filter_along_matte(before, truth.alpha, truth.photo)))


if __name__ == "__main__":
    planar_pictures()
    filter_pictures()
