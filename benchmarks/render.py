"""How long the renderer takes, warm, with the scene prepared: over pixels, radius and planes; and against other tools.

    python benchmarks/render.py [--runs 7] [--quick]

The radius is that of the farthest pixel, as a share of the long side: 1.5% unless a row says otherwise. Every row is
the median over the runs, with the fastest and the slowest. In the same run, for the same planes, colours and coverage:
OpenCV's filter2D with each plane's disk, and, at 1 megapixel, torch's conv2d (one plane in eight, times eight). Peak
memory is that of a process of its own which reads nothing: it is handed arrays, analyses and renders.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from end_to_end import make_scene
from provenance import provenance
from wideopen import Lens, Scene, analyze, render
from wideopen.checks import F32
from wideopen.color import srgb_encode
from wideopen.files import read, read_disparity, read_matte
from wideopen.optics import Optics
from wideopen.rendering.aperture import antialiased_spans, kernel
from wideopen.rendering.planes import plane_position, plane_weight, thin_lens_planes
from wideopen.settings import MapSettings

SIZES = {1: (1200, 900), 3: (2000, 1500), 8: (3840, 2160), 12: (4000, 3000), 50: (8192, 6144)}
SHARE, FOCUS = 0.015, 0.8
LIMITS_S = {("thin-lens", 1): 0.04, ("thin-lens", 8): 0.4, ("thin-lens", 12): 0.6, ("thin-lens", 50): 3.0}
LIMITS_S |= {("paper", size): 2 * limit for (_, size), limit in LIMITS_S.items()}


def scene_of(megapixels: int) -> tuple[Scene, float]:
    """Return a portrait of about so many megapixels, prepared, and the seconds that preparing took, kernels warm."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_scene(folder, *SIZES[megapixels])
        photo = read(folder / "photo.jpg")
        size = photo.rgb.shape[:2]
        maps = {"matte": read_matte(folder / "matte.png", size=size)}
        maps["disparity"] = read_disparity(folder / "disparity.png", size=size)
    start = time.perf_counter()
    scene = analyze(photo, MapSettings(filter_disparity=False), **maps)
    return scene, time.perf_counter() - start


def lens(scene: Scene, share: float = SHARE, look: str = "thin-lens", quality: str = "fast", planes: int = 32) -> Lens:
    """Return a lens with which the farthest pixel's radius is `share` of the long side."""
    farthest = float(np.abs(scene.disparity - FOCUS).max())
    return Lens(
        focus_disparity=FOCUS, max_radius=share / farthest, look=look, quality=quality, planes=planes, grain=0.0
    )


def clock(work: Callable[[], object], runs: int) -> dict[str, float]:
    """Return median, least and most seconds of `runs` calls, after one that does not count."""
    work()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    named = {"median_s": statistics.median(seconds), "min_s": min(seconds), "max_s": max(seconds)}
    return {name: round(value, 4) for name, value in named.items()}


def difference(scene: Scene, look: str, exact: F32) -> dict[str, float]:
    """How far `fast` is from `exact`, on display-encoded pictures: PSNR in dB, 99.9th percentile and most in codes."""
    fast = render(scene, lens(scene, look=look), backend="numba")
    error = np.abs(srgb_encode(np.clip(fast, 0, 1)) - srgb_encode(np.clip(exact, 0, 1)))
    mse = float(np.mean(np.square(error, dtype=np.float64)))
    return {
        "psnr_db": round(-10 * np.log10(max(mse, 1e-15)), 1),
        "p999_codes": round(255 * float(np.percentile(error, 99.9)), 2),
        "most_codes": round(255 * float(error.max()), 2),
    }


def by_size(megapixels: int, runs: int) -> list[dict]:
    """Both looks at one size, fast; the exact ones too, up to 12 megapixels, and how far they are apart."""
    scene, prepare_s = scene_of(megapixels)
    rows = []
    for look in ("thin-lens", "paper"):
        row = {"look": look, "megapixels": scene.disparity.size / 1e6, "prepare_s": round(prepare_s, 3)}
        row["fast"] = clock(lambda: render(scene, lens(scene, look=look), backend="numba"), runs)  # noqa: B023
        row["limit_s"] = LIMITS_S.get((look, megapixels))
        if megapixels <= 12:
            few = runs if look == "thin-lens" else 1
            exact = lens(scene, look=look, quality="exact")
            row["exact"] = clock(lambda: render(scene, exact, backend="numba"), few)  # noqa: B023
            row["fast_to_exact"] = difference(scene, look, render(scene, exact, backend="numba"))
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


def curves(scene: Scene, runs: int) -> dict[str, list[dict]]:
    """Seconds over the radius and over the number of planes, thin lens."""
    shares = (0.0025, 0.005, 0.01, 0.015, 0.03, 0.05)
    over_radius = [
        {"share": share, "quality": quality}
        | clock(lambda: render(scene, lens(scene, share, quality=quality), backend="numba"), runs)  # noqa: B023
        for quality in ("fast", "exact")
        for share in shares
    ]
    over_planes = [
        {"planes": planes} | clock(lambda: render(scene, lens(scene, planes=planes), backend="numba"), runs)  # noqa: B023
        for planes in (4, 8, 16, 32, 64, 128)
    ]
    return {"over_radius": over_radius, "over_planes": over_planes}


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
            planes.append((kernel(antialiased_spans(lens_.aperture, float(r))), layers))
    return planes


