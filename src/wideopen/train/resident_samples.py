"""Makes samples on the GPU that holds all photos: the steps of `augment.py` as tensor operations on batches.

The differences are:

- On its own background, a teacher's matte has a low weight in the transition and none in undecided areas. A subject
  on another scene has exactly the matte it was composited with, whoever made that.
- Hints (method.md 7): in a share of the samples, stage 1 gets a degraded matte as the matte so far: grown, shrunk,
  moved, coarse, with blobs or bites, or another photo's. The others get 0.5. So one set of weights also refines masks.
- A batch has one aspect ratio and shows whole photos at `SIDE`, or windows of them.

Hair drawn by `strands` comes in packed samples (docs/training.md). Maps are (B, C, H, W) in [0, 1].
"""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from wideopen.checks import require
from wideopen.matting.net.blocks import resize
from wideopen.matting.net.losses import SURE, band_px
from wideopen.train.pack import read_pack
from wideopen.train.settings import SIDE, Resident

SHAPES = (  # (minimum width / height, (H, W)); each costs cuDNN 15 s of plans in the first steps
    (1.16, (384, 512)),
    (0.86, (512, 512)),
    (0.0, (512, 384)),
)
EMPTY = 0.01  # a photo with less matte coverage is a scene
CELLS = 24  # cells per side of the grid of window centres


def kind_of(height: float, width: float) -> int:
    """Return the index of a photo's shape in `SHAPES`."""
    return next(kind for kind, (least, _) in enumerate(SHAPES) if width >= least * height)


