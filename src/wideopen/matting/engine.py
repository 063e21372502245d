"""Engines that run the matting network: torch and onnxruntime, with one interface.

An engine takes a photo (h, w, 3) uint8, sRGB-encoded, a number of stages, and the matte so far (h, w), or None for the
first stage. It returns the matte (h, w) float32 in [0, 1]. A backend that is named is used, or refused if it cannot
run.

"auto" selects torch for .safetensors and onnxruntime for .onnx. On two CPU cores onnxruntime computes a matte faster
(benchmarks/results/matting.json), but converting weights to its format takes seconds, more than one photo saves.
`wideopen export matting` does the conversion once.

ONNX files serve onnxruntime and programs without Python. Inputs: `image` (1, 3, H, W) float32, sRGB-encoded, in [0, 1];
`previous` (1, 1, H, W), the matte so far, 0.5 everywhere for the first stage; any H and W. Outputs: `alpha_1` ...
`alpha_T` (1, 1, H, W) in [0, 1], the matte after each stage. One encoder serves all stages, as in torch. The metadata
hold the preset and the configuration, so that resizing and clean-up are the same as for `.safetensors`. Files are
exported by tracing (torch.onnx, dynamo=False), which takes 4 s and allows any size. The newer exporter took 41 s and
its result refused sides that are not multiples of 32 (torch 2.13).
"""

import io
import json
import warnings
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from wideopen.checks import F32, U8, require
from wideopen.errors import BackendUnavailable, WeightsError
from wideopen.matting.net.model import MattingNet
from wideopen.matting.net.variants import BACKENDS, MattingConfig
from wideopen.matting.weights import config_of, fold_batch_norms, load_net, locate, read_weights


class Engine(Protocol):
    """A network ready to run, and its configuration."""

    @property
    def config(self) -> MattingConfig:
        """The network's configuration."""

    def __call__(self, srgb_u8: U8, stages: int, previous: F32 | None) -> F32:
        """Matte (h, w) of `srgb_u8` (h, w, 3) after `stages` stages, starting from `previous` (h, w)."""


class TorchEngine:
    """The torch network, on its current device."""

    def __init__(self, net: MattingNet) -> None:
        self.net = net.eval()
        self.config = net.config

    def __call__(self, srgb_u8: U8, stages: int, previous: F32 | None) -> F32:
        """See `Engine`."""
        device = next(self.net.parameters()).device
        with torch.inference_mode():
            image = torch.from_numpy(np.array(srgb_u8, order="C")).to(device)[None].permute(0, 3, 1, 2).float() / 255
            before = None if previous is None else torch.from_numpy(previous).to(device)[None, None]
            alpha = self.net(image, stages, before)[-1].alpha  # (1, 1, h, w)
            return np.asarray(alpha[0, 0].cpu().numpy(), np.float32)


def pick_device(device: str) -> str:
    """Resolve a device name: "auto" is the GPU if there is one; a named device is used, or refused if missing."""
    require(device in ("auto", "cpu", "cuda"), f"device: expected auto, cpu or cuda, found {device!r}")
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise BackendUnavailable("device cuda: no CUDA device here")
    return "cuda" if available and device != "cpu" else "cpu"


