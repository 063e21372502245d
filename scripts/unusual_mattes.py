"""Draw docs/pictures/unusual.jpg: photos unlike those of the training, their mattes, and the subject alone.

Run: python scripts/unusual_mattes.py docs/pictures/unusual.jpg [WEIGHTS]
The woman is scikit-image's astronaut (NASA), changed as each title says; the photographer and what shows nobody are its
other photos. Nothing here was trained on.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from wideopen.arrays.maps import resize_map
from wideopen.matting.find_matte import predict_matte
from wideopen.matting.inference import MattingSettings
from wideopen.train.hair import find_head, hair_for, with_hair
from wideopen.train.layer import Layer, flat, over, to_u8, to_unit
from wideopen.train.photos import subject_colour
from wideopen.train.things import headwear

TILE, COLUMNS, TITLE = 216, 6, 24  # pixels
GREEN = np.array([60, 150, 80], np.float32)


def grey(photo: np.ndarray) -> np.ndarray:
    """Black and white, three channels."""
    return cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def backlit(photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The subject in its own shadow, the light behind it."""
    soft = cv2.GaussianBlur(alpha, (0, 0), 12)[..., None]
    return to_u8(to_unit(photo) * (1 - 0.72 * soft) + 0.25 * (1 - soft))


def face_hidden(photo: np.ndarray) -> np.ndarray:
    """The face in large squares, as newspapers and P3M-10k hide it."""
    hidden = photo.copy()
    face = np.s_[60:135, 185:275]
    cells = cv2.resize(photo[face], (6, 5), interpolation=cv2.INTER_AREA)
    hidden[face] = cv2.resize(cells, (90, 75), interpolation=cv2.INTER_NEAREST)
    return hidden


def placed(subject: Layer, scene: np.ndarray, scale: float, centre: float) -> Layer:
    """The subject scaled onto the lower edge of an empty layer as large as the scene, at `centre` of its width."""
    height, width = scene.shape[:2]
    side = round(scale * height)
    rgb, alpha = (resize_map(part, (side, side)) for part in (subject.rgb, subject.alpha))
    x = round(centre * width - side / 2)
    out = Layer(np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32))
    left, right = max(x, 0), min(x + side, width)
    out.rgb[height - side :, left:right] = rgb[:, left - x : right - x]
    out.alpha[height - side :, left:right] = alpha[:, left - x : right - x]
    return out


def cases() -> dict[str, np.ndarray]:
    """Photos (H, W, 3) uint8 by title."""
    photo = data.astronaut()
    alpha = predict_matte(photo)
    head = find_head(to_u8(alpha))
    if head is None:
        raise SystemExit("unusual_mattes: expected a head in the astronaut's matte, found none")
    colour = to_unit(subject_colour(photo, to_u8(alpha)))
    woman = Layer(colour * alpha[..., None], alpha)
    rng = np.random.default_rng
    _, curls = hair_for(rng(30), head, to_u8(colour))
    behind, front = hair_for(rng(26), head, to_u8(colour))
    hat = headwear(rng(5), head, [data.coffee()], len(photo))
    street = cv2.GaussianBlur(cv2.resize(data.rocket(), (720, 480)), (0, 0), 2)
    table = cv2.GaussianBlur(cv2.resize(data.coffee(), (720, 480)), (0, 0), 9)
    mirrored = Layer(np.ascontiguousarray(woman.rgb[:, ::-1]), np.ascontiguousarray(woman.alpha[:, ::-1]))
    two = over(placed(woman, table, 0.9, 0.3), placed(mirrored, table, 0.8, 0.72))
    return {
        "black and white": grey(photo),
        "backlit": backlit(photo, alpha),
        "face hidden": face_hidden(photo),
        "hat": flat(hat, photo),
        "loose curls": flat(curls, photo),
        "long hair, other scene": flat(with_hair(colour, alpha, behind, front), cv2.resize(table, (512, 512))),
        "two people": flat(two, table),
        "small in the frame": flat(placed(woman, street, 0.35, 0.6), street),
        "photographer": cv2.cvtColor(data.camera(), cv2.COLOR_GRAY2RGB),
        "nobody: coffee": data.coffee(),
        "nobody: a cat": data.chelsea(),
        "nobody: a rocket": data.rocket(),
    }


def column(title: str, photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Title, photo, matte, and the subject on green, one above the other."""
    height, width = (round(side * TILE / max(photo.shape)) for side in photo.shape[:2])
    subject = photo * alpha[..., None] + GREEN * (1 - alpha[..., None])
    grey_matte = np.repeat(to_u8(alpha)[..., None], 3, 2)
    tiles = []
    for picture in (photo, grey_matte, subject.astype(np.uint8)):
        tile = np.full((TILE, TILE, 3), 255, np.uint8)
        tile[:height, :width] = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        tiles.append(tile)
    head = np.full((TITLE, TILE, 3), 255, np.uint8)
    cv2.putText(head, title, (2, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
    return np.pad(np.vstack([head, *tiles]), ((0, 8), (0, 6), (0, 0)), constant_values=255)


def main() -> None:
    """Matte each case and write the picture."""
    out = Path(sys.argv[1])
    weights = sys.argv[2] if len(sys.argv) > 2 else "mobile"
    columns = []
    for title, photo in cases().items():
        alpha = predict_matte(photo, MattingSettings(matting=weights))
        print(f"{title:24} {alpha.mean():7.2%} of the photo")
        columns.append(column(title, photo, alpha))
    rows = [np.hstack(columns[i : i + COLUMNS]) for i in range(0, len(columns), COLUMNS)]
    cv2.imwrite(str(out), np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()
