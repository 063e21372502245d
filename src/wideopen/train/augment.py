"""Makes a training sample from a photo and its matte: crop, new background, light, camera.

Why each step is here: the network of a first run failed on blurred faces (holes in the matte), on black-and-white and
backlit photos (missing parts), and memorised the backgrounds of official portraits. Therefore the subject's own colour
is composited onto new backgrounds, faces are blurred, and the light comes from any direction. Its hair was a soft
fringe, because its training mattes lack single hairs; therefore strands are drawn onto heads, with their exact
coverage. The photo's own matte is changed only geometrically. Samples are display-encoded uint8.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from wideopen.checks import F32, U8
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
Sides = tuple[int, int, int, int]  # pixels: left, top, right, bottom
Window = tuple[int, int, int]  # x, y, side


def _gaps(alpha: U8) -> Sides:
    """Return the distance in pixels from the subject to each border; 0 if the border cuts the subject."""
    height, width = alpha.shape
    if not (alpha > FAINT).any():
        return width, height, width, height
    x, y, wide, high = cv2.boundingRect((alpha > FAINT).astype(np.uint8))
    return x, y, width - x - wide, height - y - high


def _start(rng: Rng, side: int, extent: int, centre: float, beyond: tuple[int, int]) -> int:
    """Return the first pixel of a window of length `side` near `centre`, at most `beyond` pixels outside the photo."""
    low, high = -beyond[0], extent + beyond[1] - side
    return int(np.clip(centre - side * rng.uniform(0.25, 0.75), low, max(low, high)))


def random_window(rng: Rng, alpha: U8, beyond: Sides, sides: tuple[float, float] = (0.4, 1.6)) -> Window:
    """Return (x, y, side) of a random square window on the subject; it may extend `beyond` the photo.

    `sides` is the range of the window's side, relative to the photo's long side.
    """
    height, width = alpha.shape
    left, top, right, bottom = beyond
    largest = min(width + left + right, height + top + bottom)
    side = max(height, width) * float(np.exp(rng.uniform(*np.log(sides))))
    side = int(max(min(side, largest), min(32, largest)))
    ys, xs = np.nonzero(alpha[::8, ::8] > 127)
    pick = rng.integers(len(xs)) if len(xs) else 0
    x, y = (xs[pick] * 8, ys[pick] * 8) if len(xs) else (width / 2, height / 2)
    return _start(rng, side, width, x, (left, right)), _start(rng, side, height, y, (top, bottom)), side


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


def _rotate(rng: Rng, images: list[U8], size: int) -> list[U8]:
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), float(rng.uniform(-12, 12)), 1.0)
    return [cv2.warpAffine(i, turn, (size, size), borderMode=cv2.BORDER_REFLECT_101) for i in images]


def _blur(image: U8, sigma: float) -> U8:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


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
        return _blur(np.asarray(cv2.resize(other, (size, size)), np.uint8), size / 20)
    scene = stock.scenes[rng.integers(len(stock.scenes))]
    side = max(8, int(min(scene.shape[:2]) * rng.uniform(smallest, 1.0)))
    out = crop(random_square(rng, scene, side), (0, 0, side), size, cv2.BORDER_REFLECT_101)
    if rng.random() < 0.4:
        out = _blur(out, size / 256 * rng.uniform(0.7, 6))
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


def _cut_out(rng: Rng, photo: TrainPhoto, size: int, stock: Stock, chances: Chances) -> Layer:
    """Return a subject to composite onto another scene, (size, size)."""
    away = rng.random() < chances.far_away
    reach = int((3.5 if away else 0.6) * max(photo.alpha.shape))
    left, top, right, bottom = (reach if gap else 0 for gap in _gaps(photo.alpha))
    window = random_window(rng, photo.alpha, (left, top, right, bottom), (1.6, 4.0) if away else (0.4, 1.6))
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


def composite(rng: Rng, stock: Stock, index: int, size: int, chances: Chances) -> tuple[U8, U8]:
    """Composite a subject, sometimes two or a tuft of hair, onto another photo's scene; return (rgb, alpha).

    Things may lie behind the subject; they and a scene without people have a matte of 0. Held things are part of the
    subject.
    """
    nobody = rng.random() < chances.nobody
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
        layer = _cut_out(rng, stock.photos[index], size, stock, chances)
        if rng.random() < chances.second_person:
            other = stock.photos[int(rng.integers(len(stock.photos)))]
            layer = over(layer, _cut_out(rng, other, size, stock, chances))
        if rng.random() < chances.held:
            layer = over(held_thing(rng, stock.things, stock.scenes, layer.alpha), layer)
    if rng.random() < chances.match_scene:
        layer = match_scene(layer, scene, rng.uniform(0, 0.7))
    return flat(layer, scene), to_u8(layer.alpha)


def as_taken(rng: Rng, photo: TrainPhoto, size: int, stock: Stock, chances: Chances) -> tuple[U8, U8]:
    """Return the photo on its own background, cropped, mirrored and with hair added: (rgb, alpha).

    Beyond its borders the photo is reflected, but only so far that no part of the subject reappears. Hair is drawn only
    in front of the subject, since the background B behind it is not known: h + (1 - a_h) I has exactly the matte a_h +
    (1 - a_h) alpha.
    """
    window = random_window(rng, photo.alpha, _gaps(photo.alpha))
    rgb = crop(photo.rgb, window, size, cv2.BORDER_REFLECT_101)
    alpha = crop(photo.alpha, window, size, cv2.BORDER_REFLECT_101)
    _, front = _grown(rng, photo, window, rgb, stock, chances)
    rgb, alpha = flat(front, rgb), to_u8(front.alpha + (1 - front.alpha) * to_unit(alpha))
    return (rgb[:, ::-1], alpha[:, ::-1]) if rng.random() < 0.5 else (rgb, alpha)


def hide_face(rng: Rng, rgb: U8, alpha: U8) -> U8:
    """Blur, pixelate or paint over an ellipse in the upper part of the subject."""
    rows = np.flatnonzero((alpha > 127).any(1))
    if rows.size < 16:
        return rgb
    y = int(rows[0] + rows.size * rng.uniform(0.05, 0.5))
    columns = np.flatnonzero(alpha[y] > 127)
    if columns.size < 8:
        return rgb
    x = int(np.median(columns))
    half = int(np.clip(columns.size * rng.uniform(0.25, 0.5), 4, 0.3 * len(alpha)))
    mask = np.zeros(alpha.shape, np.uint8)
    cv2.ellipse(mask, (x, y), (half, int(half * rng.uniform(1.0, 1.5))), 0, 0, 360, 255, -1)
    kind = rng.random()
    if kind < 0.6:
        hidden = _blur(rgb, half / rng.uniform(2, 6))
    elif kind < 0.85:
        cells = max(2, len(alpha) // max(2, half // 3))
        small = cv2.resize(rgb, (cells, cells), interpolation=cv2.INTER_AREA)
        hidden = cv2.resize(small, rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    else:
        hidden = np.broadcast_to(rng.integers(0, 256, 3).astype(np.uint8), rgb.shape)
    a = to_unit(_blur(mask, max(0.5, half / 10)))[..., None]
    return np.asarray(a * hidden + (1 - a) * rgb + 0.5, np.uint8)


def relight(rng: Rng, rgb: U8, alpha: U8, chances: Chances) -> U8:
    """Apply backlight, a ramp of light across the photo, a tone curve, a colour cast, or black and white."""
    light = rgb.astype(np.float32) / 255
    size = len(rgb)
    if rng.random() < chances.backlight:
        soft = cv2.blur(alpha, (size // 16 * 2 + 1,) * 2).astype(np.float32)[..., None] / 255
        light = light * (1 - rng.uniform(0.3, 0.75) * soft) + rng.uniform(0, 0.25) * (1 - soft)
    if rng.random() < chances.ramp:
        light = light * _ramp(rng, size)
    if rng.random() < chances.tone:
        gain = np.exp(rng.normal(0, 0.2)) * rng.uniform(0.88, 1.12, 3).astype(np.float32)
        light = np.clip(light * gain, 0, 1) ** np.exp(rng.normal(0, 0.3))
        light = (light - 0.5) * rng.uniform(0.75, 1.25) + 0.5
    if rng.random() < chances.grey:
        light = np.repeat(light @ np.array([[0.299], [0.587], [0.114]], np.float32), 3, 2)
    return (np.clip(light, 0, 1) * 255 + 0.5).astype(np.uint8)


def _ramp(rng: Rng, size: int) -> F32:
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.6)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    ramp = 1 + strength * (np.cos(angle) * axis[None, :] + np.sin(angle) * axis[:, None])
    return np.asarray(ramp[..., None], np.float32)  # (size, size, 1)


def camera(rng: Rng, rgb: U8, chances: Chances) -> U8:
    """Apply lens blur, sensor noise and JPEG compression."""
    if rng.random() < chances.soften:
        rgb = _blur(rgb, rng.uniform(0.3, 1.3))
    if rng.random() < chances.noise:
        noise = rng.normal(0, rng.uniform(2, 12), rgb.shape[:2]).astype(np.float32)[..., None]
        rgb = np.clip(rgb + noise, 0, 255).astype(np.uint8)
    if rng.random() < chances.jpeg:
        quality = int(rng.integers(30, 95))
        _, data = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, quality])
        rgb = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return rgb


def sample(rng: Rng, stock: Stock, index: int, size: int, chances: Chances) -> tuple[U8, U8]:
    """Make one training sample from photo `index`: (rgb (size, size, 3), alpha (size, size))."""
    if rng.random() < chances.new_background:
        rgb, alpha = composite(rng, stock, index, size, chances)
    else:
        rgb, alpha = as_taken(rng, stock.photos[index], size, stock, chances)
    if rng.random() < chances.rotate:
        rgb, alpha = _rotate(rng, [rgb, alpha], size)
    if rng.random() < chances.hide_face:
        rgb = hide_face(rng, rgb, alpha)
    rgb = relight(rng, rgb, alpha, chances)
    return camera(rng, rgb, chances), alpha
