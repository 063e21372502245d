"""From a photo to its depth, by a network of someone else's."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from wideopen.checks import F32, U8, require
from wideopen.disparity.depth_map import Kind
from wideopen.disparity.nets.hub import on_disk, resolve
from wideopen.disparity.nets.prepare import cut_border, input_of, prepare
from wideopen.disparity.nets.rows import Input
from wideopen.disparity.nets.weights import load, read_config, read_preprocessor
from wideopen.errors import WeightsError


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """A `DepthMap`: what a network says, at its own resolution."""

    values: F32  # (h, w)
    kind: Kind
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """A network to run, and how to talk to it."""

    net: Any  # torch.nn.Module
    wanted: Input
    kind: Kind


def meaning(config: dict[str, Any]) -> Kind:
    """What a model's output means, by its config.json."""
    architecture = config["model_type"]
    metric = architecture == "zoedepth" or config.get("depth_estimation_type") == "metric"
    backbone = config.get("backbone_config") or {}
    # DPT on DINOv2 has been published for depth in metres only (NYU, KITTI); DPT on others is MiDaS, disparity.
    metric = metric or (architecture == "dpt" and backbone.get("model_type") == "dinov2")
    if metric:
        return "depth_m"
    # Depth Pro's raw output is 1 / metres times focal length over width: one factor for the whole photo.
    return "disparity" if architecture == "depth_pro" else "relative_disparity"


@lru_cache(maxsize=1)
def _ready(folder: Path, name: str, modified_ns: int, device: str) -> Ready:  # noqa: ARG001
    """Kept, since loading takes longer than predicting; one at a time, since some are large."""
    config = read_config(folder, name)
    wanted = input_of(config["model_type"], read_preprocessor(folder, name), name)
    return Ready(load(folder, name).to(device), wanted, meaning(config))


def predict_depth(srgb_u8: U8, *, model: str | Path, device: str = "auto") -> Prediction:
    """Depth of a photo (H, W, 3) uint8, sRGB-encoded, at the network's resolution.

    model: a name of `wideopen.disparity.nets.rows.ROWS`, a folder, or a hub id, whose weights are on disk (`fetch`).
    device: auto, cpu or cuda. Raises InvalidInput; WeightsError for weights that are absent or no depth model;
    BackendUnavailable for a device that is not there.
    """
    import torch

    from wideopen.matting.engine import pick_device

    require(
        srgb_u8.dtype == np.uint8 and srgb_u8.ndim == 3 and srgb_u8.shape[2] == 3 and srgb_u8.size > 0,
        f"srgb_u8: expected (H, W, 3) uint8, found {srgb_u8.shape} {srgb_u8.dtype}",
    )
    reference = resolve(model)
    folder = on_disk(model)
    if folder is None:
        raise WeightsError(
            f"depth model {reference.describe()}: not on disk; `wideopen render --depth {reference.name}` and "
            "`wideopen.disparity.nets.hub.fetch` download it"
        )
    modified_ns = max((path.stat().st_mtime_ns for path in folder.iterdir()), default=0)
    ready = _ready(folder, reference.name, modified_ns, pick_device(device))
    prepared = prepare(srgb_u8, ready.wanted)
    with torch.inference_mode():
        pixels = torch.from_numpy(prepared.pixels)[None].to(next(ready.net.parameters()).device)
        out = ready.net(pixel_values=pixels).predicted_depth.float().cpu().numpy()
    values = cut_border(out.reshape(out.shape[-2:]), prepared)
    unpinned = reference.row is None and reference.folder is None
    name = f"{reference.name} ({folder.name[:7]})" if unpinned else reference.name  # which of its commits it was
    return Prediction(np.ascontiguousarray(values), ready.kind, name)
