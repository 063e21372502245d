"""Seconds of a matte on the CPU: ONNX Runtime beside torch, three stages, by the long side given to the network.

The two take turns within each run, so that whatever else the machine does hits both. "first" is a fresh process that
loads the weights and mattes one photo: what a user of the command waits for. Then 12 megapixels, whose outline follows
the photo's edges, beside the same without. Each of the shipped weights, too, in a process of its own, with its peak
memory: three stages at 1024 x 1024, the same at the weights' own size, and 12 megapixels.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from provenance import ROOT, write_result
from wideopen.matting.inference import SHIPPED, MattingSettings

RUNTIMES = ("onnx", "torch")
FIRST = """import sys, time; start = time.perf_counter()
import numpy as np
from wideopen.matting.find_matte import predict_matte
from wideopen.matting.inference import MattingSettings
settings = MattingSettings(matting=sys.argv[1], matting_backend=sys.argv[2])
predict_matte(np.zeros((512, 384, 3), np.uint8), settings)
print(time.perf_counter() - start)"""

ALONE = """import resource, statistics, sys, time
import cv2
from skimage import data
from wideopen.matting.find_matte import predict_matte
from wideopen.matting.inference import MattingSettings
weights, width, height, size, runs = sys.argv[1], *(int(word) for word in sys.argv[2:])
photo = cv2.resize(data.astronaut(), (width, height), interpolation=cv2.INTER_CUBIC)
seconds = []
network = {"matting": weights, "matting_size": size or None, "matting_stages": 3}
for _ in range(runs + 1):
    start = time.perf_counter()
    predict_matte(photo, MattingSettings(**network, device="cpu"))
    seconds.append(time.perf_counter() - start)
print(statistics.median(seconds[1:]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"""
CASES = {  # width, height, long side for the network (0: the weights' own)
    "1024 x 1024, all of it": (1024, 1024, 1024),
    "1024 x 1024, own size": (1024, 1024, 0),
    "12 megapixels": (4000, 3000, 0),
}


def alone(weights: str, runs: int) -> list[dict]:
    """Median seconds and peak memory of each case, each in a process of its own; ratios to the first."""
    rows: list[dict] = []
    for name, case in CASES.items():
        command = [sys.executable, "-c", ALONE, weights, *(str(number) for number in (*case, runs))]
        seconds, peak_mb = (float(word) for word in subprocess.check_output(command, text=True).split())
        base = rows[0]["median_s"] if rows else seconds
        row = {"weights": weights, "case": name, "median_s": round(seconds, 2), "ratio": round(seconds / base, 2)}
        rows.append(row | {"peak_mb": round(peak_mb)})
    return rows


def first(weights: str, backend: str) -> float:
    """Seconds from an empty process, imports and loading included."""
    return float(subprocess.check_output([sys.executable, "-c", FIRST, weights, backend], text=True))


def warm(photo, size: int, runs: int) -> list[dict]:
    """Seconds of a matte with everything loaded, for each runtime."""
    from wideopen.matting.find_matte import predict_matte

    seconds: dict[str, list[float]] = {name: [] for name in RUNTIMES}
    for _ in range(runs + 1):
        for name in RUNTIMES:
            start = time.perf_counter()
            predict_matte(photo, MattingSettings(matting_backend=name, matting_size=size, device="cpu"))
            seconds[name].append(time.perf_counter() - start)
    return [
        {
            "backend": name,
            "size": size,
            "runs": runs,
            "median_s": round(statistics.median(times[1:]), 3),
            "min_s": round(min(times[1:]), 3),
            "max_s": round(max(times[1:]), 3),
        }
        for name, times in seconds.items()
    ]


def enlarged(photo, size: int, runs: int) -> dict:
    """Median seconds of a matte of 12 megapixels, along the photo's edges and without, and the most memory used."""
    from wideopen.matting.find_matte import predict_matte

    seconds: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(runs + 1):
        for edges, times in seconds.items():
            start = time.perf_counter()
            predict_matte(photo, MattingSettings(matting_size=size, matting_edges=edges, device="cpu"))
            times.append(time.perf_counter() - start)
    median = {edges: statistics.median(times[1:]) for edges, times in seconds.items()}
    return {
        "size": size,
        "edges_s": round(median[True], 3),
        "plain_s": round(median[False], 3),
        "ratio": round(median[True] / median[False], 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    """Measure, print a table, and write benchmarks/results/matting.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=[512, 1024])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "matting.json")
    asked = parser.parse_args()
    load, rows = round(os.getloadavg()[0], 1), []
    shipped = [row for weights in SHIPPED for row in alone(weights, 2)]  # first: a child inherits this process's peak
    for row in shipped:
        print("{weights:8}{case:24}{median_s:8.2f} s, ratio {ratio:.2f}, {peak_mb} MB".format(**row))
    import cv2
    import numpy as np
    from skimage import data

    photo = data.astronaut()
    print(f"{'runtime':10}{'size':>6}{'median s':>10}{'min':>8}{'max':>8}")
    for size in asked.sizes:
        for row in warm(photo, size, asked.runs):
            rows.append(row)
            print("{backend:10}{size:6}{median_s:10.3f}{min_s:8.3f}{max_s:8.3f}".format(**row), flush=True)
    fresh = {name: round(min(first("mobile", name) for _ in range(3)), 2) for name in RUNTIMES}
    large = np.ascontiguousarray(cv2.resize(photo, (4000, 3000), interpolation=cv2.INTER_CUBIC))
    edges = [enlarged(large, size, asked.runs) for size in asked.sizes]
    for row in edges:
        print(
            "12 megapixels at {size}: {edges_s} s, {ratio} times {plain_s} s without edges; {peak_mb} MB".format(**row)
        )
    print(f"first matte of a fresh process {fresh}")
    write_result(asked.out, {"load": load, "first_s": fresh, "rows": rows, "edges": edges, "shipped": shipped})
    print(f"written to {asked.out}")


if __name__ == "__main__":
    main()
