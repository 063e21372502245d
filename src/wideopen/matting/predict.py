"""From a photo to its matte: resize to the network's size, T stages, clean up, back along its edges.

The photo's long side becomes `size` pixels, both sides rounded to multiples of 32 (the paper
squeezes every photo to 1024x1024; keeping the aspect is ours). Small photos are enlarged too:
the network has learned people of a certain size. Clean-up and the way back along the photo's edges are ours.
"""

from typing import Any

import numpy as np

from wideopen.arrays.maps import resize_map
from wideopen.checks import F32, U8, require
from wideopen.matting.clean import clean_up
from wideopen.matting.edges import follow_edges
from wideopen.matting.engine import Engine, TorchEngine
from wideopen.matting.inference import MattingSettings
from wideopen.matting.net.model import STRIDE, MattingNet
from wideopen.matting.net.variants import MattingConfig
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


def matte_by(engine: Engine, settings: MattingSettings, photo_u8: U8) -> F32:
    """Matte (H, W) in [0, 1] of `photo_u8` (H, W, 3): stages, clean-up, the photo's edges, then tiles if asked.

    Raises InvalidInput for a photo of another shape or type.
    """
    _require_photo(photo_u8)
    height, width = photo_u8.shape[:2]
    config = engine.config
    previous: F32 | None = None
    small = photo_u8
    size, stages = settings.matting_size or config.size, settings.matting_stages or config.stages
    for side, same in stage_sizes(config, size, stages):
        small = resize_map(photo_u8, network_size(height, width, side))
        if previous is not None:
            previous = resize_map(previous, small.shape)
        previous = engine(small, same, previous)
    assert previous is not None  # stage_sizes never returns nothing
    alpha = np.clip(clean_up(previous, small), 0, 1).astype(np.float32)
    alpha = follow_edges(alpha, photo_u8) if settings.matting_edges else resize_map(alpha, (height, width))
    scale = max(height, width) / max(small.shape)
    return refine_on_tiles(engine, photo_u8, alpha, scale=scale) if settings.matting_tiles and scale > 1 else alpha


def matte_with(net: MattingNet, photo_u8: U8, *, size: int | None = None, stages: int | None = None) -> F32:
    """Matte (H, W) in [0, 1] of `photo_u8` (H, W, 3) by `net`, on the network's device."""
    return matte_by(TorchEngine(net), MattingSettings(matting_size=size, matting_stages=stages), photo_u8)


def _require_photo(photo_u8: Any) -> None:
    """Refuse, with InvalidInput, what is not (H, W, 3) uint8."""
    known = isinstance(photo_u8, np.ndarray) and photo_u8.dtype == np.uint8 and photo_u8.ndim == 3
    require(
        known and photo_u8.shape[2] == 3 and photo_u8.size > 0,
        "photo: expected (H, W, 3) uint8, found "
        f"{getattr(photo_u8, 'shape', type(photo_u8).__name__)} {getattr(photo_u8, 'dtype', '')}",
    )
