"""Compose a training sample from a photo and its matte: crop, hair, objects, new background.

Why each step is here: the network of a first run memorised the backgrounds of official portraits, so the subject's own
colour is composited onto new ones. Its hair was a soft fringe, because its training mattes lack single hairs; therefore
strands are drawn onto heads, with their exact coverage. The photo's own matte is changed only geometrically. Samples
are display-encoded uint8; `finish` sets their light on the device that trains.

A sample has one of three shapes, that of its photo, so that whole photos are seen too: it is composed as a square of
which the middle is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from wideopen.checks import U8
from wideopen.train.hair import Head, hair_for, tuft, with_hair
from wideopen.train.layer import Layer, Rng, empty, flat, over, random_square, to_u8, to_unit
from wideopen.train.settings import Chances
from wideopen.train.things import headwear, held_thing, thing_on

FAINT = 13  # matte values up to this are background when finding the subject's box


@dataclass(frozen=True, slots=True)
class TrainPhoto:
    """A photo, its matte and the subject's own colour, display-encoded."""

    rgb: U8  # (H, W, 3)
    alpha: U8  # (H, W), 255 = subject
    subject: U8  # (H, W, 3), estimated foreground colour
    head: Head | None = None  # where hair grows
    teacher: bool = False  # the matte was made by another network

    @property
    def nbytes(self) -> int:
        """Size in memory in bytes."""
        return self.rgb.nbytes + self.alpha.nbytes + self.subject.nbytes


@dataclass(frozen=True, slots=True)
class Stock:
    """The material of the samples; everything but the photos may be empty."""

    photos: Sequence[TrainPhoto]
    scenes: list[U8]  # photos without people, (H, W, 3)
    things: list[U8] = field(default_factory=list)  # cut-outs of things other than people, (h, w, 4)


SMALLEST_HEAD_PX = 6  # radius; hair on smaller ones is finer than a pixel
SHAPES = ((1.16, (0.75, 1.0)), (0.86, (1.0, 1.0)), (0.0, (1.0, 0.75)))
"""Least width / height of a photo, and height and width of its samples in their long side."""
Sides = tuple[int, int, int, int]  # pixels: left, top, right, bottom
Window = tuple[int, int, int]  # x, y, side
Shape = tuple[int, int]  # height, width in pixels, the longer one that of the square


def kind_of(height: float, width: float) -> int:
    """Return the index of a photo's shape in `SHAPES`."""
    return next(kind for kind, (least, _) in enumerate(SHAPES) if width >= least * height)


def shape_px(kind: int, size: int) -> Shape:
    """Return height and width of `SHAPES[kind]` for a long side of `size`, multiples of 32."""
    height, width = (max(32, round(side * size / 32) * 32) for side in SHAPES[kind][1])
    return height, width


def _gaps(alpha: U8) -> Sides:
    """Return the distance in pixels from the subject to each border; 0 if the border cuts the subject."""
    height, width = alpha.shape
    x, y, wide, high = cv2.boundingRect((alpha > FAINT).astype(np.uint8))
    return (x, y, width - x - wide, height - y - high) if wide else (width, height, width, height)


def _start(rng: Rng, side: float, extent: int, centre: float, beyond: tuple[int, int]) -> float:
    """Return where a window of length `side` near `centre` starts, at most `beyond` pixels outside the photo."""
    low, high = -beyond[0], extent + beyond[1] - side
    return float(np.clip(centre - side * rng.uniform(0.25, 0.75), low, max(low, high)))


def random_window(rng: Rng, alpha: U8, beyond: Sides, shape: Shape, sides: tuple[float, float] = (0.4, 1.6)) -> Window:
    """Return (x, y, side) of a random square window whose middle, a `shape`, shows the subject.

    Its middle may extend `beyond` the photo. `sides` is the range of its size; at 1 it is as large as the photo.
    """
    height, width = alpha.shape
    left, top, right, bottom = beyond
    rows, columns = (side / max(shape) for side in shape)  # of the middle, in the square's side
    largest = min((width + left + right) / columns, (height + top + bottom) / rows)
    side = max(height / rows, width / columns) * float(np.exp(rng.uniform(*np.log(sides))))
    side = max(min(side, largest), min(32, largest))
    ys, xs = np.nonzero(alpha[::8, ::8] > 127)
    pick = rng.integers(len(xs)) if len(xs) else 0
    x, y = (xs[pick] * 8, ys[pick] * 8) if len(xs) else (width / 2, height / 2)
    x = _start(rng, columns * side, width, x, (left, right)) - (1 - columns) / 2 * side
    y = _start(rng, rows * side, height, y, (top, bottom)) - (1 - rows) / 2 * side
    return int(x), int(y), int(side)


