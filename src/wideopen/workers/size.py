"""The number of worker processes that fit this machine, and of threads in each.

As many workers as cores, with one thread each, keep the cores busiest: the single-core steps of a photo (decoding,
encoding, Python itself) overlap with other photos. If memory is short there are fewer workers with more threads each.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from wideopen.checks import require

WORKER_MB = 1850
"""Memory that a worker may need: network, libraries and a photo of 12 megapixels, in any look."""
SHARE = 0.85  # share of the available memory for workers; the rest is for the file cache and this process
_CGROUP = Path("/sys/fs/cgroup")


class PoolSize(NamedTuple):
    """Worker processes, and threads in each."""

    workers: int
    threads: int


def pool_size(
    workers: int | None = None,
    *,
    worker_mb: float = WORKER_MB,
    cores: int | None = None,
    memory_mb: float | None = None,
) -> PoolSize:
    """Return as many workers as cores and memory allow, or `workers` if given; the cores are shared among them.

    `worker_mb` is the peak memory of one; `cores` and `memory_mb` default to what this process may use.
    Raises InvalidInput for less than one worker.

    >>> pool_size(cores=8, memory_mb=64_000)
    PoolSize(workers=8, threads=1)
    >>> pool_size(cores=8, memory_mb=5_000)
    PoolSize(workers=2, threads=4)
    """
    cores = usable_cores() if cores is None else cores
    memory_mb = usable_memory_mb() if memory_mb is None else memory_mb
    if workers is None:
        workers = max(1, min(cores, int(memory_mb * SHARE / worker_mb)))
    require(workers >= 1, f"--workers: expected at least 1, found {workers}")
    return PoolSize(workers=workers, threads=max(1, cores // workers))


def mb_for(megapixels: float, look: str = "thin-lens") -> float:
    """Return a worker's peak memory for photos of up to `megapixels`, with some room.

    Measured: 1.1 to 1.3 GB at 12 megapixels, 2.4 at 50, 6.4 at 200; the look `paper` 1.7 at 12.
    """
    return 900 + (75 if look == "paper" else 35) * megapixels


def usable_cores() -> int:
    """The cores that this process may use: its affinity, and the quota of its container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read(_CGROUP / "cpu.max").partition(" ")
    if quota.isdigit() and period.strip().isdigit():
        cores = min(cores, max(1, int(quota) // int(period)))
    return cores


def usable_memory_mb() -> float:
    """Memory that is free or used only for cached files; less if a container allows less."""
    available = next((line for line in _read(Path("/proc/meminfo")).splitlines() if "MemAvailable" in line), None)
    if available is not None:
        free_mb = int(available.split()[1]) / 1024
    elif hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        free_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20 / 2
    else:
        free_mb = 4096.0
    limit, used = _read(_CGROUP / "memory.max").strip(), _read(_CGROUP / "memory.current").strip()
    if limit.isdigit() and used.isdigit():
        files = dict(line.split(" ", 1) for line in _read(_CGROUP / "memory.stat").splitlines() if " " in line)
        free_mb = min(free_mb, (int(limit) - int(used) + int(files.get("file", 0))) / 2**20)
    return free_mb


def _read(path: Path) -> str:
    with suppress(OSError, ValueError):
        return path.read_text(encoding="ascii")
    return ""
