"""Depth prediction by third-party networks: size, borders, colours, inference.

The preparation is our own instead of transformers' image processors: one implementation serves all four architectures,
and transformers' processor for Depth Pro needs torchvision.
Deviations: photos are averaged down (theirs: cubic with or without antialiasing, bilinear for Depth Pro) and never
become longer than three times the size asked for; ZoeDepth's mirrored border has whole pixels of the network's size.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from wideopen.checks import F32, U8, require
from wideopen.disparity.depth_map import Kind
from wideopen.disparity.nets.hub import on_disk, resolve
from wideopen.disparity.nets.models import INPUTS, Input, load, read_config, read_preprocessor
from wideopen.errors import WeightsError

LONGEST = 3
"""In multiples of the size asked for: a full panorama would need unbounded memory."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The network's input, and which part of its output is the photo."""

    pixels: F32  # (3, h, w), normalised
    border: tuple[int, int]  # (rows, columns) to be cut off on each side of the output, in pixels of h x w


def input_of(architecture: str, preprocessor: dict[str, Any], name: str) -> Input:
    """The input format of a model: its architecture's, overridden by the folder's settings. Raises WeightsError."""
    known = INPUTS[architecture]
    try:
        size = preprocessor.get("size", known.size)
        if isinstance(size, dict):
            size = (size["height"], size["width"])
        elif isinstance(size, int):
            size = (size, size)
        spec = replace(
            known,
            size=(int(size[0]), int(size[1])),
            keep_aspect=bool(preprocessor.get("keep_aspect_ratio", known.keep_aspect)),
            multiple=int(preprocessor.get("ensure_multiple_of", known.multiple)),
            mean=_three(preprocessor.get("image_mean", known.mean)),
            std=_three(preprocessor.get("image_std", known.std)),
            padded=known.padded and bool(preprocessor.get("do_pad", True)),
        )
        sound = min(*spec.size, spec.multiple) >= 1 and max(spec.size) <= 4096
        sound = sound and min(spec.std) > 0
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise WeightsError(f"depth model {name}: preprocessor_config.json is not understood ({error!r})") from error
    if not sound:
        raise WeightsError(f"depth model {name}: preprocessor_config.json asks for no sound input, found {spec}")
    return spec


def _three(numbers: Any) -> tuple[float, float, float]:
    red, green, blue = numbers
    return float(red), float(green), float(blue)


def network_size(height: int, width: int, spec: Input) -> tuple[int, int]:
    """(h, w) of the network's input: the size in `spec`, or with the photo's aspect, scaled as little as possible."""
    if not spec.keep_aspect:
        return spec.size
    scale = min((spec.size[0] / height, spec.size[1] / width), key=lambda x: abs(1 - x))
    scale = min(scale, LONGEST * max(spec.size) / max(height, width))
    rows, columns = (max(1, round(side * scale / spec.multiple)) * spec.multiple for side in (height, width))
    return rows, columns


def border_of(size: int, photo: int) -> int:
    """Pixels of mirrored border at each end of a side of `size`: ZoeDepth's 3 sqrt(photo / 2), scaled to it."""
    pad = int(3 * np.sqrt(photo / 2))
    return min(round(size * pad / (photo + 2 * pad)), (size - 1) // 2)


def prepare(srgb_u8: U8, spec: Input) -> Prepared:
    """The network's input for a photo (H, W, 3)."""
    height, width = srgb_u8.shape[:2]
    rows, columns = network_size(height, width, spec)
    top = border_of(rows, height) if spec.padded else 0
    left = border_of(columns, width) if spec.padded else 0
    inner = (columns - 2 * left, rows - 2 * top)
    smaller = inner[0] * inner[1] < width * height
    small = cv2.resize(srgb_u8, inner, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    if top or left:
        small = cv2.copyMakeBorder(small, top, top, left, left, cv2.BORDER_REFLECT_101)
    mean, std = np.array(spec.mean, np.float32), np.array(spec.std, np.float32)
    pixels = (small.reshape(rows, columns, 3).astype(np.float32) / 255 - mean) / std
    return Prepared(np.ascontiguousarray(pixels.transpose(2, 0, 1)), (top, left))


def cut_border(values: F32, prepared: Prepared) -> F32:
    """The photo's part of an output (h, w), at any resolution, of a network that took `prepared`."""
    rows, columns = prepared.pixels.shape[1:]
    top, left = (
        round(border * out / size)
        for border, out, size in zip(prepared.border, values.shape, (rows, columns), strict=True)
    )
    return values[top : values.shape[0] - top, left : values.shape[1] - left]


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """A `DepthMap`: a network's output at its own resolution."""

    values: F32  # (h, w)
    kind: Kind
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """A loaded network and its input format."""

    net: Any  # torch.nn.Module
    spec: Input
    kind: Kind


def meaning(config: dict[str, Any]) -> Kind:
    """The meaning of a model's output, from its config.json."""
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
    """Cached, because loading takes longer than predicting; one at a time, because some are large."""
    config = read_config(folder, name)
    spec = input_of(config["model_type"], read_preprocessor(folder, name), name)
    return Ready(load(folder, name).to(device), spec, meaning(config))


def predict_depth(srgb_u8: U8, *, model: str | Path, device: str = "auto") -> Prediction:
    """Depth of a photo (H, W, 3) uint8, sRGB-encoded, at the network's resolution.

    model: a name of `wideopen.disparity.nets.models.ROWS`, a folder, or a hub id, whose weights are on disk (`fetch`).
    device: auto, cpu or cuda. Raises InvalidInput; WeightsError for weights that are absent or not a depth model;
    BackendUnavailable for a missing device.
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
    prepared = prepare(srgb_u8, ready.spec)
    with torch.inference_mode():
        pixels = torch.from_numpy(prepared.pixels)[None].to(next(ready.net.parameters()).device)
        out = ready.net(pixel_values=pixels).predicted_depth.float().cpu().numpy()
    values = cut_border(out.reshape(out.shape[-2:]), prepared)
    unpinned = reference.row is None and reference.folder is None
    name = f"{reference.name} ({folder.name[:7]})" if unpinned else reference.name  # the commit
    return Prediction(np.ascontiguousarray(values), ready.kind, name)
