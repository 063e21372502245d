"""What runs the matting network: torch, or onnxruntime, behind one call.

An engine takes a photo (h, w, 3) uint8, sRGB-encoded, a number of stages and the matte so far (h, w), or None for
the first; it returns the matte (h, w) float32 in [0, 1]. A backend named is used or refused.

"auto" is torch for .safetensors and onnxruntime for .onnx. On two CPU cores onnxruntime takes less time for a matte
(benchmarks/results/matting.json), but converting weights to its format takes seconds, more than one photo gains:
`wideopen export matting` does that once.
"""

from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from wideopen.checks import F32, U8, require
from wideopen.errors import BackendUnavailable
from wideopen.matting.net.model import MattingNet
from wideopen.matting.net.variants import BACKENDS, MattingConfig
from wideopen.matting.weights import fold_batch_norms, load_net, locate


class Engine(Protocol):
    """A network ready to run, and its configuration."""

    @property
    def config(self) -> MattingConfig:
        """Of the network."""

    def __call__(self, srgb_u8: U8, stages: int, previous: F32 | None) -> F32:
        """Matte (h, w) of `srgb_u8` (h, w, 3) after `stages` stages that begin with `previous` (h, w)."""


class TorchEngine:
    """The network itself, on the device it is on."""

    def __init__(self, net: MattingNet) -> None:
        self.net = net.eval()
        self.config = net.config

    def __call__(self, srgb_u8: U8, stages: int, previous: F32 | None) -> F32:
        """As `Engine`."""
        device = next(self.net.parameters()).device
        with torch.inference_mode():
            image = torch.from_numpy(np.array(srgb_u8, order="C")).to(device)[None].permute(0, 3, 1, 2).float() / 255
            before = None if previous is None else torch.from_numpy(previous).to(device)[None, None]
            alpha = self.net(image, stages, before)[-1].alpha  # (1, 1, h, w)
            return np.asarray(alpha[0, 0].cpu().numpy(), np.float32)


def pick_device(device: str) -> str:
    """ "auto" takes the GPU if there is one; a name is obeyed or refused."""
    require(device in ("auto", "cpu", "cuda"), f"device: expected auto, cpu or cuda, found {device!r}")
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise BackendUnavailable("device cuda: no CUDA device here")
    return "cuda" if available and device != "cpu" else "cpu"


def pick_engine(weights: str | Path, backend: str = "auto", device: str = "auto") -> Engine:
    """The engine of `weights` (a shipped name, .safetensors or .onnx), kept for the next photo.

    Raises InvalidInput, WeightsError, BackendUnavailable.
    """
    require(backend in BACKENDS, f"matting backend: expected one of {', '.join(BACKENDS)}, found {backend!r}")
    in_onnx = Path(weights).suffix == ".onnx"
    if in_onnx and backend == "torch":
        raise BackendUnavailable(f"matting backend torch: expected weights in .safetensors, found {str(weights)!r}")
    path = Path(weights) if in_onnx else locate(weights)[0]
    modified_ns = path.stat().st_mtime_ns if path.is_file() else 0
    if not in_onnx and backend != "onnx":
        return _torch_engine(str(weights), modified_ns, pick_device(device))
    if device == "cuda":
        raise BackendUnavailable("matting backend onnx: expected device cpu, found cuda")
    return _onnx_engine(str(weights), modified_ns)


@lru_cache(maxsize=2)
def _torch_engine(weights: str, modified_ns: int, device: str) -> Engine:  # noqa: ARG001
    """Ready for inference; kept, since loading takes longer than a matte."""
    net = fold_batch_norms(load_net(weights)).to(device)
    return TorchEngine(net.to(memory_format=torch.channels_last))  # type: ignore[call-overload]


@lru_cache(maxsize=2)
def _onnx_engine(weights: str, modified_ns: int) -> Engine:  # noqa: ARG001
    """An ONNX file, or weights converted in memory."""
    from wideopen.matting.onnx_file import load_onnx, to_onnx

    if weights.endswith(".onnx"):
        return load_onnx(Path(weights))
    return load_onnx(to_onnx(weights))
