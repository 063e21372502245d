"""Shared by the GPU benchmarks: clock, copy bandwidth and facts of the device.

With `TRITON_INTERPRET=1` the device is the CPU, so that a machine without a GPU can go through every line.
"""

import statistics
import subprocess
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from wideopen.rendering import Sheet
from wideopen.rendering.triton import DEVICE

SIZES = {"tiny": (12, 40), "1080p": (1080, 1920), "4k": (2160, 3840), "12mp": (3000, 4000), "50mp": (6120, 8160)}
SHARE = 0.015  # largest blur, of the long side
FOCUS = 0.8
ON_GPU = DEVICE == "cuda"
PLANES = 32 if ON_GPU else 4


def make_scene(height: int, width: int) -> list[Sheet]:
    """Return a slanted floor, opaque, and a round subject in focus with a soft edge."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / width
    photo = rng.random((height, width, 3), np.float32)
    floor = np.clip(0.1 + 0.5 * y * width / height, 0, 1).astype(np.float32)
    alpha = np.clip((0.22 - np.hypot(x - 0.5, y - 0.5 * height / width)) * 60 + 0.5, 0, 1).astype(np.float32)
    subject = np.clip(FOCUS + 0.05 * np.sin(9 * x), 0, 1).astype(np.float32)
    return [
        Sheet(rgb=photo, alpha=None, disparity=floor),
        Sheet(rgb=photo * alpha[..., None], alpha=alpha, disparity=subject),
    ]


def synchronise() -> None:
    """Wait for the device."""
    if ON_GPU:
        torch.cuda.synchronize()


def seconds(call: Callable[[], Any], runs: int, warm_up: int = 3) -> list[float]:
    """Return the wall seconds of each run, after `warm_up` that do not count."""
    times = []
    for run in range(-warm_up if ON_GPU else 0, runs):
        synchronise()
        start = time.perf_counter()
        call()
        synchronise()
        if run >= 0:
            times.append(time.perf_counter() - start)
    return times


def kernel_ms(call: Callable[[], Any], runs: int = 3) -> dict[str, float]:
    """Return the device milliseconds of each kernel of a call; ours by name, all others together."""
    if not ON_GPU:
        return {}
    ours = {"place", "find_used", "near", "plane_sums", "bent_sums", "spread", "lay", "show"}
    synchronise()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        for _ in range(runs):
            call()
        synchronise()
    found: dict[str, float] = {}
    for event in profile.key_averages():
        name = event.key if event.key in ours else "others"
        found[name] = found.get(name, 0.0) + event.self_device_time_total / 1e3 / runs
    return {name: round(ms, 4) for name, ms in sorted(found.items(), key=lambda item: -item[1]) if ms > 0}


def bandwidth() -> float:
    """Return bytes per second of a copy on the device, read and written."""
    source = torch.empty(1 << 28 if ON_GPU else 1 << 20, dtype=torch.float32, device=DEVICE)
    target = torch.empty_like(source)
    return 2 * source.nbytes / statistics.median(seconds(lambda: target.copy_(source), 9))


def clock_hz() -> float:
    """Return the highest clock of the multiprocessors, as the driver says."""
    if not ON_GPU:
        return 1e9
    asked = ["nvidia-smi", "--query-gpu=clocks.max.sm", "--format=csv,noheader,nounits", "--id=0"]
    return float(subprocess.check_output(asked, text=True).split()[0]) * 1e6


def facts() -> dict[str, Any]:
    """Return what is known of the device."""
    if not ON_GPU:
        return {"name": "none: Triton's interpreter"}
    device = torch.cuda.get_device_properties(0)
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "--id=0"]
    return {
        "name": device.name,
        "driver": subprocess.check_output(asked, text=True).strip(),
        "cuda": torch.version.cuda,
        "multiprocessors": device.multi_processor_count,
        "clock_mhz": clock_hz() / 1e6,
        "memory_gb": round(device.total_memory / 1e9, 1),
    }
