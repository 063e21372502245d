"""`wideopen export`: write the networks in formats that other programs read."""

from pathlib import Path
from typing import Annotated

import typer

from wideopen.cli import options

app = typer.Typer(help="Export networks to ONNX.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Export networks to ONNX."""


@app.command()
def matting(
    out: Annotated[Path, typer.Option("-o", "--out", help=".onnx file to write.", show_default=False)],
    matting: Annotated[str, typer.Option(help="Network to export: a shipped name or a weights file.")] = "mobile",
    stages: Annotated[
        int | None, typer.Option(help="Number of stages, each with a matte as output. Default: the network's T.")
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Store convolutions in float16: half the size, slower to load.")
    ] = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Export the matting network to ONNX. It takes any photo size, and the previous matte as an input."""
    import hashlib

    from wideopen.checks import require
    from wideopen.files.atomic import atomic_file, check_target
    from wideopen.matting.net.export import to_onnx

    require(out.suffix == ".onnx", f"{out}: expected a name that ends in .onnx, found {out.suffix or 'no extension'}")
    check_target(out, source=Path(matting), overwrite=overwrite)
    model = to_onnx(matting, stages, half=half)
    with atomic_file(out, overwrite=overwrite) as file:
        file.write(model)
    typer.echo(f"{out}  {len(model) / 1e6:.1f} MB, SHA-256 {hashlib.sha256(model).hexdigest()}")
