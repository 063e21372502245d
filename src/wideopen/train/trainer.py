"""The state of a training run and one training step (paper 3.1, 4.1; the recipe is not the paper's).

AdamW with linear warm-up, then cosine decay to zero over the run. The encoder starts from pretrained weights, has a
lower learning rate and keeps its batch-norm statistics. The exponential moving average (EMA) of the weights is
validated, kept and exported.

A step takes `accumulate` batches on each process and averages their gradients. Two processes are therefore equivalent
to one with twice the accumulation, except for the statistics of the decoder's batch norms, which are those of the first
process. Lightning Fabric handles devices, precision and TensorBoard.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import EllipsisType
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from lightning.fabric.loggers import TensorBoardLogger
from lightning.fabric.strategies import DDPStrategy
from torch import Tensor, nn
from torch.nn import functional

from wideopen.checks import require
from wideopen.errors import BackendUnavailable, InvalidInput
from wideopen.evals.provenance import commit
from wideopen.files.atomic import atomic_file
from wideopen.matting.inference import PRESETS
from wideopen.matting.net.blocks import resize
from wideopen.matting.net.encoders import load_encoder_weights
from wideopen.matting.net.losses import MattingLoss, matting_loss
from wideopen.matting.net.model import MattingNet, StageOutput
from wideopen.matting.net.state import load_net, save_weights
from wideopen.matting.weights import LICENCE
from wideopen.train.settings import TrainRun

SHARES = (0.625, 0.75)  # range of a window's side, relative to the sample's side
PAPER_SHARES = (0.75, 1.0)  # 768 to 1024 of 1024 pixels
CLIP = 5.0  # maximum norm of the gradient
DECAY = 0.998  # of the weights' average, per step
TrainBatch = tuple[Tensor, ...]  # the arguments of `Trainer.loss_of`


def make_fabric(run: TrainRun) -> Fabric:
    """Set up the devices, processes, precision and TensorBoard of `run`.

    Raises BackendUnavailable for a GPU that does not exist, and if TensorBoard is wanted and not installed.
    """
    if run.accelerator == "gpu" and not torch.cuda.is_available():
        raise BackendUnavailable("accelerator gpu: no CUDA device here")
    try:
        loggers = TensorBoardLogger(run.out, name="tensorboard", version="") if run.tensorboard else None
    except ModuleNotFoundError as error:
        raise BackendUnavailable(f"TensorBoard: expected wideopen[train] installed, found {error}") from error
    # Each backward pass follows several forward passes; broadcasting would change the buffers in between.
    several = DDPStrategy(start_method="spawn", broadcast_buffers=False)
    return Fabric(
        accelerator=run.accelerator,
        devices=run.devices,
        strategy=several if run.devices > 1 else "auto",
        precision="bf16-mixed" if run.precision == "bfloat16" else "32-true",
        loggers=loggers,
    )


class Trainer:
    """The network, its optimizer and average, and the progress of the run."""

    def __init__(self, run: TrainRun, fabric: Fabric, *, resume: Path | None = None) -> None:
        torch.manual_seed(run.seed)
        self.run, self.fabric = run, fabric
        self.net = start_net(run) if resume is None else MattingNet(PRESETS[run.preset])
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.pretrained = run.encoder_weights != "none" or run.init is not None
        optimizer = build_optimizer(self.net, fused=fabric.device.type == "cuda")
        # `model` and `optimizer` are Fabric's wrappers; `net` holds the same parameters under their own names
        self.model, self.optimizer = fabric.setup(self.net, optimizer)
        self.average = {key: value.detach().clone() for key, value in self.net.state_dict().items()}
        self.step, self.elapsed_s, self.best = 0, 0.0, math.inf
        if resume is not None:
            self.load(load_checkpoint(resume))

    def state(self) -> dict[str, Any]:
        """Return everything needed to resume."""
        return {
            "preset": self.run.preset,
            "pretrained": self.pretrained,
            "net": self.net.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "best": self.best,
            "torch_rng": torch.get_rng_state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Resume from `state`."""
        found = state["preset"]
        require(found == self.run.preset, f"resume: expected preset {found!r}, found {self.run.preset!r}")
        self.net.load_state_dict(state["net"], strict=True)
        self.average = {k: v.to(self.fabric.device) for k, v in state["average"].items()}
        self.optimizer.load_state_dict(state["optimizer"])
        self.pretrained = state["pretrained"]
        self.step, self.elapsed_s, self.best = state["step"], state["elapsed_s"], state["best"]
        torch.set_rng_state(state["torch_rng"])

    @property
    def progress(self) -> float:
        """Return the completed share of the run in [0, 1]."""
        return self.run.progress(self.step, self.elapsed_s)

    def averaged_net(self) -> MattingNet:
        """Return a network with the averaged weights, in evaluation mode."""
        net = MattingNet(self.net.config).to(self.fabric.device)
        net.load_state_dict(self.average, strict=True)
        return net.eval()

    def loss_of(
        self, image: Tensor, alpha: Tensor, weights: Tensor | None = None, before: Tensor | None = None
    ) -> MattingLoss:
        """Return the mean loss of all stages; in a share of the steps, stage 1 sees less detail, the others a window.

        `weights` are those of `matting_loss`, `before` is the matte so far. In the steps of `far_first`, stage 1 sees
        the samples at half size. The other stages see a window, so they must take what lies outside it from the matte
        so far. With samples of 1024 pixels and `near_size` 512 this is the paper's recipe: the whole at 512 first, then
        crops of 768 or 1024 resized to 512. The choice of steps and windows depends only on (seed, step).
        """
        run, rng = self.run, np.random.default_rng((self.run.seed, self.step))
        if run.stages == 1 or rng.random() >= run.far_first:
            return matting_loss(self.outputs(image, run.stages, before), alpha, weights)
        far = self.outputs(halved(image), 1, halved(before))
        previous = resize(far[0].alpha.detach(), image)
        window = random_window(rng, image.shape[-2], image.shape[-1], PAPER_SHARES if run.near_size else SHARES)
        seen, truth, guide = (resized(x[window], run.near_size, image) for x in (image, alpha, previous))
        counts = None if weights is None else resized(weights[window], run.near_size, image)
        near = self.outputs(seen, run.stages - 1, guide)
        first = matting_loss(far, halved(alpha), halved(weights))
        rest = matting_loss(near, truth, counts)
        share = 1 / run.stages
        return MattingLoss(*(share * a + (1 - share) * b for a, b in zip(first, rest, strict=True)))

    def outputs(self, image: Tensor, stages: int, previous: Tensor | None = None) -> list[StageOutput]:
        """Run the network's stages in the run's precision; the outputs are float32."""
        return [StageOutput(*(x.float() for x in out)) for out in self.model(image, stages, previous)]

    def train_step(self, batches: Sequence[TrainBatch]) -> MattingLoss:
        """Update once on the mean gradient of `batches`; return their mean loss in this process."""
        self.net.train()
        if self.pretrained and self.run.frozen_norms:
            self.net.encoder.eval()
        rate = learning_rate(self.run, self.step, self.elapsed_s)
        for group, peak in zip(self.optimizer.param_groups, (self.run.lr, self.run.encoder_lr), strict=True):
            group["lr"] = peak * rate
        self.optimizer.zero_grad(set_to_none=True)
        losses = []
        for index, batch in enumerate(batches):
            with self.fabric.no_backward_sync(self.model, enabled=index + 1 < len(batches)):
                loss = self.loss_of(*batch)
                self.fabric.backward(loss.total / len(batches))
            losses.append(MattingLoss(*(part.detach() for part in loss)))
        nn.utils.clip_grad_norm_(self.net.parameters(), CLIP)
        self.optimizer.step()
        self.step += 1
        self._update_average()
        return MattingLoss(*(torch.stack(parts).mean() for parts in zip(*losses, strict=True)))

    @torch.no_grad()
    def _update_average(self) -> None:
        """Move the average towards `net`; faster in the first steps, since the first weights are not worth keeping."""
        decay = min(DECAY, (1 + self.step) / (10 + self.step))
        for key, value in self.net.state_dict().items():
            mean = self.average[key]
            mean.lerp_(value, 1 - decay) if mean.dtype.is_floating_point else mean.copy_(value)

    def agree(self, stop: bool) -> bool:
        """Return whether any process wants to stop; all processes also adopt the longest elapsed time."""
        if self.fabric.world_size == 1:
            return stop
        own = torch.tensor([self.elapsed_s, float(stop)], dtype=torch.float64, device=self.fabric.device)
        agreed = self.fabric.all_reduce(own, reduce_op="max")
        self.elapsed_s = float(agreed[0])
        return bool(agreed[1] > 0)


