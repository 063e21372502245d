"""One synthetic photo with lights through each kind of lens, as docs/pictures/character.jpg.

    python scripts/character_pictures.py [-o docs/pictures/character.jpg]
    python scripts/character_pictures.py --cost      # processor time of each beside a plain disk, at 12 megapixels

A striped ball is in focus, lamps hang at many distances behind it and a few before it.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from wideopen import Lens, analyze, render
from wideopen.color import srgb_encode
from wideopen.session.presets import read_preset

SIZE = (600, 800)
BALL = (300, 400, 90)  # row, column, radius
FOCUS = 0.7
KINDS = ("plain", "soap-bubble", "creamy", "mirror", "anamorphic", "swirl", "fringes")


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Photo (H, W, 3) in linear light with lamps far above white, matte and disparity (H, W)."""
    rng = np.random.default_rng(7)
    y, x = np.indices(SIZE, np.float32)
    photo = np.float32([0.012, 0.014, 0.03]) * (1 + y[..., None] / SIZE[0])
    disparity = np.clip(0.15 + 0.5 * (y / SIZE[0] - 0.75), 0.05, 1).astype(np.float32)
    for before in [False] * 130 + [True] * 9:
        row, column = rng.uniform(0, SIZE[0]), rng.uniform(0, SIZE[1])
        depth = rng.uniform(0.95, 1.0) if before else rng.uniform(0.0, 0.3)
        colour = np.float32([[1, 0.75, 0.4], [1, 0.5, 0.2], [0.6, 0.8, 1], [1, 0.3, 0.25]][rng.integers(4)])
        lamp = np.hypot(y - row, x - column) < (2.2 if before else rng.uniform(1.3, 2.4))
        photo[lamp], disparity[lamp] = colour * rng.uniform(30, 90), depth
    distance = np.hypot(y - BALL[0], x - BALL[1]) / BALL[2]
    matte = np.clip((1 - distance) * BALL[2] + 0.5, 0, 1)
    height = np.sqrt(np.maximum(1 - distance**2, 0))
    light = 0.15 + 0.6 * np.maximum(0, 0.7 * height - 0.5 * (y - BALL[0]) / BALL[2])
    striped = np.where(np.sin(14 * np.arcsin(np.clip((x - BALL[1]) / BALL[2], -1, 1))) > 0, 0.9, 0.25)
    ball = (light * striped)[..., None] * np.float32([1, 0.9, 0.75])
    photo = matte[..., None] * ball + (1 - matte[..., None]) * photo
    return photo.astype(np.float32), matte, np.where(matte > 0.5, np.float32(FOCUS), disparity)


def cost() -> None:
    """Print the processor time of each kind of lens, lowest of three, and its ratio to a plain disk's."""
    photo, matte, disparity = (cv2.resize(part, (4000, 3000)) for part in scene())
    parts = analyze(photo, matte=matte, disparity=disparity, filter_disparity=False)
    kinds = {kind: dict(read_preset(kind).lens) if kind != "plain" else {} for kind in KINDS}
    kinds["cat's eye"] = {"cat_eye": 1.0}
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(4):
        for kind, character in kinds.items():
            lens = Lens(focus_disparity=FOCUS, max_radius=0.015, grain=0.0, highlights=0.0, **character)
            start = time.process_time()
            render(parts, lens)
            seconds[kind].append(time.process_time() - start)
    least = {kind: min(runs[1:]) for kind, runs in seconds.items()}
    for kind, lowest in least.items():
        print(f"{kind:12} {lowest:5.2f} s  {lowest / least['plain']:.2f} x")


def main() -> None:
    """Render every kind and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=Path("docs/pictures/character.jpg"))
    parser.add_argument("--cost", action="store_true", help="measure instead of drawing")
    options = parser.parse_args()
    if options.cost:
        cost()
        return
    photo, matte, disparity = scene()
    parts = analyze(photo, matte=matte, disparity=disparity, filter_disparity=False)
    pictures = []
    for kind in KINDS:
        character = {} if kind == "plain" else dict(read_preset(kind).lens)
        lens = Lens(**{"focus_disparity": FOCUS, "max_radius": 0.045, "grain": 0.0, "highlights": 0.0, **character})
        picture = np.rint(255 * srgb_encode(np.clip(render(parts, lens), 0, 1))).astype(np.uint8)[..., ::-1].copy()
        cv2.putText(picture, kind, (14, 34), cv2.FONT_HERSHEY_SIMPLEX, 1, (255, 255, 255), 2, cv2.LINE_AA)
        pictures.append(cv2.resize(picture, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA))
    pictures.append(np.zeros_like(pictures[0]))
    cv2.imwrite(str(options.out), np.vstack([np.hstack(pictures[i : i + 2]) for i in range(0, len(pictures), 2)]))


if __name__ == "__main__":
    main()