def others(megapixels: int) -> dict[str, float]:
    """Seconds in which OpenCV and torch blur the same planes, compositing left out, and ours for everything."""
    scene, _ = scene_of(megapixels)
    chosen = lens(scene)
    planes = planes_of(scene, chosen)
    start = time.perf_counter()
    for K, layers in planes:
        for channel in range(5):
            cv2.filter2D(layers[..., channel], -1, K, borderType=cv2.BORDER_CONSTANT)
    opencv = time.perf_counter() - start
    conv2d = None  # beyond 2 megapixels it takes many minutes
    start = time.perf_counter()
    for K, layers in planes[::8] if megapixels <= 2 else ():
        image = torch.from_numpy(layers).permute(2, 0, 1)[:, None]  # (5, 1, H, W)
        torch.nn.functional.conv2d(image, torch.from_numpy(K)[None, None], padding=len(K) // 2)
    if megapixels <= 2:
        conv2d = (time.perf_counter() - start) * len(planes) / len(planes[::8])
    own = clock(lambda: render(scene, chosen, backend="numba"), 7)["median_s"]
    row = {"megapixels": scene.disparity.size / 1e6, "planes": len(planes), "own_s": own}
    row |= {"filter2d_s": round(opencv, 3), "filter2d_ratio": round(opencv / own, 1)}
    return row | ({} if conv2d is None else {"conv2d_s": round(conv2d, 2), "conv2d_ratio": round(conv2d / own, 1)})


MEMORY = """
import re, sys, numpy as np
from wideopen import Lens, analyze, render
width, height = map(int, sys.argv[1:])
y, x = np.mgrid[0:height, 0:width].astype(np.float32) / width
matte = np.clip(20 * (0.3 - np.hypot(x - 0.5, y - 0.4)), 0, 1)
disparity = np.where(matte > 0.5, np.float32(0.8), 0.5 * y)
rgb = np.stack([x, y / 2 + 0.3, 0.5 + 0.5 * np.sin(90 * x)], axis=2)
del x, y
scene = analyze(rgb, matte=matte, disparity=disparity)
render(scene, Lens(focus_disparity=0.8, max_radius=0.015, grain=0.0), backend="numba")
print(1024 * int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]))
"""


def memory(megapixels: int) -> dict[str, float]:
    """Peak of a process that analyses and renders arrays of this size."""
    sizes = map(str, SIZES[megapixels])
    peak = subprocess.check_output([sys.executable, "-c", MEMORY, *sizes], text=True)
    return {"megapixels": np.prod(SIZES[megapixels]) / 1e6, "peak_gb": round(int(peak) / 1e9, 3)}


def draw(result: dict, folder: Path) -> None:
    """Write the curves as pictures."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    for look in ("thin-lens", "paper"):
        rows = [row for row in result["by_size"] if row["look"] == look]
        left.loglog([r["megapixels"] for r in rows], [r["fast"]["median_s"] for r in rows], "o-", label=look)
    left.set(xlabel="megapixels", ylabel="seconds", title="fast, radius 1.5 % of the long side")
    for quality in ("fast", "exact"):
        rows = [row for row in result["curves"]["over_radius"] if row["quality"] == quality]
        middle.plot([100 * r["share"] for r in rows], [r["median_s"] for r in rows], "o-", label=quality)
    middle.set(xlabel="radius, % of the long side", title="12 megapixels, thin-lens")
    rows = result["curves"]["over_planes"]
    right.semilogx([r["planes"] for r in rows], [r["median_s"] for r in rows], "o-", label="fast", base=2)
    right.set(xlabel="planes", title="12 megapixels, thin-lens")
    for axes in (left, middle, right):
        axes.set_ylim(bottom=None if axes is left else 0)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(folder / "performance.png", dpi=90)


def main() -> None:
    """Measure, print, and write benchmarks/results/render.json and docs/pictures/performance.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="up to 3 megapixels, nothing written")
    options = parser.parse_args()
    sizes = [1, 3] if options.quick else list(SIZES)
    scene_of(1)  # compiles
    result = provenance() | {"radius_share": SHARE, "planes": 32, "runs": options.runs}
    result["by_size"] = [row for size in sizes for row in by_size(size, options.runs)]
    result["curves"] = curves(scene_of(sizes[-1] if options.quick else 12)[0], options.runs)
    result["others"] = [others(size) for size in ([1] if options.quick else [1, 8])]
    result["memory"] = [memory(size) for size in ([1] if options.quick else [12, 50])]
    print(json.dumps({name: result[name] for name in ("curves", "others", "memory")}, indent=1))
    if not options.quick:
        root = Path(__file__).resolve().parents[1]
        draw(result, root / "docs" / "pictures")
        (root / "benchmarks" / "results" / "render.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
