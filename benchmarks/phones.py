"""Real phone photos: each cold (whole process), warm in a worker with one core, as a batch, and through the service.

Times are also given as multiples of U: one `filter2D` of OpenCV over 12 megapixels x 3 float32 with a disk of radius
64, on all cores, measured in the same run. U makes runs on different machines comparable.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from provenance import ROOT, write_result
from scene import COMMAND, cold
from service import form, message, send, server

PHOTOS = (".jpg", ".jpeg", ".heic", ".png", ".avif")
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- begin: benchmarks/phones.py -->\n", "<!-- end -->\n"
STAGES = ("read", "matte", "disparity", "sheets", "render", "write")
OFFLINE = ("--offline",)


def unit(runs: int = 5) -> list[float]:
    """Seconds of each run of the unit U."""
    script = (
        "import cv2, json, numpy as np, time\n"
        "light = np.random.default_rng(0).random((3000, 4000, 3), np.float32)\n"
        "y, x = np.mgrid[-64:65, -64:65]\n"
        "disk = (np.hypot(x, y) <= 64).astype(np.float32); disk /= disk.sum()\n"
        "seconds = []\n"
        f"for _ in range({runs} + 1):\n"
        "    start = time.perf_counter(); cv2.filter2D(light, -1, disk); seconds.append(time.perf_counter() - start)\n"
        "print(json.dumps(seconds[1:]))\n"
    )
    return json.loads(subprocess.check_output([sys.executable, "-c", script], text=True))


def median(runs: list[dict]) -> dict[str, float]:
    """The median of each figure over `runs`."""
    return {key: round(statistics.median(run[key] for run in runs), 3) for key in runs[0]}


def cold_runs(photo: Path, folder: Path, runs: int) -> dict[str, float]:
    """Medians over whole processes: `total`, `peak_mb`, each stage, and `start` (everything outside the stages)."""
    out = folder / f"{photo.stem}.jpg"
    results = []
    for _ in range(runs):
        wall, peak, report = cold(["render", str(photo), "-o", str(out), "--overwrite", "--json", *OFFLINE], folder)
        stages = json.loads(report)["seconds"]
        inside = {stage: stages.get(stage, 0.0) for stage in STAGES}
        results.append({"total": wall, "peak_mb": peak, **inside, "start": wall - sum(inside.values())})
    return median(results)


def first_run(photo: Path, folder: Path) -> float:
    """Seconds of a run whose kernels have yet to be compiled."""
    with tempfile.TemporaryDirectory() as cache:
        arguments = ["render", str(photo), "-o", str(folder / "first.jpg"), "--overwrite", "--json", *OFFLINE]
        return cold(arguments, folder, NUMBA_CACHE_DIR=cache)[0]


def warm_runs(photos: list[Path], runs: int) -> dict[str, dict[str, float]]:
    """Medians for each photo in one process with one core, as a worker renders it once everything is loaded."""
    child = subprocess.run(
        [sys.executable, __file__, "--worker", str(runs), *map(str, photos)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(child.stdout.splitlines()[-1])


def work(photos: list[Path], runs: int) -> None:
    """The child of `warm_runs`."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before the libraries count the cores
    from wideopen.session.open_photo import Job
    from wideopen.session.render_file import render_file
    from wideopen.settings import MapSettings

    job, results = Job(overwrite=True, maps=MapSettings(offline=True)), {}
    with tempfile.TemporaryDirectory() as folder:
        for photo in photos:
            out = Path(folder) / f"{photo.stem}.jpg"
            render_file(photo, out, job)
            reports = [render_file(photo, out, job)["seconds"] for _ in range(runs)]
            results[photo.name] = median([{s: r.get(s, 0.0) for s in ("total", *STAGES)} for r in reports])
    print(json.dumps(results))


