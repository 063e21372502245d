"""Mattes by networks of other people: rembg's sessions, and transformers' VitMatte as a refiner.

Both are optional and imported when used. Nothing is downloaded here: a model that is not on disk is refused with the
command that fetches it. rembg's sessions that send photos to a service are refused, too. Licences differ by model.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from wideopen.arrays.maps import resize_map, work_size
from wideopen.checks import F32, U8, require
from wideopen.errors import BackendUnavailable, InvalidInput, WeightsError
from wideopen.matting.clean import transition

REMBG = "rembg:"  # before the name of a session, as in rembg:birefnet-portrait
VITMATTE_SIZE = 1024  # its attention grows with the square of the pixels
VITMATTE_STRIDE = 32


def matte_by_rembg(name: str, srgb_u8: U8) -> F32:
    """Matte (H, W) in [0, 1] of `srgb_u8` (H, W, 3) by the rembg session `name`, u2net or birefnet-portrait say.

    Raises BackendUnavailable without rembg; InvalidInput for a name it does not know and for sessions that are not
    local; WeightsError for a model that is not on disk.
    """
    from PIL import Image

    mask = _rembg_session(name).predict(Image.fromarray(srgb_u8))[0].convert("L")
    return resize_map(np.asarray(mask, np.float32) / np.float32(255), srgb_u8.shape)


@lru_cache(maxsize=1)
def _rembg_session(name: str) -> Any:
    try:
        import onnxruntime  # noqa: F401  # without it, importing rembg ends the program
        from rembg.session_factory import new_session
        from rembg.sessions import sessions_class
    except ImportError as error:
        raise BackendUnavailable("rembg: is not installed (pip install 'wideopen[rembg]')") from error
    known = {kind.name(): kind for kind in sessions_class if kind.is_local()}
    require(name in known, f"rembg: expected one of its local sessions, {', '.join(known)}, found {name!r}")
    kind = known[name]
    places = [Path(kind.model_dir()), Path(kind.legacy_home())]
    if not any(file.suffix == ".onnx" for file in [*_files(places[0]), places[1] / f"{name}.onnx"] if file.is_file()):
        raise WeightsError(
            f"rembg model {name}: expected it in {places[0]}, found none (`rembg d {name}` downloads it)"
        )
    try:
        return new_session(name)
    except ValueError as error:  # a hash that does not fit, an argument that is missing
        raise InvalidInput(f"rembg {name}: {' '.join(str(error).split())}") from error


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def refine_by_vitmatte(model: str | Path, srgb_u8: U8, alpha: F32, *, size: int = VITMATTE_SIZE) -> F32:
    """`alpha` (H, W), its transition estimated again by VitMatte from `srgb_u8` (H, W, 3).

    model: a folder in transformers' format, or an id in the hub's cache, hustvl/vitmatte-small-distinctions-646 say.
    The transition is `matting.transition.transition`; elsewhere nothing changes. The network sees at most `size` pixels
    along the long side.
    Raises WeightsError for a model that is not on disk or no VitMatte.
    """
    import torch

    height, width = work_size(alpha.shape, size)
    small, matte = resize_map(srgb_u8, (height, width)), resize_map(alpha, (height, width))
    unknown = transition(matte)
    trimap = np.where(unknown, np.float32(128 / 255), (matte > 0.5).astype(np.float32))
    colour = small.astype(np.float32) / np.float32(127.5) - 1
    four = np.concatenate([colour, trimap[..., None]], 2)  # (h, w, 4)
    below, right = -height % VITMATTE_STRIDE, -width % VITMATTE_STRIDE
    four = np.pad(four, ((0, below), (0, right), (0, 0)))
    with torch.inference_mode():
        pixels = torch.from_numpy(np.ascontiguousarray(four.transpose(2, 0, 1)))[None]
        out = _vitmatte(str(model))(pixel_values=pixels).alphas[0, 0, :height, :width].float().numpy()
    refined = resize_map(np.clip(out, 0, 1), alpha.shape)
    share = resize_map(cv2.blur(unknown.astype(np.float32), (3, 3)), alpha.shape)  # fades at the rim: no step there
    return np.asarray(alpha + share * (refined - alpha), np.float32)


@lru_cache(maxsize=1)
def _vitmatte(model: str) -> Any:
    from transformers import VitMatteForImageMatting

    try:
        net = VitMatteForImageMatting.from_pretrained(model, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError) as error:
        first = " ".join(str(error).split())[:120]
        raise WeightsError(
            f"VitMatte {model}: expected its folder, or a model in the hub's cache (`hf download {model}`; {first})"
        ) from error
    return net.eval()
