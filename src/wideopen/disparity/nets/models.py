"""Known depth models as rows, the four supported architectures, and loading a model from its folder.

Rows are plain data, so that a command line can list the models without loading torch. Revisions, sizes and licences are
from the models' pages on the hub. The user fetches weights; none are shipped. Only safetensors are opened, and no code
that comes with a model is run.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wideopen.errors import WeightsError

DEFAULT = "depth-anything-v2-small"


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthModel:
    """One set of weights on the hub."""

    name: str  # the word that --depth accepts
    repo: str
    revision: str  # a commit, so that the same name always means the same numbers
    download_mb: int  # of the weights, 10^6 bytes
    licence: str
    remark: str = ""


ROWS: dict[str, DepthModel] = {
    row.name: row
    for row in (
        DepthModel(
            name="depth-anything-v2-small",
            repo="depth-anything/Depth-Anything-V2-Small-hf",
            revision="5426e4f0f36572d16453bbda7a8389317b1bef99",
            download_mb=99,
            licence="Apache-2.0",
            remark="the default: small, quick, free",
        ),
        DepthModel(
            name="depth-anything-v2-base",
            repo="depth-anything/Depth-Anything-V2-Base-hf",
            revision="b1958afc87fb45a9e3746cb387596094de553ed8",
            download_mb=390,
            licence="CC-BY-NC-4.0",
            remark="not for commercial use",
        ),
        DepthModel(
            name="depth-anything-v2-large",
            repo="depth-anything/Depth-Anything-V2-Large-hf",
            revision="7581137eff8d4e94f6e796d3baea0e9fa79b22d2",
            download_mb=1341,
            licence="CC-BY-NC-4.0",
            remark="not for commercial use",
        ),
        DepthModel(
            name="dpt",
            repo="Intel/dpt-large",
            revision="bc15f29aa3a80d532f2ed650b5e16ac48d8958f9",
            download_mb=1370,
            licence="Apache-2.0",
            remark="the paper's; squeezes every photo into a square",
        ),
        DepthModel(
            name="depth-pro",
            repo="apple/DepthPro-hf",
            revision="de816c8ce7168afcb231f96d501d72b869d0beda",
            download_mb=1900,
            licence="apple-amlr",
            remark="research only; sharp, slow",
        ),
        DepthModel(
            name="zoedepth",
            repo="Intel/zoedepth-nyu-kitti",
            revision="f364d4c7936e91f465abba182208dd68142bf0ca",
            download_mb=1380,
            licence="MIT",
            remark="metres",
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """The input format of an architecture. A folder's preprocessor_config.json may override it."""

    size: tuple[int, int]  # (height, width)
    keep_aspect: bool  # the short side gets its size, the other keeps the aspect
    multiple: int  # of both sides, in pixels
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    padded: bool = False  # borders are mirrored in the input and cut off the output


HALF = (0.5, 0.5, 0.5)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
INPUTS: dict[str, Input] = {
    "depth_anything": Input(size=(518, 518), keep_aspect=True, multiple=14, mean=IMAGENET_MEAN, std=IMAGENET_STD),
    "depth_pro": Input(size=(1536, 1536), keep_aspect=False, multiple=1, mean=HALF, std=HALF),
    "dpt": Input(size=(384, 384), keep_aspect=False, multiple=1, mean=HALF, std=HALF),
    "zoedepth": Input(size=(384, 512), keep_aspect=True, multiple=32, mean=HALF, std=HALF, padded=True),
}


if TYPE_CHECKING:
    import torch

_UNUSED = "neck.fusion_stage.layers.0.residual_layer1."
"""Parts of the first fusion layer, which has nothing to add: never run, and absent from DPT's weights on the hub."""


def read_config(folder: Path, name: str) -> dict[str, Any]:
    """config.json of a folder with a supported architecture and sound safetensors. Raises WeightsError."""
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
    """preprocessor_config.json of a folder; empty if there is none. Raises WeightsError for an unreadable one."""
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
    """Suppress progress bars and warnings while a model is loaded; problems that matter are raised."""
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
