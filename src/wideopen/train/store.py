"""Training photos by number: as many in memory as a budget allows, the others read whenever they are drawn.

What is in memory is decided once, by the order of the photos, and never changes: worker processes share it, and how
much memory a run takes is known from its start.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from wideopen.errors import InvalidInput
from wideopen.evals.matte_pairs import Pair, UnreadableImage, refuse_all
from wideopen.train.photos import Photo, load_photo

AT_ONCE = 4  # photos read side by side on the first pass


class PhotoStore(Sequence[Photo]):
    """Photos of `pairs`, each at most `size` pixels long; `kept` are in memory."""

    def __init__(self, pairs: Sequence[Pair], kept: dict[int, Photo], size: int, cache: Path | None) -> None:
        self.pairs, self.kept, self.size, self.cache = pairs, kept, size, cache

    def __len__(self) -> int:
        return len(self.pairs)

    @overload
    def __getitem__(self, index: int) -> Photo: ...

    @overload
    def __getitem__(self, index: slice) -> list[Photo]: ...

    def __getitem__(self, index: int | slice) -> Photo | list[Photo]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        photo = self.kept.get(index)
        return load_photo(self.pairs[index], self.size, self.cache) if photo is None else photo


@dataclass(frozen=True, slots=True)
class Loaded:
    """Photos to train on, the group that each belongs to, and the pairs left out because a file is corrupt."""

    photos: PhotoStore
    groups: list[str]  # one for each photo
    skipped: list[tuple[str, str]]  # name, reason


def load_photos(
    pairs: Sequence[Pair], size: int, cache: Path | None = None, *, budget_bytes: float = float("inf")
) -> Loaded:
    """Read all `pairs` once; corrupt ones are skipped and listed, sizes that differ are refused, all at once.

    The first ones stay in memory, up to `budget_bytes`. `cache` is a folder for the subjects' own colours, which are
    estimated on this pass where they are not known yet.
    """
    good: list[Pair] = []
    kept: dict[int, Photo] = {}
    skipped: list[tuple[str, str]] = []
    differing: list[str] = []
    used = 0
    for pair, found in _read_all(pairs, size, cache):
        if isinstance(found, UnreadableImage):
            skipped.append((f"{pair.group}/{pair.name}", str(found)))
        elif isinstance(found, InvalidInput):
            differing.append(str(found))
        else:
            used += found.nbytes
            if used <= budget_bytes:
                kept[len(good)] = found
            good.append(pair)
    refuse_all(f"data: {len(differing)} pairs whose sizes differ", differing)
    return Loaded(PhotoStore(good, kept, size, cache), [pair.group for pair in good], skipped)


def _read_all(pairs: Sequence[Pair], size: int, cache: Path | None) -> Iterator[tuple[Pair, Photo | InvalidInput]]:
    """Each pair with its photo, or why it cannot be used, in order; some are read ahead."""

    def read(pair: Pair) -> Photo | InvalidInput:
        try:
            return load_photo(pair, size, cache)
        except InvalidInput as error:
            return error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for start in range(0, len(pairs), AT_ONCE):  # no more than these are held beside what is kept
            group = pairs[start : start + AT_ONCE]
            yield from zip(group, pool.map(read, group), strict=True)
