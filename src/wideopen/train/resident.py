"""Training with all photos and the augmentation in GPU memory: minutes on a large GPU instead of hours on a CPU.

Optimizer, schedule and average are those of `trainer.py`; `resident_samples.py` makes the samples.
"""

import logging
import math
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor
from torch.nn import functional

from wideopen.checks import require
from wideopen.evals.provenance import commit
from wideopen.evals.report import write_csv
from wideopen.matting.net.losses import MattingLoss, band_px, stage_loss, trimap
from wideopen.matting.net.model import TRANSITION, MattingNet
from wideopen.matting.net.state import save_weights
from wideopen.train.pack import SCENES
from wideopen.train.resident_samples import ResidentPhotos, batch_of, kind_of, shape_px
from wideopen.train.settings import SIDE, Resident
from wideopen.train.trainer import Trainer

LOG = logging.getLogger(__name__)
VALIDATED = 100  # photos, approximately


class ResidentTrainer(Trainer):
    """Training on the batches of `batch_of`."""

    def loss_of(self, *batch: Tensor) -> MattingLoss:
        """Return the mean loss of all stages; the transition of a teacher's matte has a low weight."""
        image, alpha, weight, before = batch
        labels = trimap(alpha, band_px(*alpha.shape[-2:]))
        hair = torch.where((labels == TRANSITION)[:, None], weight[:, 1:], weight[:, :1])
        with torch.autocast(image.device.type, torch.bfloat16):  # Fabric's would round the image too
            outputs = self.outputs(image.contiguous(memory_format=torch.channels_last), self.run.stages, before)
        stages = [stage_loss(out, alpha, labels, (weight[:, :1], hair)) for out in outputs]
        return MattingLoss(*(torch.stack(parts).mean() for parts in zip(*stages, strict=True)))


@torch.no_grad()
def validate(net: MattingNet, photos: ResidentPhotos, run: Resident) -> dict[str, float]:
    """Return MAD and IoU (at 0.5) of each group's validation photos, in the batches' shapes, without clean-up."""
    sums: dict[str, list[tuple[float, float]]] = {}
    val = [n for n, row in enumerate(photos.rows) if row.part == "val"]
    for n in val[:: max(1, len(val) // VALIDATED)]:
        height, width = (int(v) for v in photos.sizes[n])
        shape = shape_px(kind_of(height, width), run.max_px)
        both = photos.canvas[n : n + 1, :, :height, :width].float() / 255
        seen = functional.interpolate(both, shape, mode="bilinear", antialias=True, align_corners=False)
        truth = seen[:, 6:]
        alpha = net(seen[:, :3].contiguous(memory_format=torch.channels_last), 3)[-1].alpha
        a, t = alpha > 0.5, truth > 0.5
        iou = ((a & t).sum() / (a | t).sum().clamp(min=1)) if bool(t.any()) else 1 - a.float().mean()
        sums.setdefault(photos.rows[n].group, []).append((float((alpha - truth).abs().mean()), float(iou)))
    means = {group: np.mean(rows, 0) for group, rows in sums.items()}
    return {f"{kind}_{g}": float(m[i]) for g, m in means.items() for i, kind in enumerate(("mad", "iou"))}


def parse_weights(texts: Iterable[str]) -> dict[str, float]:
    """Parse SET=NUMBER, ... into a dict."""
    found = {}
    for text in texts:
        name, _, number = text.partition("=")
        require(number.replace(".", "", 1).isdigit(), f"weight: expected SET=NUMBER, found {text!r}")
        found[name] = float(number)
    return found


def train_resident(run: Resident, packs: Iterable[Path], out: Path, weights: dict[str, float] | None = None) -> Path:
    """Train; every `report_s`, write the averaged weights to `out` and the curve to `out` with .csv.

    `weights` sets how often each group is drawn, relative to 1.
    """
    began = reported = time.monotonic()
    fabric = Fabric(devices=1)
    fabric.launch()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    photos = ResidentPhotos(packs, fabric.device, {SCENES: 0.3} | (weights or {}))
    trainer = ResidentTrainer(run, fabric)
    size = SIDE if trainer.net.config.first_size is None else None
    rows: list[dict[str, float]] = []
    losses: list[Tensor] = []
    seen = 0

    def report() -> None:
        means = torch.stack(losses).mean(0).tolist() if losses else [math.nan] * 4
        row = {"step": trainer.step, "elapsed_s": time.monotonic() - began, "images": seen}
        row |= zip(MattingLoss._fields, means, strict=True)
        rows.append(row | validate(trainer.averaged_net(), photos, run))
        LOG.info(" ".join(f"{k} {v:.5g}" for k, v in rows[-1].items()))
        losses.clear()
        info = {"steps": str(trainer.step), "commit": commit() or "unknown", "licence": "Apache-2.0"}
        save_weights(out, trainer.average, run.preset, info, size=size)
        write_csv(out.with_suffix(".csv"), [list(rows[-1]), *(list(row.values()) for row in rows)], overwrite=True)

    report()
    while trainer.progress < 1 or trainer.step == 0:
        batch = batch_of(photos, run)
        losses.append(torch.stack(trainer.train_step([batch])))
        seen += len(batch[0])
        trainer.elapsed_s = time.monotonic() - began
        if time.monotonic() - reported > run.report_s:
            report()
            reported = time.monotonic()
    report()
    return out
