"""Keep large tensors from being mapped and unmapped at every step.

glibc serves allocations above a threshold with fresh pages, which the kernel zeroes each time. With
the thresholds raised, forward and backward of 16 photos of 256x256 through MobileNetV2 took 0.7 s
instead of 1.3 to 2.0 s on 2 cores. Call it before torch is imported.
"""

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # malloc.h


def keep_large_allocations() -> None:
    """Raise glibc's thresholds; does nothing where the C library has no mallopt."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(M_MMAP_THRESHOLD, 1 << 30)
    mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
    mallopt(M_TOP_PAD, 1 << 28)
