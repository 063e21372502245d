"""Draw objects on scenes and headwear on heads, so that a network learns which objects belong to people.

A network that has seen only people takes every object for one.

Objects are either cut-outs from a folder (photos of animals, fruit, furniture or cars with transparency) or drawn:
rounded or angular bodies with the texture of a photo, lit from one side. Objects behind a person are background; an
object that a person holds in front is part of the subject.

Hats, caps and scarves are flat shapes: simple, but enough to teach a network to include headwear. The portraits of
members of parliament in the training data show none, so a network trained on them leaves holes there.
"""

import cv2
import numpy as np

from wideopen.checks import F32, U8
from wideopen.train.hair import Head
from wideopen.train.layer import Layer, Rng, empty, over, polygon, random_square, rotation, to_unit

OUTLINE_POINTS = 96
SIDES = (0.15, 1.3)  # range of a thing's long side, relative to the sample's side
HELD = (0.15, 0.5)  # range of a held thing's long side, relative to the square root of the person's area
SMALLEST = 8  # pixels


def drawn_thing(rng: Rng, scenes: list[U8], side: int) -> Layer:
    """Draw a body (side, side) with the texture of one of `scenes`; without scenes it has a plain colour."""
    turns = np.linspace(0, 2 * np.pi, OUTLINE_POINTS, endpoint=False)
    waves = np.arange(1, 5)
    swell = (rng.normal(0, 0.12, (4, 1)) * np.cos(waves[:, None] * turns + rng.uniform(0, 6.3, (4, 1)))).sum(0)
    power = rng.uniform(0.2, 1.0)  # 1: an ellipse; small: a box
    around = np.stack([np.cos(turns), np.sin(turns)], 1)
    outline = np.sign(around) * np.abs(around) ** power * (1 + swell)[:, None]
    outline *= [1.0, rng.uniform(0.4, 1.0)]
    outline = outline @ rotation(rng.uniform(0, 2 * np.pi)) * (0.47 / np.abs(outline).max())
    alpha = polygon((outline + 0.5) * side, side)
    colour = rng.uniform(0, 1, 3).astype(np.float32)
    body: F32 = np.tile(colour, (side, side, 1))
    if scenes and rng.random() < 0.8:
        scene = scenes[rng.integers(len(scenes))]
        cut = max(8, int(min(scene.shape[:2]) * rng.uniform(0.05, 0.6)))
        texture = cv2.resize(random_square(rng, scene, cut), (side, side), interpolation=cv2.INTER_AREA)
        body = body + np.float32(rng.uniform(0.3, 1.0)) * (to_unit(texture) - body)
    height = np.sqrt(cv2.GaussianBlur(alpha, (0, 0), side / 12))  # rounded towards the outline
    slope = np.stack(np.gradient(height), -1) @ rotation(rng.uniform(0, 2 * np.pi))[0] * side / 8
    lit = np.clip(body * (1 + rng.uniform(0.2, 0.8) * slope[..., None]), 0, 1)
    return Layer(np.asarray(lit * alpha[..., None], np.float32), alpha)


