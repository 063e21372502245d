"""Depth networks in torch, through transformers: for GPUs and for models that exist in no other form.

Only safetensors are opened, and no code that comes with a model is run.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForDepthEstimation

from wideopen.checks import F32
from wideopen.errors import WeightsError, one_line

_UNUSED = "neck.fusion_stage.layers.0.residual_layer1."
"""Parts of the first fusion layer, which has nothing to add: never run, and absent from DPT's weights on the hub."""


def _check(folder: Path, name: str, config: dict[str, Any]) -> None:
    """Raise WeightsError unless a folder has all of the network, in sound safetensors."""
    if config.get("use_timm_backbone") or config.get("use_pretrained_backbone"):
        raise WeightsError(f"depth model {name}: expected the whole network in one folder, found a backbone elsewhere")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        others = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for path in folder.glob(pattern))
        pickles = f"{others[0]}, a pickle, which can run code and is not opened" if others else "no weights"
        raise WeightsError(f"depth model {name}: expected weights as .safetensors, found {pickles}")
    for file in files:
        _check_safetensors(file, name)


def _check_safetensors(file: Path, name: str) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt"):
            pass
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"depth model {name}: {file} is damaged or cut short ({error})") from error


def load(folder: Path, name: str, config: dict[str, Any], device: str) -> Callable[[F32], F32]:
    """The network of a folder with this config.json, in float32: pixels (3, h, w) in, its output (..., h', w') out.

    Raises WeightsError for weights that are damaged or do not fit.
    """
    _check(folder, name, config)
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
            raise WeightsError(f"depth model {name}: {folder} cannot be loaded ({one_line(error, 300)})") from error
    missing = sorted(key for key in info["missing_keys"] if not key.startswith(_UNUSED))
    if missing or info["mismatched_keys"]:
        first = missing[0] if missing else str(next(iter(info["mismatched_keys"])))
        count = len(missing) + len(info["mismatched_keys"])
        raise WeightsError(
            f"depth model {name}: expected weights for all of it, {count} are missing or unlike ({first})"
        )
    net = net.eval().to(device)

    def run(pixels: F32) -> F32:
        with torch.inference_mode():
            out = net(pixel_values=torch.from_numpy(pixels)[None].to(device)).predicted_depth
            return np.asarray(out.float().cpu().numpy())

    return run


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
