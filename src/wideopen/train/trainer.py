"""The state of a training run and one step of it (paper 3.1, 4.1; the recipe is ours).

AdamW, linear warm-up, then cosine to zero over the run. The encoder starts from trained weights,
learns more slowly and keeps its batch-norm statistics. Weights are averaged (EMA); the average is
what is validated, kept and exported.

A step takes `accumulate` batches on each of the processes; gradients are their mean, so two processes
do what one does with twice the accumulation, but for the statistics of the decoder's batch norms, which
are those of the first process. Devices and precision are Lightning Fabric's.
"""

import math
from collections.abc import Sequence
from types import EllipsisType
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from lightning.fabric.strategies import DDPStrategy
from torch import Tensor, nn
from torch.nn import functional

from wideopen.checks import require
from wideopen.errors import BackendUnavailable
from wideopen.matting.net.blocks import resize
from wideopen.matting.net.encoders import load_encoder_weights
from wideopen.matting.net.losses import MattingLoss, matting_loss
from wideopen.matting.net.model import MattingNet, StageOutput
from wideopen.matting.net.variants import PRESETS
from wideopen.matting.weights import load_net
from wideopen.train.checkpoint import Average, load_checkpoint
from wideopen.train.run import Schedule, TrainRun

SHARES = (0.625, 0.75)  # of a sample's side that stages from near see
PAPER_SHARES = (0.75, 1.0)  # 768 to 1024 of 1024 pixels
CLIP = 5.0  # largest norm of the gradient
Batch = tuple[Tensor, Tensor]  # image (B, 3, H, W), alpha (B, 1, H, W)


def make_fabric(run: TrainRun) -> Fabric:
    """Devices, processes and precision of `run`; refuses a GPU that is not there."""
    hardware = run.hardware
    if hardware.accelerator == "gpu" and not torch.cuda.is_available():
        raise BackendUnavailable("accelerator gpu: no CUDA device here")
    # Several forward passes precede each backward pass; broadcasting buffers would change them in between.
    several = DDPStrategy(start_method="spawn", broadcast_buffers=False)
    return Fabric(
        accelerator=hardware.accelerator,
        devices=hardware.devices,
        strategy=several if hardware.devices > 1 else "auto",
        precision="bf16-mixed" if run.precision == "bfloat16" else "32-true",
    )


class Trainer:
    """The network, its optimizer and average, and how far the run has come."""

    def __init__(self, run: TrainRun, fabric: Fabric | None = None) -> None:
        torch.manual_seed(run.seed)
        self.run = run
        self.fabric = fabric or make_fabric(run)
        self.net = MattingNet(PRESETS[run.preset]).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.pretrained = run.encoder_weights is not None or run.init is not None
        if not run.resume:
            start_from(self.net, run)
        # `model` and `optimizer` are Fabric's wrappers; `net` holds the same parameters under their own names
        self.model, self.optimizer = self.fabric.setup(self.net, build_optimizer(self.net, run.schedule))
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
        self.average.state = {k: v.to(self.fabric.device) for k, v in state["average"].items()}
        self.optimizer.load_state_dict(state["optimizer"])
        for group, peak in zip(self.optimizer.param_groups, peaks(self.run.schedule), strict=True):
            group["peak"] = peak
        self.pretrained = state["pretrained"]
        self.step, self.elapsed_s, self.best = state["step"], state["elapsed_s"], state["best"]
        torch.set_rng_state(state["torch_rng"])

    @property
    def progress(self) -> float:
        """How much of the run is done, in [0, 1]."""
        return self.run.schedule.progress(self.step, self.elapsed_s)

    def loss_of(self, image: Tensor, alpha: Tensor) -> MattingLoss:
        """Mean loss of all stages; in some steps the first looks from afar, the others from near.

        From afar: the samples at half size. From near: a window of them, so that what is not in
        sight has to be taken from the matte so far. With samples of 1024 and `near_size` 512 that is the paper's
        recipe: the whole at 512 first, then crops of 768 or 1024 resized to 512.
        Which steps these are, and which window, depends on (seed, step) alone.
        """
        run = self.run
        rng = np.random.default_rng((run.seed, self.step))
        if run.stages == 1 or rng.random() >= run.far_first:
            return matting_loss(self.outputs(image, run.stages), alpha)
        far = self.outputs(functional.avg_pool2d(image, 2), 1)
        previous = resize(far[0].alpha.detach(), image)
        shares = PAPER_SHARES if run.near_size else SHARES
        window = random_window(rng, image.shape[-2], image.shape[-1], shares)
        seen, truth, guide = (resized(x[window], run.near_size) for x in (image, alpha, previous))
        near = self.outputs(seen, run.stages - 1, guide)
        first = matting_loss(far, functional.avg_pool2d(alpha, 2))
        rest = matting_loss(near, truth)
        share = 1 / run.stages
        return MattingLoss(*(share * a + (1 - share) * b for a, b in zip(first, rest, strict=True)))

    def outputs(self, image: Tensor, stages: int, previous: Tensor | None = None) -> list[StageOutput]:
        """The network's stages in the run's precision, as float32."""
        return [StageOutput(*(x.float() for x in out)) for out in self.model(image, stages, previous)]

    def train_step(self, batches: Sequence[Batch]) -> MattingLoss:
        """One update on the mean gradient of `batches`; returns their mean loss, of this process."""
        self.net.train()
        if self.pretrained and self.run.frozen_norms:
            self.net.encoder.eval()
        rate = learning_rate(self.run.schedule, self.step, self.elapsed_s)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        self.optimizer.zero_grad(set_to_none=True)
        losses = []
        for index, (image, alpha) in enumerate(batches):
            with self.fabric.no_backward_sync(self.model, enabled=index + 1 < len(batches)):
                loss = self.loss_of(image, alpha)
                self.fabric.backward(loss.total / len(batches))
            losses.append(MattingLoss(*(part.detach() for part in loss)))
        nn.utils.clip_grad_norm_(self.net.parameters(), CLIP)
        self.optimizer.step()
        self.step += 1
        self.average.update(self.net, self.step)
        return MattingLoss(*(torch.stack(parts).mean() for parts in zip(*losses, strict=True)))

    def agree(self, stop: bool) -> bool:
        """Whether any process wants to stop; they also take over the longest time elapsed."""
        if self.fabric.world_size == 1:
            return stop
        own = torch.tensor([self.elapsed_s, float(stop)], dtype=torch.float64, device=self.fabric.device)
        agreed = self.fabric.all_reduce(own, reduce_op="max")
        self.elapsed_s = float(agreed[0])
        return bool(agreed[1] > 0)


