"""How long the Triton kernels take on a CUDA GPU, and how far that is from what the GPU could do.

    python benchmarks/render_cuda.py                  # 4K, 12 and 50 megapixels; writes results/render_cuda.json
    python benchmarks/render_cuda.py --compile-only   # no GPU needed: registers and shared memory of every kernel

The scene: a slanted floor, and a round subject in focus with a soft edge in front of it; the largest blur is 1.5% of
the long side. Times are wall seconds of a call on tensors that lie on the device, synchronised before and after, so the
launches count; `with copies` is the operator itself, NumPy in and out.

Two floors stand beside each time, for what this scene makes the kernels do (`work` counts it):
- bytes: what every pass reads and writes at least, once each, over the bandwidth of a copy measured in the same run.
- look-ups: 4 values for each span and channel, 81 taps of small radii, 4 bytes each, over 128 B per clock of each
  multiprocessor, the rate of its first-level cache. There are fewer multiplications than look-ups, at a higher rate.

Look-ups bound the work: on an H100 at 4K they take 1.7 ms with `fast`, 4.0 ms with `exact`, the bytes 0.8 and 1.0 ms.
"""

import argparse
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from cuda_device import FOCUS, ON_GPU, PLANES, SHARE, SIZES, bandwidth, clock_hz, facts, kernel_ms, make_scene, seconds
from provenance import ROOT, write_result
from wideopen.lens import PaperLook, Quality
from wideopen.rendering import Optics, why_no_triton

LIMIT_S = 0.008  # 4K, 32 planes, thin-lens
QUALITIES: tuple[Quality, ...] = ("fast", "exact")


def optics_of(width: int, quality: Quality) -> Optics:
    """Return the lens: at the far end of the floor, 0.7 of disparity behind the focus, the blur is the largest."""
    return Optics(focus_disparity=FOCUS, radius_px=SHARE * width / 0.7, planes=PLANES, quality=quality)


def work(sheets: list[Any], optics: Optics) -> tuple[int, int]:
    """Return the bytes and the bytes of look-ups, as the module's text says, that the thin-lens kernels need."""
    from wideopen.rendering.triton import thin_lens_look
    from wideopen.rendering.triton.tables import BX, BY, find_used

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


def measure(name: str, runs: int, bytes_per_s: float) -> Iterator[dict[str, Any]]:
    """Yield one row for each look and quality of a size."""
    from wideopen.rendering import triton as triton_gpu

    height, width = SIZES[name]
    sheets = make_scene(height, width)
    loaded = triton_gpu.load_sheets(sheets)
    photo, disparity = loaded[0].rgb, loaded[0].disparity
    cache = facts().get("multiprocessors", 1) * 128 * clock_hz()
    for quality in QUALITIES:
        optics = optics_of(width, quality)
        moved, looked = work(loaded, optics)

        def thin_lens(optics: Optics = optics) -> Any:
            return triton_gpu.thin_lens_on_gpu(loaded, optics)

        def paper(optics: Optics = optics) -> Any:
            return triton_gpu.paper_on_gpu(photo, disparity, replace(optics, paper=PaperLook()))

        if ON_GPU:
            torch.cuda.reset_peak_memory_stats()
        times = seconds(thin_lens, runs)
        copies = seconds(lambda optics=optics: triton_gpu.thin_lens(sheets, optics), max(1, runs // 8), 1)
        floors = {"bytes_floor_s": moved / bytes_per_s, "look_ups_floor_s": looked / cache}
        yield {
            **row(name, "thin-lens", quality, times),
            **{key: round(value, 6) for key, value in floors.items()},
            "share_of_floor": round(max(floors.values()) / statistics.median(times), 3),
            "moved_gb_per_s": round(moved / statistics.median(times) / 1e9),
            "with_copies_s": round(statistics.median(copies), 6),
            "peak_mb": round(torch.cuda.max_memory_allocated() / 1e6) if ON_GPU else None,
            "kernels_ms": kernel_ms(thin_lens),
            "limit_s": LIMIT_S if (name, quality) == ("4k", "fast") else None,
        }
        yield row(name, "paper", quality, seconds(paper, max(1, runs // 4), 1)) | {"kernels_ms": kernel_ms(paper, 1)}


def row(size: str, look: str, quality: str, times: list[float]) -> dict[str, Any]:
    """Return what every line of the table begins with."""
    return {
        "size": [SIZES[size][1], SIZES[size][0]],
        "look": look,
        "quality": quality,
        "runs": len(times),
        "median_s": round(statistics.median(times), 6),
        "min_s": round(min(times), 6),
        "max_s": round(max(times), 6),
    }


def resources(capability: int) -> None:
    """Print registers, spills and shared memory of every kernel, compiled for an architecture."""
    from triton import knobs

    from gpu_kernels import compile_kernels

    print(f"sm_{capability}{'':33}{'registers':>10}{'stack B':>9}{'shared B':>10}")
    for name, kernel in sorted(compile_kernels(capability).items()):
        cubin = Path(kernel.metadata_group[f"{kernel.metadata.name}.cubin"])
        report = subprocess.check_output([knobs.nvidia.cuobjdump.path, "--dump-resource-usage", cubin], text=True)
        words = dict(word.split(":")[:2] for word in report.split("Function")[-1].split() if word.count(":") == 1)
        print(f"{name:38}{words['REG']:>10}{words['STACK']:>9}{kernel.metadata.shared:>10}")


def main() -> None:
    """Measure, print a table, and write benchmarks/results/render_cuda.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=16)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["4k", "12mp", "50mp"])
    parser.add_argument("--compile-only", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "render_cuda.json")
    asked = parser.parse_args()
    if asked.compile_only:
        for capability in (80, 90):
            resources(capability)
        return
    reason = why_no_triton()
    if ON_GPU and reason is not None:
        sys.exit(f"render_cuda: {reason}")
    bytes_per_s = bandwidth()
    result = {
        "gpu": facts() | {"copy_gb_per_s": round(bytes_per_s / 1e9)},
        "planes": PLANES,
        "largest_blur": SHARE,
        "rows": [],
    }
    for size in asked.sizes:
        for line in measure(size, asked.runs, bytes_per_s):
            result["rows"].append(line)
            write_result(asked.out, result)
            print(
                f"{line['size'][0]:>5} x {line['size'][1]:<5}{line['look']:10}{line['quality']:6}"
                f"{1e3 * line['median_s']:9.2f} ms  share of floor {line.get('share_of_floor', '-')}",
                flush=True,
            )


if __name__ == "__main__":
    main()
