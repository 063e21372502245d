"""Sheets from one photo: the subject, what is in front of it and what is behind it, each continued where hidden."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from wideopen.arrays.maps import resize_map, work_size
from wideopen.backends import Backend, missing
from wideopen.checks import F32

SMALL_PX = 512


@dataclass(frozen=True, kw_only=True, eq=False)
class Sheet:
    """One surface that the thin lens renders: colour, coverage and disparity."""

    rgb: F32  # (H, W, 3) linear light, premultiplied with alpha
    alpha: F32 | None  # (H, W) coverage in [0, 1]; None = opaque everywhere
    disparity: F32  # (H, W) in [0, 1], defined everywhere, even where alpha is 0
    lamps: F32 | None = None  # (h, w) in [0, 1], of any size: see `sheets.highlights`; None = lamps everywhere
    radiant: bool = False  # rgb holds measured light above white: see `sheets.white`

    @cached_property
    def small(self) -> tuple[F32, F32]:
        """Coverage and disparity, (h, w), of at most `SMALL_PX`: for what needs no detail."""
        alpha = np.ones((1, 1), np.float32) if self.alpha is None else self.alpha
        return _reduced(alpha), _reduced(self.disparity)


def _reduced(x: F32) -> F32:
    """(H, W) at `SMALL_PX`; every other pixel of that twice is enough, and takes a tenth of the time of all."""
    height, width = work_size(x.shape, 2 * SMALL_PX)
    some = cv2.resize(x, (width, height), interpolation=cv2.INTER_NEAREST).reshape(height, width)
    return resize_map(some, work_size(x.shape, SMALL_PX))


@dataclass(frozen=True, slots=True)
class Separator:
    """The operators of one backend, with the signatures of `reference` and `transport`."""

    estimate_colours: Any  # (image, alpha) -> F, B
    split: Any  # (image, alpha, F, B, filled, white) -> subject; image becomes the background
    continue_colours: Any  # (values, weight, wanted) -> values, holes filled
    part_disparity: Any  # (disparity, continued, trusted, seen, coverage) -> disparity; less is seen


def _load_numba() -> Separator:
    from wideopen.arrays.jit import forget_stale_kernels
    from wideopen.sheets import numba_cpu, reference, transport

    forget_stale_kernels(numba_cpu, reference, transport)
    return Separator(numba_cpu.estimate_colours, numba_cpu.split, numba_cpu.continue_colours, numba_cpu.part_disparity)


def _load_reference() -> Separator:
    from wideopen.sheets import reference, transport

    return Separator(reference.estimate_colours, reference.split, transport.continue_colours, reference.part_disparity)


BACKENDS: Mapping[str, Backend[Separator]] = {
    "numba": Backend(missing("numba"), _load_numba),
    "reference": Backend(lambda: None, _load_reference),
}
