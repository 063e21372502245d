"""Trained weights in torch: read from .safetensors and .onnx files, written as .safetensors.

Convolutions are stored in float16, vectors (biases, batch-norm statistics) in float32, and the network's configuration
in the metadata. The initializers of an ONNX file of `wideopen export matting` have the names and shapes of the torch
network's parameters, so one file serves both. Keys must match exactly.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor

from wideopen.errors import BackendUnavailable, WeightsError, one_line
from wideopen.matting.inference import PRESETS
from wideopen.matting.net.model import MattingNet
from wideopen.matting.weights import config_of, locate, read_file


def read_weights(weights: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """(float32 state, metadata) of a shipped name, a .safetensors or a .onnx file. Raises WeightsError."""
    data = read_file(weights)
    state, metadata = (_read_onnx if locate(weights).suffix == ".onnx" else _read_safetensors)(data, weights)
    return {k: v.float() if v.dtype == torch.float16 else v for k, v in state.items()}, metadata


def _read_safetensors(data: bytes, weights: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        state = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except SafetensorError as error:
        raise WeightsError(f"matting weights {weights}: damaged or cut short ({error})") from error
    return state, dict(header.get("__metadata__", {}))


def _read_onnx(data: bytes, weights: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise BackendUnavailable(
            f"matting weights {weights}: the package onnx is not installed (pip install 'wideopen[torch]')"
        ) from error
    try:
        model = onnx.load_from_string(data)
    except DecodeError as error:
        raise WeightsError(f"matting weights {weights}: damaged, cut short or no ONNX file ({error})") from error
    arrays = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    state = {name: torch.tensor(array) for name, array in arrays.items() if name.startswith(PARTS)}
    return state, {one.key: one.value for one in model.metadata_props}


PARTS = ("encoder.", "low.", "high.")
"""First words of the names of all parameters; other initializers of an ONNX file are constants of its graph."""


def load_net(weights: str | Path = "mobile") -> MattingNet:
    """The network with trained weights, on the CPU, in evaluation mode.

    Raises WeightsError: unknown name, missing, damaged, wrong hash, or keys or shapes that do not match.
    """
    state, metadata = read_weights(weights)
    net = MattingNet(config_of(weights, metadata))
    try:
        net.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"matting weights {weights}: keys that do not fit ({one_line(error, 300)})") from error
    return net.eval()


def save_weights(
    path: Path, state: Mapping[str, Tensor], preset: str, info: Mapping[str, str], *, size: int | None = None
) -> str:
    """Write `state` as a .safetensors file of `preset`; return its SHA-256.

    `info` (commit, steps, licence, ...) goes into the metadata beside preset and configuration. `size` is the default
    long side for matting, in pixels, if it differs from the preset's: the size at which the network was trained.
    """
    from safetensors.torch import save

    config = PRESETS[preset]
    if size is not None:
        config = replace(config, size=size, first_size=None)
    halved = {
        key: (value.half() if value.is_floating_point() and value.ndim > 1 else value).contiguous()
        for key, value in state.items()
    }
    data = save(halved, metadata={**info, "preset": preset, "config": json.dumps(asdict(config))})
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()