def middle(image: U8, shape: Shape) -> U8:
    """Return the middle (`shape`) of a square picture."""
    top, left = ((len(image) - side) // 2 for side in shape)
    return image[top : top + shape[0], left : left + shape[1]]


def crop(image: U8, window: Window, size: int, border: int) -> U8:
    """Return the window of `image` resized to (size, size); cv2's `border` mode fills the part outside the photo."""
    x, y, side = window
    height, width = image.shape[:2]
    inside = image[max(y, 0) : y + side, max(x, 0) : x + side]
    pads = (max(-y, 0), max(y + side - height, 0), max(-x, 0), max(x + side - width, 0))
    if any(pads):
        inside = cv2.copyMakeBorder(inside, *pads, border)
    mode = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(inside, (size, size), interpolation=mode), np.uint8)


def background(rng: Rng, stock: Stock, size: int, smallest: float = 0.4) -> U8:
    """Return a scene (size, size, 3) without a subject: sharp, out of focus or nearly uniform.

    At least the share `smallest` of a scene's short side is visible.
    """
    kind = rng.random()
    if kind < 0.12 or not stock.scenes:
        corners = rng.integers(0, 256, (2, 2, 3)).astype(np.float32)
        corners += 0.7 * (corners.mean((0, 1)) - corners)  # nearly uniform, like a studio wall
        return np.asarray(cv2.resize(corners, (size, size)), np.uint8)
    if kind < 0.24:  # the colours of a street or an office, blurred until nobody is recognisable
        other = stock.photos[int(rng.integers(len(stock.photos)))].rgb
        return np.asarray(cv2.GaussianBlur(cv2.resize(other, (size, size)), (0, 0), size / 20), np.uint8)
    scene = stock.scenes[rng.integers(len(stock.scenes))]
    side = max(8, int(min(scene.shape[:2]) * rng.uniform(smallest, 1.0)))
    out = crop(random_square(rng, scene, side), (0, 0, side), size, cv2.BORDER_REFLECT_101)
    if rng.random() < 0.4:
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), size / 256 * rng.uniform(0.7, 6)), np.uint8)
    return out[:, ::-1] if rng.random() < 0.5 else out


def _grown(
    rng: Rng, photo: TrainPhoto, window: Window, subject: U8, stock: Stock, chances: Chances
) -> tuple[Layer | None, Layer]:
    """Return hair behind the subject of a crop or None, and hair and headwear in front of it, often nothing."""
    size = len(subject)
    behind, front = None, empty(size)
    head = photo.head.moved(window, size) if photo.head else None
    if head and head.radius >= SMALLEST_HEAD_PX and rng.random() < chances.hair:
        behind, front = hair_for(rng, head, subject)
    if head and rng.random() < chances.headwear:
        front = over(headwear(rng, head, stock.scenes, size), front)
    return behind, front


def _cut_out(rng: Rng, photo: TrainPhoto, shape: Shape, stock: Stock, chances: Chances) -> Layer:
    """Return a subject to composite onto another scene, a square."""
    size = max(shape)
    away = rng.random() < chances.far_away
    reach = int((3.5 if away else 0.6) * max(photo.alpha.shape))
    left, top, right, bottom = (reach if gap else 0 for gap in _gaps(photo.alpha))
    window = random_window(rng, photo.alpha, (left, top, right, bottom), shape, (1.6, 4.0) if away else (0.4, 1.6))
    subject = crop(photo.subject, window, size, cv2.BORDER_REPLICATE)
    alpha = crop(photo.alpha, window, size, cv2.BORDER_CONSTANT)
    gain = rng.uniform(0.6, 1.3) * rng.uniform(0.92, 1.08, 3)
    lit = np.clip(subject * gain.astype(np.float32), 0, 255).astype(np.uint8)
    layer = with_hair(to_unit(lit), to_unit(alpha), *_grown(rng, photo, window, lit, stock, chances))
    return Layer(layer.rgb[:, ::-1], layer.alpha[:, ::-1]) if rng.random() < 0.5 else layer


