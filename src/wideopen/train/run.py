"""The settings of a training run: plain data that is saved as run.json beside the checkpoints."""

import ctypes
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from wideopen.checks import require
from wideopen.matting.net.variants import PRESETS
from wideopen.train.augment import Chances

SIDE = 512  # long side of whole photos in resident training, in pixels
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # malloc.h


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Length and learning rates of a run: `steps`, or `minutes` of wall-clock time over all resumed parts."""

    steps: int | None = None
    minutes: float | None = None
    pause_after: int | None = None  # stop at this step as if interrupted, to be resumed
    lr: float = 1e-3  # peak learning rate of the new layers
    encoder_lr: float = 2e-4
    warmup_steps: int = 100

    def __post_init__(self) -> None:
        require(
            (self.steps is None) != (self.minutes is None),
            f"expected either steps or minutes, found steps={self.steps}, minutes={self.minutes}",
        )
        length = self.minutes if self.steps is None else self.steps
        require(length is not None and length > 0, f"steps or minutes: expected > 0, found {length}")

    def progress(self, step: int, elapsed_s: float) -> float:
        """Return the completed share of the run in [0, 1]."""
        done = step / self.steps if self.steps else elapsed_s / (60 * (self.minutes or 1))
        return min(done, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """How often a run reports, and where."""

    report_steps: int = 20
    checkpoint_minutes: float = 5
    val_minutes: float = 10
    val_count: int = 40  # approximate number of validation photos during training
    tensorboard: bool = False
    bar: bool = False  # a progress bar, if there is a terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """The hardware that a run uses."""

    accelerator: Literal["auto", "cpu", "gpu"] = "cpu"
    devices: int = 1  # processes, each with its own batches; above 1 they are spawned (DDP)
    accumulate: int = 1  # batches per step and process
    workers: int = 0  # processes that make batches; 0: a thread
    memory_gb: float = 8.0  # for photos, in each process; the remaining photos are read when drawn

    def __post_init__(self) -> None:
        require(
            self.accelerator in ("auto", "cpu", "gpu"),
            f"accelerator: expected auto, cpu or gpu, found {self.accelerator!r}",
        )
        require(self.devices >= 1, f"devices: expected at least 1, found {self.devices}")
        require(self.accumulate >= 1, f"accumulate: expected at least 1, found {self.accumulate}")
        require(self.memory_gb >= 0, f"memory_gb: expected at least 0, found {self.memory_gb}")
        require(self.workers >= 0, f"workers: expected at least 0, found {self.workers}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRun:
    """What is trained, on which data, and where the result is written."""

    data: Path
    out: Path
    schedule: Schedule
    backgrounds: Path | None = None
    things: Path | None = None  # cut-outs of things other than people; None: things are drawn
    cache: Path | None = None  # folder for subjects' colours, shared by runs; None: out/foreground
    encoder_weights: str | None = None  # a folder in transformers' format or a hub id; None: random weights
    frozen_norms: bool = True  # a pretrained encoder keeps its batch-norm statistics
    init: str | None = None  # start from these weights: a shipped name or a .safetensors file
    resume: bool = False  # continue from out/last.pt
    preset: str = "mobile"
    size: int = 256  # samples are size x size pixels
    batch: int = 16
    stages: int = 2  # T during training
    far_first: float = 0.5  # share of steps with stage 1 at half size and the other stages on a window
    near_size: int | None = None  # windows are resized to this; None keeps their size
    seed: int = 0
    precision: Literal["float32", "bfloat16"] = "bfloat16"  # of the network; losses are float32
    hardware: Hardware = field(default_factory=Hardware)
    reports: Reports = field(default_factory=Reports)
    chances: Chances = field(default_factory=Chances)

    def __post_init__(self) -> None:
        require(
            self.preset in PRESETS,
            f"preset: expected one of {', '.join(PRESETS)}, found {self.preset!r}",
        )
        require(
            self.precision in ("float32", "bfloat16"),
            f"precision: expected float32 or bfloat16, found {self.precision!r}",
        )
        require(
            self.init is None or self.encoder_weights is None,
            f"expected either init or encoder_weights, found {self.init} and {self.encoder_weights}",
        )
        require(self.size >= 32, f"size: expected at least 32 pixels, found {self.size}")
        require(0 <= self.far_first <= 1, f"far_first: expected [0, 1], found {self.far_first}")
        require(
            self.near_size is None or self.near_size >= 32,
            f"near_size: expected at least 32 pixels, found {self.near_size}",
        )
        require(self.batch >= 1, f"batch: expected at least 1, found {self.batch}")
        require(self.stages >= 1, f"stages: expected at least 1, found {self.stages}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """What is trained, for how long, and how often each kind of sample appears."""

    minutes: float
    preset: str = "mobile"
    init: str | None = None  # weights to start from
    frozen_norms: bool = True  # the encoder keeps its batch-norm statistics
    batch: int = 48  # whole square photos; for other shapes, as many as have the same number of pixels
    lr: float = 1e-3
    encoder_lr: float = 3e-4
    stages: int = 2
    near: float = 0.35  # share of batches that are windows
    hints: float = 0.4
    composites: float = 0.4
    seed: int = 0
    report_s: float = 60.0  # seconds between checkpoints
    max_px: int = SIDE  # tests use less


def keep_large_allocations() -> None:
    """Stop glibc from mapping and unmapping large tensors at every step; does nothing without mallopt.

    glibc serves allocations above a threshold with new pages, which the kernel zeroes each time. With higher
    thresholds, forward and backward of 16 photos of 256x256 through MobileNetV2 took 0.7 s instead of 1.3 to 2.0 s on 2
    cores. Call it before torch is imported.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(M_MMAP_THRESHOLD, 1 << 30)
    mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
    mallopt(M_TOP_PAD, 1 << 28)
