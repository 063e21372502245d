"""Packs the photos and mattes of several folders into one file at one size, to carry to the machine that trains.

A pack is an uncompressed zip: `index.json` with one `Row` per photo, and N.rgb.webp and N.matte.webp for row N. Mattes
that another network (a teacher) made are marked: they are right about what the subject is, but soft in hair. WebP
changes a matte by up to 3 codes; values near 0 and 255 are set back to 0 and 255.
"""

import json
import os
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np

from wideopen.arrays.maps import resize_map
from wideopen.checks import U8, require
from wideopen.errors import InvalidInput
from wideopen.evals.mattes import images_in, read_alpha, read_rgb
from wideopen.train.layer import shrink_to

QUALITY, MATTE_QUALITY = 80, 90  # WebP quality
SNAP = 4  # codes this close to 0 or 255 are set to them
UNDECIDED = (25, 230)  # matte codes between these are undecided
BROAD = 0.02  # half the least width of an area, as a fraction of the long side
SURE = 128  # codes of a confidence map from this on are sure
SCENES = "scenes"  # group of photos without a subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One photo with its matte, as a pack lists it."""

    group: str
    name: str
    part: str  # "train" or "val"
    teacher: bool = False  # its matte was made by another network
    confidence: float = 1.0  # in [0, 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Row):
    """One photo with its matte, in a folder or in a pack."""

    read: Callable[[], tuple[U8, U8]]  # photo (H, W, 3) and matte (H, W); raises InvalidInput


def confidence(matte: U8) -> float:
    """Rate a matte (H, W) by its undecided share: 1 is best. Hair at the outline does not count.

    Broad undecided areas count, and undecided pixels inside the outline. The result is in [0, 1].
    """
    grey = ((matte > UNDECIDED[0]) & (matte < UNDECIDED[1])).astype(np.uint8)
    side = 2 * max(1, round(BROAD * max(matte.shape))) + 1
    window, padded = np.ones((side, side), np.uint8), np.pad(matte, side)
    broad = cv2.morphologyEx(grey, cv2.MORPH_OPEN, window, borderType=cv2.BORDER_REFLECT)
    closed = cv2.morphologyEx((padded > 127).astype(np.uint8), cv2.MORPH_CLOSE, window)[side:-side, side:-side]
    inside = cv2.erode(closed, window)  # reaches the border if the photo cuts the subject
    covered = max(float(matte.sum()) / 255, 0.01 * matte.size)
    return float(np.clip(1 - 2 * np.maximum(broad, grey * inside).sum() / covered, 0, 1))


def without_doubtful(matte: U8, file: Path) -> U8:
    """A matte (H, W), undecided where the map of `train labels` in `file` is below a half; as it is without one."""
    if not file.is_file():
        return matte
    sure = resize_map(read_alpha(file), matte.shape)
    return np.where(sure < SURE, np.uint8(127), matte)


def _webp(image: U8, quality: int) -> bytes:
    return bytes(cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, quality])[1])


def pack(
    entries: Sequence[Entry], out: Path, *, size: int = 576, backgrounds: Path | None = None
) -> tuple[list[Row], list[str]]:
    """Write a pack to `out`; return the rows, and skipped photos with reasons.

    Long sides are at most `size` pixels. A teacher's matte is rated; `backgrounds` are photos without a subject.
    """
    scenes = [
        Entry(group=SCENES, name=path.stem, part="train", read=partial(read_scene, path))
        for path in (images_in(backgrounds) if backgrounds else [])
    ]
    require(len(entries) + len(scenes) > 0, "data: expected at least one photo with a matte, found none")

    def read(entry: Entry) -> tuple[Row, bytes, bytes] | str:
        try:
            rgb, matte = (shrink_to(image, size) for image in entry.read())
        except InvalidInput as error:
            return f"{entry.group}/{entry.name}: {error}"
        row = Row(**{one.name: getattr(entry, one.name) for one in fields(Row)})
        row = replace(row, confidence=round(confidence(matte), 3)) if row.teacher else row
        return row, _webp(rgb[..., ::-1], QUALITY), _webp(matte, MATTE_QUALITY)

    rows: list[Row] = []
    skipped: list[str] = []
    with zipfile.ZipFile(out, "w") as file, ThreadPoolExecutor() as pool:
        for done in pool.map(read, [*entries, *scenes]):
            if isinstance(done, str):
                skipped.append(done)
                continue
            row, rgb, matte = done
            file.writestr(f"{len(rows)}.rgb.webp", rgb)
            file.writestr(f"{len(rows)}.matte.webp", matte)
            rows.append(row)
        file.writestr("index.json", json.dumps([asdict(row) for row in rows]))
    return rows, skipped


def read_scene(path: Path) -> tuple[U8, U8]:
    """Return a photo without a subject (H, W, 3), and its empty matte (H, W)."""
    rgb = read_rgb(path)
    return rgb, np.zeros(rgb.shape[:2], np.uint8)


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a pack. Raises InvalidInput for another file."""
    known = path.is_file() and zipfile.is_zipfile(path)
    require(known, f"pack {path}: expected a file of `wideopen train pack`, found none")
    with zipfile.ZipFile(path) as file:
        require("index.json" in file.namelist(), f"pack {path}: expected index.json in it, found none")
        return [Row(**row) for row in json.loads(file.read("index.json"))]


def read_packed(path: Path, number: int) -> tuple[U8, U8]:
    """Return rgb (H, W, 3) and matte (H, W) of a pack's row."""
    file = _opened(path, os.getpid())  # a forked process must not share its place in the file

    def decoded(name: str, mode: int) -> U8:
        return np.asarray(cv2.imdecode(np.frombuffer(file.read(f"{number}.{name}.webp"), np.uint8), mode), np.uint8)

    bgr, matte = decoded("rgb", cv2.IMREAD_COLOR), decoded("matte", cv2.IMREAD_GRAYSCALE)
    snapped = np.where(matte < SNAP, 0, np.where(matte > 255 - SNAP, 255, matte))
    return np.ascontiguousarray(bgr[..., ::-1]), snapped.astype(np.uint8)


@lru_cache(maxsize=32)
def _opened(path: Path, pid: int) -> zipfile.ZipFile:  # noqa: ARG001
    return zipfile.ZipFile(path)
