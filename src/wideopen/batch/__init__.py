"""Render many photos, from folders, lists and buckets, in worker processes or on a cluster.

`walk` finds the photos; `places` reads and writes local files and URLs; `work` renders one photo in a worker;
`manifest` records what is done; `batch` processes all photos with an engine from `local` or `ray_engine`.
"""

from dataclasses import dataclass
from typing import Literal

from wideopen.errors import require
from wideopen.options import Settings, option


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings(Settings):
    """How the photos of a batch are processed: flags of `wideopen batch`."""

    resume: bool = option(False, help="Continue an earlier run into DST; photos changed since then are rendered again.")
    watch: bool = option(False, help="Keep rendering photos that appear in SRC, until Ctrl-C; implies --resume.")
    watch_seconds: float = option(2.0, least=0.01, unit="s", help="Time between two scans of SRC with --watch.")
    workers: int | None = option(None, least=1, help="Number of worker processes. Default: set by cores and memory.")
    timeout: float = option(300.0, least=0, unit="s", help="Time limit per photo; 0 sets none.")
    engine: Literal["local", "ray"] = option("local", help="Where workers run: local, or ray for a cluster.")
    address: str | None = option(
        None, help="Address of the Ray cluster: auto, HOST:PORT or ray://... Default: a new one on this machine."
    )
    cpus_per_worker: float = option(1.0, least=0.01, help="Number of cores per worker on a cluster.")
    gpus_per_worker: float = option(0.0, least=0, help="Number of GPUs per worker on a cluster; fractions share a GPU.")

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        if self.engine == "ray":
            require(not self.watch, "--watch: expected --engine local, found ray")
            return
        require(self.address is None, f"--address: expected --engine ray, found {self.engine}")
        own = self.cpus_per_worker == 1 and self.gpus_per_worker == 0
        require(own, "--cpus-per-worker, --gpus-per-worker: expected --engine ray, found local")

    @property
    def timeout_s(self) -> float | None:
        """Time limit per photo in seconds; None = unlimited."""
        return self.timeout or None
