"""Mattes for a folder of photos from a teacher and our own network, with a map of how sure they are of each pixel.

Where both agree, the label is what they say; where they contradict each other in a broad area, `matting.agree` decides
and the confidence there is low, so that training leaves the area out. The transition is filled by closed-form matting
(Levin, Lischinski, Weiss, "A Closed-Form Solution to Natural Image Matting", IEEE TPAMI 2008; pymatting's).

The folder is one that `train pack` reads: rgb/NAME.jpg, alpha/NAME.png, confidence/NAME.png, all at most `size` pixels,
and labels.csv with a line per photo, from which an interrupted run continues. A label that the user has deleted because
it is wrong is not made again.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from wideopen.arrays.maps import resize_map
from wideopen.checks import F32, U8, require
from wideopen.errors import InvalidInput
from wideopen.evals.mattes import MattePair, images_in, read_alpha, read_rgb
from wideopen.evals.report import labelled, stacked, write_sheet
from wideopen.files.atomic import atomic_file
from wideopen.matting.agree import BROAD, agreed
from wideopen.matting.clean import clean_up, transition
from wideopen.matting.engine import pick_engine
from wideopen.matting.find_matte import REMBG, matte_by_rembg
from wideopen.matting.predict import Engine, network_size
from wideopen.matting.start import segment_by
from wideopen.train.layer import shrink_to, to_unit

SHOWN = 10  # photos on the sheet of the least certain
EMPTY = 0.01  # a label that covers less is one of a scene
COLUMNS = ("name", "confidence", "covers")
SHEET, TABLE = "least-certain.jpg", "labels.csv"


@dataclass(frozen=True, slots=True)
class Label:
    """The label of one photo, and how sure it is."""

    alpha: F32  # (H, W) in [0, 1]
    confidence: F32  # (H, W) in [0, 1]: 1 = teacher and network agree

    @property
    def overall(self) -> float:
        """[0, 1]: 1 less twice the doubtful area, as a share of the subject's, or of a hundredth of the photo."""
        covered = max(float(self.alpha.sum()), 0.01 * self.alpha.size)
        return float(np.clip(1 - 2 * (1 - self.confidence).sum() / covered, 0, 1))