def shape_px(kind: int, max_px: int) -> tuple[int, int]:
    """Return height and width of `SHAPES[kind]` for a long side of `max_px`, multiples of 32."""
    height, width = (max(32, side * max_px // SIDE // 32 * 32) for side in SHAPES[kind][1])
    return height, width


class ResidentPhotos:
    """All photos on one device, on square canvases: rgb, the subject's own colour and matte, as uint8."""

    def __init__(self, packs: Iterable[Path], device: torch.device, weights: dict[str, float]) -> None:
        found = [entry for path in packs for entry in read_pack(path)]
        require(len(found) > 0, "packs: expected at least one photo, found none")
        self.rows = [row for row, _, _ in found]
        side = max(max(matte.shape) for *_, matte in found)
        self.canvas = torch.zeros(len(found), 7, side, side, dtype=torch.uint8, device=device)
        for n, (_, rgb, matte) in enumerate(found):
            both = torch.from_numpy(np.dstack([rgb, rgb, matte])).to(device).permute(2, 0, 1)
            self.canvas[n, :, : matte.shape[0], : matte.shape[1]] = both
        for part in torch.split(self.canvas, 64):
            part[:, 3:6] = own_colour(part[:, :3].float() / 255, part[:, 6:].float() / 255).mul(255).round().byte()
        sizes = [matte.shape for *_, matte in found]
        self.sizes = torch.tensor(sizes, device=device, dtype=torch.float32)  # (N, 2) height, width
        share = torch.tensor([float(m.mean() / 255) for *_, m in found])
        train = torch.tensor([row.part == "train" for row in self.rows])
        self.scenes = torch.nonzero(train & (share < EMPTY))[:, 0].to(device)
        require(len(self.scenes) > 0, "packs: expected photos without a subject (--backgrounds), found none")
        each = torch.tensor([row.confidence for row in self.rows]) * train
        for group in {row.group for row in self.rows}:
            of_group = torch.tensor([row.group == group for row in self.rows])
            each[of_group] *= weights.get(group, 1.0) / each[of_group].sum().clamp(min=1e-9)
        shape = torch.tensor([kind_of(*size) for size in sizes])
        self.chances = torch.stack([each * (shape == i) for i in range(len(SHAPES))]).to(device)  # (shapes, N)
        self.teacher = torch.tensor([row.teacher for row in self.rows], device=device)
        box = self.canvas[:, 6] > 12  # (N, side, side)
        columns, lines = box.any(1), box.any(2)
        height, width = (self.sizes.long() - 1).T
        at = torch.arange(len(found), device=device)
        self.cut = torch.stack(  # (N, 4) whether the left, top, right, bottom border cuts the subject
            [
                columns[:, :2].any(1),
                lines[:, :2].any(1),
                columns[at, width] | columns[at, width - 1],
                lines[at, height] | lines[at, height - 1],
            ],
            1,
        )
        self.where = functional.adaptive_avg_pool2d(self.canvas[:, 6:].half(), CELLS).flatten(1).float() + 1e-3


def soft(x: Tensor, cells: int) -> Tensor:
    """Blur (B, C, H, W): average over squares of `cells` pixels, then interpolate bilinearly."""
    return resize(functional.avg_pool2d(x, cells, ceil_mode=True, count_include_pad=False), x)


def own_colour(image: Tensor, alpha: Tensor) -> Tensor:
    """Estimate foreground colour by blur fusion (Forte, ICIP 2021): coarse means of both sides, then refined."""
    F = B = image
    for cells in (32, 6):
        F = soft(F * alpha, cells) / (soft(alpha, cells) + 1e-4)
        B = soft(B * (1 - alpha), cells) / (soft(1 - alpha, cells) + 1e-4)
        F = (F + alpha * (image - alpha * F - (1 - alpha) * B)).clamp(0, 1)
    return F


class Dice:
    """Random numbers for the samples of a batch, on its device."""

    def __init__(self, count: int, device: torch.device) -> None:
        self.count, self.device = count, device

    def chance(self, p: float) -> Tensor:
        """Return (count, 1, 1, 1) bool, true with probability p."""
        return (torch.rand(self.count, device=self.device) < p).view(-1, 1, 1, 1)

    def between(self, low: float, high: float, channels: int = 1) -> Tensor:
        """Return uniform random values (count, channels, 1, 1) in [low, high]."""
        return torch.empty(self.count, channels, 1, 1, device=self.device).uniform_(low, high)

    def flat(self, low: float, high: float) -> Tensor:
        """Return uniform random values (count,) in [low, high]."""
        return torch.empty(self.count, device=self.device).uniform_(low, high)

    def normal(self) -> Tensor:
        """Return normal random values (count, 1, 1, 1)."""
        return torch.randn(self.count, 1, 1, 1, device=self.device)


def windows(
    dice: Dice, photos: ResidentPhotos, picks: Tensor, shape: tuple[int, int], near: bool, beyond: Tensor
) -> tuple[Tensor, Tensor]:
    """Return sampling points (B, H, W, 2) in canvas pixels, and which of them are inside the photo (B, 1, H, W).

    If `beyond` (B,) allows it, a window extends outside the photo, but only on sides that do not cut the subject.
    """
    ratio = shape[1] / shape[0]
    height, width = photos.sizes[picks].T
    share = dice.flat(*((0.3, 0.85) if near else (0.8, 1.0)))
    share = torch.where(beyond, torch.exp(dice.flat(-0.6, 0.7)), share)
    cut = photos.cut[picks].float()
    share = torch.where((cut[:, 0] * cut[:, 2] + cut[:, 1] * cut[:, 3]) > 0, share.clamp(max=1.0), share)
    squeeze = dice.flat(0.9, 1.12)
    tall = share * torch.where(beyond, torch.maximum(height, width / ratio) * 0.8, torch.minimum(height, width / ratio))
    wide = tall * ratio * squeeze
    if not near:  # nearly the whole photo, slightly distorted rather than cropped
        whole = ~beyond
        wide = torch.where(whole, torch.minimum(width * share, height * share * ratio * 1.12), wide)
        tall = torch.where(whole, torch.minimum(height * share, wide / ratio * 1.12), tall)
    cell = torch.multinomial(photos.where[picks], 1)[:, 0]
    side = photos.canvas.shape[-1]
    start = []
    for at, extent, length, low, high in (
        ((cell % CELLS + 0.5) * side / CELLS, width, wide, cut[:, 0], cut[:, 2]),
        ((cell // CELLS + 0.5) * side / CELLS, height, tall, cut[:, 1], cut[:, 3]),
    ):
        out = beyond * length
        first = at - length * dice.flat(0.2, 0.8)
        least, most = -(1 - low) * out, extent + (1 - high) * out - length
        start.append(torch.minimum(torch.maximum(first, least), torch.maximum(most, least)))
    x, y = ((torch.arange(n, device=dice.device) + 0.5) / n for n in (shape[1], shape[0]))
    x = torch.where(dice.chance(0.5)[:, :, 0, 0], 1 - x, x)  # mirrored
    px = start[0][:, None] + x * wide[:, None] - 0.5  # (B, W)
    py = start[1][:, None] + y[None] * tall[:, None] - 0.5  # (B, H)
    turn = (dice.chance(0.2) * dice.between(-0.2, 0.2))[:, 0]  # (B, 1, 1) radians
    cx, cy = px.mean(1)[:, None, None], py.mean(1)[:, None, None]
    dx, dy = px[:, None, :] - cx, py[:, :, None] - cy
    points = torch.stack([cx + dx * turn.cos() - dy * turn.sin(), cy + dx * turn.sin() + dy * turn.cos()], -1)
    most = torch.stack([width, height], -1)[:, None, None] - 1
    inside = ((points > -0.5) & (points < most + 0.5)).all(-1)[:, None]
    folded = points.remainder(2 * most)
    return torch.minimum(folded, 2 * most - folded), inside


def look_up(photos: ResidentPhotos, picks: Tensor, points: Tensor) -> Tensor:
    """Sample the canvases of `picks` at `points`; return (B, 7, H, W) in [0, 1]."""
    side = photos.canvas.shape[-1]
    grid = (points + 0.5) * (2 / side) - 1
    return functional.grid_sample(photos.canvas[picks].float() / 255, grid, padding_mode="border", align_corners=False)


def scenes(dice: Dice, photos: ResidentPhotos, shape: tuple[int, int]) -> Tensor:
    """Return backgrounds (B, 3, H, W): sharp or blurred scenes, plain walls, other photos beyond recognition."""
    picks = photos.scenes[torch.randint(len(photos.scenes), (dice.count,), device=dice.device)]
    anyone = torch.randint(len(photos.rows), (dice.count,), device=dice.device)
    blurred = dice.chance(0.15)
    picks = torch.where(blurred.flatten(), anyone, picks)
    points, _ = windows(
        dice, photos, picks, shape, bool(torch.rand(()) < 0.6), torch.zeros_like(picks, dtype=torch.bool)
    )
    scene = look_up(photos, picks, points)[:, :3]
    scene = torch.where(dice.chance(0.25), soft(scene, 6), scene)
    scene = torch.where(blurred | dice.chance(0.2), soft(soft(scene, 40), 24), scene)
    wall = torch.rand(dice.count, 3, 2, 2, device=dice.device)
    wall = resize(wall + 0.7 * (wall.mean((2, 3), keepdim=True) - wall), scene)
    return torch.where(dice.chance(0.12), wall, scene)


def hide_faces(dice: Dice, image: Tensor, alpha: Tensor) -> Tensor:
    """Blur or paint over an ellipse in the upper part of each subject."""
    height, width = image.shape[-2:]
    solid = (alpha[:, 0] > 0.5).float()  # (B, H, W)
    lines = solid.amax(2)
    y = lines.argmax(1) + lines.sum(1) * dice.flat(0.05, 0.5)
    row = solid[torch.arange(dice.count, device=dice.device), y.long().clamp(max=height - 1)]  # (B, W)
    across = row.sum(1)
    columns, rows = (torch.arange(n, device=dice.device) for n in (width, height))
    x = (row * columns).sum(1) / across.clamp(min=1)
    half = (across * dice.flat(0.25, 0.5)).clamp(4, 0.3 * height)
    tall = half * dice.flat(1.0, 1.5)
    across_x, across_y = (columns - x[:, None]) / half[:, None], (rows - y[:, None]) / tall[:, None]
    distance = across_x[:, None] ** 2 + across_y[:, :, None] ** 2
    mask = ((1.1 - distance) * 5).clamp(0, 1)[:, None] * (across > 8).view(-1, 1, 1, 1)
    hidden = torch.where(
        dice.chance(0.25), torch.rand(dice.count, 3, 1, 1, device=dice.device), soft(soft(image, 20), 10)
    )
    return image + mask * (hidden - image)


def relight(dice: Dice, image: Tensor, alpha: Tensor) -> Tensor:
    """Apply backlight, a ramp of light, tone and colour changes, or black and white."""
    height, width = image.shape[-2:]
    behind = soft(alpha, 32)
    lit = image * (1 - dice.between(0.3, 0.75) * behind) + dice.between(0, 0.25) * (1 - behind)
    image = torch.where(dice.chance(0.12), lit, image)
    x, y = (torch.linspace(-1, 1, n, device=dice.device) for n in (width, height))
    angle = dice.between(0, 2 * math.pi)
    ramp = 1 + dice.between(0.2, 0.6) * (angle.cos() * x + angle.sin() * y[:, None])
    image = torch.where(dice.chance(0.2), image * ramp, image)
    gain = torch.exp(0.2 * dice.normal()) * dice.between(0.88, 1.12, 3)
    toned = (image * gain).clamp(1e-3, 1) ** torch.exp(0.3 * dice.normal().clamp(-1.7, 1.7))
    toned = (toned - 0.5) * dice.between(0.75, 1.25) + 0.5
    image = torch.where(dice.chance(0.75), toned, image)
    grey = (image * image.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True).expand_as(image)
    return torch.where(dice.chance(0.15), grey, image).clamp(0, 1)


def camera(dice: Dice, image: Tensor) -> Tensor:
    """Apply lens blur, noise, and the quantisation of 8x8 blocks as in JPEG."""
    blur = functional.avg_pool2d(image, 3, 1, 1, count_include_pad=False)
    image = torch.where(dice.chance(0.25), image + dice.between(0.2, 1) * (blur - image), image)
    noise = torch.randn_like(image[:, :1]) * dice.between(2, 12) / 255
    image = torch.where(dice.chance(0.3), image + noise, image)
    k = torch.arange(8, device=dice.device, dtype=torch.float32)
    D = torch.cos((2 * k + 1) * k[:, None] * math.pi / 16) / 2  # orthonormal DCT-II
    D[0] /= math.sqrt(2)
    blocks = torch.unflatten(torch.unflatten(image, 2, (-1, 8)), 4, (-1, 8))  # (B, 3, h, 8, w, 8)
    step = (0.02 + 0.02 * (k[:, None] + k)).view(1, 1, 1, 8, 1, 8) * dice.between(0.2, 3.5).view(-1, 1, 1, 1, 1, 1)
    coded = torch.einsum("ij,bchjwk,lk->bchiwl", D, blocks, D)
    plain = torch.einsum("ji,bchjwk,kl->bchiwl", D, (coded / step).round() * step, D)
    return torch.where(dice.chance(0.3), plain.reshape(image.shape), image).clamp(0, 1)


def spoiled(dice: Dice, alpha: Tensor) -> Tensor:
    """Return hints: mattes that are grown or shrunk, moved, coarse, with blobs and bites, sometimes another photo's."""
    height, width = alpha.shape[-2:]
    move = torch.eye(2, 3, device=dice.device).repeat(dice.count, 1, 1)
    move[:, :, 2] = 0.03 * torch.randn(dice.count, 2, device=dice.device) * dice.chance(0.5)[:, :, 0, 0]
    small = functional.avg_pool2d(alpha, 4)  # (B, 1, H/4, W/4)
    small = functional.grid_sample(
        small, functional.affine_grid(move, list(small.shape), align_corners=False), align_corners=False
    )
    cells = int(torch.randint(2, 10, ()))
    coarse = soft(small, cells)
    level = dice.between(0.1, 0.9)
    hint = torch.where(
        dice.chance(0.6),
        ((coarse - level) * 8 + 0.5).clamp(0, 1),
        torch.where(dice.chance(0.5), coarse, small),
    )
    lumps = torch.randn(dice.count, 2, max(2, height // 64), max(2, width // 64), device=dice.device)
    lumps = resize(lumps, small)
    hint = torch.where(dice.chance(0.3), torch.maximum(hint, (lumps[:, :1] > 1.1).float()), hint)  # blobs
    hint = torch.where(dice.chance(0.35), hint * (lumps[:, 1:] < 0.9), hint)  # bites, limbs
    hint = torch.where(dice.chance(0.05), hint.roll(1, 0), hint)
    return resize(hint, alpha).clamp(0, 1)


@torch.no_grad()
def batch_of(photos: ResidentPhotos, run: Resident) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return (image, alpha, weight of each pixel, matte so far) of one batch, each (B, C, H, W)."""
    kind = int(torch.multinomial(photos.chances.sum(1), 1))
    near = bool(torch.rand(()) < run.near)
    height, width = shape_px(kind, run.max_px)
    count = max(1, int(run.batch * run.max_px**2 / (height * width)))
    picks = torch.multinomial(photos.chances[kind], count, replacement=True)
    dice = Dice(count, photos.canvas.device)
    moved = dice.chance(run.composites)
    points, inside = windows(dice, photos, picks, (height, width), near, moved.flatten())
    found = look_up(photos, picks, points)
    image, subject, alpha = found[:, :3], found[:, 3:6], found[:, 6:]
    behind = scenes(dice, photos, (height, width))
    placed = alpha * inside * ~dice.chance(0.04)
    tint = dice.between(0, 0.5) * dice.chance(0.4)
    mean = (subject * placed).mean((2, 3), keepdim=True) / (placed.mean((2, 3), keepdim=True) + 1e-3)
    lit = (subject + tint * (behind.mean((2, 3), keepdim=True) - mean)) * dice.between(0.7, 1.2)
    lit = lit.clamp(0, 1)
    other = placed.roll(1, 0) * dice.chance(run.second)  # a second subject, behind the first
    behind = other * lit.roll(1, 0) + (1 - other) * behind
    image = torch.where(moved, placed * lit + (1 - placed) * behind, image)
    alpha = torch.where(moved, placed + (1 - placed) * other, alpha)
    own = (photos.teacher[picks].view(-1, 1, 1, 1) & ~moved).float()
    radius = band_px(height, width)
    grey = ((alpha > SURE) & (alpha < 1 - SURE)).float()
    pool = 2 * radius + 1
    eroded = -functional.max_pool2d(-grey, pool, 1, radius)
    undecided = functional.max_pool2d(eroded, pool, 1, radius)
    weight = 1 - own * undecided
    image = torch.where(dice.chance(0.12), hide_faces(dice, image, alpha), image)
    image = camera(dice, relight(dice, image, alpha))
    before = torch.where(dice.chance(0.8 if near else run.hints), spoiled(dice, alpha), torch.full_like(alpha, 0.5))
    return image, alpha, torch.cat([weight, weight * (1 - 0.9 * own)], 1), before
