"""Time of the renderer, warm, with the scene prepared; the difference of `fast` and `exact`; and other tools.

    python benchmarks/render.py [--runs 7] [--quick]

The radius is that of the farthest pixel: 1.5 % of the long side. Each time is the median over the runs. In the same
run, for the same planes, colours and coverage: OpenCV's filter2D with each plane's disk, and, at 1 megapixel, torch's
conv2d (one plane in eight, times eight). Compositing is left out there, and included in ours.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from provenance import write_result
from scene import make_scene
from wideopen import Lens, Scene, analyze, render
from wideopen.checks import F32
from wideopen.color import srgb_encode
from wideopen.files import read, read_disparity, read_matte
from wideopen.optics import Optics, Pupil
from wideopen.rendering.aperture import antialiased_spans, kernel
from wideopen.rendering.planes import plane_position, plane_weight, thin_lens_planes
from wideopen.settings import MapSettings

SIZES = {1: (1200, 900), 8: (3840, 2160), 12: (4000, 3000)}
SHARE, FOCUS = 0.015, 0.8


def scene_of(megapixels: int) -> Scene:
    """Return a portrait of about so many megapixels, prepared."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_scene(folder, *SIZES[megapixels])
        photo = read(folder / "photo.jpg")
        size = photo.rgb.shape[:2]
        maps = {"matte": read_matte(folder / "matte.png", size=size)}
        maps["disparity"] = read_disparity(folder / "disparity.png", size=size)
    return analyze(photo, MapSettings(filter_disparity=False), **maps)


def lens(scene: Scene, look: str = "thin-lens", quality: str = "fast") -> Lens:
    """Return a lens with which the farthest pixel's radius is `SHARE` of the long side."""
    farthest = float(np.abs(scene.disparity - FOCUS).max())
    return Lens(focus_disparity=FOCUS, max_radius=SHARE / farthest, look=look, quality=quality, grain=0.0)


def clock(work: Callable[[], F32], runs: int) -> tuple[float, F32]:
    """Return the median of the seconds that `runs` calls take, after one that does not count, and the result."""
    result = work()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return round(statistics.median(seconds), 4), result


def difference(fast: F32, exact: F32) -> dict[str, float]:
    """How far apart two renders are when displayed: PSNR in dB, and the largest difference in 8-bit codes."""
    error = np.abs(srgb_encode(np.clip(fast, 0, 1)) - srgb_encode(np.clip(exact, 0, 1)))
    mse = float(np.mean(np.square(error, dtype=np.float64)))
    return {"psnr_db": round(-10 * np.log10(max(mse, 1e-15)), 1), "most_codes": round(255 * float(error.max()), 2)}


def planes_of(scene: Scene, lens_: Lens) -> list[tuple[np.ndarray, F32]]:
    """Every plane of the thin lens as other tools would blur it: (kernel, weighted [r, g, b, coverage, weight])."""
    planes = []
    for sheet in scene.sheets:
        radius_px = lens_.max_radius * max(sheet.disparity.shape)
        radius = Optics(focus_disparity=lens_.focus_disparity, radius_px=radius_px).signed_radius(sheet.disparity)
        radii = thin_lens_planes(float(radius.min()), float(radius.max()), lens_.planes)
        position = plane_position(radius, radii)
        alpha = np.ones_like(radius) if sheet.alpha is None else sheet.alpha
        for k, r in enumerate(radii):
            w = plane_weight(position, k)
            layers = np.concatenate([sheet.rgb * w[..., None], (alpha * w)[..., None], w[..., None]], axis=2)
            planes.append((kernel(antialiased_spans(Pupil(), float(r))), layers))
    return planes


def others(scene: Scene) -> dict[str, float]:
    """Seconds in which OpenCV and torch blur the planes of a scene; torch only up to 2 megapixels."""
    planes = planes_of(scene, lens(scene))
    start = time.perf_counter()
    for K, layers in planes:
        for channel in range(5):
            cv2.filter2D(layers[..., channel], -1, K, borderType=cv2.BORDER_CONSTANT)
    row = {"planes": len(planes), "filter2d_s": round(time.perf_counter() - start, 3)}
    if scene.disparity.size > 2e6:  # many minutes
        return row
    start = time.perf_counter()
    for K, layers in planes[::8]:
        image = torch.from_numpy(layers).permute(2, 0, 1)[:, None]  # (5, 1, H, W)
        torch.nn.functional.conv2d(image, torch.from_numpy(K)[None, None], padding=len(K) // 2)
    return row | {"conv2d_s": round((time.perf_counter() - start) * len(planes) / len(planes[::8]), 2)}


def measure(megapixels: int, runs: int) -> dict:
    """Both looks at one size, fast and exact, how far these are apart, and other tools."""
    scene = scene_of(megapixels)
    row: dict = {"megapixels": round(scene.disparity.size / 1e6, 1)}
    for look in ("thin-lens", "paper"):
        few = runs if look == "thin-lens" else 1
        fast_s, fast = clock(lambda: render(scene, lens(scene, look), backend="numba"), runs)  # noqa: B023
        exact_s, exact = clock(lambda: render(scene, lens(scene, look, "exact"), backend="numba"), few)  # noqa: B023
        row[look] = {"fast_s": fast_s, "exact_s": exact_s} | difference(fast, exact)
    row |= others(scene)
    print(json.dumps(row), flush=True)
    return row


def main() -> None:
    """Measure, print, and write benchmarks/results/render.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="1 megapixel, nothing written")
    options = parser.parse_args()
    sizes = [1] if options.quick else list(SIZES)
    result = {"radius_share": SHARE, "planes": 32, "runs": options.runs}
    result["sizes"] = [measure(size, options.runs) for size in sizes]
    if not options.quick:
        write_result(Path(__file__).resolve().parent / "results" / "render.json", result)


if __name__ == "__main__":
    main()
