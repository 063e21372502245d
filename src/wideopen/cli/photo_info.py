"""`wideopen info PHOTO`: what a photo's file holds."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from wideopen.checks import F32
    from wideopen.files.inside import DepthMap

UNITS = {"disparity": "1/m", "depth_m": "m", "relative_disparity": "without a unit"}


def photo_info(photo: Path, *, as_json: bool) -> None:
    """Print the picture's format, and the parts embedded in it with size, kind and range."""
    found = describe(photo)
    if as_json:
        typer.echo(json.dumps(found))
        return
    for line in _lines(found):
        typer.echo(line)


def describe(photo: Path) -> dict[str, Any]:
    """Return what --json prints. Raises InvalidInput for what is no readable photo."""
    from wideopen.files.facts import read_facts
    from wideopen.files.inside import read_embedded

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
        "depth": None if parts.depth is None else _depth(parts.depth),
        "mattes": {name: _matte(values) for name, values in {**mattes, **parts.semantic}.items()},
        "ignored": list(parts.ignored),
        "others": list(parts.others),
    }


def _depth(depth: "DepthMap") -> dict[str, Any]:
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
    depth = found["depth"]
    lines.append("  depth     " + ("none" if depth is None else _depth_line(depth)))
    for name, matte in found["mattes"].items():
        columns, rows = matte["size"]
        lines.append(f"  matte     {name}, {columns} x {rows}, covers {matte['covers']:.0%}")
    lines += [f"  ignored   {line}" for line in found["ignored"]]
    lines += [f"  also      {line}" for line in found["others"]]
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
