"""Weights of depth models: which folder a name stands for, fetching them, loading them.

Only safetensors are opened, and no code that comes with a model is run. Nothing here uses the network but `fetch`.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wideopen.errors import InvalidInput, WeightsError
from wideopen.nets.depth.config import INPUTS, ROWS, DepthModel

if TYPE_CHECKING:
    import torch

FILES = ("config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w.-]+)?")
_UNUSED = "neck.fusion_stage.layers.0.residual_layer1."
"""Of the first fusion layer, which has nothing to add: never run, and absent from DPT's weights on the hub."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What a user's word for a model stands for: a folder, or a repository on the hub."""

    name: str
    folder: Path | None
    repo: str = ""
    revision: str = "main"
    row: DepthModel | None = None

    def describe(self) -> str:
        """Name, size and licence, as far as we know them."""
        if self.row is None:
            return f"{self.name} (size and licence: https://huggingface.co/{self.repo})"
        return f"{self.name} ({self.row.download_mb} MB, licence {self.row.licence})"


def resolve(model: str | Path) -> Reference:
    """What `model` stands for: a name of `ROWS`, a folder, or a hub id owner/name, with @revision if wished.

    Raises InvalidInput for any other word.
    """
    word = str(model)
    if word in ROWS:
        row = ROWS[word]
        return Reference(word, None, row.repo, row.revision, row)
    if Path(word).is_dir():
        return Reference(Path(word).name or word, Path(word))
    if not _HUB_ID.fullmatch(word) or word.startswith((".", "/")):
        raise InvalidInput(
            f"depth: expected auto, embedded, planar, {', '.join(ROWS)}, a folder or a hub id (owner/name), "
            f"found {word!r}"
        )
    repo, _, revision = word.partition("@")
    return Reference(word, None, repo, revision or "main")


def on_disk(model: str | Path) -> Path | None:
    """The folder that holds the model's weights, or None; never uses the network. Raises InvalidInput as `resolve`."""
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


def fetch(model: str | Path, *, offline: bool = False, on_bytes: Callable[[int, int], None] | None = None) -> Path:
    """The folder that holds the model's weights, downloaded into the hub's cache if they are not there yet.

    offline (and the environment variable HF_HUB_OFFLINE): never download. on_bytes: told (bytes so far, bytes in all).
    Raises WeightsError: absent and offline, the hub out of reach, no such model or revision; InvalidInput as `resolve`.
    """
    reference = resolve(model)
    folder = on_disk(model)
    if folder is not None:
        return folder
    from huggingface_hub import errors, snapshot_download

    if is_offline(offline):
        raise WeightsError(f"depth model {reference.describe()}: not on disk, and offline: nothing was downloaded")
    try:
        path = snapshot_download(
            reference.repo,
            revision=reference.revision,
            allow_patterns=list(FILES),
            tqdm_class=_counting_bar(on_bytes or _tell_nobody),
        )
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise WeightsError(
            f"depth model {reference.name}: expected {reference.repo} at {reference.revision} on the hub, found none "
            "(or it is private)"
        ) from error
    except _transfer_errors() as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise WeightsError(f"depth model {reference.describe()}: the hub could not be reached ({reason})") from error
    return Path(path)


def is_offline(asked: bool = False) -> bool:
    """Whether nothing may be downloaded: since the user said so, or the environment (HF_HUB_OFFLINE)."""
    from huggingface_hub import constants

    return asked or bool(constants.HF_HUB_OFFLINE)


def cache_folder() -> Path:
    """Where downloaded models are kept: the hub's own cache, shared with other programs."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _transfer_errors() -> tuple[type[Exception], ...]:
    """What a download may raise: the system's errors, the HTTP library's root of errors, and the storage's own."""
    from huggingface_hub import errors

    names = ("HTTPError", "XetDownloadError")  # not in every version
    return (OSError, ValueError, *(getattr(errors, name) for name in names if hasattr(errors, name)))


def _tell_nobody(done: int, total: int) -> None:
    """What `fetch` tells when nobody asked."""


def _counting_bar(on_bytes: Callable[[int, int], None]) -> Any:
    """A progress bar class, as the hub's library wants one, that shows nothing and tells `on_bytes`."""
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


def read_config(folder: Path, name: str) -> dict[str, Any]:
    """config.json of a folder that we can load: an architecture we know, weights as sound safetensors.

    Raises WeightsError.
    """
    config = _json(folder / "config.json", name)
    found = config.get("model_type")
    if found not in INPUTS:
        raise WeightsError(f"depth model {name}: expected one of {', '.join(INPUTS)}, found model_type {found!r}")
    if config.get("use_timm_backbone") or config.get("use_pretrained_backbone"):
        raise WeightsError(f"depth model {name}: expected the whole network in one folder, found a backbone elsewhere")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        others = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for path in folder.glob(pattern))
        pickles = f"{others[0]}, a pickle, which can run code and is not opened" if others else "no weights"
        raise WeightsError(f"depth model {name}: expected weights as .safetensors, found {pickles}")
    for file in files:
        _check_safetensors(file, name)
    return config


def _json(path: Path, name: str) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WeightsError(f"depth model {name}: expected {path.name} in {path.parent}, found none") from error
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"depth model {name}: {path} cannot be read ({type(error).__name__})") from error
    if not isinstance(read, dict):
        raise WeightsError(f"depth model {name}: expected an object in {path}, found {type(read).__name__}")
    return read


def _check_safetensors(file: Path, name: str) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt"):
            pass
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"depth model {name}: {file} is damaged or cut short ({error})") from error


def read_preprocessor(folder: Path, name: str) -> dict[str, Any]:
    """preprocessor_config.json of a folder; empty when there is none. Raises WeightsError for one that is none."""
    path = folder / "preprocessor_config.json"
    return _json(path, name) if path.is_file() else {}


def load(folder: Path, name: str) -> "torch.nn.Module":
    """The network of a folder checked by `read_config`, on the CPU, in float32, for inference.

    Raises WeightsError for weights that do not fit it.
    """
    import torch
    from transformers import AutoModelForDepthEstimation

    with _quiet_transformers():
        try:
            net, info = AutoModelForDepthEstimation.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=torch.float32,
                output_loading_info=True,
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise WeightsError(f"depth model {name}: {folder} cannot be loaded ({reason})") from error
    missing = sorted(key for key in info["missing_keys"] if not key.startswith(_UNUSED))
    if missing or info["mismatched_keys"]:
        first = missing[0] if missing else str(next(iter(info["mismatched_keys"])))
        count = len(missing) + len(info["mismatched_keys"])
        raise WeightsError(
            f"depth model {name}: expected weights for all of it, {count} are missing or unlike ({first})"
        )
    return net.eval()


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Neither bars nor warnings while a model is loaded: what matters of them we raise."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def describe() -> list[str]:
    """One line per known model: name, licence, size, whether its weights are on disk."""
    lines = []
    for row in ROWS.values():
        state = "on disk" if on_disk(row.name) else "not on disk"
        lines.append(f"{row.name:24} {row.licence:13} {row.download_mb:5} MB  {state:11}  {row.remark}")
    return lines