def pick_engine(weights: str | Path, backend: str = "auto", device: str = "auto") -> Engine:
    """Return the engine of `weights` (a shipped name, .safetensors or .onnx); it is cached for the next photo.

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
    """A network ready for inference; cached, since loading takes longer than a matte."""
    net = fold_batch_norms(load_net(weights)).to(device)
    return TorchEngine(net.to(memory_format=torch.channels_last))  # type: ignore[call-overload]


@lru_cache(maxsize=2)
def _onnx_engine(weights: str, modified_ns: int) -> Engine:  # noqa: ARG001
    """An engine from an ONNX file, or from weights converted in memory."""
    if weights.endswith(".onnx"):
        return load_onnx(Path(weights))
    return load_onnx(to_onnx(weights))


HOW_TO_INSTALL = "is not installed (pip install 'wideopen[onnx]')"
OPSET = 18


class _Stages(torch.nn.Module):
    """The network with only tensors as inputs and outputs."""

    def __init__(self, net: MattingNet, stages: int) -> None:
        super().__init__()
        self.net, self.stages = net, stages

    def forward(self, image: torch.Tensor, previous: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(out.alpha for out in self.net(image, self.stages, previous))


def to_onnx(weights: str | Path = "mobile", stages: int | None = None) -> bytes:
    """Export `weights` as an ONNX file with the mattes of up to `stages` stages (default: the configuration's T).

    Raises InvalidInput, WeightsError; BackendUnavailable if the package onnx is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise BackendUnavailable(f"export to ONNX: the package onnx {HOW_TO_INSTALL}") from error
    net = fold_batch_norms(load_net(weights))
    count = net.config.stages if stages is None else stages
    require(count >= 1, f"stages: expected at least 1, found {count}")
    names = [f"alpha_{stage}" for stage in range(1, count + 1)]
    axes = {name: {2: "height", 3: "width"} for name in ("image", "previous", *names)}
    example = (torch.zeros(1, 3, 64, 96), torch.full((1, 1, 64, 96), 0.5))
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # tracing warns of constants, which are intended here
        torch.onnx.export(
            _Stages(net, count).eval(),
            example,
            file,  # type: ignore[arg-type]  # a file object is taken here
            input_names=["image", "previous"],
            output_names=names,
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load_from_string(file.getvalue())
    preset = read_weights(locate(weights)[0])[2]["preset"]
    about = {"preset": preset, "config": json.dumps(asdict(net.config)), "stages": str(count)}
    onnx.helper.set_model_props(model, about)
    return model.SerializeToString()


class OnnxEngine:
    """An ONNX file in onnxruntime, on the CPU."""

    def __init__(self, session: Any, config: MattingConfig, stages: int) -> None:
        self.session, self.config, self.stages = session, config, stages

    def __call__(self, srgb_u8: U8, stages: int, previous: F32 | None) -> F32:
        """See `Engine`. More stages than the file has take several runs, each padding sides to multiples of 32."""
        image = np.ascontiguousarray(srgb_u8.transpose(2, 0, 1)[None], np.float32) / np.float32(255)  # (1, 3, h, w)
        alpha = np.full((1, 1, *srgb_u8.shape[:2]), 0.5, np.float32) if previous is None else previous[None, None]
        while stages > 0:
            now = min(stages, self.stages)
            alpha = self.session.run([f"alpha_{now}"], {"image": image, "previous": alpha})[0]
            stages -= now
        return np.asarray(alpha[0, 0], np.float32)


def load_onnx(file: Path | bytes) -> OnnxEngine:
    """Load an exported file, given by path or as bytes.

    Raises BackendUnavailable if onnxruntime is not installed; WeightsError if the file is missing, damaged or not ours.
    """
    try:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as states
    except ImportError as error:
        raise BackendUnavailable(f"matting backend onnx: onnxruntime {HOW_TO_INSTALL}") from error
    name = file if isinstance(file, Path) else "ONNX in memory"
    if isinstance(file, Path) and not file.is_file():
        raise WeightsError(f"matting weights: expected a file {file}, found none")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only; exceptions carry the rest
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # like our kernels: wait, do not spin
    try:
        session = onnxruntime.InferenceSession(
            file if isinstance(file, bytes) else str(file), options, providers=["CPUExecutionProvider"]
        )
    except (
        states.Fail,
        states.InvalidArgument,
        states.InvalidGraph,
        states.InvalidProtobuf,
        states.NotImplemented,
        states.RuntimeException,
    ) as error:
        first = " ".join(str(error).split())[:200]
        raise WeightsError(f"matting weights {name}: damaged, cut short or no ONNX file ({first})") from error
    about = session.get_modelmeta().custom_metadata_map
    if not {"preset", "config", "stages"} <= about.keys():
        raise WeightsError(f"matting weights {name}: expected a file of `wideopen export matting`, found another")
    return OnnxEngine(session, config_of(Path(str(name)), about), int(about["stages"]))
