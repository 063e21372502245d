"""Draws things other than people on scenes: a network that has seen only people takes every object for one.

Things are either cut-outs from a folder (photos of animals, fruit, furniture or cars with transparency) or drawn:
rounded or angular bodies with the texture of a photo, lit from one side. Things behind a person are background; a thing
that a person holds in front is part of the subject.
"""

from pathlib import Path

import cv2
import numpy as np

from wideopen.checks import F32, U8, require
from wideopen.train.photos import shrink_to
from wideopen.train.strands.grow import Rng
from wideopen.train.strands.hair import Layer

OUTLINE_POINTS = 96
SIDES = (0.15, 1.3)  # range of a thing's long side, relative to the sample's side
HELD = (0.15, 0.5)  # range of a held thing's long side, relative to the square root of the person's area
SMALLEST = 8  # pixels


def load_things(folder: Path | None, size: int) -> list[U8]:
    """Read cut-outs (h, w, 4) RGBA from the PNG and WebP files below `folder`, at a long side of at most `size` pixels.

    Unreadable files and files without transparency are skipped; without a folder the list is empty. Raises InvalidInput
    if a folder contains no cut-out.
    """
    if folder is None:
        return []
    require(folder.is_dir(), f"things: expected a folder, found {folder}")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".png", ".webp"))
    read = (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in paths)
    things = [
        shrink_to(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA), np.uint8), size)
        for image in read
        if image is not None and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 4
    ]
    require(len(things) > 0, f"things: expected images with transparency below {folder}, found none")
    return things


def drawn_thing(rng: Rng, scenes: list[U8], side: int) -> Layer:
    """Draw a body (side, side) with the texture of one of `scenes`; without scenes it has a plain colour."""
    turns = np.linspace(0, 2 * np.pi, OUTLINE_POINTS, endpoint=False)
    waves = np.arange(1, 5)
    swell = (rng.normal(0, 0.12, (4, 1)) * np.cos(waves[:, None] * turns + rng.uniform(0, 6.3, (4, 1)))).sum(0)
    power = rng.uniform(0.2, 1.0)  # 1: an ellipse; small: a box
    around = np.stack([np.cos(turns), np.sin(turns)], 1)
    outline = np.sign(around) * np.abs(around) ** power * (1 + swell)[:, None]
    outline *= [1.0, rng.uniform(0.4, 1.0)]
    outline = outline @ _turn(rng.uniform(0, 2 * np.pi)) * (0.47 / np.abs(outline).max())
    mask = np.zeros((side, side), np.uint8)
    points = np.round((outline + 0.5) * side * 16).astype(np.int32)
    cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, 4)
    alpha = mask.astype(np.float32) / np.float32(255)
    colour = rng.uniform(0, 1, 3).astype(np.float32)
    body: F32 = np.tile(colour, (side, side, 1))
    if scenes and rng.random() < 0.8:
        scene = scenes[rng.integers(len(scenes))]
        cut = max(8, int(min(scene.shape[:2]) * rng.uniform(0.05, 0.6)))
        y, x = (int(rng.integers(extent - cut + 1)) for extent in scene.shape[:2])
        texture = cv2.resize(scene[y : y + cut, x : x + cut], (side, side), interpolation=cv2.INTER_AREA)
        body = body + np.float32(rng.uniform(0.3, 1.0)) * (texture.astype(np.float32) / np.float32(255) - body)
    height = np.sqrt(cv2.GaussianBlur(alpha, (0, 0), side / 12))  # rounded towards the outline
    slope = np.stack(np.gradient(height), -1) @ _turn(rng.uniform(0, 2 * np.pi))[0] * side / 8
    lit = np.clip(body * (1 + rng.uniform(0.2, 0.8) * slope[..., None]), 0, 1)
    return Layer(np.asarray(lit * alpha[..., None], np.float32), alpha)


def _turn(angle: float) -> F32:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)


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
        return Layer(np.zeros((size, size, 3), np.float32), np.zeros((size, size), np.float32))
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
    rgb, alpha = np.zeros((size, size, 3), np.float32), np.zeros((size, size), np.float32)
    here = (slice(max(y, 0), min(y + height, size)), slice(max(x, 0), min(x + width, size)))
    there = (slice(here[0].start - y, here[0].stop - y), slice(here[1].start - x, here[1].stop - x))
    rgb[here], alpha[here] = layer.rgb[there], layer.alpha[there]
    return Layer(rgb, alpha)
