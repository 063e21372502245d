"""The photos that a run trains on: from folders and packs, by index, with the subjects' own colours.

As many photos as a memory budget allows stay in memory, the others are read whenever drawn. Photos are uint8, at most
`size` pixels long. The order of the photos decides once which ones stay in memory: worker processes share them, and the
memory that a run needs is known from its start.

Each photo has an estimate of the subject's own colour F, made once and cached in a folder. A subject with hair mixed
with the background needs it on a new scene. It is the estimate of the renderer's sheets (`sheets`): on eight portraits
with strands drawn over known colours, its mean error in the hair was 0.009; that of blur fusion (Forte, ICIP 2021),
used before, was 0.020. It takes 80 ms instead of 25 ms at 512 pixels.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from wideopen.backends import pick
from wideopen.checks import U8, require
from wideopen.errors import InvalidInput
from wideopen.evals.mattes import MattePair, UnreadableImage, find_pairs, images_in, read_pair, read_rgb, refuse_all
from wideopen.files.atomic import atomic_file
from wideopen.sheets import BACKENDS
from wideopen.train.augment import TrainPhoto, kind_of
from wideopen.train.hair import find_head
from wideopen.train.labels import confidence_of
from wideopen.train.layer import shrink_to
from wideopen.train.pack import Entry, read_packed, read_rows, without_doubtful

VERSION = b"sheets 1"  # part of each cached file's name, so that another method makes other files
AT_ONCE = 4  # photos read in parallel on the first pass


def entries_in(places: Iterable[Path], teachers: Collection[str] = ()) -> list[Entry]:
    """Return all photos of folders, as `find_pairs` reads them, and of packs; `teachers` are sets of folders."""
    found: list[Entry] = []
    for place in places:
        if place.suffix == ".zip":
            for number, row in enumerate(read_rows(place)):
                found.append(Entry(read=partial(read_packed, place, number), **asdict(row)))
            continue
        pairs = find_pairs(place)
        for pair, confidence in zip(pairs, confidence_of(pairs), strict=True):
            teacher = pair.group in teachers
            read = partial(read_taught if teacher else read_pair, pair)
            named = {"group": pair.group, "name": pair.name, "part": pair.part}
            found.append(Entry(**named, teacher=teacher, confidence=confidence, read=read))
    unknown = set(teachers) - {entry.group for entry in found}
    require(not unknown, f"teacher: expected names of sets, found no set {', '.join(sorted(unknown))}")
    return found


def read_taught(pair: MattePair) -> tuple[U8, U8]:
    """Return a photo and a teacher's matte, undecided where its confidence map says so."""
    rgb, alpha = read_pair(pair)
    return rgb, without_doubtful(alpha, pair.alpha.parent.with_name("confidence") / pair.alpha.name)


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
        file.write(cv2.imencode(".png", colour[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes())
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
                if isinstance(found, UnreadableImage):
                    store.skipped[f"{entry.group}/{entry.name}"] = str(found)
                elif isinstance(found, InvalidInput):
                    differing.append(str(found))
                else:
                    used += found.nbytes
                    if used <= budget_bytes:
                        store.kept[len(store)] = found
                    store.entries.append(entry)
                    store.kinds.append(kind_of(*found.alpha.shape))
    refuse_all(f"data: {len(differing)} pairs whose sizes differ", differing)
    require(len(store) > 0, "data: expected training photos, found none")
    return store
