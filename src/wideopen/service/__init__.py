"""The HTTP service: it accepts photos and returns them with bokeh. `wideopen serve` starts it; see docs/service.md.

This process parses HTTP and schedules the work; it never decodes an image. Worker processes do everything that touches
a client's file, and may crash without harm. No client input is ever used as a path or a URL.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from wideopen.errors import require
from wideopen.options import Settings, option
from wideopen.settings import MapSettings

LEAST_TOKEN = 16  # minimum length of the token in characters; a shorter one could be guessed over a fast network


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings(Settings):
    """What the operator of a service chooses. The options are flags of `wideopen serve`."""

    host: str = option("127.0.0.1", help="Address to listen on.")
    port: int = option(8000, least=0, most=65535, help="Port to listen on; 0 takes any free port.")
    workers: int | None = option(None, least=1, help="Number of worker processes. Default: set by cores and memory.")
    waiting: int | None = option(
        None, least=0, help="Number of requests that may wait for a worker. Default: 4 per worker."
    )
    uploads: int = option(16, least=1, help="Number of request bodies received at the same time.")
    connections: int = option(1000, least=1, help="Largest number of open connections; more get status 503.")
    max_mb: float = option(64.0, least=0.001, unit="MB", help="Largest request body.")
    max_megapixels: float = option(50.0, least=0.01, unit="megapixels", help="Largest photo or map.")
    body_timeout: float = option(60.0, least=0.01, unit="s", help="Time limit for receiving a request.")
    request_timeout: float = option(
        60.0, least=0.01, unit="s", help="Time limit for answering a request, including the wait for a worker."
    )
    stop_timeout: float = option(
        75.0, least=0, unit="s", help="Time limit for requests in progress when the service is stopped."
    )
    scenes: int = option(64, least=1, help="Number of analysed scenes to keep.")
    scenes_mb: float = option(4000.0, least=1, unit="MB", help="Disk space for analysed scenes.")
    scene_minutes: float = option(15.0, least=0.01, unit="minutes", help="Time after which an unused scene is removed.")
    studio: bool = option(False, help="Also serve the studio, at /studio.")
    log_level: Literal["debug", "info", "warning", "error"] = option(
        "info", help="Log level: debug, info, warning or error."
    )
    maps: MapSettings = field(default_factory=MapSettings)
    """Default sources of mattes and disparity; a request may choose others."""
    backend: str = "auto"
    token: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = ()
    """Allowed Host headers; empty allows any. They keep other sites' web pages from reaching a loopback service."""
    folder: Path | None = None
    """Folder for uploads and scenes; by default a new folder in the system's temporary folder."""

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        if self.token is not None:
            good = len(self.token) >= LEAST_TOKEN and re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", self.token)
            expected = f"token: expected at least {LEAST_TOKEN} letters, digits or -._~+/"
            require(bool(good), f"{expected}, found {len(self.token)} characters")