def match_scene(layer: Layer, scene: U8, strength: float) -> Layer:
    """Move the mean and spread of the layer's colours towards those of `scene`, by `strength` in [0, 1]."""
    weight = layer.alpha.sum() + 1e-3
    a = layer.alpha[..., None]
    mean = layer.rgb.sum((0, 1)) / weight
    spread = np.sqrt(np.square(layer.rgb - a * mean).sum((0, 1)) / weight) + 1e-3
    colours = scene.reshape(-1, 3).astype(np.float32) / 255
    gain = 1 + strength * (np.clip(colours.std(0) / spread, 0.6, 1.5) - 1)
    moved = gain * (layer.rgb - a * mean) + a * (mean + strength * (colours.mean(0) - mean))
    return Layer(np.clip(moved, 0, a).astype(np.float32), layer.alpha)


def composite(rng: Rng, photo: TrainPhoto, shape: Shape, stock: Stock, chances: Chances) -> tuple[U8, U8]:
    """Composite a subject, sometimes two or a tuft of hair, onto another photo's scene; return (rgb, alpha).

    Things may lie behind the subject; they and a scene without people have a matte of 0. Held things are part of the
    subject.
    """
    size, nobody = max(shape), rng.random() < chances.nobody
    # close-ups: a network that saw only people this near took grass that fills the photo for hair
    scene = background(rng, stock, size, 0.08 if nobody else 0.4)
    if chances.things and rng.random() < (0.75 if nobody else chances.things):
        for _ in range(int(rng.integers(1, 4))):
            thing = thing_on(rng, stock.things, stock.scenes, size)
            scene = flat(match_scene(thing, scene, rng.uniform(0, 0.5)), scene)
    if nobody:
        return scene, np.zeros((size, size), np.uint8)
    if rng.random() < chances.tuft:
        layer = tuft(rng, size)
    else:
        layer = _cut_out(rng, photo, shape, stock, chances)
        if rng.random() < chances.second_person:
            other = stock.photos[int(rng.integers(len(stock.photos)))]
            layer = over(layer, _cut_out(rng, other, shape, stock, chances))
        if rng.random() < chances.held:
            layer = over(held_thing(rng, stock.things, stock.scenes, layer.alpha), layer)
    if rng.random() < chances.match_scene:
        layer = match_scene(layer, scene, rng.uniform(0, 0.7))
    return flat(layer, scene), to_u8(layer.alpha)


def as_taken(rng: Rng, photo: TrainPhoto, shape: Shape, stock: Stock, chances: Chances) -> tuple[U8, U8]:
    """Return the photo on its own background, cropped, mirrored and with hair added: (rgb, alpha).

    Beyond its borders the photo is reflected, but only so far that no part of the subject reappears. Hair is drawn only
    in front of the subject, since the background B behind it is not known: h + (1 - a_h) I has exactly the matte a_h +
    (1 - a_h) alpha.
    """
    size, window = max(shape), random_window(rng, photo.alpha, _gaps(photo.alpha), shape)
    rgb = crop(photo.rgb, window, size, cv2.BORDER_REFLECT_101)
    alpha = crop(photo.alpha, window, size, cv2.BORDER_REFLECT_101)
    _, front = _grown(rng, photo, window, rgb, stock, chances)
    rgb, alpha = flat(front, rgb), to_u8(front.alpha + (1 - front.alpha) * to_unit(alpha))
    return (rgb[:, ::-1], alpha[:, ::-1]) if rng.random() < 0.5 else (rgb, alpha)


def sample(rng: Rng, stock: Stock, index: int, shape: Shape, chances: Chances) -> tuple[U8, U8, bool]:
    """Compose a sample from photo `index`: (rgb (*shape, 3), alpha `shape`, whether that is a teacher's own matte).

    Raises InvalidInput if the photo has to be read and cannot be.
    """
    photo, taken = stock.photos[index], rng.random() >= chances.new_background
    rgb, alpha = (as_taken if taken else composite)(rng, photo, shape, stock, chances)
    if rng.random() < chances.rotate:
        size = max(shape)
        turn = cv2.getRotationMatrix2D((size / 2, size / 2), float(rng.uniform(-12, 12)), 1.0)
        border = {"borderMode": cv2.BORDER_REFLECT_101}
        rgb, alpha = (np.asarray(cv2.warpAffine(i, turn, (size, size), **border), np.uint8) for i in (rgb, alpha))
    return middle(rgb, shape), middle(alpha, shape), photo.teacher and taken
