"""Compile every kernel of both looks for a GPU, without having or using one.

The operators run on CPU tensors; each launch compiles for the requested architecture and stops there, so the variants
are those of real launches: with one and with several sheets, exact and fast.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from wideopen.lens import Quality
from wideopen.optics import Optics
from wideopen.rendering.triton import GpuSheet, paper_on_gpu, thin_lens_on_gpu


class _NoDevice:
    """The part of Triton's driver that compiling needs."""

    def __init__(self, capability: int) -> None:
        self._target = GPUTarget("cuda", capability, 32)

    def get_current_target(self) -> GPUTarget:
        return self._target

    def get_current_device(self) -> int:
        return self._target.arch  # kernels are cached by device, so each architecture must be its own device

    def get_current_stream(self, device: int) -> int:
        return device


@contextmanager
def _compiling_only(capability: int, found: list[Any]) -> Iterator[None]:
    run, active = JITFunction.run, driver._active

    def compile_only(self: Any, *args: Any, grid: Any, warmup: bool, **options: Any) -> Any:  # noqa: ARG001
        found.append(run(self, *args, grid=grid, warmup=True, **options))
        return found[-1]

    JITFunction.run = compile_only
    driver.set_active(_NoDevice(capability))
    try:
        yield
    finally:
        JITFunction.run = run
        driver._active = active


def compile_kernels(capability: int) -> dict[str, Any]:
    """Return compiled kernels by name and variant, for compute capability 80, 90, ...; takes some 20 s."""
    found: list[Any] = []
    rng = np.random.default_rng(0)
    with _compiling_only(capability, found):
        for height, width in ((96, 512), (67, 301)):  # aligned and unaligned fields, which Triton compiles separately
            maps = [torch.from_numpy(rng.random((height, width), np.float32)) for _ in range(2)]
            rgb = torch.from_numpy(rng.random((height, width, 3), np.float32))
            sheets = [GpuSheet(rgb=rgb, alpha=alpha, disparity=maps[0]) for alpha in (None, maps[1], maps[1])]
            settings: tuple[tuple[Quality, float], ...] = (("exact", 0.0), ("fast", 0.0), ("fast", 0.5))
            for quality, cat_eye in settings:
                optics = Optics(focus_disparity=0.4, radius_px=90, quality=quality, cat_eye=cat_eye)
                thin_lens_on_gpu(sheets, optics)
                thin_lens_on_gpu(sheets[:1], optics)
                paper_on_gpu(rgb, maps[0], optics)
    return {f"{kernel.metadata.name}:{kernel.hash[:8]}": kernel for kernel in found}
