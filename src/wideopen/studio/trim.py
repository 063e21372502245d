"""What is held in memory: giving it back to the system, and not looking for garbage while much is imported."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def give_back() -> None:
    """Let the C library return what was freed: glibc keeps it for each thread, hundreds of megabytes after some photos.

    Nothing where the library has no such call.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def without_collection() -> Iterator[None]:
    """Without Python's garbage collector, of all threads: an import makes objects, no garbage."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
