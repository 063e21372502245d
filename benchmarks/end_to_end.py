"""How long the command takes, from a cold process to the file written, and how much memory.

This process stays small and imports nothing heavy: a child's peak memory, as the system counts it, is never
below that of its parent at the start. So the photo is made, and the outside tool is run, in processes of their own.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from provenance import ROOT, provenance

COMMAND = Path(sys.executable).with_name("wideopen")
SIZES = {12: (4000, 3000), 3: (2000, 1500), 1: (1200, 900)}  # megapixels: width, height
SHARE = 0.024  # the default radius, as a share of the long side
MAPS = ("--matte", "matte.png", "--disparity", "disparity.png")


def make_scene(folder: Path, width: int, height: int) -> None:
    """Write photo.jpg, matte.png (8 bit) and disparity.png (16 bit): a portrait as large and noisy as a phone's."""
    import cv2
    import numpy as np
    import skimage.data

    rng = np.random.default_rng(12)
    astronaut = skimage.data.astronaut()[:384]
    photo = cv2.resize(astronaut, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    detail = cv2.GaussianBlur(rng.standard_normal((height, width, 1), np.float32), (0, 0), 1.2)
    photo += 14 * detail[..., None] + 3 * rng.standard_normal((height, width, 3), np.float32)
    cv2.imwrite(str(folder / "photo.jpg"), np.clip(photo, 0, 255).astype(np.uint8)[..., ::-1])
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / width
    head = np.hypot((x - 0.44) / 0.13, (y - 0.22) / 0.17) - 1
    body = np.hypot((x - 0.42) / 0.36, (y - 0.80) / 0.42) - 1
    hair = 0.15 * cv2.GaussianBlur(rng.standard_normal((height, width), np.float32), (0, 0), 3)
    matte = np.clip(0.5 - np.minimum(head, body) * 12 + hair, 0, 1)
    cv2.imwrite(str(folder / "matte.png"), np.rint(matte * 255).astype(np.uint8))
    disparity = np.where(matte > 0.5, 0.8, 0.05 + 0.45 * y * width / height + 0.1 * x)
    cv2.imwrite(str(folder / "disparity.png"), np.rint(disparity * 65535).astype(np.uint16))


def blur_outside(folder: Path, runs: int) -> None:
    """Print as JSON how long OpenCV takes to blur the photo, as one plane, with one disk of the same radius."""
    import cv2
    import numpy as np

    light = (cv2.imread(str(folder / "photo.jpg")).astype(np.float32) / 255) ** 2.2
    radius = round(SHARE * max(light.shape))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (np.hypot(x, y) <= radius).astype(np.float32)
    disk /= disk.sum()
    cv2.filter2D(light[:64, :64], -1, disk)
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        cv2.filter2D(light, -1, disk, borderType=cv2.BORDER_REPLICATE)
        seconds.append(time.perf_counter() - start)
    print(json.dumps(seconds))


def cold(arguments: list[str], folder: Path, **environment: str) -> tuple[float, float, str]:
    """Run `wideopen ARGUMENTS` in a process of its own; return (wall seconds, peak memory in MB, its stdout)."""
    environment = {**os.environ, **environment}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode
    start = time.perf_counter()
    with subprocess.Popen(
        [COMMAND, *arguments], cwd=folder, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        out = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"wideopen {' '.join(arguments)}: exit {process.returncode}")
    return wall, usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2) * 1.048576, out


def row(name: str, seconds: list[float], peaks: list[float] | None = None, limit_s: float | None = None) -> dict:
    """Return one line of the table: median and spread."""
    return {
        "name": name,
        "runs": len(seconds),
        "median_s": round(statistics.median(seconds), 3),
        "min_s": round(min(seconds), 3),
        "max_s": round(max(seconds), 3),
        "peak_mb": round(max(peaks)) if peaks else None,
        "limit_s": limit_s,
    }


def measure(folder: Path, runs: int) -> tuple[list[dict], dict[str, float], float]:
    """Return (rows, median seconds of each step of render, ratio of the render step to the outside tool)."""
    render = ["render", "photo.jpg", "-o", "result.jpg", "--overwrite", "--json", *MAPS]
    with tempfile.TemporaryDirectory() as cache:
        first = cold(render, folder, NUMBA_CACHE_DIR=cache)
    cold(render, folder)  # the usual cache is filled
    warm = [cold(render, folder) for _ in range(runs)]
    walls, peaks, outs = ([run[i] for run in warm] for i in range(3))
    steps = [json.loads(out)["seconds"] for out in outs]
    median_steps = {name: round(statistics.median(step[name] for step in steps), 3) for name in steps[0]}
    network = [*(arg for arg in render if arg not in MAPS), "--depth", "planar"]  # nothing is downloaded
    predicted = [cold(network, folder) for _ in range(max(2, runs // 2))]
    helps = [cold(["--help"], folder) for _ in range(2 * runs)]
    outside = json.loads(subprocess.check_output([sys.executable, __file__, "--outside", folder, str(runs)], text=True))
    rows = [
        row("render, matte and disparity given", walls, peaks, limit_s=6),
        row("render, matte by the network", [run[0] for run in predicted], [run[1] for run in predicted]),
        row("first run: more than the others", [first[0] - statistics.median(walls)], limit_s=25),
        row("--help", [run[0] for run in helps], [run[1] for run in helps], limit_s=0.4),
        row("outside: one filter2D, one plane", outside),
        row("of render: the render step", [step["render"] for step in steps]),
    ]
    return rows, median_steps, round(median_steps["render"] / statistics.median(outside), 3)


def main() -> None:
    """Measure, print a table, and write benchmarks/results/end_to_end.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--megapixels", type=int, choices=SIZES, default=12)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "end_to_end.json")
    parser.add_argument("--make", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--outside", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.make:
        make_scene(Path(asked.make[0]), int(asked.make[1]), int(asked.make[2]))
        return
    if asked.outside:
        blur_outside(Path(asked.outside[0]), int(asked.outside[1]))
        return
    width, height = SIZES[asked.megapixels]
    origin = provenance()  # before the measurement: the commit that runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, __file__, "--make", folder, str(width), str(height)], check=True)
        rows, steps, ratio = measure(folder, asked.runs)
    result = {
        **origin,
        "size": [width, height],
        "radius_px": round(SHARE * width, 1),
        "planes": 32,
        "rows": rows,
        "steps_s": steps,
        "render_step_to_outside": ratio,
    }
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    show(result, asked.out)


def show(result: dict, path: Path) -> None:
    """Print the table."""
    print(
        f"{result['size'][0]} x {result['size'][1]}, radius {result['radius_px']} px, {result['machine']['cpu']}, ",
        end="",
    )
    print(f"{result['machine']['cores']} cores, commit {result['commit'][:9]}")
    print(f"{'':36}{'median s':>9}{'min':>8}{'max':>8}{'peak MB':>9}{'limit s':>9}")
    for line in result["rows"]:
        cells = [
            line[key] if line[key] is not None else "" for key in ("median_s", "min_s", "max_s", "peak_mb", "limit_s")
        ]
        print(
            f"{line['name']:36}"
            + "".join(f"{cell:>{width}}" for cell, width in zip(cells, (9, 8, 8, 9, 9), strict=True))
        )
    print("steps", ", ".join(f"{name} {seconds}" for name, seconds in result["steps_s"].items()))
    print(f"the render step took {result['render_step_to_outside']} of the outside tool's time; written to {path}")


if __name__ == "__main__":
    main()
