"""Locating depth models: what a name refers to, whether it is on disk, and downloading it from the hub.

Only `fetch` uses the network. Models are kept in the hub's own cache, which other programs share.
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wideopen.disparity.nets.models import ROWS, DepthModel
from wideopen.errors import InvalidInput, WeightsError

FILES = ("config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w.-]+)?")
_PATIENCE_S = 10


@dataclass(frozen=True, slots=True)
class Reference:
    """What a model name refers to: a folder, or a repository on the hub."""

    name: str
    folder: Path | None
    repo: str = ""
    revision: str = "main"
    row: DepthModel | None = None

    def describe(self) -> str:
        """Name, size and licence, as far as known."""
        if self.row is None:
            return f"{self.name} (size and licence: https://huggingface.co/{self.repo})"
        return f"{self.name} ({self.row.download_mb} MB, licence {self.row.licence})"


def resolve(model: str | Path) -> Reference:
    """Resolve `model`: a name of `ROWS`, a folder, or a hub id owner/name with an optional @revision.

    Raises InvalidInput for any other word.
    """
    word = str(model)
    if word in ROWS:
        row = ROWS[word]
        return Reference(word, None, row.repo, row.revision, row)
    if word and Path(word).is_dir():
        return Reference(Path(word).name or word, Path(word))
    if not _HUB_ID.fullmatch(word):
        raise InvalidInput(
            f"depth: expected auto, embedded, planar, {', '.join(ROWS)}, a folder or a hub id (owner/name), "
            f"found {word!r}"
        )
    repo, _, revision = word.partition("@")
    return Reference(word, None, repo, revision or "main")


def on_disk(model: str | Path) -> Path | None:
    """The folder with the model's weights, or None; never uses the network. Raises InvalidInput as `resolve`."""
    reference = resolve(model)
    if reference.folder is not None:
        return reference.folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            reference.repo, revision=reference.revision, allow_patterns=list(FILES), local_files_only=True
        )
    except LocalEntryNotFoundError:
        return None
    return Path(folder) if any(Path(folder).glob("*.safetensors")) else None


def fetch(
    model: str | Path,
    *,
    offline: bool = False,
    on_start: Callable[[], None] | None = None,
    on_bytes: Callable[[int, int], None] | None = None,
) -> Path:
    """The folder with the model's weights, downloaded into the hub's cache if necessary.

    offline (and the environment variable HF_HUB_OFFLINE): never download. on_start: called when the hub has answered
    and the download begins. on_bytes: called with (bytes so far, total bytes).
    Raises WeightsError: absent and offline, hub unreachable, no such model or revision, no safetensors in it;
    InvalidInput as `resolve`.
    """
    reference = resolve(model)
    folder = on_disk(model)
    if folder is not None:
        return folder
    if is_offline(offline):
        raise WeightsError(f"depth model {reference.describe()}: not on disk, and offline: nothing was downloaded")
    from huggingface_hub import errors

    try:
        folder = _download(reference, on_start or _ignore, on_bytes or _ignore)
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.EntryNotFoundError) as error:
        raise WeightsError(
            f"depth model {reference.name}: expected a model {reference.repo} on the hub, at {reference.revision}, "
            "found none (or it is private)"
        ) from error
    except _transfer_errors() as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise WeightsError(f"depth model {reference.describe()}: cannot be downloaded ({reason})") from error
    if not any(folder.glob("*.safetensors")):
        raise WeightsError(f"depth model {reference.name}: expected weights as .safetensors on the hub, found none")
    return folder


def _download(reference: Reference, on_start: Callable[[], None], on_bytes: Callable[[int, int], None]) -> Path:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, snapshot_download

    # One request first: without a network the download itself would retry for half a minute.
    url = hf_hub_url(reference.repo, "config.json", revision=reference.revision)
    get_hf_file_metadata(url, timeout=_PATIENCE_S)
    on_start()
    with _quiet_hub():
        folder = snapshot_download(
            reference.repo,
            revision=reference.revision,
            allow_patterns=list(FILES),
            tqdm_class=_counting_bar(on_bytes),
        )
    return Path(folder)


@contextmanager
def _quiet_hub() -> Iterator[None]:
    """Suppress messages about retries; failures are raised."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def is_offline(asked: bool = False) -> bool:
    """Whether the user or the environment (HF_HUB_OFFLINE) forbids downloads."""
    from huggingface_hub import constants

    return asked or bool(constants.HF_HUB_OFFLINE)


def cache_folder() -> Path:
    """The folder of downloaded models: the hub's own cache, shared with other programs."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _transfer_errors() -> tuple[type[Exception], ...]:
    """Exceptions that a download may raise: the system's, the HTTP library's base class, and the storage's own."""
    from huggingface_hub import errors

    names = ("HTTPError", "XetDownloadError")  # not in every version
    return (OSError, ValueError, *(getattr(errors, name) for name in names if hasattr(errors, name)))


def _ignore(*_: int) -> None:
    """The callback of a `fetch` without callbacks."""


def _counting_bar(on_bytes: Callable[[int, int], None]) -> Any:
    """A progress bar class for the hub's library that shows nothing and calls `on_bytes`."""
    from tqdm import tqdm

    class Nowhere:
        def write(self, _: str) -> None:
            """Show nothing."""

        def flush(self) -> None:
            """Nothing to show."""

    class Counting(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "file": Nowhere(), "disable": False})

        def update(self, n: float | None = 1) -> bool | None:
            shown: bool | None = super().update(n)
            if self.unit == "B":
                on_bytes(int(self.n), int(self.total or 0))
            return shown

    return Counting


def describe() -> list[str]:
    """One line per known model: name, licence, size, whether its weights are on disk."""
    lines = []
    for row in ROWS.values():
        state = "on disk" if on_disk(row.name) else "not on disk"
        lines.append(f"{row.name:24} {row.licence:13} {row.download_mb:5} MB  {state:11}  {row.remark}")
    return lines
