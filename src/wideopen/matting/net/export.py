"""The matting network as an ONNX file, for ONNX Runtime and for programs without Python; `matting.engine` describes it.

Exported by tracing (torch.onnx, dynamo=False), which allows any size: the newer exporter's result refused sides that
are not multiples of 32 (torch 2.13). Batch norms stay, so that the parameters keep their names and shapes and the file
also serves as a start for training; ONNX Runtime folds them when it loads the file. Constants are folded here, by ONNX
Runtime too, which halves the time of loading. Parameters that the network does not use are left out: without the
low-resolution branch (Table 2) most of the encoder is, and the file is no start for training.
"""

import io
import json
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wideopen.errors import BackendUnavailable, require
from wideopen.matting.net.model import MattingNet
from wideopen.matting.net.state import PARTS, load_net, read_weights

OPSET = 18
KEPT_APART = ["ConvAddFusion", "ConvBNFusion", "ConvMulFusion"]  # optimizers that would change parameters


class _Stages(torch.nn.Module):
    """The network with only tensors as inputs and outputs."""

    def __init__(self, net: MattingNet, stages: int) -> None:
        super().__init__()
        self.net, self.stages = net, stages
        self.training = True  # of this module alone: otherwise the exporter merges equal parameters

    def forward(self, image: torch.Tensor, previous: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(out.alpha for out in self.net(image, self.stages, previous))


def to_onnx(weights: str | Path = "mobile", stages: int | None = None, *, half: bool = False) -> bytes:
    """Export `weights` as an ONNX file with the mattes of up to `stages` stages (default: the configuration's T).

    half: store convolutions in float16; they are computed in float32, and loading takes a little longer. Raises
    InvalidInput, WeightsError; BackendUnavailable if the package onnx is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise BackendUnavailable("export: the package onnx is not installed (pip install 'wideopen[torch]')") from error
    net, metadata = load_net(weights), read_weights(weights)[1]
    count = net.config.stages if stages is None else stages
    require(count >= 1, f"stages: expected at least 1, found {count}")
    model = _fold_constants(_trace(net, count))
    for one in model.graph.initializer:
        one.name = one.name.removeprefix("net.")
    for node in model.graph.node:
        node.input[:] = [name.removeprefix("net.") for name in node.input]
    if half:
        _halve(model)
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    about = {"config": json.dumps(asdict(net.config)), "stages": str(count)}
    onnx.helper.set_model_props(model, metadata | about)
    return model.SerializeToString()


def _trace(net: MattingNet, stages: int) -> bytes:
    names = [f"alpha_{stage}" for stage in range(1, stages + 1)]
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # tracing warns of constants, which are intended here
        torch.onnx.export(
            _Stages(net, stages),
            (torch.zeros(1, 3, 64, 96), torch.full((1, 1, 64, 96), 0.5)),
            file,  # type: ignore[arg-type]  # a file object is taken here
            input_names=["image", "previous"],
            output_names=names,
            dynamic_axes={name: {2: "height", 3: "width"} for name in ("image", "previous", *names)},
            opset_version=OPSET,
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,
        )
    return file.getvalue()


def _fold_constants(model: bytes) -> Any:
    import onnx
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(Path(folder) / "folded.onnx")
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"], disabled_optimizers=KEPT_APART)
        return onnx.load(options.optimized_model_filepath)


def _halve(model: Any) -> None:
    """Store the parameters that are not vectors in float16, each with a node that casts it to float32."""
    import onnx

    casts = []
    for one in model.graph.initializer:
        if one.name.startswith(PARTS) and len(one.dims) > 1:
            casts.append(onnx.helper.make_node("Cast", [one.name], [f"{one.name}.float32"], to=onnx.TensorProto.FLOAT))
            array = onnx.numpy_helper.to_array(one).astype(np.float16)
            one.CopyFrom(onnx.numpy_helper.from_array(array, one.name))
    cast = {node.input[0] for node in casts}
    for node in model.graph.node:
        node.input[:] = [f"{name}.float32" if name in cast else name for name in node.input]
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
