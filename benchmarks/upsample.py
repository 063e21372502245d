"""Enlarging a small depth map to a photo's size: time and accuracy of edges, compared with OpenCV.

The photo is made here: textured and noisy, with round objects of several sizes before a sloping ground; its exact map
is blurred and shrunk as networks and phones do. Wrong is a pixel off by more than 0.1, within 2.5 pixels of the small
map from an edge of the exact one.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from provenance import ROOT, write_result
from wideopen.disparity.upsample import upsample

SIZES = {12: (3000, 4000), 3: (1500, 2000)}  # megapixels: rows, columns
MAPS = {  # name: (rows, columns), blur in its own pixels
    "network 518 x 686, edges 1.5 px": ((518, 686), 1.5),
    "phone 576 x 768, edges 0.7 px": ((576, 768), 0.7),
}
LIMIT_S = 0.7


def make_photo(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """(photo (H, W, 3) uint8, exact disparity (H, W))."""
    rng = np.random.default_rng(21)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32) / rows
    exact = 0.1 + 0.3 * y
    photo = np.stack([90 + 30 * y, 110 + 20 * x, 100 + 0 * x], axis=-1)
    for _ in range(40):
        cx, cy, radius, near = rng.random() * columns / rows, rng.random(), 0.02 + 0.1 * rng.random(), rng.random()
        inside = np.hypot(x - cx, y - cy) < radius
        exact = np.where(inside, np.float32(0.2 + 0.8 * near), exact)
        photo = np.where(inside[..., None], rng.integers(20, 235, 3).astype(np.float32), photo)
    coarse = cv2.resize(rng.normal(0, 18, (rows // 16, columns // 16, 1)).astype(np.float32), (columns, rows))
    photo = photo + coarse[..., None] + rng.normal(0, 4, photo.shape).astype(np.float32)
    return np.clip(photo, 0, 255).astype(np.uint8), exact.astype(np.float32)


def guided_filter(small: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """He and Sun, "Fast Guided Filter", 2015, of OpenCV's box filters: grey guide, coefficients at the map's size."""

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(values, -1, (9, 9), borderType=cv2.BORDER_REFLECT)

    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    guide = cv2.resize(grey, small.shape[::-1], interpolation=cv2.INTER_AREA)
    a = (mean(guide * small) - mean(guide) * mean(small)) / (mean(guide * guide) - mean(guide) ** 2 + 1e-3)
    b = mean(small) - a * mean(guide)
    return cv2.resize(mean(a), grey.shape[::-1]) * grey + cv2.resize(mean(b), grey.shape[::-1])


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "wideopen upsample": upsample,
    "outside: cv2.resize, linear": lambda small, photo: cv2.resize(small, photo.shape[1::-1]),
    "outside: guided filter of cv2.boxFilter": guided_filter,
}


def wrong_share(out: np.ndarray, exact: np.ndarray, within_px: float) -> float:
    """Share of the pixels beside edges that are off by more than 0.1."""
    edges = cv2.morphologyEx(exact, cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0.15
    away = cv2.distanceTransform((~edges).astype(np.uint8), cv2.DIST_L2, 5)
    return float((np.abs(out - exact) > 0.1)[(away > 0) & (away < within_px)].mean())


def measure(photo: np.ndarray, exact: np.ndarray, runs: int) -> list[dict]:
    """One row per map and method."""
    rows = []
    for name, (size, sigma) in MAPS.items():
        small = cv2.resize(exact, size[::-1], interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), sigma)
        for method, run in METHODS.items():
            run(small, photo)  # compiled, and the memory touched
            seconds = []
            for _ in range(runs):
                start = time.perf_counter()
                out = run(small, photo)
                seconds.append(time.perf_counter() - start)
            rows.append(
                {
                    "map": name,
                    "method": method,
                    "runs": runs,
                    "median_s": round(statistics.median(seconds), 4),
                    "min_s": round(min(seconds), 4),
                    "max_s": round(max(seconds), 4),
                    "wrong_beside_edges": round(wrong_share(out, exact, 2.5 * photo.shape[0] / size[0]), 4),
                }
            )
    return rows


def main() -> None:
    """Measure, print a table, and write benchmarks/results/upsample.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--megapixels", type=int, choices=SIZES, default=12)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "upsample.json")
    asked = parser.parse_args()
    photo, exact = make_photo(*SIZES[asked.megapixels])
    rows = measure(photo, exact, asked.runs)
    medians = {method: statistics.median(r["median_s"] for r in rows if r["method"] == method) for method in METHODS}
    ours, *outside = medians
    result = {
        "size": list(photo.shape[1::-1]),
        "limit_s": LIMIT_S,
        "rows": rows,
        "ratio_to_outside": {name: round(medians[ours] / medians[name], 2) for name in outside},
    }
    written = write_result(asked.out, result)
    print(
        f"{result['size'][0]} x {result['size'][1]}, {written['machine']['cpu']}, {written['machine']['cores']} cores"
    )
    print(f"{'map':34}{'method':42}{'median s':>9}{'min':>8}{'max':>8}{'wrong':>8}")
    for row in rows:
        cells = f"{row['median_s']:9.3f}{row['min_s']:8.3f}{row['max_s']:8.3f}{row['wrong_beside_edges']:8.1%}"
        print(f"{row['map']:34}{row['method']:42}{cells}")
    print(f"limit {LIMIT_S} s; ratio {result['ratio_to_outside']}; written to {asked.out}")


if __name__ == "__main__":
    main()