def _photographed(rng: Rng, thing: U8, side: int) -> Layer:
    """Return a cut-out with a long side of `side` pixels, sometimes mirrored, slightly rotated or in other light."""
    height, width = thing.shape[:2]
    scale = side / max(height, width)
    values = thing.astype(np.float32) / 255
    values[..., :3] = np.clip(values[..., :3] * rng.uniform(0.6, 1.2) * rng.uniform(0.9, 1.1, 3), 0, 1)
    values[..., :3] *= values[..., 3:]
    to = (max(1, round(width * scale)), max(1, round(height * scale)))
    values = cv2.resize(values, to, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        values = values[:, ::-1]
    turn = cv2.getRotationMatrix2D((to[0] / 2, to[1] / 2), float(rng.normal(0, 10)), 1.0)
    values = cv2.warpAffine(np.ascontiguousarray(values), turn, to)
    return Layer(values[..., :3], values[..., 3])


def thing_on(rng: Rng, things: list[U8], scenes: list[U8], size: int) -> Layer:
    """Place one thing, a cut-out or a drawn one, in a sample (size, size); the frame may cut it."""
    side = int(size * np.exp(rng.uniform(*np.log(SIDES))))
    centre = (rng.uniform(0.1, 0.9) * size, rng.uniform(0.2, 1.0) * size)  # more often in the lower part
    return _placed(_any(rng, things, scenes, side), centre, size)


def held_thing(rng: Rng, things: list[U8], scenes: list[U8], person: F32) -> Layer:
    """Put a thing in front of a person's matte (size, size) in [0, 1], as if held: below the head, mostly on the body.

    The layer is empty if the matte is empty or too small to hold something.
    """
    size = len(person)
    rows, columns = np.nonzero(person > 0.5)
    side = int(rng.uniform(*HELD) * np.sqrt(len(rows)))
    low = rows > rows.min() + 0.35 * np.ptp(rows) if len(rows) else rows
    if side < SMALLEST or not np.any(low):
        return empty(size)
    pick = rng.integers(int(low.sum()))
    return _placed(_any(rng, things, scenes, side), (columns[low][pick], rows[low][pick]), size)


def _any(rng: Rng, things: list[U8], scenes: list[U8], side: int) -> Layer:
    side = max(SMALLEST, side)
    if things and rng.random() < 0.7:
        return _photographed(rng, things[rng.integers(len(things))], side)
    return drawn_thing(rng, scenes, side)


def _placed(layer: Layer, centre: tuple[float, float], size: int) -> Layer:
    """Return `layer` centred at `centre` (x, y) of a (size, size) layer."""
    height, width = layer.alpha.shape
    x, y = int(centre[0] - width / 2), int(centre[1] - height / 2)
    out = empty(size)
    here = (slice(max(y, 0), min(y + height, size)), slice(max(x, 0), min(x + width, size)))
    there = (slice(here[0].start - y, here[0].stop - y), slice(here[1].start - x, here[1].stop - x))
    out.rgb[here], out.alpha[here] = layer.rgb[there], layer.alpha[there]
    return out


def _dome(rng: Rng) -> F32:
    """Return the outline (P, 2) of a flat or round crown above the brow, in head radii around the centre, y down."""
    turns = np.linspace(np.pi, 2 * np.pi, 32)
    power = rng.uniform(0.25, 1.0)  # 1: half an ellipse; small: a box
    x = np.sign(np.cos(turns)) * np.abs(np.cos(turns)) ** power * rng.uniform(0.98, 1.15)
    y = -(np.abs(np.sin(turns)) ** power) * rng.uniform(0.8, 1.7) - rng.uniform(0.15, 0.45)
    return np.stack([x, y], 1).astype(np.float32)


def _brim(rng: Rng, brow: float) -> F32:
    turns = np.linspace(0, 2 * np.pi, 48)
    centre = rng.normal(0, 0.1) if rng.random() < 0.6 else rng.choice([-0.7, 0.7])  # a cap's peak may point sideways
    x = centre + rng.uniform(1.0, 2.1) * np.cos(turns)
    return np.stack([x, brow + rng.uniform(0.12, 0.4) * np.sin(turns)], 1).astype(np.float32)


def _scarf(rng: Rng) -> F32:
    """Return the outline of a cloth around the head that falls to the shoulders; the face is cut out later."""
    turns = np.linspace(np.pi, 2 * np.pi, 32)
    wide, low = rng.uniform(1.15, 1.5), rng.uniform(0.9, 2.0)
    top = np.stack([wide * np.cos(turns), -rng.uniform(1.05, 1.3) + 1 + np.sin(turns) - 0.85], 1)
    return np.concatenate([top, [[wide * 1.2, low], [-wide * 1.2, low]]]).astype(np.float32)


def _cloth(rng: Rng, scenes: list[U8], size: int) -> F32:
    """Return a fabric, (size, size, 3) in [0, 1]: a plain colour, usually patterned with a faint crop of a photo."""
    colour = rng.uniform(0, 1, 3) * rng.uniform(0.2, 1)
    cloth = np.tile(colour.astype(np.float32), (size, size, 1))
    if scenes and rng.random() < 0.7:
        scene = scenes[rng.integers(len(scenes))]
        side = min(*scene.shape[:2], int(size * rng.uniform(0.5, 3)))
        pattern = to_unit(cv2.resize(random_square(rng, scene, side), (size, size), interpolation=cv2.INTER_AREA))
        cloth = cloth + rng.uniform(0.1, 0.8) * (pattern - pattern.mean((0, 1)))
    return np.asarray(cloth, np.float32)


def headwear(rng: Rng, head: Head, scenes: list[U8], size: int) -> Layer:
    """Draw a hat, cap or scarf on `head`, in pixels of a (size, size) picture."""
    turn = rotation(rng.normal(0, 0.12))

    def drawn(outline: F32) -> F32:
        return polygon((outline @ turn.T) * head.radius + np.array([head.x, head.y]) - 0.5, size)

    if rng.random() < 0.2:
        face = np.linspace(0, 2 * np.pi, 40)
        hole = np.stack([0.72 * np.cos(face), 0.15 + 0.85 * np.sin(face)], 1).astype(np.float32)
        parts = [drawn(_scarf(rng)) * (1 - drawn(hole))]
    else:
        dome = _dome(rng)
        parts = [drawn(dome)]
        if rng.random() < 0.7:
            parts.append(drawn(_brim(rng, float(dome[0, 1]))))
    hat = empty(size)
    cloth = _cloth(rng, scenes, size)
    across = (np.arange(size, dtype=np.float32) - head.x) / max(head.radius, 1)
    light = np.clip(1 + rng.uniform(-0.5, 0.5) * across, 0.3, 1.6)[None, :, None]
    for part in parts:
        shaded = np.clip(cloth * light * rng.uniform(0.7, 1.1), 0, 1)
        hat = over(Layer(part[..., None] * shaded, part), hat)
    return hat
