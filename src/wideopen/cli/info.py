"""`wideopen info`: versions, backends with reasons, weights; or what a photo's file holds."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from wideopen.cli import options

LIBRARIES = ("numpy", "numba", "opencv-python-headless", "pillow", "pillow-heif", "torch", "transformers")
FORMATS = {"OpenImageIO": "JPEG XL", "OpenEXR": "OpenEXR", "rawpy": "camera raw"}  # extras


def info(
    photo: Annotated[
        Path | None, typer.Argument(help="Photo: tell what its file holds instead.", show_default=False)
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Print versions, which backends can run here and why others cannot, and the weights at hand.

    With PHOTO: its size, format, bit depth, orientation and profile, and the depth and mattes inside it.
    """
    from wideopen.checks import require
    from wideopen.cli.photo_info import photo_info

    if photo is not None:
        photo_info(photo, as_json=as_json)
        return
    require(not as_json, "--json: expected a photo with it, found none")
    _installation()


def _installation() -> None:
    import os

    from wideopen import __version__

    typer.echo(
        f"wideopen {__version__}, Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs"
    )
    for name in LIBRARIES:
        typer.echo(f"  {name:24} {_version(name)}")
    for name, read in FORMATS.items():
        typer.echo(f"  {name:24} {_version(name)} (for {read} files)")
    typer.echo("backends")
    for line in backend_lines():
        typer.echo(f"  {line}")
    typer.echo("matting weights")
    from wideopen.disparity.nets.hub import describe as depth_models
    from wideopen.matting.weights import describe

    for line in describe():
        typer.echo(f"  {line}")
    typer.echo("depth models")
    for line in depth_models():
        typer.echo(f"  {line}")


def backend_lines() -> list[str]:
    """One line per operator and backend: usable, or why not."""
    from wideopen.arrays.transfer import BACKENDS as TRANSFERS
    from wideopen.disparity.upsample import BACKENDS as UPSAMPLERS
    from wideopen.rendering import BACKENDS as RENDERERS
    from wideopen.sheets import BACKENDS as SEPARATORS

    lines = []
    for operator, backends in (
        ("render", RENDERERS),
        ("sheets", SEPARATORS),
        ("transfer", TRANSFERS),
        ("upsample", UPSAMPLERS),
    ):
        for name, backend in backends.items():
            lines.append(f"{operator:9} {name:10} {backend.why_not() or 'usable'}")
    from wideopen.matting.net.variants import BACKENDS as NETWORKS
    from wideopen.matting.net.variants import why_not

    lines += [f"{'matting':9} {name:10} {why_not(name) or 'usable'}" for name in NETWORKS if name != "auto"]
    return lines


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
