"""Sources of mattes behind one interface: our network, third-party networks, or any function.

rembg's sessions are optional and imported on use. Nothing is downloaded here: a model that is not on disk is refused,
and the error gives the command that fetches it. Sessions that send photos to a service are refused too. Licences
differ by model.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from wideopen.arrays.maps import resize_map
from wideopen.checks import F32, U8, require, require_unit_map
from wideopen.color import SRGB, Encoding
from wideopen.errors import BackendUnavailable, InvalidInput, WeightsError
from wideopen.matting.inference import MattingSettings
from wideopen.photo import to_srgb

if TYPE_CHECKING:
    from wideopen.matting.predict import Engine

REMBG = "rembg:"  # prefix of a session name, as in rembg:birefnet-portrait


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
    folder = Path(kind.model_dir())
    if not any(file.is_file() for file in [*folder.glob("*.onnx"), Path(kind.legacy_home()) / f"{name}.onnx"]):
        raise WeightsError(f"rembg model {name}: expected it in {folder}, found none (`rembg d {name}` downloads it)")
    try:
        return new_session(name)
    except ValueError as error:  # wrong hash or missing argument
        raise InvalidInput(f"rembg {name}: {' '.join(str(error).split())}") from error


_LOADING = Lock()  # two threads must not load the same network

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

    hint: (H, W) in [0, 1], see `matting.hint`; only with one of our networks. encoding: of the photos that the returned
    function takes; networks and `function` see them as sRGB. It raises InvalidInput for photos or mattes with a wrong
    shape, type or range. Raises InvalidInput if `settings` asks for a matte that only a photo file can supply;
    WeightsError; BackendUnavailable.
    """
    if function is not None:
        require(hint is None, "matte and matte_hint: expected one of them, found both")
        name = getattr(function, "__name__", type(function).__name__)
        matter = lambda photo_u8: require_unit_map(f"matte of {name}", function(photo_u8), like=photo_u8)  # noqa: E731
        return _on_srgb(matter, encoding), f"given by {name}"
    return _network(settings, hint, encoding)


def _on_srgb(matter: Matter, encoding: Encoding) -> Matter:
    return lambda photo_u8: matter(to_srgb(photo_u8, encoding))


def predict_matte(photo_u8: U8, settings: MattingSettings = AUTOMATIC, hint: F32 | None = None) -> F32:
    """Matte (H, W) float32 in [0, 1] of the subject of `photo_u8` (H, W, 3) uint8, sRGB-encoded.

    hint: (H, W) in [0, 1], 0.5 = unknown. Raises InvalidInput, WeightsError, BackendUnavailable.
    """
    return pick_matter(settings, None, hint)[0](photo_u8)


def load_network(settings: MattingSettings) -> None:
    """Load the network that `settings` name, if it is ours: it is kept for `pick_matter`. Raises the same errors."""
    if settings.matting != "embedded" and not settings.network.startswith(REMBG):
        _engine(settings)


def _engine(settings: MattingSettings) -> "Engine":
    from wideopen.matting.engine import pick_engine

    with _LOADING:
        return pick_engine(settings.network, settings.matting_backend, settings.device)


def _network(settings: MattingSettings, hint: F32 | None, encoding: Encoding) -> tuple[Matter, str]:
    require(
        settings.matting != "embedded",
        "matting embedded: expected a portrait matte inside the photo's file, found none",
    )
    name, source = settings.network, f"predicted by {settings.network}"
    if name.startswith(REMBG):
        require(hint is None, f"matte_hint: expected one of wideopen's networks, found {name}")
        return _on_srgb(partial(matte_by_rembg, name.removeprefix(REMBG)), encoding), source
    from wideopen.matting.predict import matte_by
    from wideopen.matting.start import chosen_start, segment_by

    matter = partial(matte_by, _engine(settings), settings, to_srgb=partial(to_srgb, encoding=encoding))
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
