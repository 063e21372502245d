"""Draw docs/pictures/strands.jpg: hair of each kind on the astronaut and alone, photos above their mattes.

Run: python scripts/strands_picture.py docs/pictures/strands.jpg
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from wideopen.matting.find_matte import predict_matte
from wideopen.train.augment import crop
from wideopen.train.hair import find_head, hair_for, tuft, with_hair
from wideopen.train.layer import Layer, flat, to_u8, to_unit
from wideopen.train.photos import subject_colour

SIZE, SHOWN = 384, 260  # of a tile when drawn, and in the picture
HEADS, TUFTS = (26, 23, 30, 31), (6, 9)  # seeds


def tiles() -> list[tuple[Layer, np.ndarray]]:
    """(layer, scene) of each column."""
    photo = data.astronaut()
    alpha = to_u8(predict_matte(photo))
    head = find_head(alpha)
    if head is None:
        raise SystemExit("strands_picture: expected a head in the astronaut's matte, found none")
    subject = subject_colour(photo, alpha)
    side = int(4.4 * head.radius)
    window = (int(head.x - side / 2), int(head.y - 0.45 * side), side)
    colour, matte = crop(subject, window, SIZE, cv2.BORDER_REPLICATE), crop(alpha, window, SIZE, cv2.BORDER_CONSTANT)
    scenes = [cv2.resize(scene, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for scene in (data.coffee(), data.rocket())]
    columns = []
    for index, seed in enumerate(HEADS):
        behind, front = hair_for(np.random.default_rng(seed), head.moved(window, SIZE), colour)
        scene = cv2.GaussianBlur(scenes[index % 2], (0, 0), 12)
        columns.append((with_hair(to_unit(colour), to_unit(matte), behind, front), scene))
    return columns + [(tuft(np.random.default_rng(seed), SIZE), scenes[seed % 2]) for seed in TUFTS]


def main(out: Path) -> None:
    """Write the picture."""
    columns = []
    for layer, scene in tiles():
        matte = np.repeat(to_u8(layer.alpha)[..., None], 3, 2)
        column = np.vstack([flat(layer, scene), matte])
        columns.append(cv2.resize(column, (SHOWN, 2 * SHOWN), interpolation=cv2.INTER_AREA))
    cv2.imwrite(str(out), np.hstack(columns)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 86])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
