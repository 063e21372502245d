"""A trained encoder where none can be had: a large one learns what a small trained one sees (feature hints).

Hints: Romero et al., FitNets, ICLR 2015. The teacher is the encoder of trained matting weights; both look at the same
samples, and each of the student's F1..F5, through a 1x1 convolution that is thrown away afterwards, has to say what the
teacher's says. Ours: a level's loss is one minus the mean correlation of its channels over batch and pixels, so that
channels count alike, however strong or faint.

A ResNet-50 of MobileNetV2 learns in two parts: stem and stage 1 alone first, on F1 and F2; then the teacher's other
blocks are written into its stages without a gradient (`grow`), and all is learned.

Files in the run folder: last.pt (everything needed to continue), log.jsonl, and model.safetensors, the averaged
encoder in transformers' format, for `--encoder-weights`. One process; batches depend on (seed, number) alone.
"""

import json
import logging
import math
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from wideopen.checks import require
from wideopen.evals.matte_pairs import find_pairs
from wideopen.matting.net.blocks import resize
from wideopen.matting.net.encoders import MobileNetFeatures, ResNetFeatures, build_encoder
from wideopen.matting.net.model import STRIDE
from wideopen.matting.net.variants import FEATURE_CHANNELS, PRESETS
from wideopen.matting.weights import load_net
from wideopen.train.board import Board
from wideopen.train.checkpoint import Average, load_checkpoint, save_checkpoint
from wideopen.train.data import Batches, to_image_bchw
from wideopen.train.grow import aligned, cells, grow, least_squares
from wideopen.train.large_tensors import keep_large_allocations
from wideopen.train.matting import StopSignal, make_batches
from wideopen.train.run import TrainRun
from wideopen.train.trainer import CLIP, learning_rate, make_fabric

LOG = logging.getLogger(__name__)
LEVELS = 5
LOW_LEVELS, LOW_SHARE = 2, 0.08  # F1 and F2 are learned alone for this share of a run that grows
LOW_LR = 2.5  # times the peak learning rate, while a few random layers learn
FITTED = 12_000  # cells of F5 that growing is fitted to; 0.8 GB of F2 at any size of the samples
FIRST_FITTED = 1 << 40  # number of the first batch that growing is fitted to: none that is trained on


def correlation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """1 - mean over channels of the correlation of two maps (B, C, H, W), over batch and pixels; in [0, 2].

    A channel that does not vary has correlation 0.
    """
    axes = (0, 2, 3)
    s, t = (x.float() - x.float().mean(axes, keepdim=True) for x in (student, teacher))
    spread = (s.square().mean(axes) * t.square().mean(axes)).clamp_min(1e-12).sqrt()
    return 1 - ((s * t).mean(axes) / spread).mean()


class Apprentice(nn.Module):
    """An encoder from random weights beside what translates its features into the teacher's."""

    def __init__(self, student: str, teacher: str) -> None:
        super().__init__()
        self.encoder = build_encoder(student)  # type: ignore[arg-type]  # a key of FEATURE_CHANNELS
        widths = zip(FEATURE_CHANNELS[student], FEATURE_CHANNELS[teacher], strict=True)
        self.translate = nn.ModuleList(nn.Conv2d(own, other, 1, bias=False) for own, other in widths)
        start_blocks_as_identities(self.encoder)

    def forward(self, image: Tensor, levels: int = LEVELS) -> list[Tensor]:
        """The teacher's first `levels` of F1..F5 as this encoder guesses them, from (B, 3, H, W) in [0, 1]."""
        return [say(f) for say, f in zip(self.translate, self.encoder(image, levels), strict=False)]


def start_blocks_as_identities(encoder: nn.Module) -> None:
    """Zero the last batch norm of every residual branch, from which training from random weights starts faster.

    Goyal et al., Accurate, Large Minibatch SGD, 2017, section 5.1. Encoders without ResNet's layers stay as they are.
    """
    for block in encoder.modules():
        if type(block).__name__ == "ResNetBottleNeckLayer":
            nn.init.zeros_(block.layer[-1].normalization.weight)  # type: ignore[index, union-attr]


