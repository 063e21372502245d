"""How long the Triton kernels take on a CUDA GPU, and how far that is from what the GPU could do.

    python benchmarks/render_cuda.py                  # all sizes; writes results/render_cuda.json
    python benchmarks/render_cuda.py --compile-only   # no GPU needed: registers and shared memory of every kernel

The scene: a slanted floor, and a round subject in focus with a soft edge in front of it; the largest blur is 1.5% of
the long side. Times are wall seconds of a call on tensors that lie on the device, synchronised before and after, so the
launches count; `with copies` is the operator itself, NumPy in and out.

Two floors stand beside each time, for what this scene makes the kernels do (`work` counts it):
- bytes: what every pass reads and writes at least, once each, over the bandwidth of a copy measured in the same run.
- look-ups: 4 values for each span and channel, 81 taps of small radii, 4 bytes each, over 128 B per clock of each
  multiprocessor, the rate of its first-level cache. There are fewer multiplications than look-ups, at a higher rate.

Counted for 4K, 32 planes, as milliseconds of an H100 (3.35 TB/s; 132 multiprocessors at 1.755 GHz); not measured there:

| quality | bytes | | look-ups | |
|---|---|---|---|---|
| fast | 2.5 GB | 0.74 ms | 59 GB | 2.0 ms |
| exact | 2.9 GB | 0.86 ms | 142 GB | 4.8 ms |

So look-ups bound the work, and 8 ms asks for a quarter of that rate with `fast`, three fifths with `exact`.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from provenance import ROOT, provenance
from wideopen.lens import Aperture, PaperLook, Quality
from wideopen.rendering import Optics, Sheet, cuda
from wideopen.rendering import numba as numba_cpu

SIZES = {"1080p": (1080, 1920), "4k": (2160, 3840), "12mp": (3000, 4000), "50mp": (6120, 8160)}
SHARE = 0.015  # largest blur, of the long side
FOCUS = 0.8
LIMIT_S = 0.008  # 4K, 32 planes, thin-lens
QUALITIES: tuple[Quality, ...] = ("fast", "exact")


def make_scene(height: int, width: int) -> list[Sheet]:
    """Return the floor, opaque, and the subject."""
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


def optics_of(width: int, quality: Quality) -> Optics:
    """Return the lens: at the far end of the floor, 0.7 of disparity behind the focus, the blur is the largest."""
    return Optics(focus_disparity=FOCUS, radius_px=SHARE * width / 0.7, highlights=1.0, quality=quality)


def seconds(call: Callable[[], Any], runs: int) -> list[float]:
    """Return the wall seconds of each run, after three that do not count."""
    times = []
    for run in range(-3, runs):
        torch.cuda.synchronize()
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        if run >= 0:
            times.append(time.perf_counter() - start)
    return times


def bandwidth() -> float:
    """Return bytes per second of a copy on the device, read and written."""
    source = torch.empty(1 << 28, dtype=torch.float32, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.nbytes / statistics.median(seconds(lambda: target.copy_(source), 9))


def work(sheets: list[Any], optics: Optics) -> tuple[int, int]:
    """Return the bytes and the bytes of look-ups, as the module's text says, that the thin-lens kernels need."""
    from wideopen.rendering.triton import thin_lens_look
    from wideopen.rendering.triton.launch import find_used
    from wideopen.rendering.triton.tables import BX, BY

    moved = looked = 0
    for sheet in sheets:
        height, width = shape = sheet.disparity.shape
        pixels, channels = height * width, 4 if sheet.alpha is None else 5
        lens = thin_lens_look.lens_of(sheet, optics)
        _, used = thin_lens_look.place(sheet, optics, lens)
        moved += pixels * 4 * (channels + 4 * channels + 7)  # sheet; fields and small radii, out and in; canvas
        close = find_used(used, lens.near_reaches, (BY, BX), shape).amax(1).sum()
        looked += int(close) * BY * BX * 81 * 4 * (channels + 2)
        starts = lens.spans.starts.cpu()
        for level, at in lens.far.items():
            size = 1 << level
            for k, active in enumerate(find_used(used, at.reaches, (BY * size, BX * size), shape).sum(0).tolist()):
                looked += active * BY * BX * int(starts[k + 1] - starts[k]) * 16 * channels
                moved += active * BY * BX * 8 * channels
    return moved, looked


