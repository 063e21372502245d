"""From a photo to its matte: resize to the network's size, T stages, clean-up, alignment to the photo's edges, tiles.

The photo's long side becomes `size` pixels, and both sides are rounded to multiples of 32. The paper squeezes every
photo to 1024x1024; keeping the aspect ratio is ours. Small photos are enlarged too, because the network has learned
people of a certain size. Clean-up and alignment to the photo's edges are ours.

Tiles, also ours, are for large photos. One more stage of the network runs on windows of the photo at full resolution,
with the matte so far as its previous matte, and only where that matte has a transition. So the cost grows with the
outline's length, not with the photo's area. Pixels far from the transition stay exactly as they are. There are no
seams: tiles overlap and are averaged with weights that fall (nearly) to zero towards their inner sides; at the rim of
the transition the refined matte fades into the matte so far over `SOFT_PX`, which is less than half an overlap. Whether
tiles help depends on the weights: a network that has seen only whole people gains little from a window that shows a
shoulder. docs/mattes.md has the figures of the shipped weights, for which tiles are off.
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from wideopen.arrays.maps import resize_map
from wideopen.checks import F32, U8, require
from wideopen.matting.agree import agreed
from wideopen.matting.clean import clean_up, shows_subject, without_bystanders
from wideopen.matting.edges import follow_edges
from wideopen.matting.hint import Stage, matte_from_hint
from wideopen.matting.inference import STRIDE, MattingConfig, MattingSettings

TILE_PX, OVERLAP_PX = 512, 96
SOFT_PX = 8  # width of the fade between the refined and the unrefined matte
SURE = 0.02  # values this close to 0 or 1 are outside the transition
REACH = 1.5  # the transition is widened by this many matte pixels, the accuracy of its outline

Start = Callable[[U8], F32]  # photo (H, W, 3) uint8, sRGB-encoded -> segmentation (h, w) in [0, 1]
Box = tuple[int, int, int, int]  # top, bottom, left, right


class Engine(Protocol):
    """A network ready to run, and its configuration."""

    @property
    def config(self) -> MattingConfig:
        """The network's configuration."""

    def __call__(self, srgb_u8: U8, stages: int, previous: F32 | None) -> F32:
        """Matte (h, w) of `srgb_u8` (h, w, 3) after `stages` stages, starting from `previous` (h, w)."""


def transition_of(alpha: F32, reach_px: int) -> NDArray[np.bool_]:
    """(H, W): where the matte is neither 0 nor 1, or steps from one to the other, widened by `reach_px`."""
    window = np.ones((3, 3), np.uint8)
    unsure = (cv2.dilate(alpha, window) > SURE) & (cv2.erode(alpha, window) < 1 - SURE)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach_px + 1,) * 2)
    return np.asarray(cv2.dilate(unsure.astype(np.uint8), kernel) > 0)


def starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin along a side of `length` pixels: evenly spaced, end to end, overlapping by at least `overlap`.

    >>> starts(1000, 512, 96), starts(300, 512, 96)
    ([0, 244, 488], [0])
    """
    count = 1 if length <= tile else -(-(length - overlap) // (tile - overlap))
    return [round(place) for place in np.linspace(0, max(length - tile, 0), count)]


def boxes(band: NDArray[np.bool_], tile: int = TILE_PX, overlap: int = OVERLAP_PX) -> Iterator[Box]:
    """The tiles of (H, W) whose own area (up to the middle of each overlap) contains some of `band`."""
    require(0 <= 2 * overlap <= tile, f"overlap: expected at most half a tile, {tile // 2}, found {overlap}")
    height, width = band.shape
    for top, bottom, low, high in _rows(height, tile, overlap):
        for left, right, west, east in _rows(width, tile, overlap):
            if band[low:high, west:east].any():
                yield top, bottom, left, right


def _rows(length: int, tile: int, overlap: int) -> list[Box]:
    """(begin, end, own begin, own end) of each tile along one side."""
    begins = starts(length, tile, overlap)
    ends = [min(begin + tile, length) for begin in begins]
    middles = [0, *((a + b) // 2 for a, b in zip(ends[:-1], begins[1:], strict=True)), length]
    return list(zip(begins, ends, middles[:-1], middles[1:], strict=True))


def weights_of(box: Box, shape: tuple[int, ...], overlap: int = OVERLAP_PX) -> F32:
    """(h, w) in (0, 1]: 1 inside, falling linearly over `overlap` towards each side that is not a photo border."""
    top, bottom, left, right = box
    rows = _ramp(bottom - top, top > 0, bottom < shape[0], overlap)
    columns = _ramp(right - left, left > 0, right < shape[1], overlap)
    return np.asarray(rows[:, None] * columns[None, :], np.float32)


def _ramp(length: int, before: bool, after: bool, overlap: int) -> F32:
    near = (np.arange(length, dtype=np.float32) + 0.5) / max(overlap, 1)
    ramp = np.ones(length, np.float32)
    if before:
        ramp = np.minimum(ramp, near)
    return np.minimum(ramp, near[::-1]) if after else ramp


def refine_on_tiles(
    stage: Stage, srgb_u8: U8, alpha: F32, *, scale: float, tile: int = TILE_PX, overlap: int = OVERLAP_PX
) -> F32:
    """Return `alpha` (H, W) with its transition refined by one `stage` on tiles of `srgb_u8` (H, W, 3).

    `scale`: photo pixels per pixel of the matte before it was resized, at least 1.
    """
    band = transition_of(alpha, reach_px=max(1, round(REACH * scale)))
    total, weight = np.zeros_like(alpha), np.zeros_like(alpha)
    for box in boxes(band, tile, overlap):
        top, bottom, left, right = box
        here = np.s_[top:bottom, left:right]
        w = weights_of(box, alpha.shape, overlap)
        total[here] += w * stage(np.ascontiguousarray(srgb_u8[here]), 1, np.ascontiguousarray(alpha[here]))
        weight[here] += w
    side = 2 * (SOFT_PX // 2) + 1
    share = cv2.blur(band.astype(np.float32), (side, side), borderType=cv2.BORDER_REPLICATE)
    share[weight == 0] = 0
    refined = total / np.maximum(weight, np.float32(1e-6))
    return np.asarray(alpha + share * (refined - alpha), np.float32)


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


def _as_it_is(picture: U8) -> U8:
    return picture


def matte_by(
    engine: Engine,
    settings: MattingSettings,
    photo_u8: U8,
    *,
    hint: F32 | None = None,
    start: Start | None = None,
    to_srgb: Callable[[U8], U8] = _as_it_is,
) -> F32:
    """Matte (H, W) in [0, 1] of `photo_u8` (H, W, 3): stages, clean-up, edge alignment, and tiles if requested.

    to_srgb: how the network's small picture of a photo with other primaries becomes sRGB.
    hint: (H, W) in [0, 1], 0.5 = unknown, in place of the matte so far (`matting.hint`). start: a segmentation network
    that is asked too (`matting.agree`); not with a hint. Without a hint, a matte that shows no subject becomes empty.
    Raises InvalidInput for a photo of another shape or type.
    """
    _require_photo(photo_u8)
    small, alpha = _network_matte(engine, settings, photo_u8, hint, to_srgb)
    alpha = clean_up(alpha, small)
    shows = hint is not None or shows_subject(alpha)
    if hint is None:
        alpha = without_bystanders(alpha) if shows else np.zeros_like(alpha)
    if start is not None:
        other = np.clip(resize_map(start(photo_u8), alpha.shape), 0, 1)
        alpha = clean_up(agreed(alpha, other, engine(small, 1, other)), small)
        shows = shows or shows_subject(alpha)
    if not shows:
        return np.zeros(photo_u8.shape[:2], np.float32)
    alpha = np.clip(alpha, 0, 1).astype(np.float32)
    if settings.matting_edges:
        alpha = follow_edges(alpha, photo_u8, strands=settings.matting_strands)
    else:
        alpha = resize_map(alpha, photo_u8.shape)
    scale = max(photo_u8.shape) / max(small.shape)
    if not settings.matting_tiles or scale <= 1:
        return alpha
    return refine_on_tiles(engine, to_srgb(photo_u8), alpha, scale=scale)


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


def _require_photo(photo_u8: Any) -> None:
    """Raise InvalidInput unless the photo is (H, W, 3) uint8."""
    known = isinstance(photo_u8, np.ndarray) and photo_u8.dtype == np.uint8 and photo_u8.ndim == 3
    require(
        known and photo_u8.shape[2] == 3 and photo_u8.size > 0,
        "photo: expected (H, W, 3) uint8, found "
        f"{getattr(photo_u8, 'shape', type(photo_u8).__name__)} {getattr(photo_u8, 'dtype', '')}",
    )
