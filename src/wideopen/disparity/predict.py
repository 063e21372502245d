"""Depth prediction by third-party networks: size, borders, colours, inference.

A network is a .onnx file, or a folder with config.json, preprocessor_config.json and weights, in ONNX or .safetensors.
The preparation is our own instead of transformers' image processors: one implementation serves all networks, without
torch.
Deviations: photos are averaged down (theirs: cubic with or without antialiasing, bilinear for Depth Pro) and never
become longer than three times the size asked for; ZoeDepth's mirrored border has whole pixels of the network's size.

An ONNX file needs one input (1, 3, H, W) or (1, H, W, 3), of fixed or any size, and a map as output. What its shapes do
not say is read from NAME.json beside NAME.onnx (`SIGNATURE`), else from its metadata, if it has `preprocessor_config`
(JSON as in the file of that name) and `depth_kind` (one of `depth_map.KINDS`), else from the two files beside it or
beside its folder onnx/; else it is taken for a Depth Anything V2.
"""

import glob
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from wideopen.checks import F32, U8, require_rgb_u8
from wideopen.disparity.depth_map import KINDS, Kind
from wideopen.disparity.hub import on_disk, onnx_file, resolve
from wideopen.errors import WeightsError
from wideopen.networks import Session, pick_device, require_torch

SIGNATURE = (
    *("size", "keep_aspect_ratio", "ensure_multiple_of", "image_mean", "image_std", "rescale_factor"),
    *("depth_kind", "depth_output"),
)
"""What the JSON beside a .onnx file may say."""
LONGEST = 3  # in multiples of the size asked for: a full panorama would need unbounded memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """The input format of an architecture. A folder's preprocessor_config.json may override it."""

    size: tuple[int, int]  # (height, width)
    keep_aspect: bool  # the short side gets its size, the other keeps the aspect
    multiple: int  # of both sides, in pixels
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    rescale: float = 1 / 255  # bytes are multiplied by this before mean and std
    padded: bool = False  # borders are mirrored in the input and cut off the output


HALF = (0.5, 0.5, 0.5)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
INPUTS: dict[str, Input] = {
    "depth_anything": Input(size=(518, 518), keep_aspect=True, multiple=14, mean=IMAGENET_MEAN, std=IMAGENET_STD),
    "depth_pro": Input(size=(1536, 1536), keep_aspect=False, multiple=1, mean=HALF, std=HALF),
    "dpt": Input(size=(384, 384), keep_aspect=False, multiple=1, mean=HALF, std=HALF),
    "zoedepth": Input(size=(384, 512), keep_aspect=True, multiple=32, mean=HALF, std=HALF, padded=True),
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """The network's input, and which part of its output is the photo."""

    pixels: F32  # (3, h, w), normalised
    border: tuple[int, int]  # (rows, columns) to be cut off on each side of the output, in pixels of h x w


def input_of(
    architecture: str, preprocessor: dict[str, Any], name: str, where: str = "preprocessor_config.json"
) -> Input:
    """The input format of a model: its architecture's, overridden by settings from `where`. Raises WeightsError."""
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
            rescale=float(preprocessor.get("rescale_factor", known.rescale)),
            padded=known.padded and bool(preprocessor.get("do_pad", True)),
        )
        sound = min(*spec.size, spec.multiple) >= 1 and max(spec.size) <= 4096
        sound = sound and min(*spec.std, spec.rescale) > 0
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise WeightsError(f"depth model {name}: {where} is not understood ({error!r})") from error
    if not sound:
        expected = "a size from 1 to 4096, a multiple from 1, an image_std and a rescale_factor above 0"
        raise WeightsError(f"depth model {name}: {where}: expected {expected}, found {spec}")
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
    pixels = (small.reshape(rows, columns, 3).astype(np.float32) * np.float32(spec.rescale) - mean) / std
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

    run: Callable[[F32], F32]  # pixels (3, h, w) -> output (..., h', w')
    spec: Input
    kind: Kind


def meaning(config: dict[str, Any], *, in_onnx: bool = False) -> Kind:
    """The meaning of a model's output, from its config.json."""
    architecture = config.get("model_type")
    # Depth Pro's export divides by its own output; transformers leaves that to the caller.
    metric = architecture == "zoedepth" or (in_onnx and architecture == "depth_pro")
    metric = metric or config.get("depth_estimation_type") == "metric"
    backbone = config.get("backbone_config") or {}
    # DPT on DINOv2 has been published for depth in metres only (NYU, KITTI); DPT on others is MiDaS, disparity.
    metric = metric or (architecture == "dpt" and backbone.get("model_type") == "dinov2")
    if metric:
        return "depth_m"
    # Depth Pro's raw output is 1 / metres times focal length over width: one factor for the whole photo.
    return "disparity" if architecture == "depth_pro" else "relative_disparity"


def read_json(path: Path, name: str) -> dict[str, Any]:
    """The object in a model's JSON file. Raises WeightsError."""
    try:
        return _object(path.read_text(encoding="utf-8"), name, str(path))
    except FileNotFoundError as error:
        raise WeightsError(f"depth model {name}: expected {path.name} in {path.parent}, found none") from error
    except (OSError, UnicodeError) as error:
        raise WeightsError(f"depth model {name}: {path} cannot be read ({type(error).__name__})") from error


def _object(text: str, name: str, where: str) -> dict[str, Any]:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"depth model {name}: {where} cannot be read ({type(error).__name__})") from error
    if not isinstance(read, dict):
        raise WeightsError(f"depth model {name}: expected an object in {where}, found {type(read).__name__}")
    return read


