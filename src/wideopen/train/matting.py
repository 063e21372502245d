"""The training loop of the matting network: batches, steps, reports and checkpoints.

Files in the run folder: run.json (settings), log.jsonl (one line per report or validation), tensorboard/, last.pt
(everything needed to resume) and best.pt (the average with the lowest validation MAD). If there are several processes,
the first one writes them. Batches depend only on (seed, number), so a resumed run has the same losses.
"""

import json
import logging
import math
import signal
import time
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric

from wideopen.evals.matte_pairs import Pair, find_pairs
from wideopen.evals.mattes import evaluate_net
from wideopen.matting.net.model import MattingNet
from wideopen.matting.net.variants import PRESETS
from wideopen.train.board import SHOWN, Board, picture_grid
from wideopen.train.checkpoint import current_commit, save_checkpoint
from wideopen.train.data import Batches
from wideopen.train.photos import load_backgrounds, load_photos
from wideopen.train.run import TrainRun, keep_large_allocations
from wideopen.train.things import load_things
from wideopen.train.trainer import Batch, Trainer, make_fabric

LOG = logging.getLogger(__name__)


def run_training(run: TrainRun) -> Path:
    """Train until the run's steps or minutes are used up, or until SIGTERM or Ctrl-C; return best.pt.

    An interrupted run writes last.pt first; `resume` continues from it.
    """
    pairs = find_pairs(run.data)
    run.out.mkdir(parents=True, exist_ok=True)
    settings = {**asdict(run), "commit": current_commit()}
    (run.out / "run.json").write_text(json.dumps(settings, default=str, indent=1) + "\n")
    fabric = make_fabric(run)
    if run.hardware.devices == 1:
        fabric.launch()
        _train(run, pairs, fabric)
    else:
        fabric.launch(partial(_train, run, pairs))  # else Fabric copies the arguments, frozen settings
    return run.out / "best.pt"


