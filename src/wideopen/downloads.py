"""Downloading weights with the hub's library: its cache, its offline switch, its errors, and a progress callback."""

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from wideopen.errors import WeightsError

PATIENCE_S = 10


def is_offline(asked: bool = False) -> bool:
    """Whether the user or the environment (HF_HUB_OFFLINE) forbids downloads."""
    from huggingface_hub import constants

    return asked or bool(constants.HF_HUB_OFFLINE)


def cache_folder() -> Path:
    """The folder of downloaded models: the hub's own cache, shared with other programs."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def assets_folder() -> Path:
    """The folder of files that are not on the hub, where the hub's library wants other programs to keep theirs."""
    from huggingface_hub import constants

    return Path(constants.HF_ASSETS_CACHE) / "wideopen"


def fetch_file(url: str, out: Path, sha256: str, on_bytes: Callable[[int, int], None]) -> None:
    """Download a file of any server to `out`, which exists only once its SHA-256 is right; raises what the hub raises.

    Raises WeightsError for another SHA-256.
    """
    from huggingface_hub.file_download import http_get

    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_suffix(".part")
    try:
        with part.open("wb") as file, quiet_hub():
            http_get(url, file, displayed_filename=out.name, tqdm_class=counting_bar(on_bytes))
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            raise WeightsError(f"{url}: expected SHA-256 {sha256}, found {found}")
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def quiet_hub() -> Iterator[None]:
    """Suppress messages about retries; failures are raised."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def transfer_errors() -> tuple[type[Exception], ...]:
    """Exceptions that a download may raise: the system's, the HTTP library's base class, and the storage's own."""
    from huggingface_hub import errors

    names = ("HTTPError", "XetDownloadError")  # not in every version
    return (OSError, ValueError, *(getattr(errors, name) for name in names if hasattr(errors, name)))


def counting_bar(on_bytes: Callable[[int, int], None]) -> Any:
    """A progress bar class for the hub's library that shows nothing and calls `on_bytes`."""
    from tqdm import tqdm

    class Counting(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "file": StringIO(), "disable": False})

        def update(self, n: float | None = 1) -> bool | None:
            shown: bool | None = super().update(n)
            if self.unit == "B":
                on_bytes(int(self.n), int(self.total or 0))
            return shown

    return Counting
