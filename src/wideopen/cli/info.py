"""`wideopen info`: versions, backends and weights, or the contents of a photo's file."""

import json
import math
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wideopen.cli import options

if TYPE_CHECKING:
    from wideopen.checks import F32
    from wideopen.files.inside import StoredDepth

LIBRARIES = ("numpy", "numba", "onnxruntime", "opencv-python-headless", "pillow", "pillow-heif")
NETWORKS = ("torch", "transformers")  # of the extra [torch]
FORMATS = {"OpenImageIO": "JPEG XL and OpenEXR", "rawpy": "camera raw"}  # formats of optional libraries
GAIN_MAP = "a gain map for HDR"  # in `Embedded.others`; one that is used is named as the photo's light
UNITS = {"disparity": "1/m", "depth_m": "m", "relative_disparity": "without a unit"}


def info(
    photo: Annotated[
        Path | None,
        typer.Argument(help="Photo to describe instead of the installation.", show_default=False),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Print versions, weights and backends. For a backend that cannot run here, the reason is given.

    For a PHOTO, print its size, format, bit depth, orientation and profile, and the depth and mattes inside it.
    """
    from wideopen.checks import require

    if photo is not None:
        _photo(photo, as_json=as_json)
        return
    require(not as_json, "--json: expected a photo, found none")
    _installation()


def _installation() -> None:
    import os

    from wideopen import __version__
    from wideopen.evals.provenance import version_of

    typer.echo(
        f"wideopen {__version__}, Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs"
    )
    for name in LIBRARIES:
        typer.echo(f"  {name:24} {version_of(name) or 'not installed'}")
    for name in NETWORKS:
        typer.echo(f"  {name:24} {version_of(name) or 'not installed'} (for training, GPUs and .safetensors)")
    for name, read in FORMATS.items():
        typer.echo(f"  {name:24} {version_of(name) or 'not installed'} (for {read} files)")
    typer.echo("backends")
    for line in backend_lines():
        typer.echo(f"  {line}")
    typer.echo("matting weights")
    from wideopen.disparity.hub import describe as depth_models
    from wideopen.matting.start import describe as describe_start
    from wideopen.matting.weights import describe

    for line in describe():
        typer.echo(f"  {line}")
    typer.echo(f"  {describe_start()}")
    typer.echo("depth models")
    for line in depth_models():
        typer.echo(f"  {line}")


def backend_lines() -> list[str]:
    """One line per operator and backend: usable, or why it is not."""
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
    from wideopen.networks import why_no_torch

    lines.append(f"{'networks':9} {'onnx':10} usable")
    lines.append(f"{'networks':9} {'torch':10} {why_no_torch() or 'usable'}")
    return lines


def _photo(photo: Path, *, as_json: bool) -> None:
    """Print the format of a picture, and the size, kind and range of its embedded parts."""
    found = describe_photo(photo)
    if as_json:
        typer.echo(json.dumps(found))
        return
    for line in _lines(found):
        typer.echo(line)


def describe_photo(photo: Path) -> dict[str, Any]:
    """Return the values that --json prints. Raises InvalidInput if the file is not a readable photo."""
    from wideopen.files.inside import read_embedded
    from wideopen.files.read import read_facts

    facts = read_facts(photo)
    parts = read_embedded(photo)
    mattes = {"portrait": parts.portrait_matte} if parts.portrait_matte is not None else {}
    return {
        "photo": str(photo),
        "format": facts.format,
        "size": [facts.width, facts.height],
        "bit_depth": facts.bit_depth,
        "orientation": facts.orientation,
        "profile": facts.profile,
        "portrait_mode": facts.portrait_mode,
        "hdr": facts.hdr,
        "headroom": round(facts.headroom, 4),
        "depth": None if parts.depth is None else _depth(parts.depth),
        "mattes": {name: _matte(values) for name, values in {**mattes, **parts.semantic}.items()},
        "ignored": list(parts.ignored),
        "others": list(parts.others),
    }


def _depth(depth: "StoredDepth") -> dict[str, Any]:
    import numpy as np

    rows, columns = depth.values.shape
    low, high = float(np.nanmin(depth.values)), float(np.nanmax(depth.values))
    return {
        "source": depth.name,
        "kind": depth.kind,
        "size": [columns, rows],
        "range": [round(low, 6), round(high, 6)],
        "unknown": round(float(np.isnan(depth.values).mean()), 4),
        "accuracy": depth.accuracy,
    }


def _matte(values: "F32") -> dict[str, Any]:
    rows, columns = values.shape
    return {"size": [columns, rows], "covers": round(float(values.mean()), 4)}


def _lines(found: dict[str, Any]) -> list[str]:
    width, height = found["size"]
    turned = found["orientation"]
    picture = (
        f"{found['format']}, {width} x {height} as displayed, {found['bit_depth']} bits, "
        f"orientation {'not named' if turned is None else turned}, profile {found['profile'] or 'none'}"
    )
    lines = [found["photo"], f"  picture   {picture}"]
    if found["portrait_mode"]:
        lines.append("  taken in  portrait mode: the phone may have blurred the background already")
    if found["hdr"]:
        stops = math.log2(found["headroom"])
        lines.append(f"  light     HDR ({found['hdr']}), up to {found['headroom']:.3g} times white ({stops:.1f} stops)")
    depth = found["depth"]
    lines.append("  depth     " + ("none" if depth is None else _depth_line(depth)))
    for name, matte in found["mattes"].items():
        columns, rows = matte["size"]
        lines.append(f"  matte     {name}, {columns} x {rows}, covers {matte['covers']:.0%}")
    lines += [f"  ignored   {line}" for line in found["ignored"]]
    used = GAIN_MAP if found["hdr"] else None
    lines += [f"  also      {line}" for line in found["others"] if used is None or not line.endswith(used)]
    return lines


def _depth_line(depth: dict[str, Any]) -> str:
    columns, rows = depth["size"]
    low, high = depth["range"]
    text = f"{depth['source']}, {columns} x {rows}, {depth['kind']} {low:.4g} to {high:.4g} {UNITS[depth['kind']]}"
    if depth["kind"] == "disparity" and low > 0:
        text += f" ({1 / high:.3g} to {1 / low:.3g} m)"
    if depth["unknown"]:
        text += f", {depth['unknown']:.1%} unknown"
    return text + (f", accuracy {depth['accuracy']}" if depth["accuracy"] else "")
