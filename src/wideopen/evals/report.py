"""Output of figures: text tables, CSV, JSON, and contact sheets."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from wideopen.checks import F32, U8, require
from wideopen.files.atomic import atomic_file

Line = dict[str, Any]  # of one picture: its name, and figures, which are numbers or None
TITLES = {
    "psnr_db": "PSNR",
    "edge_psnr_db": "edge",
    "ssim": "SSIM",
    "edge_ssim": "edge SSIM",
    "flip": "FLIP",
    "lpips": "LPIPS",
    "dists": "DISTS",
    "lvcorr": "LVCorr",
    "blur_error_px": "blur error px",
}
COLUMNS = tuple(TITLES)
DIGITS = {name: 2 if name.endswith(("_db", "_px")) else 4 for name in COLUMNS}
Means = Mapping[str, float | None]  # by column; None = no picture has a value


def means(lines: Iterable[Line], prefix: str = "", columns: Sequence[str] = COLUMNS) -> dict[str, Any]:
    """The mean of each column, a float; None if no picture has a value."""
    rows = list(lines)
    known = {name: [row[prefix + name] for row in rows if row.get(prefix + name) is not None] for name in columns}
    return {name: float(np.mean(values)) if values else None for name, values in known.items()}


def grouped(lines: Iterable[Line], name: str) -> dict[str, list[Line]]:
    """The lines by one of their names, in order."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line[name], []).append(line)
    return found


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of plain text: the first column to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join([f"{row[0]:{widths[0]}}", *map(str.rjust, row[1:], widths[1:])]) for row in rows]


def means_table(lines: Mapping[str, Means], first: str) -> list[str]:
    """A table of means by name below a line of titles; columns without values are left out."""
    used = [name for name in COLUMNS if any(row.get(name) is not None for row in lines.values())]
    rows = [[name, *(number(row.get(c), DIGITS[c]) for c in used)] for name, row in lines.items()]
    return table([[first, *(TITLES[name] for name in used)], *rows])


def number(value: float | None, digits: int) -> str:
    """Format one figure for printing."""
    return "-" if value is None else f"{value:.{digits}f}"


def cells(line: Line) -> list[Any]:
    """The cells of a line in a CSV file; that of None stays empty."""
    return [f"{value:.6g}" if isinstance(value, float) else value for value in line.values()]


def write_csv(path: Path, lines: Sequence[Line], *, overwrite: bool = False) -> None:
    """Write lines that have the same columns atomically, below their heads."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([list(lines[0]), *map(cells, lines)])
    with atomic_file(path, overwrite=overwrite) as file:
        file.write(text.getvalue().encode())


def write_json(path: Path, data: Mapping[str, Any], *, overwrite: bool = False) -> None:
    """Write the finite values of `data` atomically."""
    with atomic_file(path, overwrite=overwrite) as file:
        file.write((json.dumps(finite(data), indent=2) + "\n").encode())


def finite(value: Any) -> Any:
    """`value` with None for numbers that JSON cannot represent (equal pictures), and figures of six decimals."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


HEIGHT_PX, LABEL_PX = 240, 24
CROP_PX = 320  # of the crops on a sheet, at 100 %
ERROR_GAIN = 8  # of the error on a sheet
WORST = 10  # photos on a sheet
SUFFIXES = (".png", ".jpg", ".jpeg")


def require_sheet(path: Path) -> None:
    """Refuse a path that is not a valid name for a contact sheet."""
    require(path.suffix.lower() in SUFFIXES, f"--sheet: expected a .png or .jpg file to write, found {path}")


def labelled(parts: Sequence[F32], label: str, height_px: int = HEIGHT_PX) -> U8:
    """Pictures (H, W, 3) in [0, 1] side by side at one height under a label; (h, w, 3) RGB."""
    width = max(1, round(parts[0].shape[1] * height_px / parts[0].shape[0]))
    method = cv2.INTER_AREA if parts[0].shape[0] >= height_px else cv2.INTER_NEAREST
    row = np.hstack([cv2.resize(part, (width, height_px), interpolation=method) for part in parts])
    codes = np.pad(np.rint(row * 255).astype(np.uint8), ((LABEL_PX, 0), (0, 0), (0, 0)))
    written = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, 1, 1)[0][0]
    scale = min(0.45, (row.shape[1] - 8) / max(written, 1))  # as small as it takes to fit
    cv2.putText(codes, label, (6, LABEL_PX - 7), cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return codes


def square_at(weight: F32, side_px: int) -> tuple[slice, slice]:
    """Rows and columns of the square of at most `side_px` in a map (H, W) that holds the greatest sum."""
    height, width = weight.shape
    side = min(side_px, height, width)
    around = cv2.blur(weight, (side, side), borderType=cv2.BORDER_CONSTANT)
    y, x = np.unravel_index(int(around.argmax()), around.shape)
    top, left = (int(np.clip(c - side // 2, 0, n - side)) for c, n in ((y, height), (x, width)))
    return slice(top, top + side), slice(left, left + side)


def crops_of_worst(photo: F32, truth: F32, mine: F32, ours: F32 | None, name: str, score: str) -> U8:
    """(h, w, 3) RGB: crops at 100 %, under labels, where `mine` is worst: photo, truth, theirs, ours, error x 8.

    All are (H, W, 3) in [0, 1]; ours: beside `mine` by another program; None where `mine` is ours.
    """
    wrong = np.abs(mine - truth)
    tiles = {f"{name}: photo": photo, "truth": truth, f"{'ours' if ours is None else 'theirs'}: {score}": mine}
    if ours is not None:
        tiles["ours"] = ours
    tiles[f"error x {ERROR_GAIN}"] = np.clip(ERROR_GAIN * wrong, 0, 1)
    where = square_at(wrong.mean(axis=2), CROP_PX)
    side = where[0].stop - where[0].start
    return np.hstack([labelled([tile[where]], label, side) for label, tile in tiles.items()])


def stacked(strips: Sequence[U8]) -> U8:
    """Strips stacked vertically, with black beside the narrower ones."""
    widest = max(strip.shape[1] for strip in strips)
    return np.vstack([np.pad(strip, ((0, 0), (0, widest - strip.shape[1]), (0, 0))) for strip in strips])


def write_sheet(path: Path, picture: U8, *, overwrite: bool = False) -> None:
    """Write (h, w, 3) RGB as PNG or JPEG, atomically."""
    settings = [] if path.suffix.lower() == ".png" else [cv2.IMWRITE_JPEG_QUALITY, 85]
    _, data = cv2.imencode(path.suffix.lower(), picture[..., ::-1], settings)
    with atomic_file(path, overwrite=overwrite) as file:
        file.write(data.tobytes())
