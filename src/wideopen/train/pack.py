"""Packs the photos and mattes of several folders into one file at one size, for `resident.py` to train on.

A pack is an uncompressed zip: `index.json` with one `Row` per photo, and N.rgb.webp and N.matte.webp for row N. Mattes
that another network (a teacher) made are marked: they are right about what the subject is, but soft in hair. WebP
changes a matte by up to 3 codes; values near 0 and 255 are set back to 0 and 255.
"""

import json
import zipfile
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from wideopen.arrays.maps import resize_map
from wideopen.checks import U8, require
from wideopen.errors import InvalidInput
from wideopen.evals.mattes import find_pairs, images_in, read_alpha, read_rgb
from wideopen.train.photos import shrink_to

QUALITY, MATTE_QUALITY = 80, 90  # WebP quality
SNAP = 4  # codes this close to 0 or 255 are set to them
UNDECIDED = (25, 230)  # matte codes between these are undecided
BROAD = 0.02  # half the least width of an area, as a fraction of the long side
SURE = 128  # codes of a confidence map from this on are sure
SCENES = "scenes"  # group of photos without a subject


@dataclass(frozen=True, slots=True)
class Row:
    """One packed photo."""

    group: str
    name: str
    part: str  # "train" or "val"
    teacher: bool  # its matte was made by another network
    confidence: float  # in [0, 1]


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
    folders: Iterable[Path],
    out: Path,
    *,
    size: int = 576,
    teachers: Collection[str] = (),
    backgrounds: Path | None = None,
) -> tuple[list[Row], list[str]]:
    """Write a pack to `out` from folders as `find_pairs` reads them; return the rows, and skipped photos with reasons.

    Long sides are at most `size` pixels; `teachers` names the groups whose mattes another network made.
    """
    jobs: list[tuple[Row, Path, Path | None]] = [
        (Row(p.group, p.name, p.part, p.group in teachers, 1.0), p.rgb, p.alpha) for f in folders for p in find_pairs(f)
    ]
    unknown = set(teachers) - {row.group for row, *_ in jobs}
    require(not unknown, f"teacher: expected names of sets, found no set {', '.join(sorted(unknown))}")
    scenes = images_in(backgrounds) if backgrounds else []
    jobs += [(Row(SCENES, path.stem, "train", False, 1.0), path, None) for path in scenes]
    require(len(jobs) > 0, "data: expected at least one photo with a matte, found none")

    def read(job: tuple[Row, Path, Path | None]) -> tuple[Row, bytes, bytes] | str:
        row, rgb_file, matte_file = job
        try:
            rgb = read_rgb(rgb_file)
            matte = read_alpha(matte_file) if matte_file else np.zeros(rgb.shape[:2], np.uint8)
            require(rgb.shape[:2] == matte.shape, f"expected a matte of {rgb.shape[:2]}, found {matte.shape}")
        except InvalidInput as error:
            return f"{row.group}/{row.name}: {error}"
        rgb, matte = shrink_to(rgb, size), shrink_to(matte, size)
        if row.teacher and matte_file:
            matte = without_doubtful(matte, matte_file.parent.with_name("confidence") / matte_file.name)
        sure = replace(row, confidence=round(confidence(matte), 3)) if row.teacher else row
        return sure, _webp(rgb[..., ::-1], QUALITY), _webp(matte, MATTE_QUALITY)

    rows: list[Row] = []
    skipped: list[str] = []
    with zipfile.ZipFile(out, "w") as file, ThreadPoolExecutor() as pool:
        for done in pool.map(read, jobs):
            if isinstance(done, str):
                skipped.append(done)
                continue
            row, rgb, matte = done
            file.writestr(f"{len(rows)}.rgb.webp", rgb)
            file.writestr(f"{len(rows)}.matte.webp", matte)
            rows.append(row)
        file.writestr("index.json", json.dumps([asdict(row) for row in rows]))
    return rows, skipped


def read_pack(path: Path) -> Iterator[tuple[Row, U8, U8]]:
    """Yield (row, rgb (H, W, 3), matte (H, W)) of each photo of a pack, in order."""
    known = path.is_file() and zipfile.is_zipfile(path)
    require(known, f"pack {path}: expected a file of `wideopen train pack`, found none")
    with zipfile.ZipFile(path) as file, ThreadPoolExecutor() as pool:
        require("index.json" in file.namelist(), f"pack {path}: expected index.json in it, found none")
        rows = [Row(**row) for row in json.loads(file.read("index.json"))]
        rgb = ((file.read(f"{n}.rgb.webp"), cv2.IMREAD_COLOR) for n in range(len(rows)))
        mattes = ((file.read(f"{n}.matte.webp"), cv2.IMREAD_GRAYSCALE) for n in range(len(rows)))
        for row, bgr, matte in zip(rows, pool.map(_decoded, rgb), pool.map(_decoded, mattes), strict=True):
            snapped = np.where(matte < SNAP, 0, np.where(matte > 255 - SNAP, 255, matte))
            yield row, np.ascontiguousarray(bgr[..., ::-1]), snapped.astype(np.uint8)


def _decoded(image: tuple[bytes, int]) -> U8:
    data, mode = image
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), mode), np.uint8)
