"""From a photo to its matte: resize to the network's size, T stages, clean-up, alignment to the photo's edges.

The photo's long side becomes `size` pixels, and both sides are rounded to multiples of 32. The paper squeezes every
photo to 1024x1024; keeping the aspect ratio is ours. Small photos are enlarged too, because the network has learned
people of a certain size. Clean-up and alignment to the photo's edges are ours.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

from wideopen.arrays.maps import resize_map
from wideopen.checks import F32, U8, require, require_rgb_u8
from wideopen.matting.agree import agreed
from wideopen.matting.clean import clean_up, shows_subject, without_bystanders
from wideopen.matting.edges import follow_edges
from wideopen.matting.hint import matte_from_hint
from wideopen.matting.inference import STRIDE, MattingConfig, MattingSettings

Start = Callable[[U8], F32]  # photo (H, W, 3) uint8, sRGB-encoded -> segmentation (h, w) in [0, 1]


class Engine(Protocol):
    """A network ready to run, and its configuration."""

    @property
    def config(self) -> MattingConfig:
        """The network's configuration."""

    def __call__(self, srgb_u8: U8, stages: int, previous: F32 | None) -> F32:
        """Matte (h, w) of `srgb_u8` (h, w, 3) after `stages` stages, starting from `previous` (h, w)."""


def network_size(height: int, width: int, size: int) -> tuple[int, int]:
    """(height, width) for the network: long side `size`, both multiples of 32, at least 32."""
    scale = size / max(height, width)
    rows, columns = (max(1, round(side * scale / STRIDE)) * STRIDE for side in (height, width))
    return rows, columns


def stage_sizes(config: MattingConfig, size: int, stages: int) -> list[tuple[int, int]]:
    """[(long side, stages at this size), ...]: stage 1 runs at `first_size` if that is smaller than `size`.

    The network knows subjects at the sizes it was trained on. In a larger photo the first stage loses track of areas
    far from the subject, while later stages keep to the matte so far.
    """
    require(stages >= 1, f"stages: expected at least 1, found {stages}")
    first = config.first_size
    if first is None or first >= size or stages == 1:
        return [(size, stages)]
    return [(first, 1), (size, stages - 1)]


def matte_by(
    engine: Engine,
    settings: MattingSettings,
    photo_u8: U8,
    *,
    hint: F32 | None = None,
    start: Start | None = None,
    to_srgb: Callable[[U8], U8] = lambda picture: picture,
) -> F32:
    """Matte (H, W) in [0, 1] of `photo_u8` (H, W, 3): stages, clean-up and edge alignment.

    to_srgb: how the network's small picture of a photo with other primaries becomes sRGB.
    hint: (H, W) in [0, 1], 0.5 = unknown, instead of the previous matte (`matting.hint`). start: a segmentation network
    to combine with (`matting.agree`); not with a hint. Without a hint, a matte that shows no subject becomes empty.
    Raises InvalidInput for a photo of another shape or type.
    """
    require_rgb_u8("photo", photo_u8)
    with ThreadPoolExecutor(1) as thread:  # a large network takes seconds to load; ours runs meanwhile
        other = thread.submit(start, photo_u8) if start is not None else None
        small, alpha = _network_matte(engine, settings, photo_u8, hint, to_srgb)
        alpha = clean_up(alpha, small)
    shows = hint is not None or shows_subject(alpha)
    if hint is None:
        alpha = without_bystanders(alpha) if shows else np.zeros_like(alpha)
    if other is not None:
        segmented = np.clip(resize_map(other.result(), alpha.shape), 0, 1)
        alpha = clean_up(agreed(alpha, segmented, engine(small, 1, segmented)), small)
        shows = shows or shows_subject(alpha)
    if not shows:
        return np.zeros(photo_u8.shape[:2], np.float32)
    alpha = np.clip(alpha, 0, 1).astype(np.float32)
    if settings.matting_edges:
        return follow_edges(alpha, photo_u8, strands=settings.matting_strands)
    return resize_map(alpha, photo_u8.shape)


def _network_matte(
    engine: Engine, settings: MattingSettings, photo_u8: U8, hint: F32 | None, to_srgb: Callable[[U8], U8]
) -> tuple[U8, F32]:
    """Return (the photo (h, w, 3) as the network sees it in its last stage, the matte (h, w) of all stages)."""
    config = engine.config
    size, stages = settings.matting_size or config.size, settings.matting_stages or config.stages
    small, matte = photo_u8, None
    for side, same in stage_sizes(config, size, stages):
        small = to_srgb(resize_map(photo_u8, network_size(photo_u8.shape[0], photo_u8.shape[1], side)))
        if matte is None and hint is not None:
            matte = matte_from_hint(engine, small, resize_map(hint, small.shape), same)
        else:
            matte = engine(small, same, None if matte is None else resize_map(matte, small.shape))
    assert matte is not None  # stage_sizes never returns an empty list
    return small, matte
