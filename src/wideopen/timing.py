"""Wall time of each step, for users and benchmarks."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    """Store the wall seconds of the block under `step`."""
    start = time.perf_counter()
    yield
    seconds[step] = round(time.perf_counter() - start, 3)
