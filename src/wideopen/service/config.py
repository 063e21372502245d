"""Settings that the operator of a service chooses; each class validates them when it is created."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from wideopen.checks import require
from wideopen.settings import MapSettings

MEGABYTE = 1_000_000
LEAST_TOKEN = 16
"""Minimum length of the token in characters; a shorter one could be guessed over a fast network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """Size and time limits of one request."""

    body_mb: float = 64.0
    """Maximum size of the whole request in megabytes, counted while it is read."""
    megapixels: float = 50.0
    """Maximum size of a photo or a map, read from the file's header before anything is decoded."""
    body_s: float = 60.0
    """Maximum time in seconds for the body to arrive."""
    request_s: float = 60.0
    """Maximum time in seconds from the end of the body to the result, including the wait for a worker."""
    grace_s: float = 5.0
    """Time in seconds for a worker to notice that its request was cancelled; then it is killed."""

    def __post_init__(self) -> None:
        for name in ("body_mb", "megapixels", "body_s", "request_s", "grace_s"):
            value = getattr(self, name)
            require(0 < value < 1e6, f"{name}: expected more than 0, found {value:g}")

    @property
    def body_bytes(self) -> int:
        """Maximum size of a request's body in bytes."""
        return round(self.body_mb * MEGABYTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneLimits:
    """The maximum number and size of the scenes that are kept, and the seconds until an unused scene expires."""

    most: int = 64
    most_mb: float = 4000.0
    idle_s: float = 900.0

    def __post_init__(self) -> None:
        require(self.most >= 1, f"scenes: expected at least 1, found {self.most}")
        for name in ("most_mb", "idle_s"):
            require(getattr(self, name) > 0, f"{name}: expected more than 0, found {getattr(self, name):g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeConfig:
    """Configuration of a service: access, workers and limits."""

    workers: int = 1
    threads: int = 1
    """Threads of each worker."""
    waiting: int = 8
    """Number of requests that may wait for a worker; the next one gets 503."""
    uploads: int = 16
    """Number of bodies read at a time; each is stored on disk and at most `RequestLimits.body_mb` in size."""
    limits: RequestLimits = field(default_factory=RequestLimits)
    scenes: SceneLimits = field(default_factory=SceneLimits)
    maps: MapSettings = field(default_factory=MapSettings)
    """Default sources of mattes and disparity; a request may choose others."""
    backend: str = "auto"
    token: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = ()
    """Allowed Host headers; empty allows any. They keep other sites' web pages from reaching a loopback service."""
    folder: Path | None = None
    """Folder for uploads and scenes; by default a new folder in the system's temporary folder."""
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
