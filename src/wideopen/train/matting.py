"""The training loop of the matting network: batches, steps, reports and checkpoints.

Batch n depends only on (seed, n), and is made ahead in worker processes or a thread. A resumed run therefore gets the
same batches, and losses, as an uninterrupted one, whatever was prefetched.

Files in the run folder: run.json (settings), log.jsonl (one line per report or validation), tensorboard/, last.pt
(everything needed to resume) and best.pt (the average with the lowest validation MAD). If there are several processes,
the first one writes them.
"""

import json
import logging
import math
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np
import torch
from lightning.fabric import Fabric
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from wideopen.checks import U8, require
from wideopen.evals.mattes import UnreadableImage, errors
from wideopen.evals.provenance import commit
from wideopen.matting.clean import transition
from wideopen.matting.net.blocks import resize
from wideopen.matting.net.model import StageOutput
from wideopen.matting.net.torch_engine import matte_with
from wideopen.memory import keep_freed_memory
from wideopen.train.augment import SHAPES, Stock, sample, shape_px
from wideopen.train.finish import finish
from wideopen.train.labels import EMPTY
from wideopen.train.layer import to_unit
from wideopen.train.photos import Entry, PhotoStore, entries_in, load_backgrounds, load_photos, load_things
from wideopen.train.settings import TrainRun
from wideopen.train.trainer import TrainBatch, Trainer, make_fabric, save_checkpoint

LOG = logging.getLogger(__name__)
SHOWN = 4  # samples in an image for TensorBoard


Made = tuple[int, U8, U8, U8]
Batch = tuple[int, Tensor, Tensor, Tensor]
"""Its number, rgb (B, H, W, 3), alpha (B, H, W), and whether each matte is a teacher's own (B,); uint8."""


def shares_of(photos: PhotoStore, weights: Mapping[str, float]) -> np.ndarray:
    """Return how often each photo is drawn, (N,), sum 1.

    Sets are drawn by `weights` (1 if not named), and within one, photos in proportion to their confidence.
    """
    groups = [entry.group for entry in photos.entries]
    shares = np.array([entry.confidence for entry in photos.entries])
    for group in set(groups):
        own = np.array([name == group for name in groups])
        total = shares[own].sum()
        require(total > 0, f"data: expected confident labels in the set {group}, found none")
        shares[own] *= weights.get(group, 1.0) / total
    return np.asarray(shares / shares.sum())


