"""Weights of depth models: whether a folder holds a model that we can run, and loading it.

Only safetensors are opened, and no code that comes with a model is run.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wideopen.disparity.nets.rows import INPUTS
from wideopen.errors import WeightsError

if TYPE_CHECKING:
    import torch

_UNUSED = "neck.fusion_stage.layers.0.residual_layer1."
"""Of the first fusion layer, which has nothing to add: never run, and absent from DPT's weights on the hub."""


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
