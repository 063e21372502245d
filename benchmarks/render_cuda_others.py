"""The Triton kernels beside torch's conv2d and cuFFT on the same GPU: one plane, and the whole picture.

    python benchmarks/render_cuda_others.py           # writes results/render_cuda_others.json

One plane: a photo of one disparity, blurred with one disk of 1.5% and of 0.25% of the long side; four channels, colour
and weight. Ours is the whole operator (to planes, sums, spans, over the weight); conv2d and cuFFT (float32, padded,
transforms there and back) only blur. conv2d computes a band of rows, and its time is taken times the rest.

Whole: the scene of render_cuda.py, 32 planes of two sheets. cuFFT adds up the planes' spectra in float32 and
transforms back once a sheet; it only blurs, and keeps fewer digits than we need: an FFT's rounding is relative to the
brightest value of the photo. conv2d: one plane in eight, times eight.
"""

import argparse
import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn import functional

from cuda_device import DEVICE, FOCUS, PLANES, SHARE, SIZES, facts, kernel_ms, make_scene, seconds
from provenance import ROOT, write_result
from wideopen.optics import Pupil
from wideopen.rendering import Optics, Sheet
from wideopen.rendering import triton as triton_gpu
from wideopen.rendering.aperture import antialiased_spans, kernel
from wideopen.rendering.planes import plane_position, thin_lens_planes

BAND = 64  # rows of conv2d that are computed
RADII = {"1.5%": SHARE, "0.25%": 0.0025}


def disk(radius_px: float) -> Tensor:
    """Return the kernel (K, K) of a round aperture, on the device."""
    return torch.from_numpy(kernel(antialiased_spans(Pupil(), radius_px))).float().to(DEVICE)


def spectrum(layers: Tensor, K: Tensor, padded: list[int]) -> Tensor:
    """Return the product of the spectra of layers (C, H, W) and of a kernel."""
    return torch.fft.rfft2(layers, s=padded) * torch.fft.rfft2(K, s=padded)


def conv2d_s(layers: Tensor, K: Tensor) -> float | None:
    """Return the seconds of conv2d, a band of rows times the rest; None where torch refuses or has no memory."""
    reach, height = len(K) // 2, layers.shape[1]
    rows = min(BAND, height)
    band = functional.pad(layers[:, : rows + 2 * reach], (reach, reach))[:, None]
    try:
        taken = statistics.median(seconds(lambda: functional.conv2d(band, K[None, None]), 2, 1))
    except RuntimeError as error:
        print(f"conv2d with {len(K)} x {len(K)}: {error}")
        return None
    return taken * height / (band.shape[2] - 2 * reach)