def batch_seconds(photo: Path, count: int) -> float:
    """Seconds a photo of a folder with `count` copies, from a cold process to the last file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        for k in range(count):
            shutil.copy(photo, folder / "in" / f"{k:02}{photo.suffix}")
        arguments = ["batch", "in", "out", *OFFLINE]
        start = time.perf_counter()
        subprocess.run(
            [COMMAND, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        return (time.perf_counter() - start) / count


async def served(photos: list[Path], port: int, runs: int) -> dict[str, dict[str, float]]:
    """Seconds of requests for each photo: alone (median), and two at a time (95th percentile)."""
    results = {}
    for photo in photos:
        body = message("/v1/render", form(photo=photo.read_bytes()))
        await send(port, body)
        alone = [await send(port, body) for _ in range(runs)]

        async def client(body: bytes = body) -> list[tuple[int, float, bytes]]:
            return [await send(port, body) for _ in range(2 * runs)]

        both = [answer for answers in await asyncio.gather(client(), client()) for answer in answers]
        wrong = [status for status, _, _ in (*alone, *both) if status != 200]
        if wrong:
            sys.exit(f"{photo.name}: the service answered {wrong}")
        busy = sorted(seconds for _, seconds, _ in both)
        results[photo.name] = {
            "alone": round(statistics.median(seconds for _, seconds, _ in alone), 3),
            "two_at_a_time_p95": round(busy[min(len(busy) - 1, round(0.95 * len(busy)))], 3),
        }
    return results


def pixels(photo: Path) -> tuple[int, int]:
    """(width, height) as stored."""
    import pillow_heif
    from PIL import Image

    pillow_heif.register_heif_opener()
    with Image.open(photo) as image:
        return image.size


def table(result: dict) -> str:
    """The Markdown of the page: one row a photo, in seconds and in U."""
    u, rows = result["unit_s"], result["photos"]
    warm, served = (any(part in row for row in rows.values()) for part in ("warm", "service"))
    head = ["photo", "megapixels", "cold", "", *STAGES, "start", "peak"]
    head += ["warm, one core", ""] * warm + ["service", "two at a time"] * served
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for name, row in rows.items():
        cold = row["cold"]
        cells = [name, f"{row['megapixels']:g}", f"{cold['total']:.1f} s", f"{cold['total'] / u:.1f} U"]
        cells += [f"{cold[stage]:.2f}" for stage in (*STAGES, "start")] + [f"{cold['peak_mb'] / 1000:.1f} GB"]
        if warm:
            cells += [f"{row['warm']['total']:.1f} s", f"{row['warm']['total'] / u:.1f} U"]
        if served:
            cells += [f"{row['service'][figure]:.1f} s" for figure in ("alone", "two_at_a_time_p95")]
        lines.append(f"| {' | '.join(cells)} |")
    about = [f"U = {u:.2f} s on {result['machine']['cores']} cores of {result['machine']['cpu']}."]
    if "first_run_s" in result:
        about.append(f"Compiling the kernels adds {result['first_run_s']:.0f} s to the first run.")
    if "batch" in result:
        batch = result["batch"]
        about.append(
            f"A folder of {batch['photos']} copies of {batch['photo']}: {batch['seconds_a_photo']:.1f} s a photo, "
            f"{batch['seconds_a_photo'] / u:.1f} U."
        )
    return "\n".join([*lines, "", " ".join(about), ""])


def main() -> None:
    """Measure, print the table, and write benchmarks/results/phones.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="photos as a phone writes them")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=("cold", "first", "warm", "batch", "service"), default=None)
    parser.add_argument("--batch", type=int, default=20, metavar="N", help="copies of one photo in the batch")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "phones.json")
    parser.add_argument("--page", action="store_true", help="only put the table of --out into docs/performance.md")
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        work([Path(photo) for photo in asked.worker[1:]], int(asked.worker[0]))
        return
    if asked.page:
        text = PAGE.read_text(encoding="utf-8")
        before, after = text.split(BEGIN)[0], text.split(END, 1)[1]
        PAGE.write_text(before + BEGIN + table(json.loads(asked.out.read_text())) + END + after, encoding="utf-8")
        return
    photos = sorted(p for p in asked.folder.resolve().iterdir() if p.suffix.lower() in PHOTOS) if asked.folder else []
    if not photos:
        parser.error(f"folder: expected a folder with photos ({', '.join(PHOTOS)}), found {asked.folder}")
    result = measure(photos, asked.only or ("cold", "first", "warm", "batch", "service"), asked.runs, asked.batch)
    result = write_result(asked.out, result)
    print(table(result) if "cold" in (asked.only or "cold") else asked.out)  # the table begins with cold runs


def measure(photos: list[Path], parts: tuple[str, ...], runs: int, copies: int) -> dict:
    """Everything that the JSON holds."""
    result: dict = {"unit_s": 0.0, "photos": {}}
    units = unit()
    for photo in photos:
        width, height = pixels(photo)
        result["photos"][photo.name] = {"size": [width, height], "megapixels": round(width * height / 1e6, 1)}
    largest = max(photos, key=lambda photo: result["photos"][photo.name]["megapixels"])
    with tempfile.TemporaryDirectory() as name:
        cold_runs(largest, Path(name), 1)  # fills the kernels' cache
        if "cold" in parts:
            for photo in photos:
                result["photos"][photo.name]["cold"] = cold_runs(photo, Path(name), runs)
        if "first" in parts:
            later = result["photos"][largest.name].get("cold") or cold_runs(largest, Path(name), runs)
            result["first_run_s"] = round(first_run(largest, Path(name)) - later["total"], 2)
    if "warm" in parts:
        for photo, row in warm_runs(photos, runs).items():
            result["photos"][photo]["warm"] = row
    if "batch" in parts:
        seconds = batch_seconds(largest, copies)
        result["batch"] = {"photo": largest.name, "photos": copies, "seconds_a_photo": round(seconds, 3)}
    if "service" in parts:
        with server("--depth", "auto") as (port, _):
            for photo, row in asyncio.run(served(photos, port, runs)).items():
                result["photos"][photo]["service"] = row
    units += unit()
    result["unit_s"] = round(statistics.median(units), 3)
    result["unit_runs_s"] = [round(seconds, 3) for seconds in units]
    return result


if __name__ == "__main__":
    main()
