"""Depth models: the known ones as rows, what a name refers to, whether it is on disk, and downloading it from the hub.

Only `fetch` uses the network. Models are kept in the hub's own cache, which other programs share; none are shipped.
Most rows have two forms: an ONNX export, which the base installation runs on the CPU, and .safetensors, which torch
runs, on a GPU too. Repositories, revisions, sizes and licences are from the models' pages on the hub.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wideopen.downloads import PATIENCE_S, cache_folder, counting_bar, is_offline, quiet_hub, transfer_errors
from wideopen.errors import InvalidInput, WeightsError

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


ROWS: dict[str, DepthModel] = {
    row.name: row
    for row in (
        DepthModel(
            name="depth-anything-v2-small",
            licence="Apache-2.0",
            remark="the default: small, quick, free",
            onnx=Download(
                "onnx-community/depth-anything-v2-small", "34f40a4c93991327074907b51792dbc27e7d6f1c", 99, True
            ),
            torch=Download(
                "depth-anything/Depth-Anything-V2-Small-hf", "5426e4f0f36572d16453bbda7a8389317b1bef99", 99, False
            ),
        ),
        DepthModel(
            name="depth-anything-v2-base",
            licence="CC-BY-NC-4.0",
            remark="not for commercial use",
            onnx=Download(
                "onnx-community/depth-anything-v2-base", "6db5e16b48d85e78c043e57f8411a23550edbbfc", 389, True
            ),
            torch=Download(
                "depth-anything/Depth-Anything-V2-Base-hf", "b1958afc87fb45a9e3746cb387596094de553ed8", 390, False
            ),
        ),
        DepthModel(
            name="depth-anything-v2-large",
            licence="CC-BY-NC-4.0",
            remark="not for commercial use",
            onnx=Download(
                "onnx-community/depth-anything-v2-large", "e5476ff1183c8cfb19fcf293a5904c7403e77695", 1340, True
            ),
            torch=Download(
                "depth-anything/Depth-Anything-V2-Large-hf", "7581137eff8d4e94f6e796d3baea0e9fa79b22d2", 1341, False
            ),
        ),
        DepthModel(
            name="dpt",
            licence="Apache-2.0",
            remark="the paper's; squeezes every photo into a square",
            onnx=Download("Xenova/dpt-large", "main", 1370, True),  # no full commit was found in public pages
            torch=Download("Intel/dpt-large", "bc15f29aa3a80d532f2ed650b5e16ac48d8958f9", 1370, False),
        ),
        DepthModel(  # its ONNX export in float32 takes 3.8 GB
            name="depth-pro",
            licence="apple-amlr",
            remark="research only; sharp, slow; needs wideopen[torch]",
            torch=Download("apple/DepthPro-hf", "de816c8ce7168afcb231f96d501d72b869d0beda", 1900, False),
        ),
        DepthModel(
            name="zoedepth",
            licence="MIT",
            remark="metres; needs wideopen[torch]",
            torch=Download("Intel/zoedepth-nyu-kitti", "f364d4c7936e91f465abba182208dd68142bf0ca", 1380, False),
        ),
    )
}

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


def fetch(
    model: str | Path,
    *,
    device: str = "auto",
    offline: bool = False,
    on_start: Callable[[], None] | None = None,
    on_bytes: Callable[[int, int], None] | None = None,
) -> Path:
    """The folder with the model's weights for a device, downloaded into the hub's cache if necessary.

    offline (and the environment variable HF_HUB_OFFLINE): never download. on_start: called when the hub has answered
    and the download begins. on_bytes: called with (bytes so far, total bytes).
    Raises WeightsError: absent and offline, hub unreachable, no disk for it,
    no such model or revision, neither ONNX nor safetensors in it;
    InvalidInput as `resolve`.
    """
    reference = resolve(model, device)
    folder = on_disk(model, device)
    if folder is not None:
        return folder
    if is_offline(offline):
        raise WeightsError(f"depth model {reference.describe()}: not on disk, and offline: nothing was downloaded")
    from huggingface_hub import errors

    try:
        folder = _download(reference, on_start or _ignore, on_bytes or _ignore)
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.EntryNotFoundError) as error:
        raise WeightsError(
            f"depth model {reference.name}: expected a model {reference.download.repo} on the hub, "
            f"at {reference.download.revision}, found none (or it is private)"
        ) from error
    except transfer_errors() as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise WeightsError(f"depth model {reference.describe()}: cannot be downloaded ({reason})") from error
    if onnx_file(folder) is None and not any(folder.glob("*.safetensors")):
        raise WeightsError(
            f"depth model {reference.name}: expected onnx/model.onnx or .safetensors on the hub, found neither"
        )
    return folder


def _download(reference: Reference, on_start: Callable[[], None], on_bytes: Callable[[int, int], None]) -> Path:
    from huggingface_hub import snapshot_download

    download = reference.download
    in_onnx = _has_onnx(download)
    on_start()
    with quiet_hub():
        folder = snapshot_download(
            download.repo,
            revision=download.revision,
            allow_patterns=list(ONNX if in_onnx else SAFETENSORS),
            tqdm_class=counting_bar(on_bytes),
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


def _ignore(*_: int) -> None:
    """The callback of a `fetch` without callbacks."""


def describe() -> list[str]:
    """One line per known model: name, licence, size, whether its weights are on disk."""
    lines = []
    for row in ROWS.values():
        state = "on disk" if on_disk(row.name) else "not on disk"
        lines.append(f"{row.name:24} {row.licence:13} {row.form().megabytes:5} MB  {state:11}  {row.remark}")
    return lines
