"""How long a render takes, warm, with the scene prepared, `fast` and `exact`, and how far apart these are.

    python benchmarks/render.py [--megapixels 1 3 8 12] [--runs 3] [--out FILE]

32 planes; the farthest pixel's radius is 1.5 % of the long side. Seconds are medians over the runs; the paper look's
`exact` is run once.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from end_to_end import make_scene
from provenance import ROOT, provenance
from wideopen import Lens, Scene, analyze, render
from wideopen.checks import F32
from wideopen.color import srgb_encode
from wideopen.files import read, read_disparity, read_matte
from wideopen.settings import MapSettings

SIZES = {1: (1200, 900), 3: (2000, 1500), 8: (3840, 2160), 12: (4000, 3000), 50: (8192, 6144)}
SHARE, FOCUS = 0.015, 0.8


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


def lens(scene: Scene, look: str, quality: str = "fast") -> Lens:
    """Return a lens with which the farthest pixel's radius is `SHARE` of the long side."""
    farthest = float(np.abs(scene.disparity - FOCUS).max())
    return Lens(focus_disparity=FOCUS, max_radius=SHARE / farthest, look=look, quality=quality, grain=0.0)


def clock(work: Callable[[], F32], runs: int) -> tuple[float, F32]:
    """Return the median seconds of `runs` calls, after one that does not count, and what the last gave."""
    picture, seconds = work(), []
    for _ in range(runs):
        start = time.perf_counter()
        picture = work()
        seconds.append(time.perf_counter() - start)
    return round(statistics.median(seconds), 4), picture


def difference(fast: F32, exact: F32) -> dict[str, float]:
    """How far `fast` is from `exact`, on display-encoded pictures: PSNR in dB, and the worst pixel in codes."""
    error = np.abs(srgb_encode(np.clip(fast, 0, 1)) - srgb_encode(np.clip(exact, 0, 1)))
    mse = float(np.mean(np.square(error, dtype=np.float64)))
    return {"psnr_db": round(-10 * np.log10(max(mse, 1e-15)), 1), "most_codes": round(255 * float(error.max()), 2)}


def by_size(megapixels: int, runs: int) -> list[dict[str, Any]]:
    """Both looks at one size, fast and exact."""
    scene, prepare_s = scene_of(megapixels)
    rows = []
    for look in ("thin-lens", "paper"):
        fast_s, fast = clock(lambda: render(scene, lens(scene, look), backend="numba"), runs)  # noqa: B023
        start = time.perf_counter()
        exact = render(scene, lens(scene, look, "exact"), backend="numba")
        exact_s = round(time.perf_counter() - start, 4)
        if look == "thin-lens":
            exact_s, exact = clock(lambda: render(scene, lens(scene, look, "exact"), backend="numba"), runs)  # noqa: B023
        size = {"look": look, "megapixels": round(scene.disparity.size / 1e6, 1), "prepare_s": round(prepare_s, 3)}
        rows.append(size | {"fast_s": fast_s, "exact_s": exact_s} | difference(fast, exact))
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=int, nargs="+", choices=SIZES, default=(1, 3, 8, 12))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "render.json")
    options = parser.parse_args()
    origin = provenance()
    for look in ("thin-lens", "paper"):  # compiles
        render(scene_of(1)[0], lens(scene_of(1)[0], look), backend="numba")
    rows = [row for size in options.megapixels for row in by_size(size, options.runs)]
    result = origin | {"radius_share": SHARE, "planes": 32, "runs": options.runs, "rows": rows}
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
