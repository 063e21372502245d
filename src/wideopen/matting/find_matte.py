"""Where mattes come from: our network, somebody else's, or any function; one interface for all."""

from collections.abc import Callable
from pathlib import Path

from wideopen.checks import F32, U8, require, require_unit_map
from wideopen.matting.net.variants import SHIPPED, Inference

NEARLY_EMPTY = 0.002  # of the photo: what clean-up takes for a speck
Matter = Callable[[U8], F32]  # photo (H, W, 3) uint8, sRGB-encoded -> matte (H, W) floats in [0, 1]
Matting = str | Path | Matter


def require_matting(matting: Matting, *, words: tuple[str, ...] = ()) -> None:
    """Refuse, with InvalidInput, what could name no network, also when a given matte makes it needless.

    words: what the caller takes besides, and understands itself.
    """
    if callable(matting):
        return
    name = str(matting)
    names = (*words, *SHIPPED)
    require(
        name in names or name.endswith((".safetensors", ".onnx")) or name.startswith("rembg:"),
        f"matting: expected {', '.join(names)}, a .safetensors or .onnx file, or rembg:NAME, found {name!r}",
    )


def emptiness(alpha: F32) -> str | None:
    """One line for the user if a matte (H, W) holds (nearly) nobody, else None."""
    share = float(alpha.mean())
    if alpha.max() < 0.5:
        return "empty matte: no person found"
    return f"nearly empty matte ({share:.2%} of the photo): no person found?" if share < NEARLY_EMPTY else None


def find_matte(photo_u8: U8, matting: Matting, inference: Inference, device: str) -> tuple[F32, str]:
    """(matte (H, W) in [0, 1], its source) of a photo (H, W, 3).

    Raises InvalidInput for a function that returns no such matte; WeightsError; BackendUnavailable.
    """
    if callable(matting):
        name = getattr(matting, "__name__", type(matting).__name__)
        alpha, source = require_unit_map(f"matte of {name}", matting(photo_u8), like=photo_u8), f"given by {name}"
    elif str(matting).startswith("rembg:"):
        from wideopen.matting.others import REMBG, matte_by_rembg

        alpha, source = matte_by_rembg(str(matting).removeprefix(REMBG), photo_u8), f"predicted by {matting}"
    else:
        from wideopen.matting.predict import predict_matte

        alpha = predict_matte(
            photo_u8,
            weights=matting,
            size=inference.size,
            stages=inference.stages,
            edges=inference.edges,
            tiles=inference.tiles,
            backend=inference.backend,
            device=device,
        )
        source = f"predicted by {matting}"
    if inference.refiner is None:
        return alpha, source
    from wideopen.matting.others import refine_by_vitmatte

    return refine_by_vitmatte(inference.refiner, photo_u8, alpha), f"{source}, refined by {inference.refiner}"
