"""A strong segmentation network from elsewhere as the start of ours: choosing, finding and running it.

`isnet` is IS-Net's general-use network (Qin et al., "Highly Accurate Dichotomous Image Segmentation", ECCV 2022), in
the ONNX file that rembg publishes; only `fetch_isnet` goes online. Any other .onnx file needs one input (1, 3, H, W)
and a map as its first output. If the sides are fixed, the photo is squeezed to them, else to 1024 x 1024. Its metadata,
or a preprocessor_config.json beside it, may name `image_mean` and `image_std`; the defaults are IS-Net's. Maps outside
[0, 1] are taken for logits.
"""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from wideopen.arrays.maps import resize_map
from wideopen.checks import F32, U8, require
from wideopen.errors import WeightsError, one_line
from wideopen.matting.inference import NETWORK, MattingSettings
from wideopen.matting.predict import Start
from wideopen.networks import Session, assets_folder, fetch_file, is_offline, transfer_errors
from wideopen.timing import SILENT, Steps

ISNET_URL = "https://github.com/danielgatis/rembg/releases/download/v0.0.0/isnet-general-use.onnx"
ISNET_SHA256 = "60920e99c45464f2ba57bee2ad08c919a52bbf852739e96947fbb4358c0d964a"
ISNET = "isnet (IS-Net general use, 179 MB, licence: https://github.com/xuebinqin/DIS)"
OPEN_SIDE = 1024
MEAN, STD = (0.5, 0.5, 0.5), (1.0, 1.0, 1.0)
WIDEST = 1e-3  # values of a map may leave [0, 1] by this much


def isnet_file() -> Path:
    """Where the downloaded file of `isnet` is, or would be."""
    return assets_folder() / ISNET_URL.rsplit("/", 1)[1]


def chosen_start(settings: MattingSettings) -> str | None:
    """The start that `settings` name; "auto" is isnet for the shipped `mobile` if its file is on disk, else none."""
    if settings.matting_start == "auto":
        return "isnet" if settings.network == NETWORK and isnet_file().is_file() else None
    return None if settings.matting_start == "none" else settings.matting_start


def describe() -> str:
    """One line: name, size, whether the file is on disk."""
    return f"{ISNET}: {'on disk; mobile starts from it' if isnet_file().is_file() else 'not on disk'}"


def fetch_isnet(step: Steps = SILENT, *, offline: bool) -> None:
    """Download `isnet` unless it is on disk. Raises WeightsError: offline, server unreachable, no disk, another file.

    step: receives the progress of a download.
    """
    if isnet_file().is_file():
        return
    if is_offline(offline):
        raise WeightsError(f"matting start {ISNET}: not on disk, and offline: nothing was downloaded")
    step.note(f"note: downloading matting start {ISNET} to {isnet_file()}, only once")
    step("downloading")
    try:
        fetch_file(ISNET_URL, isnet_file(), ISNET_SHA256, step.download)
    except WeightsError:
        raise
    except transfer_errors() as error:
        raise WeightsError(f"matting start {ISNET}: cannot be downloaded ({one_line(error)})") from error


def segment_by(name: str, photo_u8: U8) -> F32:
    """Segmentation (h, w) in [0, 1] of a photo (H, W, 3) by `isnet` or a .onnx file. Raises WeightsError."""
    file = isnet_file() if name == "isnet" else Path(name)
    if not file.is_file():
        how = f" in {file.parent}; `wideopen render --matting-start isnet` downloads it" if name == "isnet" else ""
        raise WeightsError(f"matting start {name}: expected a file{how}, found none")
    return _network(file, name, file.stat().st_mtime_ns)(photo_u8)


@lru_cache(maxsize=1)
def _network(file: Path, name: str, modified_ns: int) -> Start:  # noqa: ARG001
    """Cached, since loading takes as long as running."""
    session = Session(file, f"matting start {name}")
    image, output = session.inputs[0], session.outputs[0]
    if len(session.inputs) != 1 or len(image.shape) != 4 or image.shape[1] not in (3, str(image.shape[1])):
        found = [f"{one.name} {one.shape}" for one in (*session.inputs, *session.outputs)]
        raise WeightsError(f"matting start {name}: expected one input (1, 3, H, W) and a map as output, found {found}")
    rows, columns = (side if isinstance(side, int) else OPEN_SIDE for side in image.shape[2:])
    mean, std = _normalisation(file, session.metadata, name)
    dtype = np.float16 if image.type == "tensor(float16)" else np.float32

    def segment(photo_u8: U8) -> F32:
        pixels = ((resize_map(photo_u8, (rows, columns)) / np.float32(255) - mean) / std).transpose(2, 0, 1)[None]
        out = session.run(output.name, {image.name: np.ascontiguousarray(pixels, dtype)})
        if out.size == 0 or out.size != out.shape[-1] * out.shape[-2] or not np.isfinite(out).all():
            raise WeightsError(f"matting start {name}: expected a finite map as first output, found {out.shape}")
        values = np.asarray(out.reshape(out.shape[-2:]), np.float32)
        if values.min() < -WIDEST or values.max() > 1 + WIDEST:
            values = np.asarray(1 / (1 + np.exp(-values)), np.float32)
        return np.clip(values, 0, 1)

    return segment


def _normalisation(file: Path, metadata: dict[str, str], name: str) -> tuple[F32, F32]:
    """Mean and standard deviation that a network's input is normalised with, each (3,). Raises WeightsError."""
    beside = file.with_name("preprocessor_config.json")
    try:
        text = metadata.get("preprocessor_config") or (beside.read_text("utf-8") if beside.is_file() else "{}")
        known = json.loads(text)
        mean = np.array(known.get("image_mean", MEAN), np.float32)
        std = np.array(known.get("image_std", STD), np.float32)
        require(mean.shape == std.shape == (3,) and bool((std > 0).all()), "three numbers each")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise WeightsError(f"matting start {name}: its preprocessor_config is not understood ({error})") from error
    return mean, std
