"""Sheets from one photo: the subject, what is in front of it and what is behind it, each continued where hidden."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wideopen.backends import Backend, missing
from wideopen.checks import F32


@dataclass(frozen=True, kw_only=True, eq=False)
class Sheet:
    """One surface that the thin lens renders: colour, coverage and disparity."""

    rgb: F32  # (H, W, 3) linear light, also above white, premultiplied with alpha
    alpha: F32 | None  # (H, W) coverage in [0, 1]; None = opaque everywhere
    disparity: F32  # (H, W) in [0, 1], defined everywhere, even where alpha is 0
    radiant: bool = False  # rgb holds measured light above white: see `sheets.white`
    corner: tuple[int, int] = (0, 0)  # (y, x) in the photo of the first pixel, if the arrays cover only a part of it


@dataclass(frozen=True, slots=True)
class Separator:
    """The operators of one backend, with the signatures of `reference` and `transport`."""

    estimate_colours: Any  # (image, alpha) -> F, B
    split: Any  # (image, alpha, F, B, filled, white, known, place, subject): image becomes the background
    continue_colours: Any  # (values, weight, wanted) -> values, holes filled
    reveal: Any  # (disparity, matte, maps, seen, place, coverage, out): less is seen
    blend: Any  # (image, maps, place): image is blended with colours
    shine: Any  # (rgb, alpha, disparity, photo, lamps, strength, optics, place): rgb gets lamps' light


def _load_numba() -> Separator:
    from wideopen.arrays.jit import forget_stale_kernels
    from wideopen.sheets import lamps, numba_cpu, reference, transport

    forget_stale_kernels(numba_cpu, reference, transport, lamps)
    return Separator(
        numba_cpu.estimate_colours,
        numba_cpu.split,
        numba_cpu.continue_colours,
        numba_cpu.reveal,
        numba_cpu.blend,
        numba_cpu.shine,
    )


def _load_reference() -> Separator:
    from wideopen.sheets import lamps, reference, transport

    return Separator(
        reference.estimate_colours,
        reference.split,
        transport.continue_colours,
        reference.reveal,
        reference.blend,
        lamps.shine,
    )


BACKENDS: Mapping[str, Backend[Separator]] = {
    "numba": Backend(missing("numba"), _load_numba),
    "reference": Backend(lambda: None, _load_reference),
}
