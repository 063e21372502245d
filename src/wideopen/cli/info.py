"""`wideopen info`: versions, backends and weights, or the contents of a photo's file."""

import json
import math
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wideopen.cli import options
from wideopen.cli.options import takes
from wideopen.errors import require

if TYPE_CHECKING:
    from wideopen.files.inside.parts import StoredDepth

LIBRARIES = dict.fromkeys(("numpy", "numba", "onnxruntime", "opencv-python-headless", "pillow", "pillow-heif"), "")
LIBRARIES |= dict.fromkeys(("torch", "transformers"), " (for training, GPUs and .safetensors)")
LIBRARIES |= {"OpenImageIO": " (for JPEG XL and OpenEXR files)", "rawpy": " (for camera raw files)"}
GAIN_MAP = "a gain map for HDR"  # in `Embedded.others`; one that is used is named as the photo's light
UNITS = {"disparity": "1/m", "depth_m": "m", "relative_disparity": "without a unit"}


@takes()
def info(
    photo: Annotated[Path | None, typer.Argument(help="Photo to describe instead of the installation.")] = None,
    as_json: options.Json = False,
) -> None:
    """Print versions, weights and backends, and why a backend cannot run here.

    With PHOTO, print its size, format, bit depth, orientation and profile, and the depth and mattes inside the file.
    """
    require(photo is not None or not as_json, "--json: expected a photo, found none")
    found = None if photo is None else describe_photo(photo)
    lines = _installation() if found is None else [json.dumps(found)] if as_json else _lines(found)
    typer.echo("\n".join(lines))


def _installation() -> list[str]:
    import os

    from wideopen import __version__
    from wideopen.disparity.hub import describe as depth_models
    from wideopen.evals.provenance import version_of
    from wideopen.matting.start import describe as describe_start
    from wideopen.matting.weights import describe

    first = f"wideopen {__version__}, Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs"
    libraries = [f"{name:24} {version_of(name) or 'not installed'}{about}" for name, about in LIBRARIES.items()]
    parts = {
        first: libraries,
        "backends": backend_lines(),
        "matting weights": [*describe(), describe_start()],
        "depth models": depth_models(),
    }
    return [line for title, lines in parts.items() for line in (title, *(f"  {line}" for line in lines))]


def backend_lines() -> list[str]:
    """One line per operator and backend: usable, or why it is not."""
    from wideopen.arrays.transfer import BACKENDS as TRANSFERS
    from wideopen.disparity.upsample import BACKENDS as UPSAMPLERS
    from wideopen.networks import why_no_torch
    from wideopen.rendering import BACKENDS as RENDERERS
    from wideopen.sheets import BACKENDS as SEPARATORS

    operators: dict[str, Any] = {
        "render": RENDERERS,
        "sheets": SEPARATORS,
        "transfer": TRANSFERS,
        "upsample": UPSAMPLERS,
    }
    reasons = {(word, name): one.why_not() for word, found in operators.items() for name, one in found.items()}
    reasons |= {("networks", "onnx"): None, ("networks", "torch"): why_no_torch()}
    return [f"{operator:9} {name:10} {reason or 'usable'}" for (operator, name), reason in reasons.items()]


def describe_photo(photo: Path) -> dict[str, Any]:
    """Return the values that --json prints. Raises InvalidInput if the file is not a readable photo."""
    from wideopen.files.inside import read_embedded
    from wideopen.files.read import read_facts

    facts = read_facts(photo)
    parts = read_embedded(photo)
    mattes = {"portrait": parts.portrait_matte} if parts.portrait_matte is not None else {}
    mattes |= parts.semantic
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
        "mattes": {
            name: {"size": list(values.shape[::-1]), "covers": round(float(values.mean()), 4)}
            for name, values in mattes.items()
        },
        "ignored": list(parts.ignored),
        "others": list(parts.others),
    }


def _depth(depth: "StoredDepth") -> dict[str, Any]:
    import numpy as np

    low, high = float(np.nanmin(depth.values)), float(np.nanmax(depth.values))
    return {
        "source": depth.name,
        "kind": depth.kind,
        "size": list(depth.values.shape[::-1]),
        "range": [round(low, 6), round(high, 6)],
        "unknown": round(float(np.isnan(depth.values).mean()), 4),
        "accuracy": depth.accuracy,
    }


def _lines(found: dict[str, Any]) -> list[str]:
    (width, height), turned = found["size"], found["orientation"]
    picture = f"{found['format']}, {width} x {height} as displayed, {found['bit_depth']} bits, orientation "
    picture += f"{'not named' if turned is None else turned}, profile {found['profile'] or 'none'}"
    lines = [found["photo"], f"  picture   {picture}"]
    if found["portrait_mode"]:
        lines.append("  taken in  portrait mode: the phone may have blurred the background already")
    if found["hdr"]:
        stops = math.log2(found["headroom"])
        lines.append(f"  light     HDR ({found['hdr']}), up to {found['headroom']:.3g} times white ({stops:.1f} stops)")
    lines.append("  depth     " + ("none" if found["depth"] is None else _depth_line(found["depth"])))
    for name, matte in found["mattes"].items():
        lines.append("  matte     {}, {} x {}, covers {:.0%}".format(name, *matte["size"], matte["covers"]))
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