def measure(name: str, runs: int, bytes_per_s: float) -> list[dict[str, Any]]:
    """Return one row for each look and quality of a size."""
    from wideopen.rendering import triton as triton_gpu

    height, width = SIZES[name]
    sheets = make_scene(height, width)
    loaded = triton_gpu.load_sheets(sheets)
    photo, disparity = loaded[0].rgb, loaded[0].disparity
    device = torch.cuda.get_device_properties(0)
    cache = device.multi_processor_count * 128 * device.clock_rate * 1e3
    rows = []
    for quality in QUALITIES:
        optics = optics_of(width, quality)
        moved, looked = work(loaded, optics)
        torch.cuda.reset_peak_memory_stats()
        times = seconds(lambda optics=optics: triton_gpu.thin_lens_on_gpu(loaded, optics), runs)
        peak = torch.cuda.max_memory_allocated()
        copies = seconds(lambda optics=optics: triton_gpu.thin_lens(sheets, optics), max(3, runs // 4))
        floors = {"bytes_floor_s": moved / bytes_per_s, "look_ups_floor_s": looked / cache}
        share = max(floors.values()) / statistics.median(times)
        rows.append(row(name, "thin-lens", quality, times, floors, achieved=share, with_copies_s=copies, peak=peak))
        settings = {
            "focus_disparity": FOCUS,
            "radius_px": optics.radius_px,
            "planes": 32,
            "aperture": Aperture(),
            "constants": PaperLook(),
            "quality": quality,
        }
        times = seconds(lambda s=settings: triton_gpu.paper_on_gpu(photo, disparity, **s), runs)
        rows.append(row(name, "paper", quality, times, {}))
    return rows


def row(
    size: str, look: str, quality: str, times: list[float], floors: dict[str, float], *,
    achieved: float | None = None, with_copies_s: list[float] | None = None, peak: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return one line of the table."""
    return {
        "size": [SIZES[size][1], SIZES[size][0]],
        "look": look,
        "quality": quality,
        "runs": len(times),
        "median_s": round(statistics.median(times), 6),
        "min_s": round(min(times), 6),
        "max_s": round(max(times), 6),
        **{key: round(value, 6) for key, value in floors.items()},
        "share_of_floor": None if achieved is None else round(achieved, 3),
        "with_copies_s": None if with_copies_s is None else round(statistics.median(with_copies_s), 6),
        "peak_mb": None if peak is None else round(peak / 1e6),
        "limit_s": LIMIT_S if (size, look, quality) == ("4k", "thin-lens", "fast") else None,
    }


def errors() -> dict[str, float]:
    """Return the largest differences to numba's kernels at 1080p: the same pictures, on this GPU."""
    from wideopen.rendering import triton as triton_gpu

    sheets = make_scene(*SIZES["1080p"])
    found = {}
    for quality in QUALITIES:
        optics = optics_of(SIZES["1080p"][1], quality)
        difference = np.abs(triton_gpu.thin_lens(sheets, optics) - numba_cpu.thin_lens(sheets, optics))
        found[f"thin-lens {quality}"] = float(difference.max())
    return found


def resources(capability: int) -> None:
    """Print registers, spills and shared memory of every kernel, compiled for an architecture."""
    from triton import knobs

    from wideopen.rendering.triton.offline import compile_kernels

    print(f"sm_{capability}{'':33}{'registers':>10}{'stack B':>9}{'shared B':>10}")
    for name, kernel in sorted(compile_kernels(capability).items()):
        cubin = Path(kernel.metadata_group[f"{kernel.metadata.name}.cubin"])
        report = subprocess.check_output([knobs.nvidia.cuobjdump.path, "--dump-resource-usage", cubin], text=True)
        words = dict(word.split(":")[:2] for word in report.split("Function")[-1].split() if word.count(":") == 1)
        print(f"{name:38}{words['REG']:>10}{words['STACK']:>9}{kernel.metadata.shared:>10}")


def main() -> None:
    """Measure, print a table, and write benchmarks/results/render_cuda.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--compile-only", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "render_cuda.json")
    asked = parser.parse_args()
    if asked.compile_only:
        for capability in (80, 90):
            resources(capability)
        return
    reason = cuda.why_no_triton()
    if reason is not None:
        sys.exit(f"render_cuda: {reason}")
    origin = provenance()
    bytes_per_s = bandwidth()
    rows = [line for size in asked.sizes for line in measure(size, asked.runs, bytes_per_s)]
    device = torch.cuda.get_device_properties(0)
    result = {
        **origin,
        "gpu": {
            "name": device.name,
            "multiprocessors": device.multi_processor_count,
            "clock_mhz": device.clock_rate / 1e3,
            "memory_gb": round(device.total_memory / 1e9, 1),
            "copy_gb_per_s": round(bytes_per_s / 1e9),
        },
        "planes": 32,
        "largest_blur": SHARE,
        "rows": rows,
        "largest_difference_to_numba": errors(),
    }
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for line in rows:
        print(
            f"{line['size'][0]:>5} x {line['size'][1]:<5}{line['look']:10}{line['quality']:6}"
            f"{1e3 * line['median_s']:9.2f} ms  share of floor {line['share_of_floor'] or '-'}"
        )
    print(f"largest difference to numba {result['largest_difference_to_numba']}; written to {asked.out}")


if __name__ == "__main__":
    main()
