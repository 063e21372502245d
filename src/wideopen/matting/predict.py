"""From a photo to its matte: resize to the network's size, T stages, clean up, back along its edges.

The photo's long side becomes `size` pixels, both sides rounded to multiples of 32 (the paper
squeezes every photo to 1024x1024; keeping the aspect is ours). Small photos are enlarged too:
the network has learned people of a certain size. Clean-up and the way back along the photo's edges are ours.
"""

from pathlib import Path

import numpy as np

from wideopen.arrays.resize import resize_map
from wideopen.checks import F32, U8, require
from wideopen.matting.clean import clean_up
from wideopen.matting.edges import follow_edges
from wideopen.matting.engine import Engine, TorchEngine, pick_engine
from wideopen.matting.net.model import STRIDE, MattingNet
from wideopen.matting.net.variants import Inference, MattingConfig
from wideopen.matting.tiles import refine_on_tiles


def network_size(height: int, width: int, size: int) -> tuple[int, int]:
    """(height, width) for the network: long side `size`, both multiples of 32, at least 32."""
    scale = size / max(height, width)
    rows, columns = (max(1, round(side * scale / STRIDE)) * STRIDE for side in (height, width))
    return rows, columns


def stage_sizes(config: MattingConfig, size: int, stages: int) -> list[tuple[int, int]]:
    """[(long side, stages at it), ...]: stage 1 at `first_size` if that is smaller than `size`.

    The network knows subjects of the sizes it was trained on; in a larger photo the first stage
    loses sight of what is far from the subject, while later stages hold on to the matte so far.
    """
    require(stages >= 1, f"stages: expected at least 1, found {stages}")
    first = config.first_size
    if first is None or first >= size or stages == 1:
        return [(size, stages)]
    return [(first, 1), (size, stages - 1)]


def matte_by(engine: Engine, srgb_u8: U8, inference: Inference) -> F32:
    """Matte (H, W) in [0, 1] of `srgb_u8` (H, W, 3): stages, clean-up, the photo's edges, then tiles if asked."""
    height, width = srgb_u8.shape[:2]
    config = engine.config
    previous: F32 | None = None
    small = srgb_u8
    for side, same in stage_sizes(config, inference.size or config.size, inference.stages or config.stages):
        small = resize_map(srgb_u8, network_size(height, width, side))
        if previous is not None:
            previous = resize_map(previous, small.shape)
        previous = engine(small, same, previous)
    assert previous is not None  # stage_sizes never returns nothing
    alpha = np.clip(clean_up(previous, small), 0, 1).astype(np.float32)
    alpha = follow_edges(alpha, srgb_u8) if inference.edges else resize_map(alpha, (height, width))
    scale = max(height, width) / max(small.shape)
    return refine_on_tiles(engine, srgb_u8, alpha, scale=scale) if inference.tiles and scale > 1 else alpha


def matte_with(net: MattingNet, srgb_u8: U8, *, size: int | None = None, stages: int | None = None) -> F32:
    """Matte (H, W) in [0, 1] of `srgb_u8` (H, W, 3) by `net`, on the network's device."""
    return matte_by(TorchEngine(net), srgb_u8, Inference(size=size, stages=stages))


def predict_matte(
    srgb_u8: U8,
    *,
    weights: str | Path = "mobile",
    size: int | None = None,
    stages: int | None = None,
    edges: bool = True,
    tiles: bool = False,
    backend: str = "auto",
    device: str = "auto",
) -> F32:
    """Matte (H, W) float32 in [0, 1] of the people in `srgb_u8` (H, W, 3) uint8, sRGB-encoded.

    `weights` is a shipped name, a safetensors file or an ONNX file of `wideopen export matting`; `size`
    the network's long side in pixels and `stages` the paper's T (default: what the weights'
    configuration says); `edges` lets the transition follow the photo's own edges; `tiles` runs the network once more
    on tiles of the photo; `backend` auto,
    torch or onnx; `device` auto, cpu or cuda.
    Raises InvalidInput, WeightsError, BackendUnavailable.
    """
    require(
        isinstance(srgb_u8, np.ndarray)
        and srgb_u8.dtype == np.uint8
        and srgb_u8.ndim == 3
        and srgb_u8.shape[2] == 3
        and srgb_u8.size > 0,
        "srgb_u8: expected (H, W, 3) uint8, found "
        f"{getattr(srgb_u8, 'shape', type(srgb_u8).__name__)} {getattr(srgb_u8, 'dtype', '')}",
    )
    inference = Inference(size=size, stages=stages, edges=edges, tiles=tiles, backend=backend)
    return matte_by(pick_engine(weights, backend, device), srgb_u8, inference)
