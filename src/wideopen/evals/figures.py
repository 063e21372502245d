"""Figures as text, CSV and JSON. Means are over pairs, of a figure that some lack over those that have it."""

import csv
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from wideopen.evals.judge import Row
from wideopen.evals.measures import Figures
from wideopen.files.atomic import atomic_file

COLUMNS = tuple(field.name for field in fields(Figures))
TITLES = {"psnr_db": "PSNR", "edge_psnr_db": "edge", "ssim": "SSIM", "flip": "FLIP", "lpips": "LPIPS"}
DIGITS = {"psnr_db": 2, "edge_psnr_db": 2, "ssim": 4, "flip": 4, "lpips": 4}


def means(figures: Iterable[Figures]) -> dict[str, float | None]:
    """The mean of each column; None where no picture has it."""
    rows = list(figures)
    columns = {name: [getattr(row, name) for row in rows] for name in COLUMNS}
    known = {name: [value for value in values if value is not None] for name, values in columns.items()}
    return {name: float(np.mean(values)) if values else None for name, values in known.items()}


def table(lines: Sequence[tuple[str, dict[str, float | None]]], *, first: str = "") -> list[str]:
    """Lines of plain text: a name and its figures in each row; columns that nobody has are left out."""
    used = [name for name in COLUMNS if any(row[name] is not None for _, row in lines)]
    width = max(len(first), *(len(name) for name, _ in lines)) + 2
    head = f"{first:{width}}" + "".join(f"{TITLES[name]:>10}" for name in used)
    return [head, *(f"{name:{width}}" + "".join(cell(row[c], c).rjust(10) for c in used) for name, row in lines)]


def cell(value: float | None, column: str) -> str:
    """One figure as printed."""
    return "-" if value is None else f"{value:.{DIGITS[column]}f}"


def listed(problems: Iterable[Any]) -> list[str]:
    """A table of problems: name and what."""
    rows = [(problem.name, problem.what) for problem in problems]
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name:{width}}  {what}" for name, what in rows]


def write_csv(rows: Sequence[Row], file: TextIO) -> None:
    """One line a pair, worst PSNR first."""
    writer = csv.writer(file, lineterminator="\n")
    fit = [*(f"aligned_{name}" for name in COLUMNS), "shift_x_px", "shift_y_px", "gain_r", "gain_g", "gain_b"]
    aligned = any(row.aligned is not None for row in rows)
    writer.writerow(["pair", *COLUMNS, *(fit if aligned else [])])
    for row in sorted(rows, key=lambda row: row.figures.psnr_db):
        values = [getattr(row.figures, name) for name in COLUMNS]
        if row.aligned is not None:
            values += [getattr(row.aligned.figures, name) for name in COLUMNS]
            values += [*row.aligned.shift_px, *row.aligned.gain]
        writer.writerow([row.name, *("" if value is None else f"{value:.6g}" for value in values)])


def report(rows: Sequence[Row], skipped: Iterable[Any], about: dict[str, Any]) -> dict[str, Any]:
    """What the JSON says: settings, means, each pair. Infinite figures (equal pictures) are written as null."""
    aligned = [row.aligned.figures for row in rows if row.aligned is not None]
    return finite(
        {
            **about,
            "pairs": len(rows),
            "means": means(row.figures for row in rows),
            **({"aligned_means": means(aligned)} if aligned else {}),
            "skipped": {problem.name: problem.what for problem in skipped},
            "rows": [asdict(row) for row in rows],
        }
    )


def finite(value: Any) -> Any:
    """`value` with None for numbers that JSON has not, and figures rounded to what they are good for."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def write_json(path: Path, data: dict[str, Any], *, overwrite: bool = False) -> None:
    """Write whole or not at all."""
    with atomic_file(path, overwrite=overwrite) as file:
        file.write((json.dumps(data, indent=2) + "\n").encode())
