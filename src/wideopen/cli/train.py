"""`wideopen train` and `wideopen export`: train the matting network, and write its weights for others."""

from pathlib import Path
from typing import Annotated, Any

import typer

from wideopen.cli import options
from wideopen.cli.options import takes
from wideopen.errors import require
from wideopen.train.settings import WITH_THINGS, Chances, TrainRun, parse_weights

app = typer.Typer(help="Train the matting network and export its weights.", no_args_is_help=True, rich_markup_mode=None)
export_app = typer.Typer(help="Export networks to ONNX.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
@takes(TrainRun, after="ablate")
def matting(
    data: Annotated[
        list[Path],
        "Folder with rgb/ and alpha/, a folder of such folders, P3M-10k, or a file made by `train pack`; "
        "may be repeated.",
    ],
    out: Annotated[Path, "Folder for checkpoints and the log."],
    backgrounds: Annotated[Path | None, "Folder of photos without people, used as new backgrounds."] = None,
    things: Annotated[Path | None, "Folder of PNG or WebP cut-outs of objects, pasted onto backgrounds."] = None,
    cache: Annotated[
        Path | None, "Folder that caches the estimated colours of subjects, shared by runs. Default: OUT/foreground."
    ] = None,
    nobody: Annotated[float, "Share of samples on new backgrounds that show no person (0 to 1)."] = 0.02,
    teacher: Annotated[list[str] | None, "Set whose mattes another network made; their hair has little weight."] = None,
    weight: Annotated[
        list[str] | None, "Relative frequency of a set, SET=NUMBER; may be repeated. Default: 1, and 0.3 for scenes."
    ] = None,
    ablate: Annotated[str | None, "Part to leave out (Table 2): agm, low-resolution or high-resolution."] = None,
    **chosen: Any,
) -> None:
    """Train the matting network on photos with true mattes."""
    import logging

    from wideopen.matting.inference import ablated
    from wideopen.train.matting import run_training

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if ablate is not None:
        chosen["preset"] = ablated(chosen["preset"], ablate)
    chances = Chances(nobody=nobody, **(WITH_THINGS if things else {}))
    run = TrainRun(
        data=tuple(data),
        out=out,
        teachers=tuple(teacher or ()),
        weights=parse_weights(weight or ()),
        backgrounds=backgrounds,
        things=things,
        cache=cache,
        chances=chances,
        **chosen,
    )
    typer.echo(run_training(run))


@app.command()
@takes()
def labels(
    photos: Annotated[Path, typer.Argument(help="Folder of photos.")],
    out: Annotated[Path, "--out", "-o", "Folder for rgb/, alpha/, confidence/ and the report."],
    teacher: Annotated[
        str, "Source of the subjects' outlines: isnet, rembg:NAME, a .onnx file or a folder of masks."
    ] = "isnet",
    matting: Annotated[str, "Matting network that refines and checks the outlines."] = "mobile",
    size: Annotated[int, "Long side of the labels, in pixels."] = 768,
    offline: Annotated[bool, "Never download a model."] = False,
) -> None:
    """Make training mattes for photos. A second run continues. Check the labels shown in least-certain.jpg."""
    from wideopen.cli.terminal import steps
    from wideopen.session.open_photo import fetch_start
    from wideopen.settings import MapSettings
    from wideopen.train.labels import SHEET, write_labels

    if teacher == "isnet":
        with steps(teacher) as step:
            fetch_start(MapSettings(matting_start="isnet", offline=offline), step)
    for line in write_labels(photos, out, teacher, size=size, matting=matting):
        typer.echo(line)
    typer.echo(out / SHEET)


@app.command()
@takes()
def pack(
    folders: Annotated[list[Path], typer.Argument(help="Folders of photos and mattes, as for `train matting`.")],
    out: Annotated[Path, "--out", "-o", ".zip file to write."],
    size: Annotated[int, "Long side of the photos, in pixels."] = 576,
    teacher: Annotated[list[str] | None, "Set whose mattes another network made; their hair has little weight."] = None,
    backgrounds: Annotated[Path | None, "Folder of photos without people, used as backgrounds."] = None,
) -> None:
    """Pack photos and mattes into one file for training on another machine."""
    from wideopen.train import photos

    entries = photos.entries_in(folders, teacher or ())
    rows, skipped = photos.pack(entries, out, size=size, backgrounds=backgrounds)
    for reason in skipped:
        typer.echo(f"skipped {reason}")
    typer.echo(f"{len(rows)} photos, {out.stat().st_size / 1e6:.1f} MB  {out}")


@app.command()
@takes()
def export(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint of a run: best.pt or last.pt.")],
    out: Annotated[Path, "--out", "-o", ".safetensors file to write."],
    size: Annotated[int | None, "Default long side of photos in the network, in pixels. Default: the preset's."] = None,
) -> None:
    """Write a run's averaged weights as a file for `--matting FILE`, and print its SHA-256."""
    from wideopen.train.trainer import export_weights

    typer.echo(f"{export_weights(checkpoint, out, size=size)}  {out}")


@export_app.callback()
def _export_group() -> None:
    """Export networks to ONNX."""


@export_app.command("matting")
@takes()
def to_onnx(
    out: Annotated[Path, "-o", "--out", ".onnx file to write."],
    matting: Annotated[str, "Network to export: a shipped name or a weights file."] = "mobile",
    stages: Annotated[int | None, "Number of stages, each with a matte as output. Default: the network's T."] = None,
    half: Annotated[bool, "Store convolutions in float16: half the size, slower to load."] = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Export the matting network to ONNX. The model takes photos of any size, and a previous matte."""
    import hashlib

    from wideopen.files.atomic import atomic_file, check_target
    from wideopen.matting.net.export import to_onnx as onnx_of

    require(out.suffix == ".onnx", f"{out}: expected a name that ends in .onnx, found {out.suffix or 'no extension'}")
    check_target(out, inputs=[Path(matting)], overwrite=overwrite)
    model = onnx_of(matting, stages, half=half)
    with atomic_file(out, overwrite=overwrite) as file:
        file.write(model)
    typer.echo(f"{out}  {len(model) / 1e6:.1f} MB, SHA-256 {hashlib.sha256(model).hexdigest()}")