def label_photo(photo_u8: U8, other: F32, engine: Engine) -> Label:
    """The label of a photo (H, W, 3) for which a teacher says `other` (h, w) in [0, 1]."""
    small = resize_map(photo_u8, network_size(photo_u8.shape[0], photo_u8.shape[1], engine.config.size))
    other = np.clip(resize_map(other, small.shape), 0, 1)
    ours = engine(small, engine.config.stages, None)
    found = np.clip(clean_up(agreed(ours, other, engine(small, 1, other)), small), 0, 1)
    side = 2 * max(1, round(BROAD * max(small.shape))) + 1
    doubt = cv2.morphologyEx(np.abs(ours - other), cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    alpha = _filled(photo_u8, resize_map(found.astype(np.float32), photo_u8.shape))
    return Label(alpha, np.clip(1 - resize_map(doubt, photo_u8.shape), 0, 1))


def _filled(photo_u8: U8, found: F32) -> F32:
    """`found` (H, W) with its transition filled by closed-form matting."""
    from pymatting import estimate_alpha_cf

    unknown = transition(found)
    trimap = np.where(unknown, 0.5, np.rint(found)).astype(np.float64)
    if not ((trimap == 1).any() and (trimap == 0).any()):
        return np.where(unknown, found, np.rint(found))
    alpha = estimate_alpha_cf(photo_u8 / 255.0, trimap, laplacian_kwargs={"epsilon": 1e-6})
    return np.clip(alpha, 0, 1).astype(np.float32)


def teacher_of(name: str) -> Callable[[Path, U8], F32]:
    """A function from (photo file, photo (H, W, 3)) to what a teacher says of it, (h, w) in [0, 1].

    name: isnet, rembg:NAME, a .onnx file, or a folder of masks NAME.png. Raises InvalidInput, WeightsError.
    """
    folder = Path(name)
    if folder.is_dir():
        require(bool(images_in(folder)), f"--teacher: expected masks NAME.png in {folder}, found none")
        return lambda file, _: to_unit(read_alpha(folder / f"{file.stem}.png"))
    if name.startswith(REMBG):
        return lambda _, photo_u8: matte_by_rembg(name.removeprefix(REMBG), photo_u8)
    known = name == "isnet" or name.endswith(".onnx")
    require(known, f"--teacher: expected isnet, rembg:NAME, a .onnx file or a folder of masks, found {name!r}")
    segment_by(name, np.zeros((8, 8, 3), np.uint8))  # refused now rather than for every photo
    return lambda _, photo_u8: segment_by(name, photo_u8)


def write_labels(photos: Path, out: Path, teacher: str, *, size: int, matting: str = "mobile") -> Iterator[str]:
    """Label the photos of a folder into `out`; yields a line for each, and skips those that are done.

    A photo that cannot be labelled is named in its line and skipped. Raises InvalidInput, WeightsError.
    """
    require(photos.is_dir(), f"photos: expected a folder, found {photos}")
    files = images_in(photos)
    require(bool(files), f"photos: expected photos in {photos}, found none")
    teach, engine = teacher_of(teacher), pick_engine(matting)
    for folder in ("rgb", "alpha", "confidence"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    done = read_table(out)
    with (out / TABLE).open("a", newline="") as table:
        writer = csv.writer(table, lineterminator="\n")
        if not done:
            writer.writerow(COLUMNS)
        for file in (file for file in files if file.stem not in done):
            try:
                photo_u8 = shrink_to(read_rgb(file), size)
                label = label_photo(photo_u8, teach(file, photo_u8), engine)
            except InvalidInput as error:
                yield f"skipped {file.name}: {error}"
                continue
            _write(out, file.stem, photo_u8, label)
            row = (file.stem, round(label.overall, 3), round(float(label.alpha.mean()), 4))
            writer.writerow(row)
            table.flush()
            done[file.stem] = row[1:]
            yield f"{file.name}: confidence {row[1]:.2f}, covers {row[2]:.1%}"
    require(any(covers >= EMPTY for _, covers in done.values()), f"{out}: expected subjects, found only empty labels")
    kept = [name for name in sorted(done, key=lambda name: done[name]) if (out / "alpha" / f"{name}.png").is_file()]
    require(bool(kept), f"{out}: expected labels in alpha/, found none (delete {TABLE} to make them again)")
    write_sheet(out / SHEET, _sheet(out, kept[:SHOWN]), overwrite=True)


def read_table(out: Path) -> dict[str, tuple[float, float]]:
    """Confidence and coverage by name of the photos that `out` has labels of."""
    file = out / TABLE
    if not file.is_file():
        return {}
    with file.open(newline="") as table:
        rows = [row for row in csv.reader(table) if len(row) == len(COLUMNS)]
    require(bool(rows) and tuple(rows[0]) == COLUMNS, f"{file}: expected columns {', '.join(COLUMNS)}, found others")
    return {name: (float(confidence), float(covers)) for name, confidence, covers in rows[1:]}


def confidence_of(pairs: Iterable[MattePair]) -> list[float]:
    """The confidence of each pair's label, in [0, 1]; 1 for pairs that this module did not make."""
    tables = cache(read_table)
    return [tables(pair.rgb.parent.parent).get(pair.name, (1.0, 0.0))[0] for pair in pairs]


def _write(out: Path, name: str, photo_u8: U8, label: Label) -> None:
    maps = [np.rint(255 * values).astype(np.uint8) for values in (label.alpha, label.confidence)]
    pictures = (("rgb", ".jpg", photo_u8[..., ::-1]), ("confidence", ".png", maps[1]), ("alpha", ".png", maps[0]))
    for folder, suffix, picture in pictures:
        with atomic_file(out / folder / f"{name}{suffix}", overwrite=True) as file:
            file.write(cv2.imencode(suffix, picture)[1].tobytes())  # JPEG of quality 95


def _sheet(out: Path, names: list[str]) -> U8:
    """Photo, label, confidence, and the subject on grey, (h, w, 3), for each name."""
    strips = []
    for name in names:
        rgb = to_unit(read_rgb(out / "rgb" / f"{name}.jpg"))
        alpha, sure = (
            cv2.merge([to_unit(read_alpha(out / folder / f"{name}.png"))] * 3) for folder in ("alpha", "confidence")
        )
        strips.append(labelled([rgb, alpha, sure, alpha * rgb + (1 - alpha) * 0.5], name))
    return stacked(strips)
