"""The training loop of the matting network (paper 3.1, 4.1; the recipe is ours).

AdamW, linear warm-up, then cosine to zero over the run. The encoder starts from ImageNet weights,
learns more slowly and keeps its batch-norm statistics. Weights are averaged (EMA); the average is
what is validated, kept as best.pt and exported. Files in the run folder: run.json (settings),
log.jsonl (one line per report or validation), last.pt (everything needed to continue), best.pt.
"""

import json
import logging
import math
import signal
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from types import EllipsisType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from wideopen.checks import require
from wideopen.nets.matting.blocks import resize
from wideopen.nets.matting.config import PRESETS
from wideopen.nets.matting.encoders import load_encoder_weights
from wideopen.nets.matting.losses import MattingLoss, matting_loss
from wideopen.nets.matting.model import MattingNet, StageOutput
from wideopen.nets.matting.weights import load_net
from wideopen.train.checkpoint import Average, load_checkpoint, save_checkpoint
from wideopen.train.data import Batches
from wideopen.train.evaluate import evaluate_net
from wideopen.train.export import current_commit
from wideopen.train.photos import Pair, find_pairs, load_backgrounds, load_photo
from wideopen.train.run import Schedule, TrainRun

LOG = logging.getLogger(__name__)


class Trainer:
    """The state of a run, and one step of it."""

    def __init__(self, run: TrainRun) -> None:
        torch.manual_seed(run.seed)
        self.run = run
        self.net = MattingNet(PRESETS[run.preset]).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.pretrained = run.encoder_weights is not None or run.init is not None
        if run.encoder_weights is not None and not run.resume:
            load_encoder_weights(self.net.encoder, run.encoder_weights)
        if run.init is not None and not run.resume:
            start_from(self.net, run.init)
        self.optimizer = build_optimizer(self.net, run)
        self.average = Average(self.net)
        self.step = 0
        self.elapsed_s = 0.0
        self.best = math.inf
        if run.resume:
            self.load(load_checkpoint(run.out / "last.pt"))

    def state(self) -> dict[str, Any]:
        """Everything needed to continue."""
        return {
            "preset": self.run.preset,
            "pretrained": self.pretrained,
            "net": self.net.state_dict(),
            "average": self.average.state,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "best": self.best,
            "torch_rng": torch.get_rng_state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Continue from `state`."""
        require(
            state["preset"] == self.run.preset,
            f"resume: expected preset {state['preset']!r}, found {self.run.preset!r}",
        )
        self.net.load_state_dict(state["net"], strict=True)
        self.average.state = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        for group, peak in zip(self.optimizer.param_groups, peaks(self.run.schedule), strict=True):
            group["peak"] = peak
        self.pretrained = state["pretrained"]
        self.step, self.elapsed_s, self.best = state["step"], state["elapsed_s"], state["best"]
        torch.set_rng_state(state["torch_rng"])

    def outputs(self, image: Tensor, stages: int, previous: Tensor | None = None) -> list[StageOutput]:
        """The network's stages in the run's precision, as float32."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.run.precision == "bfloat16"):
            outputs = self.net(image, stages, previous)
        return [StageOutput(*(x.float() for x in out)) for out in outputs]

    def loss_of(self, image: Tensor, alpha: Tensor) -> MattingLoss:
        """Mean loss of all stages; in some steps the first looks from afar, the others from near.

        From afar: the samples at half size. From near: a window of them, so that what is not in
        sight has to be taken from the matte so far (the paper, too, crops in its later stages).
        Which steps these are, and which window, depends on (seed, step) alone.
        """
        run = self.run
        rng = np.random.default_rng((run.seed, self.step))
        if run.stages == 1 or rng.random() >= run.far_first:
            return matting_loss(self.outputs(image, run.stages), alpha)
        far = self.outputs(functional.avg_pool2d(image, 2), 1)
        previous = resize(far[0].alpha.detach(), image)
        window = random_window(rng, *image.shape[-2:])
        near = self.outputs(image[window], run.stages - 1, previous[window])
        first = matting_loss(far, functional.avg_pool2d(alpha, 2))
        rest = matting_loss(near, alpha[window])
        share = 1 / run.stages
        return MattingLoss(*(share * a + (1 - share) * b for a, b in zip(first, rest, strict=True)))

    def train_step(self, image: Tensor, alpha: Tensor) -> MattingLoss:
        """One update on a batch: image (B, 3, H, W), alpha (B, 1, H, W)."""
        run = self.run
        self.net.train()
        if self.pretrained:
            self.net.encoder.eval()  # keeps the batch-norm statistics of the pretrained encoder
        rate = learning_rate(run.schedule, self.step, self.elapsed_s)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        loss = self.loss_of(image, alpha)
        self.optimizer.zero_grad(set_to_none=True)
        loss.total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        self.average.update(self.net, self.step)
        return loss


def start_from(net: MattingNet, weights: str) -> None:
    """Fill `net` with trained weights of the same preset."""
    trained = load_net(weights)
    require(
        trained.config == net.config,
        f"init {weights}: expected weights of {net.config}, found {trained.config}",
    )
    net.load_state_dict(trained.state_dict(), strict=True)


def random_window(rng: np.random.Generator, height: int, width: int) -> tuple[EllipsisType, slice, slice]:
    """Index of a window of 5/8 to 3/4 of each side, in steps of 32 pixels if they allow it."""
    sides = [max(32, int(side * rng.uniform(0.625, 0.75)) // 32 * 32) for side in (height, width)]
    y, x = (int(rng.integers(max(full - side, 0) + 1)) for full, side in zip((height, width), sides, strict=True))
    return ..., slice(y, y + sides[0]), slice(x, x + sides[1])


def build_optimizer(net: MattingNet, run: TrainRun) -> torch.optim.Optimizer:
    """AdamW with a lower rate for the encoder; `peak` is what the schedule scales."""
    encoder = list(net.encoder.parameters())
    known = {id(p) for p in encoder}
    new = [p for p in net.parameters() if id(p) not in known]
    parts = zip((new, encoder), peaks(run.schedule), strict=True)
    groups = [{"params": params, "lr": peak, "peak": peak} for params, peak in parts]
    return torch.optim.AdamW(groups, weight_decay=1e-4)


def peaks(schedule: Schedule) -> tuple[float, float]:
    """Peak learning rates of the optimizer's groups."""
    return schedule.lr, schedule.encoder_lr


def learning_rate(schedule: Schedule, step: int, elapsed_s: float) -> float:
    """Share of the peak learning rate: linear warm-up, cosine to zero over the run."""
    warm = min(1.0, (step + 1) / max(schedule.warmup_steps, 1))
    return warm * 0.5 * (1 + math.cos(math.pi * schedule.progress(step, elapsed_s)))


def _batches(run: TrainRun, pairs: Iterable[Pair]) -> Batches:
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        if pair.part == "train":
            groups.setdefault(pair.group, []).append(pair)
    keep_px = 2 * run.size  # a window may be half of the photo
    return Batches(
        [[load_photo(pair, keep_px) for pair in group] for group in groups.values()],
        load_backgrounds(run.backgrounds, keep_px),
        size=run.size,
        batch=run.batch,
        seed=run.seed,
        chances=run.chances,
    )


def _log(run: TrainRun, **row: Any) -> None:
    LOG.info(
        "%s",
        " ".join(f"{k} {v:.5g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()),
    )
    with (run.out / "log.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")


def _validate(trainer: Trainer, pairs: list[Pair]) -> None:
    """Log the average's figures; keep it as best.pt if its mean absolute difference is lowest."""
    run = trainer.run
    if not pairs:  # nothing to choose by: the newest is kept
        _keep(trainer, math.nan)
        return
    net = MattingNet(PRESETS[run.preset])
    net.load_state_dict(trainer.average.state, strict=True)
    rows = evaluate_net(net, pairs)
    mad = sum(row.mad for row in rows) / len(rows)
    figures = {f"val_mad_{row.group}": row.mad for row in rows}
    bands = {f"val_transition_{row.group}": row.transition_mad for row in rows}
    _log(run, step=trainer.step, elapsed_s=trainer.elapsed_s, val_mad=mad, **figures, **bands)
    if mad < trainer.best:
        trainer.best = mad
        _keep(trainer, mad)


def _keep(trainer: Trainer, val_mad: float) -> None:
    run = trainer.run
    best = {"preset": run.preset, "average": trainer.average.state, "step": trainer.step}
    save_checkpoint(run.out / "best.pt", {**best, "val_mad": val_mad})


def run_training(run: TrainRun) -> Path:
    """Train until the run's steps or minutes are over (or SIGTERM, Ctrl-C); return best.pt.

    An interrupted run writes last.pt first; `resume` continues it.
    """
    pairs = find_pairs(run.data)
    run.out.mkdir(parents=True, exist_ok=True)
    settings = {**asdict(run), "commit": current_commit()}
    (run.out / "run.json").write_text(json.dumps(settings, default=str, indent=1) + "\n")
    trainer = Trainer(run)
    batches = _batches(run, pairs)
    val = [pair for pair in pairs if pair.part == "val"]
    val = val[:: max(1, len(val) // run.reports.val_count)]
    with _StopSignal() as stop:
        _loop(trainer, batches, val, stop)
    save_checkpoint(run.out / "last.pt", trainer.state())
    if not stop.asked:
        _validate(trainer, val)
    return run.out / "best.pt"


def _loop(trainer: Trainer, batches: Batches, val: list[Pair], stop: "_StopSignal") -> None:
    run = trainer.run
    saved = validated = last = time.monotonic()
    for image, alpha in batches.start_at(trainer.step):
        if run.schedule.progress(trainer.step, trainer.elapsed_s) >= 1 or stop.asked:
            return
        if trainer.step == run.schedule.pause_after:
            stop.asked = True
            return
        loss = trainer.train_step(image, alpha)
        now = time.monotonic()
        trainer.elapsed_s += now - last
        last = now
        if trainer.step % run.reports.report_steps == 0:
            parts = {name: float(value.detach()) for name, value in loss._asdict().items()}
            _log(run, step=trainer.step, elapsed_s=trainer.elapsed_s, **parts)
        if now - saved > 60 * run.reports.checkpoint_minutes:
            saved = now
            save_checkpoint(run.out / "last.pt", trainer.state())
        if now - validated > 60 * run.reports.val_minutes:
            validated = now
            _validate(trainer, val)


class _StopSignal:
    """Turns SIGTERM and Ctrl-C into a flag, so that a step is finished and saved."""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> "_StopSignal":
        self.before = {s: signal.signal(s, self._ask) for s in (signal.SIGTERM, signal.SIGINT)}
        return self

    def _ask(self, *_: object) -> None:
        self.asked = True

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