def hint_loss(guesses: list[Tensor], features: list[Tensor], *, shifted: bool = False) -> Tensor:
    """Mean over the levels of `correlation_loss`; the guess is resized where strides differ.

    `shifted`: the grids are those of ResNet (guesses) and of TensorFlow's padding (features), see `aligned`.
    """
    pairs = [(resize(guess, seen), seen) for guess, seen in zip(guesses, features, strict=True)]
    return torch.stack([correlation_loss(*(aligned(*pair) if shifted else pair)) for pair in pairs]).mean()


def train_encoder(run: TrainRun, teacher: str | Path = "mobile") -> Path:
    """Train the encoder of `run.preset` on hints of the weights `teacher`; return the folder of model.safetensors.

    Runs until the schedule is over (or SIGTERM, Ctrl-C; `run.resume` then goes on). Of `run`, what concerns stages, the
    decoder and other starts is not used. Raises InvalidInput: more than one device, data as for matting, a checkpoint
    of another preset or teacher; WeightsError.
    """
    require(run.hardware.devices == 1, f"devices: expected 1 for an encoder, found {run.hardware.devices}")
    pairs = find_pairs(run.data)
    keep_large_allocations()
    logging.getLogger("wideopen.backends").setLevel(logging.WARNING)  # else a line for every photo
    run.out.mkdir(parents=True, exist_ok=True)
    lesson = Lesson(run, teacher)
    batches = make_batches(run, pairs, report=True)
    source = batches.start_at(lesson.step)
    saved = last = time.monotonic()
    with Board(run.out, tensorboard=run.reports.tensorboard, bar=run.reports.bar) as board, StopSignal() as stop:
        while lesson.progress < 1 and not stop.asked and lesson.step != run.schedule.pause_after:
            if lesson.due:
                lesson.grow(fitted_to(batches))
            loss = lesson.train_step(next(source)[0])
            now = time.monotonic()
            lesson.elapsed_s += now - last
            last = now
            board.advance(lesson.progress, lesson.step)
            if lesson.step % run.reports.report_steps == 0:
                _report(lesson, board, float(loss))
            if now - saved > 60 * run.reports.checkpoint_minutes:
                saved = now
                lesson.save()
        lesson.save()
    return run.out


