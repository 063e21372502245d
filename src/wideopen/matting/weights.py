"""Trained weights: the rows we ship, and files that a user trained.

A file is safetensors: convolutions in float16, vectors (biases, batch-norm statistics) in float32, and the network's
configuration in its metadata. Shipped files are checked against their SHA-256 first; files given by path are not. In
both cases the keys must match exactly.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.utils.fusion import fuse_conv_bn_eval

from wideopen.errors import InvalidInput, WeightsError
from wideopen.matting.net.model import MattingNet
from wideopen.matting.net.variants import PRESETS, MattingConfig

FOLDER = Path(__file__).with_name("weights")


@dataclass(frozen=True, slots=True)
class WeightsRow:
    """One set of weights inside the package."""

    name: str
    file: str
    sha256: str
    preset: str
    licence: str


ROWS: dict[str, WeightsRow] = {
    row.name: row
    for row in (
        WeightsRow(
            "mobile",
            "mobile.safetensors",
            "edafcac14414fb137c61a534e10243e40ea2071d5ee37403ee60f83f5a3f4448",
            "mobile",
            "Apache-2.0",
        ),
        WeightsRow(
            "paper",
            "paper.safetensors",
            "7610a3e244fdd767cccc7e0a5daf93370f03c5873806c2a68aaf0f8e33718b21",
            "paper",
            "Apache-2.0",
        ),
    )
}


def describe() -> list[str]:
    """One line per row: name, preset, and the file with its size and licence, or that it is missing."""
    lines = []
    for row in ROWS.values():
        path = FOLDER / row.file
        if path.is_file():
            state = f"{path.name}, {path.stat().st_size / 1e6:.1f} MB, {row.licence}"
        else:
            state = f"{path.name} is missing"
        lines.append(f"{row.name:10} preset {row.preset:8} {state}")
    return lines


def locate(weights: str | Path) -> tuple[Path, WeightsRow | None]:
    """The file for a name or path, and its row if it is shipped."""
    row = ROWS.get(str(weights))
    if row is None:
        path = Path(weights)
        if path.suffix != ".safetensors":
            names = ", ".join(ROWS)
            raise WeightsError(f"matting weights: expected {names} or a .safetensors file, found {str(weights)!r}")
        return path, None
    return FOLDER / row.file, row


def check_hash(path: Path, sha256: str) -> None:
    """Refuse a file whose SHA-256 differs from the recorded one."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise WeightsError(f"matting weights {path}: expected SHA-256 {sha256}, found {found}")


def config_of(path: Path, metadata: Mapping[str, str]) -> MattingConfig:
    """The configuration stored in a file; its preset must be a known one."""
    preset = metadata.get("preset")
    if preset not in PRESETS:
        expected = ", ".join(PRESETS)
        raise WeightsError(f"matting weights {path}: expected metadata preset {expected}, found {preset!r}")
    try:
        fields = json.loads(metadata.get("config", "{}"))
        lists = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
        return MattingConfig(**{**asdict(PRESETS[preset]), **lists})
    except (ValueError, TypeError, InvalidInput) as error:
        raise WeightsError(f"matting weights {path}: configuration unknown here ({error})") from error


def read_weights(path: Path) -> tuple[MattingConfig, dict[str, Tensor], dict[str, str]]:
    """(configuration, float32 state, metadata) of a weights file."""
    if not path.is_file():
        raise WeightsError(f"matting weights: expected a file {path}, found none")
    try:
        with safe_open(path, "pt") as file:
            metadata = dict(file.metadata() or {})
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise WeightsError(f"matting weights {path}: damaged or cut short ({error})") from error
    full = {k: v.float() if v.dtype == torch.float16 else v for k, v in state.items()}
    return config_of(path, metadata), full, metadata


def load_net(weights: str | Path = "mobile") -> MattingNet:
    """The network with trained weights, on the CPU, in evaluation mode.

    Raises WeightsError: unknown name, missing, damaged, wrong hash, different preset, or keys or shapes that do not
    match.
    """
    path, row = locate(weights)
    if row is not None and path.is_file():
        check_hash(path, row.sha256)
    config, state, metadata = read_weights(path)
    if row is not None and metadata["preset"] != row.preset:
        raise WeightsError(f"matting weights {path}: expected preset {row.preset}, found {metadata['preset']}")
    net = MattingNet(config)
    try:
        net.load_state_dict(state, strict=True)
    except RuntimeError as error:
        first = " ".join(str(error).split())[:300]
        raise WeightsError(f"matting weights {path}: keys that do not fit ({first})") from error
    return net.eval()


def save_weights(
    path: Path, state: Mapping[str, Tensor], preset: str, info: Mapping[str, str], *, size: int | None = None
) -> str:
    """Write `state` as a weights file of `preset`; return its SHA-256.

    `info` (commit, steps, licence, ...) goes into the metadata beside preset and configuration. `size` is the default
    long side for matting, in pixels, if it differs from the preset's: the size at which the network was trained.
    """
    config = PRESETS[preset]
    if size is not None:
        config = replace(config, size=size, first_size=None)
    halved = {
        key: (value.half() if value.is_floating_point() and value.ndim > 1 else value).contiguous()
        for key, value in state.items()
    }
    metadata = {**info, "preset": preset, "config": json.dumps(asdict(config))}
    save_file(halved, path, metadata=metadata)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fold_batch_norms(net: MattingNet) -> MattingNet:
    """Fold each batch norm into the convolution before it; for inference only, in place."""
    for module in net.modules():
        names = list(module._modules)
        for first, second in pairwise(names):
            conv, norm = module._modules[first], module._modules[second]
            if isinstance(conv, torch.nn.Conv2d) and isinstance(norm, torch.nn.BatchNorm2d):
                module._modules[first] = fuse_conv_bn_eval(conv, norm)
                module._modules[second] = torch.nn.Identity()
    return net
