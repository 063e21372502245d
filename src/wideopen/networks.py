"""Networks: run in ONNX Runtime for all rendering, refused in one line if torch is missing, or downloaded.

Weights are downloaded by the hub's library: its cache, its offline switch, its errors, and a progress callback.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

from wideopen.checks import F32, require
from wideopen.errors import BackendUnavailable, WeightsError, one_line, quiet

PATIENCE_S = 10  # of a download without an answer

# ONNX Runtime from 1.29 on reports its use to its makers unless this is set before its first import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def why_no_torch() -> str | None:
    """Which package of the extra [torch] that networks need is not installed, or None."""
    needed = ("torch", "transformers", "safetensors")
    lacking = next((package for package in needed if find_spec(package) is None), None)
    return f"{lacking} is not installed (pip install 'wideopen[torch]')" if lacking else None


def require_torch(what: str) -> None:
    """Raise BackendUnavailable unless torch and transformers are installed; `what` needs them."""
    reason = why_no_torch()
    if reason is not None:
        raise BackendUnavailable(f"{what}: {reason}")


def pick_device(device: str) -> str:
    """The device for torch: "auto" is the GPU if there is one; a named one is used, or refused if it is missing."""
    require(device in ("auto", "cpu", "cuda"), f"device: expected auto, cpu or cuda, found {device!r}")
    require_torch(f"device {device}")
    import torch

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise BackendUnavailable("device cuda: no CUDA device here")
    return "cuda" if available and device != "cpu" else "cpu"


class Session:
    """An ONNX file in ONNX Runtime, on the CPU, with as many threads as OpenCV has, which workers limit."""

    def __init__(self, file: Path, name: str) -> None:
        """Load a file; errors call it `name`. Raises WeightsError if it cannot be loaded."""
        import cv2
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # exceptions carry the errors
        options.intra_op_num_threads = cv2.getNumThreads()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # like our kernels: wait, do not spin
        self._freeing = onnxruntime.RunOptions()  # a run's 90 MB are not kept for the next
        self._freeing.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        self.name = name
        try:
            self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except _failures() as error:
            raise WeightsError(f"{name}: damaged, cut short or no ONNX file ({one_line(error)})") from error
        self.inputs = self._session.get_inputs()  # each has name, shape and type
        self.outputs = self._session.get_outputs()
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map

    def run(self, output: str, inputs: Mapping[str, F32]) -> F32:
        """One output for the given inputs. Raises WeightsError if the network cannot be run on them."""
        try:
            return self._session.run([output], dict(inputs), self._freeing)[0]
        except _failures() as error:
            raise WeightsError(f"{self.name}: cannot be run ({one_line(error)})") from error


def _failures() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as states

    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented")
    # ValueError: inputs of other names
    return (ValueError, *(getattr(states, name) for name in (*names, "RuntimeException")))


def is_offline(asked: bool = False) -> bool:
    """Whether the user or the environment (HF_HUB_OFFLINE) forbids downloads."""
    from huggingface_hub import constants

    return asked or bool(constants.HF_HUB_OFFLINE)


def cache_folder() -> Path:
    """The folder of downloaded models: the hub's own cache, shared with other programs."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def assets_folder() -> Path:
    """The folder for files that are not on the hub: the one that the hub's library gives to other programs."""
    from huggingface_hub import constants

    return Path(constants.HF_ASSETS_CACHE) / "wideopen"


def fetch_file(url: str, out: Path, sha256: str, on_bytes: Callable[[int, int], None]) -> None:
    """Download a file of any server to `out`, which exists only once its SHA-256 is right; raises what the hub raises.

    Raises WeightsError for another SHA-256.
    """
    from huggingface_hub.file_download import http_get

    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_suffix(".part")
    try:
        with part.open("wb") as file, quiet("huggingface_hub"):
            http_get(url, file, displayed_filename=out.name, tqdm_class=counting_bar(on_bytes))
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            raise WeightsError(f"{url}: expected SHA-256 {sha256}, found {found}")
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def transfer_errors() -> tuple[type[Exception], ...]:
    """Exceptions that a download may raise: the system's, the HTTP library's base class, and the storage's own."""
    from huggingface_hub import errors

    names = ("HTTPError", "XetDownloadError")  # not in every version
    return (OSError, ValueError, *(getattr(errors, name) for name in names if hasattr(errors, name)))


def counting_bar(on_bytes: Callable[[int, int], None]) -> Any:
    """A progress bar class for the hub's library that shows nothing and calls `on_bytes`."""
    from tqdm import tqdm

    class Counting(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "file": StringIO(), "disable": False})

        def update(self, n: float | None = 1) -> bool | None:
            shown: bool | None = super().update(n)
            if self.unit == "B":
                on_bytes(int(self.n), int(self.total or 0))
            return shown

    return Counting
