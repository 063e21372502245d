"""Two tiny pairs on disk whose truth is rendered from known layers: a disk in front of a busy, receding background."""

import json

import cv2
import numpy as np
from PIL import Image

from wideopen import Lens, PaperLook, analyze, render
from wideopen.evals.measures import displayed
from wideopen.settings import MapSettings

WIDTH, HEIGHT = 48, 36


def codes(values, top=255):
    return np.rint(values * top).astype(np.uint8 if top == 255 else np.uint16)


def make_pairs(folder, *, paper=None, filter_disparity=False):
    """Pairs a and b in `folder`, which is returned. The truth is thin-lens, or the paper look with constants `paper`.

    With `filter_disparity`, the file's disparity is blurred as a network's, and meta.json lets it be filtered.
    """
    for kind in ("sharp", "bokeh", "matte", "disparity"):
        (folder / kind).mkdir(parents=True)
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    matte = np.clip((10 - np.hypot(x - 24, y - 20)) / 2 + 0.5, 0, 1)
    disparity = np.where(matte > 0.5, np.float32(0.9), 0.4 * y / HEIGHT)
    constants = {"look": "paper", "paper": paper} if isinstance(paper, PaperLook) else {"highlights": 0.0}
    lens = Lens(focus_disparity=0.9, max_radius=0.1, **constants)
    for name in ("a", "b"):
        squares = np.kron(rng.random((HEIGHT // 3, WIDTH // 3, 3)), np.ones((3, 3, 1))).astype(np.float32)
        light = np.where(matte[..., None] > 0.5, squares * np.float32([1, 0.2, 0.2]), squares) ** np.float32(2.2)
        scene = analyze(light, MapSettings(filter_disparity=False), matte=matte, disparity=disparity)
        written = cv2.GaussianBlur(disparity, (0, 0), 2) if filter_disparity else disparity
        Image.fromarray(codes(displayed(light))).save(folder / "sharp" / f"{name}.png")
        Image.fromarray(codes(displayed(render(scene, lens)))).save(folder / "bokeh" / f"{name}.png")
        Image.fromarray(codes(matte, 65535)).save(folder / "matte" / f"{name}.png")
        Image.fromarray(codes(written, 65535)).save(folder / "disparity" / f"{name}.png")
    meta = {"format": 1, "all": {"focus": "d=0.9", "blur": "10%", "filter_disparity": filter_disparity}}
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder
