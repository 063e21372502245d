"""Sources of mattes behind one interface: our network, third-party networks, or any function.

rembg sessions and, as a refiner, transformers' VitMatte are optional and imported on use. Nothing is downloaded here: a
model that is not on disk is refused, and the error gives the command that fetches it. rembg sessions that send photos
to a service are refused too. Licences differ by model.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from wideopen.arrays.maps import resize_map, work_size
from wideopen.checks import F32, U8, require, require_unit_map
from wideopen.color import SRGB, Encoding
from wideopen.errors import BackendUnavailable, InvalidInput, WeightsError
from wideopen.matting.clean import transition
from wideopen.matting.inference import MattingSettings
from wideopen.networks import require_torch
from wideopen.photo import to_srgb

REMBG = "rembg:"  # prefix of a session name, as in rembg:birefnet-portrait
VITMATTE_SIZE = 1024  # its attention grows with the square of the number of pixels
VITMATTE_STRIDE = 32


def matte_by_rembg(name: str, srgb_u8: U8) -> F32:
    """Matte (H, W) in [0, 1] of `srgb_u8` (H, W, 3) by the rembg session `name`, such as u2net or birefnet-portrait.

    Raises BackendUnavailable if rembg is not installed; InvalidInput for an unknown session and for one that is not
    local; WeightsError for a model that is not on disk.
    """
    from PIL import Image

    mask = _rembg_session(name).predict(Image.fromarray(srgb_u8))[0].convert("L")
    return resize_map(np.asarray(mask, np.float32) / np.float32(255), srgb_u8.shape)


@lru_cache(maxsize=1)
def _rembg_session(name: str) -> Any:
    try:
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
    except ValueError as error:  # wrong hash or missing argument
        raise InvalidInput(f"rembg {name}: {' '.join(str(error).split())}") from error


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def refine_by_vitmatte(model: str | Path, srgb_u8: U8, alpha: F32, *, size: int = VITMATTE_SIZE) -> F32:
    """Return `alpha` (H, W) with its transition re-estimated by VitMatte from `srgb_u8` (H, W, 3).

    model: a folder in transformers' format, or an id in the hub's cache, such as
    hustvl/vitmatte-small-distinctions-646. The transition is that of `matting.clean.transition`; elsewhere nothing
    changes. The network sees at most `size` pixels along the long side. Raises WeightsError for a model that is not on
    disk or is not a VitMatte.
    """
    require_torch(f"VitMatte {model}")
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
    share = resize_map(cv2.blur(unknown.astype(np.float32), (3, 3)), alpha.shape)  # fades at the edge, to avoid a step
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


NEARLY_EMPTY = 0.002  # share of the photo; clean-up treats less as a speck
Matter = Callable[[U8], F32]  # photo (H, W, 3) uint8, sRGB-encoded -> matte (H, W), floats in [0, 1]
AUTOMATIC = MattingSettings()


def emptiness(alpha: F32) -> str | None:
    """One line for the user if a matte (H, W) is (nearly) empty, else None."""
    share = float(alpha.mean())
    if alpha.max() < 0.5:
        return "empty matte: no person found"
    return f"nearly empty matte ({share:.2%} of the photo): no person found?" if share < NEARLY_EMPTY else None


def pick_matter(
    settings: MattingSettings, function: Matter | None = None, hint: F32 | None = None, encoding: Encoding = SRGB
) -> tuple[Matter, str]:
    """Return (a function from a photo to its matte, the name of the source): `function`, or the network of `settings`.

    hint: (H, W) in [0, 1], see `matting.hint`; only with a network of ours. encoding: of the photos that the returned
    function takes; networks and `function` see them as sRGB. If `settings` names a refiner, it runs after either. The
    function raises InvalidInput for photos or mattes with a wrong shape, type or range. Raises InvalidInput if
    `settings` asks for a matte that only a photo file can supply; WeightsError; BackendUnavailable.
    """
    if function is not None:
        require(hint is None, "matte_hint: expected without a matte, found both")
        name = getattr(function, "__name__", type(function).__name__)
        matter, source = _on_srgb(partial(_checked, function, name), encoding), f"given by {name}"
    else:
        matter, source = _network(settings, hint, encoding)
    if settings.matting_refiner is None:
        return matter, source
    refine = partial(refine_by_vitmatte, settings.matting_refiner)
    return (
        lambda photo_u8: refine(to_srgb(photo_u8, encoding), matter(photo_u8)),
        f"{source}, refined by {settings.matting_refiner}",
    )


def _on_srgb(matter: Matter, encoding: Encoding) -> Matter:
    return lambda photo_u8: matter(to_srgb(photo_u8, encoding))


def predict_matte(photo_u8: U8, settings: MattingSettings = AUTOMATIC, hint: F32 | None = None) -> F32:
    """Matte (H, W) float32 in [0, 1] of the subject of `photo_u8` (H, W, 3) uint8, sRGB-encoded.

    hint: (H, W) in [0, 1], 0.5 = unknown. Raises InvalidInput, WeightsError, BackendUnavailable.
    """
    return pick_matter(settings, None, hint)[0](photo_u8)


def _network(settings: MattingSettings, hint: F32 | None, encoding: Encoding) -> tuple[Matter, str]:
    require(
        settings.matting != "embedded",
        "matting embedded: expected a portrait matte inside the photo's file, found none",
    )
    name, source = settings.network, f"predicted by {settings.network}"
    if name.startswith(REMBG):
        require(hint is None, f"matte_hint: expected with a network of wideopen, found {name}")
        return _on_srgb(partial(matte_by_rembg, name.removeprefix(REMBG)), encoding), source
    from wideopen.matting.engine import pick_engine
    from wideopen.matting.predict import matte_by
    from wideopen.matting.start import chosen_start, segment_by

    engine = pick_engine(name, settings.matting_backend, settings.device)
    matter = partial(matte_by, engine, settings, to_srgb=partial(to_srgb, encoding=encoding))
    if hint is not None:
        require(
            settings.matting_start in ("auto", "none"),
            f"matte_hint and matting_start: expected one of them, found a hint and {settings.matting_start!r}",
        )
        return partial(matter, hint=hint), f"{source} from a hint"
    start = chosen_start(settings)
    if start is None:
        return matter, source
    segment = matte_by_rembg if start.startswith(REMBG) else segment_by
    begin = _on_srgb(partial(segment, start.removeprefix(REMBG)), encoding)
    return partial(matter, start=begin), f"{source}, started by {start}"


def _checked(function: Matter, name: str, photo_u8: U8) -> F32:
    return require_unit_map(f"matte of {name}", function(photo_u8), like=photo_u8)
