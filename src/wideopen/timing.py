"""The steps of a job: their wall time, and a receiver of their progress."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    """Store the wall seconds of the block under `step`."""
    start = time.perf_counter()
    yield
    seconds[step] = round(time.perf_counter() - start, 3)


class Steps:
    """Receives the steps of a job, the progress of downloads, and notes; this base class ignores them."""

    def __call__(self, step: str) -> None:
        """`step` begins."""

    def download(self, done: int, total: int) -> None:
        """`done` of `total` bytes are downloaded."""

    def note(self, line: str) -> None:
        """`line` is something that the user should know at once."""


SILENT = Steps()
