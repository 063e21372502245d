"""`wideopen train`: train the networks, measure them, and write their weights."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Train the matting network, measure it, export its weights.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Train the matting network, measure it, export its weights."""


@app.command()
def matting(
    data: Annotated[Path, typer.Option(help="Folder with rgb/ and alpha/, or with several such folders, or P3M-10k.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and the log.")],
    backgrounds: Annotated[
        Path | None, typer.Option(help="Folder with photos without people, used as new backgrounds.")
    ] = None,
    things: Annotated[
        Path | None, typer.Option(help="Folder with PNG or WebP cut-outs of objects, pasted onto backgrounds.")
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder that caches the subjects' estimated colours across runs. Default: OUT/foreground."),
    ] = None,
    encoder_weights: Annotated[
        str,
        typer.Option(help="Pretrained encoder: a folder in transformers' format, a hub id, or none."),
    ] = "none",
    init: Annotated[
        str | None,
        typer.Option(help="Matting weights to start from: a shipped name or a .safetensors file."),
    ] = None,
    frozen_norms: Annotated[
        bool, typer.Option(help="Freeze the batch-norm statistics of a pretrained encoder.")
    ] = True,
    nobody: Annotated[
        float, typer.Option(help="Share of samples on new backgrounds that show no person (0 to 1).")
    ] = 0.02,
    preset: Annotated[str, typer.Option(help="Network to train: paper or mobile.")] = "mobile",
    ablate: Annotated[
        str | None, typer.Option(help="Leave out a part (Table 2): agm, low-resolution or high-resolution.")
    ] = None,
    size: Annotated[int, typer.Option(help="Width and height of a training sample, in pixels.")] = 256,
    batch: Annotated[int, typer.Option(help="Number of samples per batch.")] = 16,
    accumulate: Annotated[int, typer.Option(help="Number of batches accumulated per step.")] = 1,
    stages: Annotated[int, typer.Option(help="Number of stages T during training.")] = 2,
    far_first: Annotated[
        float,
        typer.Option(
            help="Share of steps whose first stage sees the whole photo at half size; the others see a window."
        ),
    ] = 0.5,
    near_size: Annotated[
        int | None,
        typer.Option(
            help="Size in pixels of windows, which are 3/4 to all of a sample. Default: 5/8 to 3/4, not resized."
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Number of training steps.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Training time, in minutes.")] = None,
    pause_after: Annotated[int | None, typer.Option(help="Step to stop at; --resume continues from it.")] = None,
    lr: Annotated[float, typer.Option(help="Peak learning rate of the new layers.")] = 1e-3,
    encoder_lr: Annotated[float, typer.Option(help="Peak learning rate of the encoder.")] = 2e-4,
    precision: Annotated[str, typer.Option(help="Precision of training: bfloat16 or float32.")] = "bfloat16",
    accelerator: Annotated[str, typer.Option(help="Device to train on: auto, cpu or gpu.")] = "auto",
    devices: Annotated[int, typer.Option(help="Number of GPUs, or of processes on the CPU.")] = 1,
    workers: Annotated[int, typer.Option(help="Number of processes that make samples; 0 uses a thread.")] = 0,
    memory_gb: Annotated[
        float, typer.Option(help="Memory for photos, in gigabytes; photos beyond it are read from disk each time.")
    ] = 8.0,
    seed: Annotated[int, typer.Option(help="Random seed of the weights and of every batch.")] = 0,
    checkpoint_minutes: Annotated[float, typer.Option(help="Minutes between two checkpoints.")] = 5,
    tensorboard: Annotated[bool, typer.Option(help="Write curves and pictures to OUT/tensorboard.")] = True,
    resume: Annotated[bool, typer.Option("--resume", help="Continue OUT's last checkpoint.")] = False,
) -> None:
    """Train the matting network on photos with true mattes."""
    from wideopen.train.run import keep_large_allocations

    keep_large_allocations()
    import logging

    from wideopen.matting.net.variants import ablated
    from wideopen.train.augment import WITH_THINGS, Chances
    from wideopen.train.matting import run_training
    from wideopen.train.run import Hardware, Reports, Schedule, TrainRun

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    run = TrainRun(
        data=data,
        out=out,
        schedule=Schedule(steps=steps, minutes=minutes, pause_after=pause_after, lr=lr, encoder_lr=encoder_lr),
        backgrounds=backgrounds,
        things=things,
        cache=cache,
        encoder_weights=None if encoder_weights == "none" else encoder_weights,
        frozen_norms=frozen_norms,
        init=init,
        resume=resume,
        preset=preset if ablate is None else ablated(preset, ablate),
        size=size,
        batch=batch,
        stages=stages,
        far_first=far_first,
        near_size=near_size,
        chances=Chances(nobody=nobody, **(WITH_THINGS if things else {})),
        seed=seed,
        precision=precision,  # type: ignore[arg-type]  # checked by TrainRun
        hardware=Hardware(
            accelerator=accelerator,  # type: ignore[arg-type]  # checked by Hardware
            devices=devices,
            accumulate=accumulate,
            workers=workers,
            memory_gb=memory_gb,
        ),
        reports=Reports(checkpoint_minutes=checkpoint_minutes, tensorboard=tensorboard, bar=True),
    )
    typer.echo(run_training(run))


@app.command()
def pack(
    folders: Annotated[list[Path], typer.Argument(help="Folders with photos and mattes, as for `train matting`.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Pack to write: a .zip file.")],
    size: Annotated[int, typer.Option(help="Long side of the photos, in pixels.")] = 576,
    teacher: Annotated[
        list[str] | None, typer.Option(help="Set whose mattes another network made; training learns no hair from them.")
    ] = None,
    backgrounds: Annotated[Path | None, typer.Option(help="Photos without people, to put subjects on.")] = None,
) -> None:
    """Pack photos and mattes into one file, for `train resident`."""
    from wideopen.train.pack import pack as write_pack

    rows, skipped = write_pack(folders, out, size=size, teachers=teacher or [], backgrounds=backgrounds)
    for reason in skipped:
        typer.echo(f"skipped {reason}")
    typer.echo(f"{len(rows)} photos, {out.stat().st_size / 1e6:.1f} MB  {out}")


@app.command()
def resident(
    packs: Annotated[list[Path], typer.Argument(help="Packs made by `train pack`.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Weights to write: a .safetensors file; the curve is written beside it.")
    ],
    minutes: Annotated[float, typer.Option(help="Training time, in minutes.")],
    preset: Annotated[str, typer.Option(help="Network: paper or mobile.")] = "mobile",
    init: Annotated[
        str | None, typer.Option(help="Trained weights to start from: a shipped name or a .safetensors file.")
    ] = None,
    frozen_norms: Annotated[
        bool, typer.Option(help="Keep the encoder's batch-norm statistics; not for a hardly trained one.")
    ] = True,
    weight: Annotated[
        list[str] | None, typer.Option(help="Relative frequency of a set, SET=NUMBER. Default: 1.")
    ] = None,
    batch: Annotated[int, typer.Option(help="Batch size, in square photos of 512 pixels.")] = 48,
    lr: Annotated[float, typer.Option(help="Peak learning rate of the new layers.")] = 1e-3,
    encoder_lr: Annotated[float, typer.Option(help="Peak learning rate of the encoder.")] = 3e-4,
    seed: Annotated[int, typer.Option(help="Random seed of the samples.")] = 0,
) -> None:
    """Train with all photos in the memory of a GPU, where samples are made too: minutes, not hours."""
    from wideopen.train.resident import parse_weights, train_resident
    from wideopen.train.run import Resident

    run = Resident(
        minutes=minutes,
        preset=preset,
        init=init,
        frozen_norms=frozen_norms,
        batch=batch,
        lr=lr,
        encoder_lr=encoder_lr,
        seed=seed,
    )
    typer.echo(train_resident(run, packs, out, parse_weights(weight or [])))


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint of a run: best.pt or last.pt.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The .safetensors file to write.")],
    size: Annotated[
        int | None, typer.Option(help="Default long side of photos in the network, in pixels. Default: the preset's.")
    ] = None,
) -> None:
    """Write a run's averaged weights as a file for `--matting FILE`; prints its SHA-256."""
    from wideopen.train.checkpoint import export_weights

    typer.echo(f"{export_weights(checkpoint, out, size=size)}  {out}")


@app.command()
def evaluate(
    data: Annotated[Path, typer.Option(help="Folder as for train matting; its val part is measured.")],
    matting: Annotated[str, typer.Option(help="Network to use: shipped weights or a .safetensors file.")] = "mobile",
    size: Annotated[
        int | None, typer.Option(help="Long side of photos in the network, in pixels. Default: the network's own.")
    ] = None,
    stages: Annotated[int | None, typer.Option(help="Number of stages T. Default: the network's own.")] = None,
) -> None:
    """Print MAD, MSE and the transition's MAD for the validation photos of each set."""
    from wideopen.evals.matte_pairs import find_pairs
    from wideopen.evals.mattes import evaluate_net
    from wideopen.matting.weights import load_net

    val = [pair for pair in find_pairs(data) if pair.part == "val"]
    typer.echo("set photos MAD MSE transition-MAD")
    for row in evaluate_net(load_net(matting), val, size=size, stages=stages):
        figures = f"{row.mad:.4f} {row.mse:.4f} {row.transition_mad:.4f}"
        typer.echo(f"{row.group} {row.count} {figures}")
