"""Depth models: the known ones (models.json), what a name refers to, whether it is on disk, and downloading it.

Only `fetch` uses the network. Models are kept in the hub's own cache, which other programs share; none are shipped.
Most rows have two forms: an ONNX export, which the base installation runs on the CPU, and .safetensors, which torch
runs, on a GPU too. Repositories, revisions, sizes and licences are from the models' pages on the hub;
no commit of dpt's ONNX export was found there. Depth Pro's export is left out: in float32 it takes 3.8 GB.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wideopen.errors import InvalidInput, WeightsError, one_line, quiet
from wideopen.networks import PATIENCE_S, cache_folder, counting_bar, is_offline, transfer_errors
from wideopen.timing import SILENT, Steps

DEFAULT = "depth-anything-v2-small"


@dataclass(frozen=True, slots=True)
class Download:
    """One form of a model on the hub."""

    repo: str
    revision: str = "main"  # a commit, so that the same name always means the same numbers
    megabytes: int = 0  # of the weights, 10^6 bytes
    in_onnx: bool | None = None  # onnx/model.onnx, or .safetensors; None: whichever the repository has


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthModel:
    """A model that `--depth` accepts by name."""

    name: str
    licence: str
    remark: str = ""
    onnx: Download | None = None
    torch: Download

    def form(self, device: str = "auto") -> Download:
        """The form that runs on a device: the ONNX export if there is one, .safetensors on cuda."""
        return self.torch if self.onnx is None or device == "cuda" else self.onnx


def _row(values: dict[str, Any]) -> DepthModel:
    downloads: dict[str, Any] = {kind: Download(**values[kind]) for kind in ("onnx", "torch") if kind in values}
    return DepthModel(**values | downloads)


ROWS = {row.name: row for row in map(_row, json.loads(Path(__file__).with_name("models.json").read_text("utf-8")))}
CONFIGS = ("config.json", "preprocessor_config.json")
ONNX = ("onnx/model.onnx", "onnx/model.onnx_data", *CONFIGS)
SAFETENSORS = ("*.safetensors", "*.safetensors.index.json", *CONFIGS)
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w.-]+)?")


@dataclass(frozen=True, slots=True)
class Reference:
    """What a model name refers to: a folder, a .onnx file, or a repository on the hub."""

    name: str
    path: Path | None = None
    download: Download = Download("")
    row: DepthModel | None = None

    def describe(self) -> str:
        """Name, size and licence, as far as known."""
        if self.row is None:
            return f"{self.name} (size and licence: https://huggingface.co/{self.download.repo})"
        return f"{self.name} ({self.download.megabytes} MB, licence {self.row.licence})"


def resolve(model: str | Path, device: str = "auto") -> Reference:
    """Resolve `model`: a name of `ROWS`, a folder, a .onnx file, or a hub id owner/name with an optional @revision.

    Raises InvalidInput for any other word.
    """
    word = str(model)
    if word in ROWS:
        return Reference(word, download=ROWS[word].form(device), row=ROWS[word])
    if word and (Path(word).is_dir() or (word.endswith(".onnx") and Path(word).is_file())):
        return Reference(Path(word).name or word, Path(word))
    if not _HUB_ID.fullmatch(word) or word.endswith(".onnx"):
        raise InvalidInput(
            f"depth: expected auto, embedded, small, planar, {', '.join(ROWS)}, a folder, a .onnx file or a hub id "
            f"(owner/name), found {word!r}"
        )
    repo, _, revision = word.partition("@")
    in_onnx = False if device == "cuda" else None
    return Reference(word, download=Download(repo, revision or "main", in_onnx=in_onnx))


def onnx_file(folder: Path) -> Path | None:
    """The network of a folder in ONNX, if it has one: model.onnx, there or in onnx/ as on the hub."""
    return next((file for file in (folder / "onnx" / "model.onnx", folder / "model.onnx") if file.is_file()), None)


def on_disk(model: str | Path, device: str = "auto") -> Path | None:
    """The model's folder or .onnx file, or None; never uses the network. Raises InvalidInput as `resolve`.

    Read from the layout of the hub's cache (its documentation describes it): the hub's library takes 0.3 s to import.
    """
    reference = resolve(model, device)
    if reference.path is not None:
        return reference.path
    download = reference.download
    repo = cache_folder() / f"models--{download.repo.replace('/', '--')}"
    named = repo / "refs" / download.revision
    commit = named.read_text(encoding="ascii").strip() if named.is_file() else download.revision
    folder = repo / "snapshots" / commit
    in_onnx = onnx_file(folder) is not None
    complete = in_onnx if download.in_onnx else any(folder.glob("*.safetensors"))
    return folder if complete or (download.in_onnx is None and in_onnx) else None


def fetch(model: str | Path, *, device: str = "auto", offline: bool = False, step: Steps = SILENT) -> Path:
    """The folder with the model's weights for a device, downloaded into the hub's cache if necessary.

    offline (and the environment variable HF_HUB_OFFLINE): never download. step: reports a download and its progress.
    Raises WeightsError: absent and offline, hub unreachable, no disk for it, no such model or revision, neither ONNX
    nor safetensors in it; InvalidInput as `resolve`.
    """
    reference = resolve(model, device)
    folder = on_disk(model, device)
    if folder is not None:
        return folder
    if is_offline(offline):
        raise WeightsError(f"depth model {reference.describe()}: not on disk, and offline: nothing was downloaded")
    from huggingface_hub import errors

    try:
        folder = _download(reference, step)
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.EntryNotFoundError) as error:
        expected = f"expected a model {reference.download.repo} on the hub, at {reference.download.revision}"
        raise WeightsError(f"depth model {reference.name}: {expected}, found none (or it is private)") from error
    except transfer_errors() as error:
        raise WeightsError(f"depth model {reference.describe()}: cannot be downloaded ({one_line(error)})") from error
    if onnx_file(folder) is None and not any(folder.glob("*.safetensors")):
        expected = "expected onnx/model.onnx or .safetensors on the hub"
        raise WeightsError(f"depth model {reference.name}: {expected}, found neither")
    return folder


def _download(reference: Reference, step: Steps) -> Path:
    from huggingface_hub import snapshot_download

    download = reference.download
    step("asking the hub")
    in_onnx = _has_onnx(download)
    step.note(f"note: downloading depth model {reference.describe()} to {cache_folder()}, only once")
    step("downloading")
    with quiet("huggingface_hub"):
        folder = snapshot_download(
            download.repo,
            revision=download.revision,
            allow_patterns=list(ONNX if in_onnx else SAFETENSORS),
            tqdm_class=counting_bar(step.download),
        )
    return Path(folder)


def _has_onnx(download: Download) -> bool:
    """Whether the weights to download are in ONNX, found out if the form is open.

    Asks for one file in any case: without a network the download itself would retry for half a minute.
    """
    from huggingface_hub import errors, get_hf_file_metadata, hf_hub_url

    def ask(file: str) -> None:
        get_hf_file_metadata(hf_hub_url(download.repo, file, revision=download.revision), timeout=PATIENCE_S)

    if download.in_onnx is None:
        try:
            ask(ONNX[0])
        except errors.EntryNotFoundError:
            return False
        return True
    ask(ONNX[0] if download.in_onnx else CONFIGS[0])
    return download.in_onnx


def describe() -> list[str]:
    """One line per known model: name, licence, size, whether its weights are on disk."""
    lines = []
    for row in ROWS.values():
        state = "on disk" if on_disk(row.name) else "not on disk"
        lines.append(f"{row.name:24} {row.licence:13} {row.form().megabytes:5} MB  {state:11}  {row.remark}")
    return lines