def start_net(run: TrainRun) -> MattingNet:
    """Return the network that `run` starts from: trained, with a pretrained encoder, or with random weights."""
    expected = PRESETS[run.preset]
    if run.init is not None:
        net = load_net(run.init)
        same = replace(net.config, size=expected.size, first_size=expected.first_size) == expected
        require(same, f"init {run.init}: expected weights of {expected}, found {net.config}")
        return net
    net = MattingNet(expected)
    if run.encoder_weights != "none":
        load_encoder_weights(net.encoder, run.encoder_weights)
    return net


def random_window(
    rng: np.random.Generator, height: int, width: int, shares: tuple[float, float] = SHARES
) -> tuple[EllipsisType, slice, slice]:
    """Return the index of a random window whose sides are a share in `shares`, in steps of 32 pixels if possible."""
    sides = [max(32, int(side * rng.uniform(*shares)) // 32 * 32) for side in (height, width)]
    y, x = (int(rng.integers(max(full - side, 0) + 1)) for full, side in zip((height, width), sides, strict=True))
    return ..., slice(y, y + sides[0]), slice(x, x + sides[1])


def halved(x: Tensor | None) -> Any:
    """Average (B, C, H, W) over 2 x 2 pixels; None stays None."""
    return None if x is None else functional.avg_pool2d(x, 2)


def resized(x: Tensor, size: int | None, like: Tensor) -> Tensor:
    """Resize (B, C, H, W) to a long side of `size` and the aspect of `like`, averaging; None returns it unchanged."""
    if size is None:
        return x
    sides = [max(32, round(size * side / max(like.shape[-2:]) / 32) * 32) for side in like.shape[-2:]]
    return functional.interpolate(x, size=sides, mode="bilinear", antialias=True, align_corners=False)


def build_optimizer(net: MattingNet, *, fused: bool = False) -> torch.optim.Optimizer:
    """Return AdamW with two groups of parameters: new layers, and the encoder. `Trainer` sets their learning rates."""
    encoder = list(net.encoder.parameters())
    new = [p for name, p in net.named_parameters() if not name.startswith("encoder.")]
    return torch.optim.AdamW([{"params": new}, {"params": encoder}], weight_decay=1e-4, fused=fused)


def learning_rate(run: TrainRun, step: int, elapsed_s: float) -> float:
    """Return the share of the peak learning rate: linear warm-up, then cosine decay to zero over the run."""
    warm = min(1.0, (step + 1) / max(run.warmup_steps, 1))
    return warm * 0.5 * (1 + math.cos(math.pi * run.progress(step, elapsed_s)))


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, strings, and dicts or lists of them); a killed run leaves no partial file."""
    with atomic_file(path, overwrite=True) as file:
        torch.save(state, file)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote. Raises InvalidInput if the file is missing or damaged."""
    if not path.is_file():
        raise InvalidInput(f"checkpoint: expected a file {path}, found none")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many exception types for a damaged file
        raise InvalidInput(f"checkpoint {path}: expected a readable file, found {error}") from error
    return dict(state)


def export_weights(checkpoint: Path, out: Path, *, size: int | None = None) -> str:
    """Write the averaged weights of best.pt or last.pt to `out`; return the file's SHA-256.

    `size` is the default long side for inference in pixels; None takes the preset's.
    """
    require(out.suffix == ".safetensors", f"export: expected a .safetensors file to write, found {out}")
    state = load_checkpoint(checkpoint)
    complete = {"preset", "average", "step"} <= state.keys()
    require(complete, f"export: expected a checkpoint of a matting run, found keys {', '.join(state)}")
    info = {"steps": str(state["step"]), "commit": commit() or "unknown", "licence": LICENCE}
    return save_weights(out, state["average"], state["preset"], info, size=size)