def load_onnx(file: Path, name: str) -> Ready:
    """The network of a .onnx file. Raises WeightsError if it is damaged or has another signature."""
    session = Session(file, f"depth model {name}")
    folder = file.parent.parent if file.parent.name == "onnx" else file.parent
    texts = [folder / "config.json", folder / "preprocessor_config.json"]
    config, preprocessor = (read_json(path, name) if path.is_file() else {} for path in texts)
    about = session.metadata
    if "preprocessor_config" in about:
        preprocessor = _object(about["preprocessor_config"], name, "its metadata preprocessor_config")
    beside = file.with_suffix(".json")
    signature = read_json(beside, name) if beside.is_file() else {}
    unknown = next((key for key in signature if key not in SIGNATURE), None)
    if unknown is not None:
        raise WeightsError(f"depth model {name}: {beside}: expected {', '.join(SIGNATURE)}, found {unknown!r}")
    architecture = config.get("model_type")
    architecture = architecture if architecture in INPUTS else "depth_anything"
    spec = input_of(
        architecture, preprocessor | signature, name, beside.name if signature else "preprocessor_config.json"
    )
    image, outputs = session.inputs[0], [one.name for one in session.outputs if len(one.shape) in (3, 4)]
    last = len(image.shape) == 4 and image.shape[3] == 3 and image.shape[1] != 3
    sides, channels = (image.shape[1:3], 3) if last else (image.shape[2:], (*image.shape, 0, 0)[1])
    if len(session.inputs) != 1 or len(sides) != 2 or channels not in (3, str(channels)) or not outputs:
        found = [f"{one.name} {one.shape}" for one in (*session.inputs, *session.outputs)]
        raise WeightsError(
            f"depth model {name}: expected one input (1, 3, height, width) or (1, height, width, 3) and a map as "
            f"output, found {found}"
        )
    if all(isinstance(side, int) for side in sides):
        spec = replace(spec, size=tuple(sides), keep_aspect=False, padded=False)
    output = signature.get("depth_output", "predicted_depth" if "predicted_depth" in outputs else outputs[0])
    if output not in outputs:
        raise WeightsError(f"depth model {name}: expected depth_output {', '.join(outputs)}, found {output!r}")
    kind: Any = signature.get("depth_kind", about.get("depth_kind", meaning(config, in_onnx=True)))
    if kind not in KINDS:
        raise WeightsError(f"depth model {name}: expected depth_kind {', '.join(KINDS)}, found {kind!r}")
    dtype = {"tensor(float16)": np.float16}.get(image.type, np.float32)

    def run(pixels: F32) -> F32:
        shown = (pixels.transpose(1, 2, 0) if last else pixels)[None]
        out = session.run(output, {image.name: np.ascontiguousarray(shown, dtype)})
        return out[..., 0] if out.ndim == 4 and out.shape[3] == 1 else out

    return Ready(run, spec, kind)


@lru_cache(maxsize=1)
def _ready(place: Path, name: str, modified_ns: int, device: str) -> Ready:  # noqa: ARG001
    """Cached, because loading takes longer than predicting; one at a time, because some are large."""
    file = place if place.is_file() else onnx_file(place)
    if file is not None and device != "cuda":
        return load_onnx(file, name)
    config, preprocessor = read_json(place / "config.json", name), {}
    found = config.get("model_type")
    if found not in INPUTS:
        raise WeightsError(f"depth model {name}: expected one of {', '.join(INPUTS)}, found model_type {found!r}")
    if (place / "preprocessor_config.json").is_file():
        preprocessor = read_json(place / "preprocessor_config.json", name)
    require_torch(f"depth model {name}")
    from wideopen.disparity.in_torch import load

    run = load(place, name, config, pick_device(device))
    return Ready(run, input_of(found, preprocessor, name), meaning(config))


def predict_depth(srgb_u8: U8, *, model: str | Path, device: str = "auto") -> Prediction:
    """Depth of a photo (H, W, 3) uint8, sRGB-encoded, at the network's resolution.

    model: a name of `wideopen.disparity.hub.ROWS`, a folder, a .onnx file, or a hub id, whose weights are on disk
    (`fetch`). device: auto, cpu or cuda, which needs torch and .safetensors. Raises InvalidInput; WeightsError for
    weights that are absent or not a depth model; BackendUnavailable for a missing device, or torch.
    """
    require_rgb_u8("srgb_u8", srgb_u8)
    reference, place = resolve(model, device), on_disk(model, device)
    name = reference.name
    if place is None:
        raise WeightsError(
            f"depth model {reference.describe()}: not on disk; `wideopen render --depth {name}` and "
            "`wideopen.disparity.hub.fetch` download it"
        )
    files = place.rglob("*") if place.is_dir() else place.parent.glob(f"{glob.escape(place.stem)}.*")
    ready = _ready(place, name, max((path.stat().st_mtime_ns for path in files), default=0), device)
    prepared = prepare(srgb_u8, ready.spec)
    out = ready.run(prepared.pixels)
    if out.size == 0 or out.size != out.shape[-2] * out.shape[-1]:
        raise WeightsError(f"depth model {name}: expected a map as output, found shape {out.shape}")
    values = cut_border(np.asarray(out.reshape(out.shape[-2:]), np.float32), prepared)
    if reference.row is None and reference.path is None:
        name = f"{name} ({place.name[:7]})"  # the commit
    return Prediction(np.ascontiguousarray(values), ready.kind, name)
