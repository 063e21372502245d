"""Finish a composed batch on the training device: hidden faces, light, camera, hints, weights.

Faces are hidden because a first network left holes in blurred ones; backlight and black and white were added because it
lost parts in such photos.

- A teacher's matte, on the photo's own background, has a low weight in the transition and none in undecided areas. A
  subject on another scene has exactly the matte it was composited with, whoever made that.
- Hints (method.md 7): in a share of the samples, stage 1 gets a degraded matte as the matte so far: grown, shrunk,
  moved, coarse, with blobs or bites, or another photo's. The others get 0.5. So one set of weights also refines masks.

Maps are (B, C, H, W) in [0, 1]; H and W are multiples of 32. A batch depends only on (seed, number).
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from wideopen.matting.net.blocks import resize
from wideopen.matting.net.losses import SURE, band_px
from wideopen.train.settings import Chances, TrainRun

TEACHERS_HAIR = 0.1  # weight of the transition of a teacher's matte


class Dice:
    """Random numbers for the samples of a batch, on its device."""

    def __init__(self, count: int, device: torch.device, seed: int) -> None:
        self.count, self.device = count, device
        self._generator = torch.Generator(device).manual_seed(seed)

    def flat(self, low: float, high: float) -> Tensor:
        """Return uniform random values (count,) in [low, high]."""
        return self.between(low, high)[:, 0, 0, 0]

    def between(self, low: float, high: float, channels: int = 1) -> Tensor:
        """Return uniform random values (count, channels, 1, 1) in [low, high]."""
        found = torch.rand(self.count, channels, 1, 1, device=self.device, generator=self._generator)
        return low + (high - low) * found

    def chance(self, p: float) -> Tensor:
        """Return (count, 1, 1, 1) bool, true with probability p."""
        return self.between(0, 1) < p

    def normal(self, channels: int = 1, height: int = 1, width: int = 1) -> Tensor:
        """Return normal random values (count, channels, height, width)."""
        return torch.randn(self.count, channels, height, width, device=self.device, generator=self._generator)


def soft(x: Tensor, cells: int) -> Tensor:
    """Blur (B, C, H, W): average over squares of `cells` pixels, then interpolate bilinearly."""
    return resize(functional.avg_pool2d(x, cells, ceil_mode=True, count_include_pad=False), x)


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
    hidden = torch.where(dice.chance(0.25), dice.between(0, 1, 3), soft(soft(image, 20), 10))
    return image + mask * (hidden - image)


def relight(dice: Dice, image: Tensor, alpha: Tensor, chances: Chances) -> Tensor:
    """Apply backlight, a ramp of light, tone and colour changes, or black and white."""
    height, width = image.shape[-2:]
    behind = soft(alpha, 32)
    lit = image * (1 - dice.between(0.3, 0.75) * behind) + dice.between(0, 0.25) * (1 - behind)
    image = torch.where(dice.chance(chances.backlight), lit, image)
    x, y = (torch.linspace(-1, 1, n, device=dice.device) for n in (width, height))
    angle = dice.between(0, 2 * math.pi)
    ramp = 1 + dice.between(0.2, 0.6) * (angle.cos() * x + angle.sin() * y[:, None])
    image = torch.where(dice.chance(chances.ramp), image * ramp, image)
    gain = torch.exp(0.2 * dice.normal()) * dice.between(0.88, 1.12, 3)
    toned = (image * gain).clamp(1e-3, 1) ** torch.exp(0.3 * dice.normal().clamp(-1.7, 1.7))
    toned = (toned - 0.5) * dice.between(0.75, 1.25) + 0.5
    image = torch.where(dice.chance(chances.tone), toned, image)
    grey = (image * image.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True).expand_as(image)
    return torch.where(dice.chance(chances.grey), grey, image).clamp(0, 1)


def camera(dice: Dice, image: Tensor, chances: Chances) -> Tensor:
    """Apply lens blur, noise, and the quantisation of 8x8 blocks as in JPEG."""
    blur = functional.avg_pool2d(image, 3, 1, 1, count_include_pad=False)
    image = torch.where(dice.chance(chances.soften), image + dice.between(0.2, 1) * (blur - image), image)
    noise = dice.normal(1, *image.shape[-2:]) * dice.between(2, 12) / 255
    image = torch.where(dice.chance(chances.noise), image + noise, image)
    k = torch.arange(8, device=dice.device, dtype=torch.float32)
    D = torch.cos((2 * k + 1) * k[:, None] * math.pi / 16) / 2  # orthonormal DCT-II
    D[0] /= math.sqrt(2)
    blocks = torch.unflatten(torch.unflatten(image, 2, (-1, 8)), 4, (-1, 8))  # (B, 3, h, 8, w, 8)
    step = (0.02 + 0.02 * (k[:, None] + k)).view(1, 1, 1, 8, 1, 8) * dice.between(0.2, 3.5).view(-1, 1, 1, 1, 1, 1)
    coded = torch.einsum("ij,bchjwk,lk->bchiwl", D, blocks, D)
    plain = torch.einsum("ji,bchjwk,kl->bchiwl", D, (coded / step).round() * step, D)
    return torch.where(dice.chance(chances.jpeg), plain.reshape(image.shape), image).clamp(0, 1)


def spoiled(dice: Dice, alpha: Tensor) -> Tensor:
    """Return hints: mattes that are grown or shrunk, moved, coarse, with blobs and bites, sometimes another photo's."""
    height, width = alpha.shape[-2:]
    move = torch.eye(2, 3, device=dice.device).repeat(dice.count, 1, 1)
    move[:, :, 2] = 0.03 * dice.normal(2)[:, :, 0, 0] * dice.chance(0.5)[:, :, 0, 0]
    small = functional.avg_pool2d(alpha, 4)  # (B, 1, H/4, W/4)
    grid = functional.affine_grid(move, list(small.shape), align_corners=False)
    small = functional.grid_sample(small, grid, align_corners=False)
    cells = int(dice.flat(2, 10)[0])
    coarse = soft(small, cells)
    level = dice.between(0.1, 0.9)
    blunt = ((coarse - level) * 8 + 0.5).clamp(0, 1)
    hint = torch.where(dice.chance(0.6), blunt, torch.where(dice.chance(0.5), coarse, small))
    lumps = resize(dice.normal(2, max(2, height // 64), max(2, width // 64)), small)
    hint = torch.where(dice.chance(0.3), torch.maximum(hint, (lumps[:, :1] > 1.1).float()), hint)  # blobs
    hint = torch.where(dice.chance(0.35), hint * (lumps[:, 1:] < 0.9), hint)  # bites, limbs
    hint = torch.where(dice.chance(0.05), hint.roll(1, 0), hint)
    return resize(hint, alpha).clamp(0, 1)


@torch.no_grad()
def finish(run: TrainRun, number: int, rgb: Tensor, alpha: Tensor, taught: Tensor) -> tuple[Tensor, ...]:
    """Return (image (B, 3, H, W), matte, weights (B, 2, H, W), matte so far) of batch `number`, each in [0, 1].

    rgb (B, H, W, 3) and alpha (B, H, W) are uint8; taught (B,) says which mattes are a teacher's, on their own
    background. The weights are those of `matting_loss`. Images are channels last in memory.
    """
    image, matte = rgb.permute(0, 3, 1, 2).float() / 255, alpha[:, None].float() / 255
    (seed,) = np.random.SeedSequence((run.seed, number)).generate_state(1)
    dice, chances = Dice(len(rgb), rgb.device, int(seed)), run.chances
    radius = band_px(*matte.shape[-2:])
    pool, grey = 2 * radius + 1, ((matte > SURE) & (matte < 1 - SURE)).float()
    undecided = functional.max_pool2d(-functional.max_pool2d(-grey, pool, 1, radius), pool, 1, radius)  # not hair
    own = taught.view(-1, 1, 1, 1).float()
    weight = 1 - own * undecided
    weights = torch.cat([weight, weight * (1 - (1 - TEACHERS_HAIR) * own)], 1)
    image = torch.where(dice.chance(chances.hide_face), hide_faces(dice, image, matte), image)
    image = camera(dice, relight(dice, image, matte, chances), chances)
    before = torch.where(dice.chance(run.hints), spoiled(dice, matte), torch.full_like(matte, 0.5))
    return image.contiguous(memory_format=torch.channels_last), matte, weights, before
