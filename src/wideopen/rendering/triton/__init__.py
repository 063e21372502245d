"""Both looks on a GPU, in Triton.

`thin_lens` and `paper` are the operators of `reference`, NumPy in and out; `thin_lens_on_gpu` and `paper_on_gpu` keep
photo and result on the device. `quality="fast"` is that of the `numba` backend: the same levels, the same pixels.
"""

import os
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from wideopen.checks import F32
from wideopen.optics import Optics
from wideopen.rendering.triton.paper_look import paper_on_gpu
from wideopen.rendering.triton.thin_lens_look import GpuSheet, thin_lens_on_gpu
from wideopen.sheets import Sheet

__all__ = ["GpuSheet", "load_sheets", "paper", "paper_on_gpu", "thin_lens", "thin_lens_on_gpu"]

DEVICE = "cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda"


def _load(array: F32) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(DEVICE)


def load_sheets(sheets: Sequence[Sheet]) -> list[GpuSheet]:
    """Copy sheets to the device."""
    return [
        GpuSheet(
            rgb=_load(sheet.rgb),
            alpha=None if sheet.alpha is None else _load(sheet.alpha),
            disparity=_load(sheet.disparity),
        )
        for sheet in sheets
    ]


def thin_lens(sheets: Sequence[Sheet], optics: Optics) -> F32:
    """`reference.thin_lens` on the GPU."""
    return thin_lens_on_gpu(load_sheets(sheets), optics).cpu().numpy()


def paper(encoded: F32, disparity: F32, optics: Optics) -> F32:
    """`reference.paper` on the GPU."""
    image = paper_on_gpu(_load(encoded), _load(disparity), optics)
    return image.cpu().numpy()