class Batches(Dataset[Made]):
    """The batches of a run; a batch has one shape, and as many samples as have the pixels of `run.batch` squares."""

    def __init__(self, stock: Stock, photos: PhotoStore, run: TrainRun) -> None:
        self.stock, self.run = stock, run
        shares = shares_of(photos, run.weights)
        self.shares = np.array([shares * (np.array(photos.kinds) == kind) for kind in range(len(SHAPES))])

    def __getitem__(self, number: int) -> Made:
        """Compose batch `number`."""
        cv2.setNumThreads(1)  # leave the cores to torch; a forked process must not run a parallel kernel
        rng, run = np.random.default_rng((self.run.seed, number)), self.run
        kinds = self.shares.sum(1)
        kind = int(rng.choice(len(SHAPES), p=kinds / kinds.sum()))
        shape = shape_px(kind, run.size)
        size = max(1, run.batch * run.size**2 // (shape[0] * shape[1]))
        picks = rng.choice(self.shares.shape[1], size, p=self.shares[kind] / kinds[kind])
        rgb, alpha, taught = zip(*(sample(rng, self.stock, int(i), shape, run.chances) for i in picks), strict=True)
        return number, np.stack(rgb), np.stack(alpha), np.array(taught, np.uint8)

    def start_at(self, number: int, stride: int = 1) -> Iterator[Batch]:
        """Yield batches `number`, `number` + `stride`, ...; the next ones are composed in the background."""
        numbers = count(number, stride)
        for now, *arrays in self._in_processes(numbers) if self.run.workers else self._in_a_thread(numbers):
            rgb, alpha, taught = map(torch.from_numpy, arrays)
            yield now, rgb, alpha, taught

    def _in_a_thread(self, numbers: Iterator[int]) -> Iterator[Made]:
        with ThreadPoolExecutor(1) as pool:
            following = pool.submit(self.__getitem__, next(numbers))
            while True:
                ready = following.result()
                following = pool.submit(self.__getitem__, next(numbers))
                yield ready

    def _in_processes(self, numbers: Iterator[int]) -> Iterator[Made]:
        yield from DataLoader(
            self,
            batch_size=None,
            sampler=numbers,  # any iterable works
            num_workers=self.run.workers,
            prefetch_factor=4,
            multiprocessing_context="fork",  # all processes share the photos in memory
            collate_fn=lambda batch: batch,
        )


def run_training(run: TrainRun) -> Path:
    """Train until the run's steps or minutes are used up, or until SIGTERM or Ctrl-C; return best.pt.

    An interrupted run writes last.pt first; `resume` continues from it.
    """
    entries = entries_in(run.data, run.teachers)
    run.out.mkdir(parents=True, exist_ok=True)
    settings = {**asdict(run), "commit": commit() or "unknown"}
    (run.out / "run.json").write_text(json.dumps(settings, default=str, indent=1) + "\n")
    make_fabric(run).launch(partial(_train, run, entries))  # partial: Fabric would copy arguments, frozen settings
    return run.out / "best.pt"


def _train(run: TrainRun, entries: list[Entry], fabric: Fabric) -> None:
    """Train in one process; each process calls this."""
    keep_freed_memory()
    torch.set_float32_matmul_precision("high")  # TF32 where there is a GPU; precision float32 on the CPU stays
    lead = fabric.is_global_zero
    logging.basicConfig(level=logging.INFO if lead else logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("wideopen.backends").setLevel(logging.WARNING)  # they would log a line for every photo
    resume = run.out / "last.pt" if run.resume else None
    encoder = "random weights" if run.encoder_weights == "none" else f"encoder {run.encoder_weights}"
    origin = f"checkpoint {resume}" if resume else f"weights {run.init}" if run.init else encoder
    LOG.info("starting from %s", origin)
    trainer = Trainer(run, fabric, resume=resume)
    batches = make_batches(run, entries, lead)
    val = [entry for entry in entries if entry.part == "val"]
    val = val[:: max(1, len(val) // run.val_count)]
    with progress_bar(lead) as bar, stop_signal() as asked:
        finished = _loop(trainer, batches, val, bar, asked)
        if lead:
            save_checkpoint(run.out / "last.pt", trainer.state())
            if finished:
                _validate(trainer, val)
    for logger in fabric.loggers:
        logger.finalize("success")
    fabric.barrier()


def make_batches(run: TrainRun, entries: Iterable[Entry], report: bool) -> Batches:
    """Return the batches of the training part of `entries`; with `report`, log and write which were skipped."""
    keep_px = 2 * run.size  # a window may be as small as half the photo
    own = [entry for entry in entries if entry.part == "train"]
    photos = load_photos(own, keep_px, run.cache or run.out / "foreground", budget_bytes=run.memory_gb * 1e9)
    if report:
        for name, reason in photos.skipped.items():
            LOG.warning("skipped %s: %s", name, reason)
        kept, skipped = len(photos.kept), len(photos.skipped)
        LOG.info("%d training photos, %d of them in memory, %d skipped", len(photos), kept, skipped)
        (run.out / "skipped.json").write_text(json.dumps(photos.skipped, indent=1) + "\n")
    empty = [photo.rgb for photo in photos.kept.values() if photo.alpha.mean() < EMPTY * 255]
    scenes = [*load_backgrounds(run.backgrounds, keep_px), *empty]
    return Batches(Stock(photos, scenes, load_things(run.things, keep_px)), photos, run)


def _loop(trainer: Trainer, batches: Batches, val: list[Entry], bar: Progress, asked: threading.Event) -> bool:
    """Run training steps; return True at the end of the run, False if a stop was requested."""
    run, fabric = trainer.run, trainer.fabric
    source = batches.start_at(trainer.step * run.accumulate * fabric.world_size + fabric.global_rank, fabric.world_size)
    task = bar.add_task("training", total=1.0)
    saved = validated = last = time.monotonic()
    while True:
        stopping = trainer.agree(asked.is_set() or trainer.step == run.pause_after)
        if trainer.progress >= 1 or stopping:
            return not stopping
        group = [finish(run, *fabric.to_device(batch)) for batch in islice(source, run.accumulate)]
        loss = trainer.train_step(group)
        now = time.monotonic()
        trainer.elapsed_s += now - last
        last = now
        bar.update(task, completed=trainer.progress, description=f"step {trainer.step}")
        if trainer.step % run.report_steps == 0:
            means = {name: float(fabric.all_reduce(part)) for name, part in loss._asdict().items()}
            if fabric.is_global_zero:
                _log(trainer, means)
                fabric.log_dict({f"loss/{name}": value for name, value in means.items()}, trainer.step)
        if fabric.is_global_zero and now - saved > 60 * run.checkpoint_minutes:
            saved = now
            save_checkpoint(run.out / "last.pt", trainer.state())
        if fabric.is_global_zero and now - validated > 60 * run.val_minutes:
            validated = now
            _picture(trainer, group[0])
            _validate(trainer, val)


def _log(trainer: Trainer, figures: Mapping[str, float]) -> None:
    row = {"step": trainer.step, "elapsed_s": trainer.elapsed_s, **figures}
    LOG.info(" ".join(f"{k} {v:.5g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))
    with (trainer.run.out / "log.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")


@torch.no_grad()
def _picture(trainer: Trainer, batch: TrainBatch) -> None:
    image, alpha, *_ = (part[:SHOWN] for part in batch)
    trainer.net.eval()
    for logger in trainer.fabric.loggers:
        grid = picture_grid(image, trainer.net(image, trainer.run.stages)[-1], alpha)
        logger.experiment.add_image("photo, m_s, m_d, matte, truth", grid, trainer.step)


def picture_grid(image: Tensor, out: StageOutput, truth: Tensor) -> Tensor:
    """Return (3, B * H, 5 * W) in [0, 1]: one row per sample with photo, m_s, m_d, matte and true matte.

    m_s is shown as class probabilities: red is foreground, green transition, blue background.
    """

    def grey(x: Tensor) -> Tensor:
        return resize(x, image).expand(-1, 3, -1, -1)

    semantic = torch.softmax(resize(out.semantic, image), 1)
    columns = torch.cat([image, semantic, grey(out.detail), grey(out.alpha), grey(truth)], 3)  # (B, 3, H, 5 W)
    return torch.cat(list(columns), 1).clamp(0, 1)


def _validate(trainer: Trainer, entries: list[Entry]) -> None:
    """Log the average's metrics; keep it as best.pt if it has the lowest mean absolute difference so far.

    If the preset's size is larger than the samples, this validates at the samples' size and stages: the network does
    not know the larger size yet, where its metrics would not show what it has learned (after 524 steps at 256 pixels,
    the MAD of full figures was 0.072 at 1024 pixels and three stages, 0.026 at 384 pixels and one).
    """
    run, mad = trainer.run, math.nan
    if entries:  # else there is no basis for a choice: keep the newest
        net = trainer.averaged_net()
        size = min(net.config.size, run.size)
        found: dict[str, list[tuple[float, float]]] = {}
        for entry in entries:
            with suppress(UnreadableImage):
                rgb, truth = entry.read()
                alpha, true = matte_with(net, rgb, size=size, stages=run.stages), to_unit(truth)
                whole, band = errors(alpha, true, None, transition(true))
                found.setdefault(entry.group, []).append((whole.mad, band.mad))
        means = {group: np.mean(rows, 0) for group, rows in found.items()}
        mad = float(np.mean([whole for whole, _ in means.values()]))
        figures = {"val_mad": mad}
        for group, (whole_mad, band_mad) in means.items():
            figures |= {f"val_mad_{group}": float(whole_mad), f"val_transition_{group}": float(band_mad)}
        _log(trainer, figures)
        trainer.fabric.log_dict(figures, trainer.step)
        if mad >= trainer.best:
            return
        trainer.best = mad
    best = {"preset": run.preset, "average": trainer.average, "step": trainer.step, "val_mad": mad}
    save_checkpoint(run.out / "best.pt", best)


def progress_bar(shown: bool) -> Progress:
    """Return a bar with the remaining time; it is drawn only on a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    disable = not (shown and console.is_terminal)
    return Progress(*columns, TimeRemainingColumn(), console=console, disable=disable)


@contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """Set an event on SIGTERM and Ctrl-C instead of ending, so that the current step is finished and saved."""
    asked = threading.Event()
    before = {number: signal.signal(number, lambda *_: asked.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
