"""`wideopen train`: train the networks, measure them, and write weights to ship."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Train the matting network, measure it, export its weights.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Train the matting network, measure it, export its weights."""


@app.command()
def matting(
    data: Annotated[Path, typer.Option(help="Folder with rgb/ and alpha/, with such folders as sets, or P3M-10k.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and the log.")],
    backgrounds: Annotated[Path | None, typer.Option(help="Photos without people, to put subjects on.")] = None,
    things: Annotated[
        Path | None, typer.Option(help="PNG or WebP cut-outs of what is not a person, to put on backgrounds.")
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps the subjects' estimated colours for several runs; else OUT/foreground."),
    ] = None,
    encoder_weights: Annotated[
        str,
        typer.Option(help="Encoder to start from: a folder in transformers' format, a hub id, or none."),
    ] = "none",
    init: Annotated[
        str | None,
        typer.Option(help="Trained weights to start from: a shipped name or a .safetensors file."),
    ] = None,
    frozen_norms: Annotated[
        bool, typer.Option(help="A trained encoder keeps its batch-norm statistics; not for one hardly trained.")
    ] = True,
    nobody: Annotated[float, typer.Option(help="Share of the samples on new backgrounds that hold nobody.")] = 0.02,
    preset: Annotated[str, typer.Option(help="paper or mobile.")] = "mobile",
    ablate: Annotated[
        str | None, typer.Option(help="Leave out a part (Table 2): agm, low-resolution or high-resolution.")
    ] = None,
    size: Annotated[int, typer.Option(help="Samples are size x size pixels.")] = 256,
    batch: Annotated[int, typer.Option(help="Samples per batch.")] = 16,
    accumulate: Annotated[int, typer.Option(help="Batches per step.")] = 1,
    stages: Annotated[int, typer.Option(help="Stages T during training.")] = 2,
    far_first: Annotated[
        float,
        typer.Option(help="Share of steps whose stage 1 sees the whole at half size, the others a window."),
    ] = 0.5,
    near_size: Annotated[
        int | None,
        typer.Option(help="Resize those windows, 3/4 to all of a sample, to this; without it, 5/8 to 3/4 as it is."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Train for this many steps.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Train for this long.")] = None,
    pause_after: Annotated[int | None, typer.Option(help="Stop at this step, to be resumed.")] = None,
    lr: Annotated[float, typer.Option(help="Peak learning rate of the new layers.")] = 1e-3,
    encoder_lr: Annotated[float, typer.Option(help="Peak learning rate of the encoder.")] = 2e-4,
    precision: Annotated[str, typer.Option(help="bfloat16 or float32.")] = "bfloat16",
    accelerator: Annotated[str, typer.Option(help="auto, cpu or gpu.")] = "auto",
    devices: Annotated[int, typer.Option(help="GPUs, or processes on the CPU.")] = 1,
    workers: Annotated[int, typer.Option(help="Processes that make samples; 0 is a thread.")] = 0,
    memory_gb: Annotated[
        float, typer.Option(help="For photos; those beyond it are read from disk whenever they are drawn.")
    ] = 8.0,
    seed: Annotated[int, typer.Option(help="Of the weights and of every batch.")] = 0,
    checkpoint_minutes: Annotated[float, typer.Option(help="Between checkpoints.")] = 5,
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
def export(
    checkpoint: Annotated[Path, typer.Argument(help="best.pt or last.pt of a run.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The .safetensors file to write.")],
    size: Annotated[
        int | None, typer.Option(help="Long side at which they matte by default, if not the preset's.")
    ] = None,
) -> None:
    """Write a run's averaged weights as a file for `--matting FILE`; prints its SHA-256."""
    from wideopen.train.checkpoint import export_weights

    typer.echo(f"{export_weights(checkpoint, out, size=size)}  {out}")


@app.command()
def evaluate(
    data: Annotated[Path, typer.Option(help="Folder as for `matting`; its val part is measured.")],
    matting: Annotated[str, typer.Option(help="Shipped weights or a .safetensors file.")] = "mobile",
    size: Annotated[int | None, typer.Option(help="Long side for the network, in pixels.")] = None,
    stages: Annotated[int | None, typer.Option(help="Stages T.")] = None,
) -> None:
    """Print MAD, MSE and the transition's MAD of each set's validation photos."""
    from wideopen.evals.matte_pairs import find_pairs
    from wideopen.evals.mattes import evaluate_net
    from wideopen.matting.weights import load_net

    val = [pair for pair in find_pairs(data) if pair.part == "val"]
    typer.echo("set photos MAD MSE transition-MAD")
    for row in evaluate_net(load_net(matting), val, size=size, stages=stages):
        figures = f"{row.mad:.4f} {row.mse:.4f} {row.transition_mad:.4f}"
        typer.echo(f"{row.group} {row.count} {figures}")