def fitted_to(batches: Batches) -> Tensor:
    """The samples that growing is fitted to: `FITTED` cells of F5, or the next whole batch more."""
    count = math.ceil(FITTED / (batches.batch * (batches.size // STRIDE) ** 2))
    return torch.cat([to_image_bchw(batches.make(FIRST_FITTED + i)[0]) for i in range(count)])


class Lesson:
    """Apprentice and teacher, the optimizer, the average, and how far the run has come."""

    def __init__(self, run: TrainRun, teacher: str | Path) -> None:
        torch.manual_seed(run.seed)
        self.run = run
        self.fabric = make_fabric(run)
        knows = load_net(teacher)
        self.who = {"preset": run.preset, "teacher": str(teacher)}
        net = Apprentice(PRESETS[run.preset].encoder, knows.config.encoder)
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        seeing = knows.encoder.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.grows = isinstance(net.encoder, ResNetFeatures) and isinstance(seeing, MobileNetFeatures)
        least = 2 * STRIDE  # two cells of F5 a side: one is lost where the grids are moved
        require(
            not self.grows or run.size >= least,
            f"size: expected at least {least} pixels for an encoder that grows, found {run.size}",
        )
        self.teacher = self.fabric.to_device(seeing)
        self.model, self.optimizer = self.fabric.setup(self.net, self._new_optimizer())
        self.average, self.step, self.elapsed_s = Average(self.net), 0, 0.0
        self.grown_at: int | None = None  # step
        if run.resume:
            self._load(load_checkpoint(run.out / "last.pt"))

    def _new_optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.net.parameters(), lr=self.run.schedule.lr, weight_decay=1e-4)

    def _load(self, state: dict[str, Any]) -> None:
        found = {key: state.get(key) for key in self.who}
        require(found == self.who, f"resume: expected a checkpoint of {self.who}, found one of {found}")
        self.net.load_state_dict(state["net"], strict=True)
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.state = {k: v.to(self.fabric.device) for k, v in state["average"].items()}
        self.step, self.elapsed_s, self.grown_at = state["step"], state["elapsed_s"], state["grown_at"]

    @property
    def progress(self) -> float:
        """How much of the run is done, in [0, 1]."""
        return self.run.schedule.progress(self.step, self.elapsed_s)

    @property
    def due(self) -> bool:
        """Whether stem and stage 1 have learned for long enough, and the rest is to be grown."""
        return self.grows and self.grown_at is None and self.progress >= LOW_SHARE

    def grow(self, images: Tensor) -> None:
        """Write the teacher into the student and fit what translates; the optimizer and the average start again."""
        encoder, teacher = (module.cpu().float() for module in (self.net.encoder, self.teacher))
        grow(encoder, teacher, images)
        with torch.no_grad():
            for say, mine, theirs in zip(self.net.translate, encoder(images), teacher(images), strict=True):
                weight, _ = least_squares(*(cells(x) for x in aligned(mine, theirs)))
                say.weight.copy_(weight[:, :, None, None])
        self.net.train()
        self.fabric.to_device(self.net), self.fabric.to_device(self.teacher)
        self.optimizer = self.fabric.setup_optimizers(self._new_optimizer())
        self.average, self.grown_at = Average(self.net), self.step

    def _rate(self) -> float:
        """The learning rate of this step: higher while little learns, and warmed up again after growing."""
        schedule = self.run.schedule
        rate = schedule.lr * learning_rate(schedule, self.step, self.elapsed_s)
        if self.grown_at is None:
            return rate * (LOW_LR if self.grows else 1)
        return rate * min(1.0, (self.step - self.grown_at + 1) / max(schedule.warmup_steps, 1))

    def train_step(self, image: Tensor) -> Tensor:
        """One update on samples (B, 3, H, W) in [0, 1]; returns their loss."""
        image = self.fabric.to_device(image)
        levels = LOW_LEVELS if self.grows and self.grown_at is None else LEVELS
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.no_grad(), self.fabric.autocast():
            features = self.teacher(image, levels)
        loss = hint_loss(self.model(image, levels), features, shifted=self.grows)
        self.fabric.backward(loss)
        nn.utils.clip_grad_norm_(self.net.parameters(), CLIP)
        self.optimizer.step()
        self.step += 1
        self.average.update(self.net, self.step - (self.grown_at or 0))
        return loss.detach()

    def save(self) -> None:
        """Write last.pt and the averaged encoder."""
        parts = {"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict(), "average": self.average.state}
        done = {"step": self.step, "elapsed_s": self.elapsed_s, "grown_at": self.grown_at}
        save_checkpoint(self.run.out / "last.pt", {**self.who, **parts, **done})
        _write_encoder(self.run.out, self.average.state)


def _report(lesson: Lesson, board: Board, loss: float) -> None:
    LOG.info("step %d elapsed_s %.0f hints %.4f", lesson.step, lesson.elapsed_s, loss)
    board.scalars(lesson.step, {"loss/hints": loss})
    with (lesson.run.out / "log.jsonl").open("a") as file:
        file.write(json.dumps({"step": lesson.step, "elapsed_s": lesson.elapsed_s, "hints": loss}) + "\n")


def _write_encoder(folder: Path, state: dict[str, Tensor]) -> None:
    start = "encoder.net."
    own = {key.removeprefix(start): value.contiguous() for key, value in state.items() if key.startswith(start)}
    beside = folder / "model.safetensors.tmp"
    save_file(own, beside)
    beside.replace(folder / "model.safetensors")
