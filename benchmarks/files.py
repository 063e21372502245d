"""Time and memory to read and write a photo's file, compared with plain Pillow in the same run.

Each row runs in a process of its own, warm: libraries imported, kernels compiled, the file in the system's cache.
Memory is what the process's resident set grew by at most while the work was done (Linux counts it), over what it
held before, so a photo in memory that a write starts from is not counted.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from provenance import ROOT, write_result
from scene import SIZES, make_scene

# glibc gives pictures' blocks (from 8 MB on) back at once, so every run pays for its pages, as a first run does, and
# keeps smaller ones, as it learns to; left alone it learns to keep all, in some rows and not in others.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(8 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(16 * 2**20)}
# name: (what it is beside, what is promised as a ratio to that)
ROWS = {
    "Pillow: file to codes": (None, None),
    "file to codes": ("Pillow: file to codes", 1.1),
    "read: file to linear light": ("Pillow: file to codes", None),
    "Pillow: codes to file": (None, None),
    "codes to file": ("Pillow: codes to file", 1.1),
    "write: linear light to file": ("Pillow: codes to file", None),
}


def resident(name: str) -> float | None:
    """Return VmRSS (now) or VmHWM (the most since the last reset) of this process in MB; None where nobody counts."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(name))


def work(name: str, folder: Path) -> Callable[[], object]:
    """Return what a row repeats, with all that it starts from prepared."""
    import numpy as np
    from PIL import Image

    from wideopen.arrays import transfer
    from wideopen.files import read, write
    from wideopen.files.read import load_raster
    from wideopen.files.write import ENCODERS, Attached

    photo = folder / "photo.jpg"
    if name == "Pillow: file to codes":
        return lambda: np.asarray(Image.open(photo))
    if name == "file to codes":
        return lambda: load_raster(photo, max_megapixels=150).codes
    if name == "read: file to linear light":
        return lambda: read(photo)
    like = read(photo)
    if name == "write: linear light to file":
        return lambda: write(folder / "ours.jpg", like.rgb, like=like, overwrite=True)
    codes = transfer.encode(like.rgb, like.encoding, bit_depth=8)
    with Image.open(photo) as image:
        tables = image.quantization
    if name == "Pillow: codes to file":
        return lambda: Image.fromarray(codes).save(folder / "pillow.jpg", qtables=tables, subsampling="4:2:0")
    attached = Attached(jpeg=like.metadata.jpeg)
    return lambda: (folder / "codes.jpg").write_bytes(b"".join(ENCODERS["JPEG"](codes, attached, None)))


def child(name: str, folder: Path, runs: int) -> None:
    """Print as JSON the seconds of each run, and the most memory that one of them added."""
    repeat = work(name, folder)
    repeat()
    seconds, grown = [], []
    for _ in range(runs):
        before = resident("VmRSS")
        if before is not None:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the most so far is what is now
        start = time.perf_counter()
        result = repeat()
        seconds.append(time.perf_counter() - start)
        most = resident("VmHWM")
        grown.append(most - before if most is not None and before is not None else None)
        del result
    print(json.dumps({"seconds": seconds, "grown_mb": grown}))


def measure(folder: Path, runs: int) -> list[dict]:
    """Return the rows, each with its ratios to the one it is beside."""
    rows: dict[str, dict] = {}
    for name, (beside, limit) in ROWS.items():
        command = [sys.executable, __file__, "--child", name, str(folder), str(runs)]
        done = json.loads(subprocess.check_output(command, text=True, env=os.environ | ALLOCATOR))
        grown = [value for value in done["grown_mb"] if value is not None]
        row = {
            "name": name,
            "runs": runs,
            "median_s": round(statistics.median(done["seconds"]), 4),
            "min_s": round(min(done["seconds"]), 4),
            "max_s": round(max(done["seconds"]), 4),
            "grown_mb": round(max(grown)) if grown else None,
        }
        if beside is not None:
            other = rows[beside]
            row["beside"] = beside
            row["time_ratio"] = round(row["median_s"] / other["median_s"], 2)
            row["memory_ratio"] = round(row["grown_mb"] / other["grown_mb"], 2) if grown else None
            row["limit_time_ratio"] = limit
        rows[name] = row
    return list(rows.values())


def main() -> None:
    """Measure, print a table, and write benchmarks/results/files.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=int, default=12, choices=sorted(SIZES))
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "files.json")
    parser.add_argument("--child", nargs=3, metavar=("ROW", "FOLDER", "RUNS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        name, folder, runs = options.child
        child(name, Path(folder), int(runs))
        return
    width, height = SIZES[options.megapixels]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_scene(folder, width, height)
        file_mb = round((folder / "photo.jpg").stat().st_size / 1e6, 1)
        rows = measure(folder, options.runs)
    write_result(options.out, {"width": width, "height": height, "file_mb": file_mb, "rows": rows})
    for row in rows:
        ratio = f"x {row['time_ratio']:.2f} time, x {row['memory_ratio']} memory" if "beside" in row else ""
        print(f"{row['name']:30} {row['median_s'] * 1e3:7.1f} ms  {row['grown_mb']:5} MB  {ratio}")


if __name__ == "__main__":
    main()