def start_from(net: MattingNet, run: TrainRun) -> None:
    """Fill `net` with the trained weights that `run` names: a whole network's, an encoder's, or none."""
    if run.encoder_weights is not None:
        load_encoder_weights(net.encoder, run.encoder_weights)
    if run.init is not None:
        trained = load_net(run.init)
        require(
            trained.config == net.config,
            f"init {run.init}: expected weights of {net.config}, found {trained.config}",
        )
        net.load_state_dict(trained.state_dict(), strict=True)


def random_window(
    rng: np.random.Generator, height: int, width: int, shares: tuple[float, float] = SHARES
) -> tuple[EllipsisType, slice, slice]:
    """Index of a window of a share of each side within `shares`, in steps of 32 pixels if they allow it."""
    sides = [max(32, int(side * rng.uniform(*shares)) // 32 * 32) for side in (height, width)]
    y, x = (int(rng.integers(max(full - side, 0) + 1)) for full, side in zip((height, width), sides, strict=True))
    return ..., slice(y, y + sides[0]), slice(x, x + sides[1])


def resized(x: Tensor, size: int | None) -> Tensor:
    """(B, C, H, W) at (size, size), averaged where it shrinks; as it is for None."""
    if size is None:
        return x
    return functional.interpolate(x, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


def build_optimizer(net: MattingNet, schedule: Schedule, *, fused: bool = False) -> torch.optim.Optimizer:
    """AdamW with a lower rate for the encoder; `peak` is what the schedule scales."""
    encoder = list(net.encoder.parameters())
    known = {id(p) for p in encoder}
    new = [p for p in net.parameters() if id(p) not in known]
    parts = zip((new, encoder), peaks(schedule), strict=True)
    groups = [{"params": params, "lr": peak, "peak": peak} for params, peak in parts]
    return torch.optim.AdamW(groups, weight_decay=1e-4, fused=fused)


def peaks(schedule: Schedule) -> tuple[float, float]:
    """Peak learning rates of the optimizer's groups."""
    return schedule.lr, schedule.encoder_lr


def learning_rate(schedule: Schedule, step: int, elapsed_s: float) -> float:
    """Share of the peak learning rate: linear warm-up, cosine to zero over the run."""
    warm = min(1.0, (step + 1) / max(schedule.warmup_steps, 1))
    return warm * 0.5 * (1 + math.cos(math.pi * schedule.progress(step, elapsed_s)))
