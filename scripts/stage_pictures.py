"""Draw docs/pictures/stage_*.jpg, every stage of the method on one portrait, for docs/method.md.

Run: python scripts/stage_pictures.py docs/pictures
The portrait is scikit-image's astronaut (NASA, public domain). No depth network is needed: its disparity is the planar
one, smeared over the outline as a network's is.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from skimage import data

from wideopen import Lens, analyze, render
from wideopen.arrays.transfer import decode, encode
from wideopen.color import SRGB
from wideopen.matting.edges import follow_edges
from wideopen.matting.find_matte import predict_matte
from wideopen.matting.net.model import StageOutput
from wideopen.matting.net.state import load_net
from wideopen.optics import Optics
from wideopen.pipeline import Scene
from wideopen.rendering.reference import thin_lens_mpi
from wideopen.train.matting import picture_grid

SMEARED_PX = 9  # how far a network's outline lies beside the photo's, about
SHOWN = 6  # planes, those that hold most
PLANES = 32


def grey(values: np.ndarray) -> np.ndarray:
    """(H, W) in [0, 1] as a picture."""
    return np.repeat((np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)[..., None], 3, 2)


def coloured(disparity: np.ndarray) -> np.ndarray:
    """Disparity (H, W) in [0, 1], near in yellow."""
    return cv2.applyColorMap((disparity * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]


def save(folder: Path, name: str, *pictures: np.ndarray) -> None:
    """Pictures side by side, 8 pixels of white between."""
    gap = np.full((pictures[0].shape[0], 8, 3), 255, np.uint8)
    row = np.hstack([part for picture in pictures for part in (picture, gap)][:-1])
    shown = cv2.resize(
        row, None, fx=min(1, 1200 / row.shape[1]), fy=min(1, 1200 / row.shape[1]), interpolation=cv2.INTER_AREA
    )
    cv2.imwrite(str(folder / f"stage_{name}.jpg"), shown[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


def network(photo: np.ndarray, size: int) -> tuple[torch.Tensor, StageOutput]:
    """The photo at `size` pixels and what the last of three stages says of it."""
    small = cv2.resize(photo, (size, size), interpolation=cv2.INTER_AREA)
    image = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        return image, load_net("mobile")(image, 3, None)[-1]


def matting(photo: np.ndarray, folder: Path) -> np.ndarray:
    """m_s, m_d and alpha; a small network matte on its way to the photo's size. Returns the photo's matte."""
    image, out = network(photo, 512)
    grid = picture_grid(image, out, out.alpha)
    save(folder, "matting", *np.split((grid.permute(1, 2, 0).numpy() * 255).astype(np.uint8), 5, axis=1)[:4])
    small = network(photo, 256)[1].alpha[0, 0].numpy()
    plain = cv2.resize(small, photo.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    hair = np.s_[15:115, 200:320]
    crops = (photo[hair], grey(plain)[hair], grey(follow_edges(small, photo))[hair])
    save(folder, "edges", *(cv2.resize(crop, (480, 400), interpolation=cv2.INTER_CUBIC) for crop in crops))
    return predict_matte(photo)


def disparity(photo: np.ndarray, rgb: np.ndarray, matte: np.ndarray, folder: Path) -> Scene:
    """Disparity before and after the filter; the scene."""
    planar = analyze(rgb, matte=matte).disparity
    side = 2 * SMEARED_PX + 1
    wide = cv2.dilate(planar, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    smeared = cv2.GaussianBlur(wide, (0, 0), SMEARED_PX / 3)
    scene = analyze(rgb, matte=matte, disparity=smeared)
    save(folder, "disparity", photo, coloured(smeared), coloured(scene.disparity))
    return scene


def shown(rgb: np.ndarray) -> np.ndarray:
    """Linear light as a picture."""
    return encode(np.clip(rgb, 0, None).astype(np.float32), SRGB, bit_depth=8)


def planes(scene: Scene, lens: Lens, folder: Path) -> None:
    """Sheets, and some of the blurred planes on grey."""
    save(folder, "sheets", *(shown(sheet.rgb) for sheet in scene.sheets))
    height, width = scene.rgb.shape[:2]
    optics = Optics(
        focus_disparity=lens.focus_disparity,
        focus_range=lens.focus_range,
        radius_px=lens.max_radius * max(height, width),
        planes=PLANES,
        aperture=lens.aperture,
        quality="exact",
    )
    mpi = thin_lens_mpi(scene.sheets, optics)
    largest = np.argsort([-plane[..., 3].mean() for plane in mpi.planes])[:SHOWN]
    chosen = np.sort(largest)  # farthest first
    tiles = [shown(mpi.planes[n, ..., :3] + 0.2 * (1 - mpi.planes[n, ..., 3:])) for n in chosen]
    save(folder, "planes", *tiles)


def main() -> None:
    """Draw all of them."""
    folder = Path(sys.argv[1])
    photo = data.astronaut()
    rgb = decode(photo, SRGB, bit_depth=8)
    matte = matting(photo, folder)
    scene = disparity(photo, rgb, matte, folder)
    focus, focus_range = scene.focus_on_subject()
    lens = Lens(focus_disparity=focus, focus_range=focus_range, max_radius=0.03, grain=0.0)
    planes(scene, lens, folder)
    paper = Lens(focus_disparity=focus, max_radius=0.03, look="paper", grain=0.0)
    save(folder, "result", photo, shown(render(scene, lens)), shown(render(scene, paper)))


if __name__ == "__main__":
    main()
