"""The contact sheet: sharp, picture, truth and error of the worst pairs, a row each."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from wideopen.checks import F32, U8, require
from wideopen.evals.judge import Row, Shown
from wideopen.files.atomic import atomic_file

ERROR_GAIN = 8
ROWS = 10
HEIGHT_PX, LABEL_PX = 240, 24
SUFFIXES = (".png", ".jpg", ".jpeg")


def require_sheet(path: Path) -> None:
    """Refuse what is no name of a sheet."""
    require(path.suffix.lower() in SUFFIXES, f"--sheet: expected a .png or .jpg file to write, found {path}")


class Sheet:
    """Keeps the `ROWS` worst pairs, small, so that thousands of pairs need no more memory than ten."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, str, U8]] = []

    def add(self, row: Row, pictures: Callable[[], Shown]) -> None:
        """Take a pair if it is among the worst so far; its pictures are made only then."""
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
        """(h, w, 3) RGB, worst first. Raises InvalidInput for a sheet of nothing."""
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
    """Strips below one another, black where one is narrower."""
    widest = max(strip.shape[1] for strip in strips)
    return np.vstack([np.pad(strip, ((0, 0), (0, widest - strip.shape[1]), (0, 0))) for strip in strips])


def write_sheet(path: Path, picture: U8, *, overwrite: bool = False) -> None:
    """Write (h, w, 3) RGB as PNG or JPEG, whole or not at all."""
    settings = [] if path.suffix.lower() == ".png" else [cv2.IMWRITE_JPEG_QUALITY, 85]
    _, data = cv2.imencode(path.suffix.lower(), picture[..., ::-1], settings)
    with atomic_file(path, overwrite=overwrite) as file:
        file.write(data.tobytes())
