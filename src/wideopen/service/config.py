"""What the operator of a service chooses; checked when made."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from wideopen.checks import require
from wideopen.settings import MapSettings

MEGABYTE = 1_000_000
LEAST_TOKEN = 16
"""Characters: a shorter token could be guessed over a fast network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """How much one request may bring, and how long it may take."""

    body_mb: float = 64.0
    """Of the whole request, counted while it is read."""
    megapixels: float = 50.0
    """Of a photo or a map; read from the file's header, before anything is decoded."""
    body_s: float = 60.0
    """Until the body is there."""
    request_s: float = 60.0
    """From the body's end to the result, waiting included."""
    grace_s: float = 5.0
    """For a worker to notice that its work is no longer wanted; then it is killed."""

    def __post_init__(self) -> None:
        for name in ("body_mb", "megapixels", "body_s", "request_s", "grace_s"):
            value = getattr(self, name)
            require(0 < value < 1e6, f"{name}: expected more than 0, found {value:g}")

    @property
    def body_bytes(self) -> int:
        """Most bytes of a request's body."""
        return round(self.body_mb * MEGABYTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneLimits:
    """How many analysed scenes are kept, and for how long after their last use."""

    most: int = 64
    most_mb: float = 4000.0
    idle_s: float = 900.0

    def __post_init__(self) -> None:
        require(self.most >= 1, f"scenes: expected at least 1, found {self.most}")
        for name in ("most_mb", "idle_s"):
            require(getattr(self, name) > 0, f"{name}: expected more than 0, found {getattr(self, name):g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeConfig:
    """A service: who may use it, with how many workers, within which limits."""

    workers: int = 1
    threads: int = 1
    """Of each worker."""
    waiting: int = 8
    """Requests that may wait for a worker; the next gets 503."""
    uploads: int = 16
    """Bodies read at a time; they lie on disk, at most `RequestLimits.body_mb` each."""
    limits: RequestLimits = field(default_factory=RequestLimits)
    scenes: SceneLimits = field(default_factory=SceneLimits)
    maps: MapSettings = field(default_factory=MapSettings)
    """Where mattes and disparity come from unless a request chooses otherwise."""
    backend: str = "auto"
    token: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = ()
    """Names that a request's Host may have; none: any. Keeps web pages elsewhere from reaching a loopback service."""
    folder: Path | None = None
    """Where uploads and scenes lie while they are needed; default: a new folder of the system's temporary one."""
    studio: bool = False

    def __post_init__(self) -> None:
        for name, least in (("workers", 1), ("threads", 1), ("waiting", 0), ("uploads", 1)):
            value = getattr(self, name)
            require(least <= value <= 4096, f"{name}: expected {least} to 4096, found {value}")
        if self.token is not None:
            good = len(self.token) >= LEAST_TOKEN and re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", self.token)
            require(
                bool(good),
                f"token: expected at least {LEAST_TOKEN} letters, digits or -._~+/, found {len(self.token)} characters",
            )
