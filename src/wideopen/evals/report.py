"""Output of figures: text tables, CSV, JSON, and the contact sheet of the worst pairs."""

import csv
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TextIO

import cv2
import numpy as np

from wideopen.checks import F32, U8, require
from wideopen.evals.judge import Row, Shown
from wideopen.evals.measures import Figures
from wideopen.files.atomic import atomic_file

COLUMNS = tuple(field.name for field in fields(Figures))
TITLES = {"psnr_db": "PSNR", "edge_psnr_db": "edge", "ssim": "SSIM", "flip": "FLIP", "lpips": "LPIPS"}
DIGITS = {"psnr_db": 2, "edge_psnr_db": 2, "ssim": 4, "flip": 4, "lpips": 4}


def means(figures: Iterable[Figures]) -> dict[str, float | None]:
    """The mean of each column; None if no picture has a value."""
    rows = list(figures)
    columns = {name: [getattr(row, name) for row in rows] for name in COLUMNS}
    known = {name: [value for value in values if value is not None] for name, values in columns.items()}
    return {name: float(np.mean(values)) if values else None for name, values in known.items()}


def table(lines: Sequence[tuple[str, dict[str, float | None]]], *, first: str = "") -> list[str]:
    """Lines of plain text: a name and its figures in each row; columns without values are left out."""
    used = [name for name in COLUMNS if any(row[name] is not None for _, row in lines)]
    width = max(len(first), *(len(name) for name, _ in lines)) + 2
    head = f"{first:{width}}" + "".join(f"{TITLES[name]:>10}" for name in used)
    return [head, *(f"{name:{width}}" + "".join(cell(row[c], c).rjust(10) for c in used) for name, row in lines)]


def cell(value: float | None, column: str) -> str:
    """Format one figure for printing."""
    return "-" if value is None else f"{value:.{DIGITS[column]}f}"


def listed(problems: Iterable[Any]) -> list[str]:
    """A table of problems: name and reason."""
    rows = [(problem.name, problem.what) for problem in problems]
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name:{width}}  {what}" for name, what in rows]


def write_csv(rows: Sequence[Row], file: TextIO) -> None:
    """Write one line per pair, worst PSNR first."""
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
    """The content of the JSON file: settings, means, each pair. Infinite figures (equal pictures) become null."""
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
    """`value` with None for numbers that JSON cannot represent, and figures rounded to their precision."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def write_json(path: Path, data: dict[str, Any], *, overwrite: bool = False) -> None:
    """Write the file atomically."""
    with atomic_file(path, overwrite=overwrite) as file:
        file.write((json.dumps(data, indent=2) + "\n").encode())


ERROR_GAIN = 8
ROWS = 10
HEIGHT_PX, LABEL_PX = 240, 24
SUFFIXES = (".png", ".jpg", ".jpeg")


def require_sheet(path: Path) -> None:
    """Refuse a path that is not a valid name for a contact sheet."""
    require(path.suffix.lower() in SUFFIXES, f"--sheet: expected a .png or .jpg file to write, found {path}")


class Sheet:
    """Keeps reduced pictures of the `ROWS` worst pairs, so that thousands of pairs need no more memory than ten."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, str, U8]] = []

    def add(self, row: Row, pictures: Callable[[], Shown]) -> None:
        """Add a pair if it is among the worst so far; only then are its pictures made."""
        level = row.figures.psnr_db
        if len(self._rows) == ROWS and level >= self._rows[-1][0]:
            return
        words = [row.name, f"PSNR {level:.2f} dB", f"SSIM {row.figures.ssim:.4f}"]
        if row.figures.edge_psnr_db is not None:
            words.insert(2, f"edge {row.figures.edge_psnr_db:.2f} dB")
        self._rows.append((level, row.name, strip(pictures(), "  ".join(words))))
        self._rows.sort(key=lambda kept: kept[:2])
        del self._rows[ROWS:]

    def picture(self) -> U8:
        """(h, w, 3) RGB, worst first. Raises InvalidInput if the sheet is empty."""
        require(len(self._rows) > 0, "--sheet: expected at least one pair, found none")
        return stacked([picture for _, _, picture in self._rows])


def strip(pictures: Shown, label: str) -> U8:
    """Sharp, picture, truth, error x 8 side by side under a label; (h, w, 3) RGB."""
    error = np.clip(ERROR_GAIN * np.abs(pictures.picture - pictures.truth), 0, 1)
    return labelled([pictures.sharp, pictures.picture, pictures.truth, error], label)


def labelled(parts: list[F32], label: str, height_px: int = HEIGHT_PX) -> U8:
    """Pictures (H, W, 3) in [0, 1] side by side at one height under a label; (h, w, 3) RGB."""
    width = max(1, round(parts[0].shape[1] * height_px / parts[0].shape[0]))
    method = cv2.INTER_AREA if parts[0].shape[0] >= height_px else cv2.INTER_NEAREST
    row = np.hstack([cv2.resize(part, (width, height_px), interpolation=method) for part in parts])
    codes = np.pad(np.rint(row * 255).astype(np.uint8), ((LABEL_PX, 0), (0, 0), (0, 0)))
    cv2.putText(codes, label, (6, LABEL_PX - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return codes


def stacked(strips: list[U8]) -> U8:
    """Strips stacked vertically, with black beside the narrower ones."""
    widest = max(strip.shape[1] for strip in strips)
    return np.vstack([np.pad(strip, ((0, 0), (0, widest - strip.shape[1]), (0, 0))) for strip in strips])


def write_sheet(path: Path, picture: U8, *, overwrite: bool = False) -> None:
    """Write (h, w, 3) RGB as PNG or JPEG, atomically."""
    settings = [] if path.suffix.lower() == ".png" else [cv2.IMWRITE_JPEG_QUALITY, 85]
    _, data = cv2.imencode(path.suffix.lower(), picture[..., ::-1], settings)
    with atomic_file(path, overwrite=overwrite) as file:
        file.write(data.tobytes())
