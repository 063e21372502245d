"""Where mattes come from: our network, somebody else's, or any function; one interface for all."""

from collections.abc import Callable
from functools import partial

from wideopen.checks import F32, U8, require, require_unit_map
from wideopen.matting.inference import MattingSettings

NEARLY_EMPTY = 0.002  # of the photo: what clean-up takes for a speck
Matter = Callable[[U8], F32]  # photo (H, W, 3) uint8, sRGB-encoded -> matte (H, W) floats in [0, 1]
AUTOMATIC = MattingSettings()


def emptiness(alpha: F32) -> str | None:
    """One line for the user if a matte (H, W) holds (nearly) nobody, else None."""
    share = float(alpha.mean())
    if alpha.max() < 0.5:
        return "empty matte: no person found"
    return f"nearly empty matte ({share:.2%} of the photo): no person found?" if share < NEARLY_EMPTY else None


def pick_matter(settings: MattingSettings, function: Matter | None = None) -> tuple[Matter, str]:
    """(a function from a photo to its matte, the name of the source): `function`, or the network of `settings`.

    Either is followed by the refiner, if `settings` names one. The function raises InvalidInput for photos or mattes
    of a wrong shape, type or range.
    Raises InvalidInput for a matte that only a photo's file could bring; WeightsError; BackendUnavailable.
    """
    if function is not None:
        name = getattr(function, "__name__", type(function).__name__)
        matter, source = partial(_checked, function, name), f"given by {name}"
    else:
        matter, source = _network(settings), f"predicted by {settings.network}"
    if settings.matting_refiner is None:
        return matter, source
    from wideopen.matting.others import refine_by_vitmatte

    refiner = settings.matting_refiner
    return lambda photo_u8: refine_by_vitmatte(refiner, photo_u8, matter(photo_u8)), f"{source}, refined by {refiner}"


def predict_matte(photo_u8: U8, settings: MattingSettings = AUTOMATIC) -> F32:
    """Matte (H, W) float32 in [0, 1] of the people in `photo_u8` (H, W, 3) uint8, sRGB-encoded.

    Raises InvalidInput, WeightsError, BackendUnavailable.
    """
    return pick_matter(settings)[0](photo_u8)


def _network(settings: MattingSettings) -> "partial[F32]":
    require(
        settings.matting != "embedded",
        "matting embedded: expected a portrait matte inside the photo's file, found none",
    )
    name = settings.network
    if name.startswith("rembg:"):
        from wideopen.matting.others import REMBG, matte_by_rembg

        return partial(matte_by_rembg, name.removeprefix(REMBG))
    from wideopen.matting.engine import pick_engine
    from wideopen.matting.predict import matte_by

    return partial(matte_by, pick_engine(name, settings.matting_backend, settings.device), settings)


def _checked(function: Matter, name: str, photo_u8: U8) -> F32:
    return require_unit_map(f"matte of {name}", function(photo_u8), like=photo_u8)
