"""How much memory a worker will need for the photos at hand."""

import re
from collections.abc import Sequence
from pathlib import Path

from wideopen.batch.places import is_url
from wideopen.batch.walk import Found, Problem
from wideopen.errors import InvalidInput
from wideopen.files.facts import facts_in
from wideopen.files.formats import sniff
from wideopen.workers.size import WORKER_MB

_LOOKED_AT = 64
_HEAD = 2**20  # bytes of a file that say how large its picture is
_HEIF_SIZE = re.compile(rb"ispe\0{4}(.{4})(.{4})", re.DOTALL)  # ISO/IEC 23008-12, 6.5.3: width, height


def worker_mb(found: Sequence[Found | Problem], *, max_megapixels: float) -> float:
    """What a worker needs for the largest of some of the photos, spread over all; megabytes of 2**20 bytes.

    Only what their files say is read, and no decoder sees them: this runs outside of the workers. What is not said is
    taken for 12 megapixels, and what will be refused for its size does not count.
    """
    photos = [one.photo for one in found if isinstance(one, Found) and not is_url(one.photo)]
    some = photos[:: max(1, len(photos) // _LOOKED_AT)][:_LOOKED_AT]
    sizes = [size for size in map(_megapixels, some) if size is not None and size <= max_megapixels]
    return mb_for(max(sizes)) if sizes else WORKER_MB


def mb_for(megapixels: float) -> float:
    """Peak memory of a worker whose largest photo has so many megapixels (benchmarks/results/batch.json)."""
    return 800 + 86 * megapixels


def megapixels_for(mb: float) -> float:
    """The largest photo that a worker can do within so much memory; `mb_for` turned round."""
    return max(1.0, (mb - mb_for(0)) / (mb_for(1) - mb_for(0)))


def _megapixels(photo: str) -> float | None:
    try:
        with Path(photo).open("rb") as file:
            head = file.read(_HEAD)
        kind = sniff(head[:64])
        if kind in ("HEIC", "AVIF"):
            areas = [int.from_bytes(w) * int.from_bytes(h) for w, h in _HEIF_SIZE.findall(head)]
            return max(areas) / 1e6 if areas else None
        facts = facts_in(head) if kind in ("JPEG", "PNG") else None  # read in Python
    except (OSError, InvalidInput):
        return None
    return None if facts is None else facts.width * facts.height / 1e6
