"""The photos that a run trains on: from folders and packs, by index, with the subjects' own colours.

As many photos as a memory budget allows stay in memory, the others are read whenever drawn. Photos are uint8, at most
`size` pixels long. The order of the photos decides once which ones stay in memory: worker processes share them, and the
memory that a run needs is known from its start.

A pack holds the photos and mattes of several folders at one size, to carry to the machine that trains: an uncompressed
zip of `index.json`, with one `Row` per photo, and of N.rgb.webp and N.matte.webp for row N. Mattes that another network
(a teacher) made are marked: they are right about what the subject is, but soft in hair. WebP changes a matte by up to 3
codes; values near 0 and 255 are set back to 0 and 255.

Each photo has an estimate of the subject's own colour F, made once and cached in a folder. A subject with hair mixed
with the background needs it on a new scene. It is the estimate of the renderer's sheets (`sheets`): on eight portraits
with strands drawn over known colours, its mean error in the hair was 0.009; that of blur fusion (Forte, ICIP 2021),
used before, was 0.020. It takes 80 ms instead of 25 ms at 512 pixels.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np

from wideopen.arrays.maps import resize_map
from wideopen.backends import pick
from wideopen.checks import U8, require
from wideopen.errors import InvalidInput
from wideopen.evals import mattes
from wideopen.evals.mattes import MattePair, images_in, read_rgb
from wideopen.evals.pairs import PairProblem, listed
from wideopen.files.atomic import atomic_file
from wideopen.sheets import BACKENDS
from wideopen.train.augment import TrainPhoto, kind_of
from wideopen.train.hair import find_head
from wideopen.train.labels import confidence_of
from wideopen.train.layer import shrink_to

QUALITY, MATTE_QUALITY = 80, 90  # WebP quality
SNAP = 4  # codes this close to 0 or 255 are set to them
UNDECIDED = (25, 230)  # matte codes between these are undecided
BROAD = 0.02  # half the least width of an area, as a fraction of the long side
SURE = 128  # codes of a confidence map from this on are sure
SCENES = "scenes"  # group of photos without a subject
VERSION = b"sheets 1"  # part of each cached file's name, so that another method makes other files
AT_ONCE = 4  # photos read in parallel on the first pass


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


def entries_in(places: Iterable[Path], teachers: Collection[str] = ()) -> list[Entry]:
    """Return all photos of folders, as `find_pairs` reads them, and of packs; `teachers` are sets of folders."""
    found: list[Entry] = []
    for place in places:
        if place.suffix == ".zip":
            rows = enumerate(read_rows(place))
            found += [Entry(read=partial(read_packed, place, number), **asdict(row)) for number, row in rows]
            continue
        pairs = mattes.find_pairs(place)
        for pair, sure in zip(pairs, confidence_of(pairs), strict=True):
            teacher = pair.group in teachers
            read = partial(read_taught if teacher else mattes.read_pair, pair)
            named = {"group": pair.group, "name": pair.name, "part": pair.part}
            found.append(Entry(**named, teacher=teacher, confidence=sure, read=read))
    unknown = set(teachers) - {entry.group for entry in found}
    require(not unknown, f"teacher: expected names of sets, found no set {', '.join(sorted(unknown))}")
    return found


def read_taught(pair: MattePair) -> tuple[U8, U8]:
    """Return a photo and a teacher's matte, undecided where its map of `train labels`, if any, is below a half."""
    rgb, alpha = mattes.read_pair(pair)
    file = pair.alpha.parent.with_name("confidence") / pair.alpha.name
    if file.is_file():
        alpha = np.where(resize_map(mattes.read_alpha(file), alpha.shape) < SURE, np.uint8(127), alpha)
    return rgb, alpha


def read_scene(path: Path) -> tuple[U8, U8]:
    """Return a photo without a subject (H, W, 3), and its empty matte (H, W)."""
    rgb = read_rgb(path)
    return rgb, np.zeros(rgb.shape[:2], np.uint8)


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
        return row, _encoded(".webp", rgb[..., ::-1], QUALITY), _encoded(".webp", matte, MATTE_QUALITY)

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


def _encoded(suffix: str, image: U8, quality: int) -> bytes:
    flag = cv2.IMWRITE_WEBP_QUALITY if suffix == ".webp" else cv2.IMWRITE_PNG_COMPRESSION
    return bytes(cv2.imencode(suffix, image, [flag, quality])[1])


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


