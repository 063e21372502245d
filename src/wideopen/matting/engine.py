"""The matting network in ONNX Runtime, and the choice of a runtime.

An engine takes a photo (h, w, 3) uint8, sRGB-encoded, a number of stages, and the previous matte (h, w), or None for
the first stage. It returns the matte (h, w) float32 in [0, 1]. "auto" runs .onnx files, including the shipped weights,
in ONNX Runtime, and .safetensors files in torch; only torch runs on a GPU. A backend chosen by name is used or refused.

ONNX files: inputs `image` (1, 3, H, W) float32, sRGB-encoded, in [0, 1], and `previous` (1, 1, H, W), the previous
matte, 0.5 everywhere for the first stage; any H and W. Outputs `alpha_1` ... `alpha_T` (1, 1, H, W) in [0, 1], the
matte after each stage. The metadata contain preset and configuration.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np

from wideopen.checks import F32, U8, require
from wideopen.errors import BackendUnavailable, WeightsError
from wideopen.matting.inference import BACKENDS
from wideopen.matting.predict import Engine
from wideopen.matting.weights import config_of, locate, read_file
from wideopen.networks import Session, pick_device, require_torch


class OnnxEngine:
    """An ONNX file made by `wideopen export matting`, on the CPU."""

    def __init__(self, weights: str | Path) -> None:
        """Load a shipped name or a .onnx file. Raises WeightsError if it is missing, damaged or of another kind."""
        name = f"matting weights {weights}"
        read_file(weights)  # refuses a changed one; given these bytes, the session would hold them
        self.session = Session(locate(weights), name)
        about = self.session.metadata
        if not {"preset", "config", "stages"} <= about.keys():
            raise WeightsError(f"{name}: expected a file of `wideopen export matting`, found another")
        self.config, self.stages = config_of(weights, about), int(about["stages"])

    def __call__(self, srgb_u8: U8, stages: int, previous: F32 | None) -> F32:
        """See `Engine`. More stages than the file has take several runs."""
        image = np.ascontiguousarray(srgb_u8.transpose(2, 0, 1)[None], np.float32) / np.float32(255)  # (1, 3, h, w)
        alpha = np.full((1, 1, *srgb_u8.shape[:2]), 0.5, np.float32) if previous is None else previous[None, None]
        while stages > 0:
            now = min(stages, self.stages)
            alpha = self.session.run(f"alpha_{now}", {"image": image, "previous": alpha})
            stages -= now
        return alpha[0, 0]


def pick_engine(weights: str | Path, backend: str = "auto", device: str = "auto") -> Engine:
    """Return the engine of `weights` (a shipped name, .safetensors or .onnx); it is cached for the next photo.

    Raises InvalidInput, WeightsError, BackendUnavailable.
    """
    require(backend in BACKENDS, f"matting backend: expected one of {', '.join(BACKENDS)}, found {backend!r}")
    path = locate(weights)
    modified_ns = path.stat().st_mtime_ns if path.is_file() else 0
    in_onnx = path.suffix == ".onnx"
    if backend == "torch" or (backend == "auto" and (device == "cuda" or not in_onnx)):
        require_torch(f"matting weights {weights}" if not in_onnx else f"matting on device {device}, in torch")
        return _loaded(str(weights), modified_ns, pick_device(device))
    if device == "cuda":
        raise BackendUnavailable("matting backend onnx: expected device cpu, found cuda")
    if not in_onnx:
        raise BackendUnavailable(
            f"matting backend onnx: expected a .onnx file, found {path} "
            f"(wideopen export matting --matting {path} -o {path.with_suffix('.onnx')} makes one)"
        )
    return _loaded(str(weights), modified_ns, None)


@lru_cache(maxsize=2)
def _loaded(weights: str, modified_ns: int, device: str | None) -> Engine:  # noqa: ARG001
    """The engine in torch on a device, or in ONNX Runtime; cached, since loading takes as long as a matte."""
    if device is None:
        return OnnxEngine(weights)
    from wideopen.matting.net.torch_engine import load_engine

    return load_engine(weights, device)
