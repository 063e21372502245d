"""Draws hats, caps and scarves as flat shapes: simple, but enough to teach a network to include headwear.

The portraits of members of parliament in the training data have none, so a network trained on them leaves holes there.
"""

import cv2
import numpy as np

from wideopen.checks import F32, U8
from wideopen.train.strands.grow import Rng
from wideopen.train.strands.hair import Head, Layer

FRACTION_BITS = 4  # cv2 draws with a precision of 1/16 pixel


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
        y, x = (int(rng.integers(extent - side + 1)) for extent in scene.shape[:2])
        piece = cv2.resize(scene[y : y + side, x : x + side], (size, size), interpolation=cv2.INTER_AREA)
        pattern = piece.astype(np.float32) / 255
        cloth = cloth + rng.uniform(0.1, 0.8) * (pattern - pattern.mean((0, 1)))
    return np.asarray(cloth, np.float32)


def headwear(rng: Rng, head: Head, scenes: list[U8], size: int) -> Layer:
    """Draw a hat, cap or scarf on `head`, in pixels of a (size, size) picture."""
    tilt = rng.normal(0, 0.12)
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])

    def drawn(outline: F32) -> F32:
        at = (outline @ turn.T) * head.radius + np.array([head.x, head.y])
        mask = np.zeros((size, size), np.uint8)
        corners = np.round((at - 0.5) * 2**FRACTION_BITS).astype(np.int32)
        cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, FRACTION_BITS)
        return mask.astype(np.float32) / np.float32(255)

    if rng.random() < 0.2:
        face = np.linspace(0, 2 * np.pi, 40)
        hole = np.stack([0.72 * np.cos(face), 0.15 + 0.85 * np.sin(face)], 1).astype(np.float32)
        parts = [drawn(_scarf(rng)) * (1 - drawn(hole))]
    else:
        dome = _dome(rng)
        parts = [drawn(dome)]
        if rng.random() < 0.7:
            parts.append(drawn(_brim(rng, float(dome[0, 1]))))
    alpha = np.zeros((size, size), np.float32)
    rgb = np.zeros((size, size, 3), np.float32)
    cloth = _cloth(rng, scenes, size)
    across = (np.arange(size, dtype=np.float32) - head.x) / max(head.radius, 1)
    light = np.clip(1 + rng.uniform(-0.5, 0.5) * across, 0.3, 1.6)[None, :, None]
    for part in parts:
        a = part[..., None]
        shaded = np.clip(cloth * light * rng.uniform(0.7, 1.1), 0, 1)
        rgb, alpha = a * shaded + (1 - a) * rgb, part + (1 - part) * alpha
    return Layer(rgb.astype(np.float32), alpha.astype(np.float32))