def load_photo(entry: Entry, size: int, cache: Path | None = None) -> TrainPhoto:
    """Read a photo at a long side of at most `size` pixels; `cache` is a folder for the subjects' colours."""
    rgb, alpha = (shrink_to(image, size) for image in entry.read())
    return TrainPhoto(rgb, alpha, kept_subject_colour(rgb, alpha, cache), find_head(alpha), entry.teacher)


def load_backgrounds(folder: Path | None, size: int) -> list[U8]:
    """Read photos without people, at a long side of at most `size` pixels; without a folder the list is empty."""
    if folder is None:
        return []
    require(folder.is_dir(), f"backgrounds: expected a folder, found {folder}")
    return [shrink_to(read_rgb(path), size) for path in images_in(folder)]


def load_things(folder: Path | None, size: int) -> list[U8]:
    """Read cut-outs (h, w, 4) RGBA from the PNG and WebP files below `folder`, at a long side of at most `size` pixels.

    Unreadable files and files without transparency are skipped; without a folder the list is empty. Raises InvalidInput
    if a folder contains no cut-out.
    """
    if folder is None:
        return []
    require(folder.is_dir(), f"things: expected a folder, found {folder}")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".png", ".webp"))
    read = (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in paths)
    things = [
        shrink_to(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA), np.uint8), size)
        for image in read
        if image is not None and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 4
    ]
    require(len(things) > 0, f"things: expected images with transparency below {folder}, found none")
    return things


def subject_colour(rgb: U8, alpha: U8) -> U8:
    """Estimate the display-encoded F (H, W, 3) of a photo (H, W, 3) with its matte (H, W)."""
    _, separator = pick(BACKENDS)
    F, _ = separator.estimate_colours(rgb / np.float32(255), alpha / np.float32(255))
    return np.asarray(np.clip(F, 0, 1) * 255 + 0.5, np.uint8)


def kept_subject_colour(rgb: U8, alpha: U8, folder: Path | None) -> U8:
    """Return `subject_colour`, read from `folder` if it is cached there, else estimated and written there."""
    if folder is None:
        return subject_colour(rgb, alpha)
    name = hashlib.sha256(VERSION + str(rgb.shape).encode() + rgb.tobytes() + alpha.tobytes()).hexdigest()[:32]
    path = folder / f"{name}.png"
    kept = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if kept is not None and kept.shape == rgb.shape:
        return np.asarray(kept[..., ::-1], np.uint8)
    colour = subject_colour(rgb, alpha)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(path, overwrite=True) as file:
        file.write(_encoded(".png", colour[..., ::-1], 1))
    return colour


class PhotoStore(Sequence[TrainPhoto]):
    """The photos of `entries` by index, each at most `size` pixels long; those in `kept` are in memory.

    `skipped` has the reasons, by group/name, why other photos are not used.
    """

    def __init__(self, size: int, cache: Path | None) -> None:
        self.size, self.cache = size, cache
        self.entries: list[Entry] = []
        self.kinds: list[int] = []  # of each photo, in `augment.SHAPES`
        self.kept: dict[int, TrainPhoto] = {}
        self.skipped: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> TrainPhoto:  # type: ignore[override]  # no slices
        return self.kept.get(index) or load_photo(self.entries[index], self.size, self.cache)


def load_photos(
    entries: Sequence[Entry], size: int, cache: Path | None = None, *, budget_bytes: float = float("inf")
) -> PhotoStore:
    """Read all `entries` once; corrupt ones are skipped and listed, those whose sizes differ are refused together.

    The first photos stay in memory, up to `budget_bytes`. `cache` is a folder for the subjects' own colours; this pass
    estimates those that are missing.
    """

    def read(entry: Entry) -> TrainPhoto | InvalidInput:
        try:
            return load_photo(entry, size, cache)
        except InvalidInput as error:
            return error

    store, differing, used = PhotoStore(size, cache), [], 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for start in range(0, len(entries), AT_ONCE):  # besides the kept photos, only these are in memory
            group = entries[start : start + AT_ONCE]
            for entry, found in zip(group, pool.map(read, group), strict=True):
                if isinstance(found, mattes.UnreadableImage):
                    store.skipped[f"{entry.group}/{entry.name}"] = str(found)
                elif isinstance(found, InvalidInput):
                    differing.append(PairProblem(entry.name, str(found).removeprefix(f"{entry.name}: ")))
                else:
                    used += found.nbytes
                    if used <= budget_bytes:
                        store.kept[len(store)] = found
                    store.entries.append(entry)
                    store.kinds.append(kind_of(*found.alpha.shape))
    require(not differing, f"data: {len(differing)} pairs whose sizes differ:{listed(differing)}")
    require(len(store) > 0, "data: expected training photos, found none")
    return store