def one_plane(name: str, runs: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each radius of a size."""
    height, width = SIZES[name]
    photo = torch.rand(height, width, 3, device=DEVICE)
    sheet = triton_gpu.GpuSheet(rgb=photo, alpha=None, disparity=torch.zeros(height, width, device=DEVICE))
    layers = torch.cat([photo.movedim(2, 0), torch.ones(1, height, width, device=DEVICE)]).contiguous()
    for label, share in RADII.items():
        radius = share * width
        K = disk(radius)
        padded = [next_fast_len(side + len(K) // 2) for side in (height, width)]
        line: dict[str, Any] = {"size": [width, height], "radius_px": round(radius, 2), "share": label}
        for quality in ("fast", "exact"):
            optics = Optics(focus_disparity=1.0, radius_px=radius, planes=2, quality=quality)

            def ours(optics: Optics = optics) -> Tensor:
                return triton_gpu.thin_lens_on_gpu([sheet], optics)

            line[f"ours_{quality}_s"] = statistics.median(seconds(ours, runs))
            line[f"ours_{quality}_kernels_ms"] = kernel_ms(ours)
        line["cufft_s"] = statistics.median(
            seconds(lambda K=K, padded=padded: torch.fft.irfft2(spectrum(layers, K, padded), s=padded), runs)
        )
        line["conv2d_s"] = conv2d_s(layers, K)
        yield rounded(line)


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """A sheet shared out among its planes, of which those that need a blur are `blurred`."""

    layers: Tensor  # (4 or 5, H, W)
    position: Tensor  # (H, W)
    radii: list[float]
    blurred: list[int]

    def weighted(self, k: int) -> Tensor:
        """Return the layers times the weight of plane k."""
        return self.layers * (1 - (self.position - k).abs()).clamp(min=0)


def planes_of(sheet: Sheet, radius_px: float) -> Planes:
    """Return a sheet's planes as thin-lens defines them."""
    radius = Optics(focus_disparity=FOCUS, radius_px=radius_px).signed_radius(sheet.disparity)
    radii = thin_lens_planes(float(radius.min()), float(radius.max()), PLANES)
    position = torch.from_numpy(plane_position(radius, radii)).to(DEVICE)
    fields = [sheet.rgb, *([] if sheet.alpha is None else [sheet.alpha[..., None]]), np.ones_like(radius)[..., None]]
    layers = torch.from_numpy(np.concatenate(fields, axis=2)).to(DEVICE).movedim(2, 0).contiguous()
    used = [k for k, r in enumerate(radii) if abs(r) >= 0.5 and bool(((position - k).abs() < 1).any())]
    return Planes(layers, position, [float(r) for r in radii], used)


def cufft_s(planes: Planes) -> float:
    """Return the seconds in which cuFFT blurs a sheet's planes and adds them up."""
    kernels = [disk(planes.radii[k]) for k in planes.blurred]
    reach = max((len(K) // 2 for K in kernels), default=0)
    padded = [next_fast_len(side + reach) for side in planes.position.shape]

    def blur() -> Tensor | None:
        total: Tensor | None = None
        for k, K in zip(planes.blurred, kernels, strict=True):
            product = spectrum(planes.weighted(k), K, padded)
            total = product if total is None else total.add_(product)
        return None if total is None else torch.fft.irfft2(total, s=padded)

    return statistics.median(seconds(blur, 2, 1))


def whole(name: str) -> dict[str, Any]:
    """Return the row of a size."""
    width = SIZES[name][1]
    sheets = make_scene(*SIZES[name])
    optics = Optics(focus_disparity=FOCUS, radius_px=SHARE * width / 0.7, planes=PLANES)
    loaded = triton_gpu.load_sheets(sheets)
    ours = statistics.median(seconds(lambda: triton_gpu.thin_lens_on_gpu(loaded, optics), 5))
    cufft, count, convolved = 0.0, 0, []
    for sheet in sheets:
        planes = planes_of(sheet, optics.radius_px)
        count += len(planes.blurred)
        cufft += cufft_s(planes)
        convolved += [conv2d_s(planes.weighted(k), disk(planes.radii[k])) for k in planes.blurred[::8]]
    done = [taken for taken in convolved if taken is not None]
    return rounded(
        {
            "size": [width, SIZES[name][0]],
            "planes": count,
            "ours_exact_s": ours,
            "cufft_s": cufft,
            "conv2d_s": sum(done) * count / len(done) if done and len(done) == len(convolved) else None,
        }
    )


def rounded(line: dict[str, Any]) -> dict[str, Any]:
    """Return the row with seconds to the microsecond."""
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in line.items()}


def main() -> None:
    """Measure, print, and write benchmarks/results/render_cuda_others.json after each row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["4k", "12mp", "50mp"])
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "render_cuda_others.json")
    asked = parser.parse_args()
    torch.backends.cudnn.allow_tf32 = False  # float32, as ours
    result: dict[str, Any] = {"gpu": facts(), "one_plane": [], "whole": []}

    def keep(kind: str, line: dict[str, Any]) -> None:
        result[kind].append(line)
        write_result(asked.out, result)
        print(kind, json.dumps(line), flush=True)

    for size in asked.sizes:
        for line in one_plane(size, asked.runs):
            keep("one_plane", line)
        keep("whole", whole(size))


if __name__ == "__main__":
    main()