def _train(run: TrainRun, pairs: list[Pair], fabric: Fabric) -> None:
    """Train in one process; each process calls this."""
    keep_large_allocations()
    logging.basicConfig(
        level=logging.INFO if fabric.is_global_zero else logging.WARNING, format="%(asctime)s %(message)s"
    )
    logging.getLogger("wideopen.backends").setLevel(logging.WARNING)  # they would log a line for every photo
    LOG.info("starting from %s", _origin(run))
    trainer = Trainer(run, fabric)
    batches = make_batches(run, pairs, fabric.is_global_zero)
    val = [pair for pair in pairs if pair.part == "val"]
    val = val[:: max(1, len(val) // run.reports.val_count)]
    reports = run.reports
    lead = fabric.is_global_zero
    with (
        Board(run.out, tensorboard=reports.tensorboard and lead, bar=reports.bar and lead) as board,
        StopSignal() as stop,
    ):
        finished = _loop(trainer, batches, val, board, stop)
        if lead:
            save_checkpoint(run.out / "last.pt", trainer.state())
            if finished:
                _validate(trainer, val, board)
    fabric.barrier()


def _origin(run: TrainRun) -> str:
    if run.resume:
        return f"checkpoint {run.out / 'last.pt'}"
    if run.init is not None:
        return f"weights {run.init}"
    return "random weights" if run.encoder_weights is None else f"encoder {run.encoder_weights}"


def make_batches(run: TrainRun, pairs: Iterable[Pair], report: bool) -> Batches:
    """Return the samples of the training part of `pairs`; with `report`, log and write which pairs were skipped."""
    keep_px = 2 * run.size  # a window may be as small as half the photo
    loaded = load_photos(
        [pair for pair in pairs if pair.part == "train"],
        keep_px,
        run.cache or run.out / "foreground",
        budget_bytes=run.hardware.memory_gb * 1e9,
    )
    if report:
        for name, reason in loaded.skipped:
            LOG.warning("skipped %s: %s", name, reason)
        count, kept = len(loaded.photos), len(loaded.photos.kept)
        LOG.info("%d training photos, %d of them in memory, %d skipped", count, kept, len(loaded.skipped))
        (run.out / "skipped.json").write_text(json.dumps(dict(loaded.skipped), indent=1) + "\n")
    return Batches(
        loaded.photos,
        loaded.groups,
        load_backgrounds(run.backgrounds, keep_px),
        load_things(run.things, keep_px),
        size=run.size,
        batch=run.batch,
        seed=run.seed,
        chances=run.chances,
        workers=run.hardware.workers,
    )


def _loop(trainer: Trainer, batches: Batches, val: list[Pair], board: Board, stop: "StopSignal") -> bool:
    """Run training steps; return True at the end of the run, False if a stop was requested."""
    run, fabric = trainer.run, trainer.fabric
    each, world = run.hardware.accumulate, fabric.world_size
    source = batches.start_at(trainer.step * each * world + fabric.global_rank, world)
    saved = validated = last = time.monotonic()
    while True:
        stopping = trainer.agree(stop.asked or trainer.step == run.schedule.pause_after)
        if trainer.progress >= 1 or stopping:
            return not stopping
        group = [fabric.to_device(batch) for batch in islice(source, each)]
        loss = trainer.train_step(group)
        now = time.monotonic()
        trainer.elapsed_s += now - last
        last = now
        board.advance(trainer.progress, trainer.step)
        if trainer.step % run.reports.report_steps == 0:
            _report(trainer, board, {name: float(fabric.all_reduce(part)) for name, part in loss._asdict().items()})
        if fabric.is_global_zero and now - saved > 60 * run.reports.checkpoint_minutes:
            saved = now
            save_checkpoint(run.out / "last.pt", trainer.state())
        if fabric.is_global_zero and now - validated > 60 * run.reports.val_minutes:
            validated = now
            _picture(trainer, board, group[0])
            _validate(trainer, val, board)


def _report(trainer: Trainer, board: Board, parts: dict[str, float]) -> None:
    if trainer.fabric.is_global_zero:
        _log(trainer.run, step=trainer.step, elapsed_s=trainer.elapsed_s, **parts)
        board.scalars(trainer.step, {f"loss/{name}": value for name, value in parts.items()})


def _log(run: TrainRun, **row: Any) -> None:
    LOG.info(
        "%s",
        " ".join(f"{k} {v:.5g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()),
    )
    with (run.out / "log.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")


@torch.no_grad()
def _picture(trainer: Trainer, board: Board, batch: Batch) -> None:
    image, alpha = (part[:SHOWN] for part in batch)
    trainer.net.eval()
    board.picture(trainer.step, picture_grid(image, trainer.net(image, trainer.run.stages)[-1], alpha))


def _validate(trainer: Trainer, pairs: list[Pair], board: Board) -> None:
    """Log the average's metrics; keep it as best.pt if it has the lowest mean absolute difference so far.

    If the preset's size is larger than the samples, this validates at the samples' size and stages: the network does
    not know the larger size yet, where its metrics would not show what it has learned (after 524 steps at 256 pixels,
    the MAD of full figures was 0.072 at 1024 pixels and three stages, 0.026 at 384 pixels and one).
    """
    run = trainer.run
    if not pairs:  # no basis for a choice: keep the newest
        _keep(trainer, math.nan)
        return
    net = MattingNet(PRESETS[run.preset]).to(trainer.fabric.device)
    net.load_state_dict(trainer.average.state, strict=True)
    rows = evaluate_net(net, pairs, size=min(net.config.size, run.size), stages=run.stages)
    mad = sum(row.mad for row in rows) / len(rows)
    figures = {f"val_mad_{row.group}": row.mad for row in rows}
    bands = {f"val_transition_{row.group}": row.transition_mad for row in rows}
    _log(run, step=trainer.step, elapsed_s=trainer.elapsed_s, val_mad=mad, **figures, **bands)
    board.scalars(trainer.step, {"val_mad": mad, **figures, **bands})
    if mad < trainer.best:
        trainer.best = mad
        _keep(trainer, mad)


def _keep(trainer: Trainer, val_mad: float) -> None:
    run = trainer.run
    best = {"preset": run.preset, "average": trainer.average.state, "step": trainer.step}
    save_checkpoint(run.out / "best.pt", {**best, "val_mad": val_mad})


class StopSignal:
    """Turns SIGTERM and Ctrl-C into a flag, so that the current step is finished and saved."""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> "StopSignal":
        self.before = {s: signal.signal(s, self._ask) for s in (signal.SIGTERM, signal.SIGINT)}
        return self

    def _ask(self, *_: object) -> None:
        self.asked = True

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
