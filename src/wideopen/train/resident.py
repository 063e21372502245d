"""Training with all photos and the augmentation in GPU memory: minutes on a large GPU instead of hours on a CPU.

Loss, optimizer, schedule and average are those of `trainer.py`; `resident_samples.py` makes the samples.
"""

import csv
import logging
import math
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from wideopen.checks import require
from wideopen.matting.inference import PRESETS
from wideopen.matting.net.losses import band_px, stage_loss, trimap
from wideopen.matting.net.model import TRANSITION, MattingNet, StageOutput
from wideopen.matting.net.state import load_net, save_weights
from wideopen.train.checkpoint import Average, current_commit
from wideopen.train.pack import SCENES
from wideopen.train.resident_samples import Photos, batch_of
from wideopen.train.run import SIDE, Resident, Schedule
from wideopen.train.trainer import CLIP, build_optimizer, learning_rate

LOG = logging.getLogger(__name__)
VALIDATED = 100  # photos, approximately


def loss_of(model: nn.Module, run: Resident, batch: tuple[Tensor, Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return (total, parts (4,)) of a batch; the transition of a teacher's matte has a low weight."""
    image, alpha, weight, before = batch
    labels = trimap(alpha, band_px(*alpha.shape[-2:]))
    hair = torch.where((labels == TRANSITION)[:, None], weight[:, 1:], weight[:, :1])
    with torch.autocast(image.device.type, torch.bfloat16):
        outputs = model(image.contiguous(memory_format=torch.channels_last), run.stages, before)
    stages = [
        stage_loss(StageOutput(*(x.float() for x in out)), alpha, labels, (weight[:, :1], hair)) for out in outputs
    ]
    parts = torch.stack([torch.stack(list(stage)) for stage in stages]).mean(0)
    return parts[0], parts.detach()


@torch.no_grad()
@torch.backends.cudnn.flags(benchmark=False)  # photos have different shapes
def validate(net: MattingNet, photos: Photos, run: Resident) -> dict[str, float]:
    """Return MAD and IoU (at 0.5) of each group's validation photos, at the network's size, without clean-up."""
    sums: dict[str, list[tuple[float, float]]] = {}
    val = [n for n, row in enumerate(photos.rows) if row.part == "val"]
    for n in val[:: max(1, len(val) // VALIDATED)]:
        height, width = (int(v) for v in photos.sizes[n])
        scale = run.max_px / max(height, width)
        shape = [max(32, round(v * scale / 32) * 32) for v in (height, width)]
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
    """Train for `run.minutes`; every `report_s`, write the averaged weights to `out` and the curve to `out` with .csv.

    `weights` sets how often each group is drawn, relative to 1.
    """
    torch.manual_seed(run.seed)
    began = time.monotonic()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    photos = Photos(packs, device, {SCENES: 0.3} | (weights or {}))
    config = PRESETS[run.preset]
    net = MattingNet(config)
    if run.init is not None:
        trained = load_net(run.init)
        net.load_state_dict(trained.state_dict(), strict=True)
        config = trained.config
    net = net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    schedule = Schedule(minutes=run.minutes, lr=run.lr, encoder_lr=run.encoder_lr)
    optimizer = build_optimizer(net, schedule, fused=device.type == "cuda")
    average, judged = Average(net), MattingNet(config).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    rows: list[dict[str, float]] = []
    losses: list[Tensor] = []
    step, seen, reported = 0, 0, time.monotonic()

    def report() -> None:
        judged.load_state_dict(average.state, strict=True)
        means = torch.stack(losses).mean(0).tolist() if losses else [math.nan] * 4
        named = dict(zip(("total", "semantic", "detail", "fusion"), means, strict=True))
        rows.append(
            {
                "step": step,
                "elapsed_s": time.monotonic() - began,
                "images": seen,
                **named,
                **validate(judged.eval(), photos, run),
            }
        )
        LOG.info(" ".join(f"{k} {v:.5g}" for k, v in rows[-1].items()))
        losses.clear()
        info = {"steps": str(step), "commit": current_commit(), "licence": "Apache-2.0"}
        save_weights(out, average.state, run.preset, info, size=SIDE if config.first_size is None else None)
        with out.with_suffix(".csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[-1].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in rows)

    report()
    while (elapsed := time.monotonic() - began) < 60 * run.minutes or step == 0:
        net.train()
        if run.frozen_norms:
            net.encoder.eval()
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * learning_rate(schedule, step, elapsed)
        batch = batch_of(photos, run)
        total, parts = loss_of(net, run, batch)
        optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        optimizer.step()
        step, seen = step + 1, seen + len(batch[0])
        average.update(net, step)
        losses.append(parts)
        if time.monotonic() - reported > run.report_s:
            report()
            reported = time.monotonic()
    report()
    return out
