"""Speed of a batch, use of the cores, and growth of its workers' memory.

    python benchmarks/batch.py rate --engine local --workers 1     # and 2; and --engine ray, --engine command
    python benchmarks/batch.py growth                              # 1,000 small photos

Each call measures one thing and adds it to benchmarks/results/batch.json, so that a quiet machine is needed for a
minute or so only; the same call again adds another piece. Rates are between the first results and the last, so without
the start, which is a figure of its own.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from provenance import ROOT, write_result
from scene import COMMAND, make_scene
from wideopen.batch import BatchSettings
from wideopen.batch.batch import Batch
from wideopen.batch.local import BatchEngine, LocalEngine, Stop, warm_up_of
from wideopen.batch.manifest import Manifest
from wideopen.batch.walk import find_photos
from wideopen.session.open_photo import Job
from wideopen.settings import MapSettings
from wideopen.workers import PoolSize, Workers

RESULTS = ROOT / "benchmarks" / "results" / "batch.json"
SIZES, SMALL = {2: (1632, 1224), 12: (4000, 3000)}, (480, 360)
JOB = Job(maps=MapSettings(depth="planar", offline=True))
TICKS = os.sysconf("SC_CLK_TCK")
WARM = 20  # photos after which a worker's memory is taken for settled


def make_photos(folder: Path, count: int, size: tuple[int, int]) -> None:
    """Write `count` photos, all the same picture under different names."""
    folder.mkdir()
    make_scene(folder, *size)
    for name in ("matte.png", "disparity.png"):
        (folder / name).unlink()
    for number in range(1, count):
        shutil.copyfile(folder / "photo.jpg", folder / f"photo{number:04}.jpg")


def cpu_seconds(root: int) -> float:
    """User and system time so far of a process and all below it that still run."""
    parents: dict[int, int] = {}
    times: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(stat.parent.name)
        parents[pid], times[pid] = int(words[1]), (int(words[11]) + int(words[12])) / TICKS
    ours = {root}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(times.get(pid, 0.0) for pid in ours)


@dataclass
class Watcher:
    """A listener that notes time, cores' time and memory with each result."""

    begin: float = field(default_factory=time.perf_counter)
    results: list[tuple[float, float, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, row: dict[str, Any] | None) -> None:
        """Note a result; nothing may fail, or be skipped, in a benchmark."""
        if row is not None and row["status"] != "done":
            sys.exit(f"{row['photo']}: {row}")
        if row is not None:
            self.results.append((time.perf_counter(), cpu_seconds(os.getpid()), row))


def engine_of(name: str, workers: int) -> BatchEngine:
    """An engine with so many workers of one thread each."""
    if name == "ray":
        from wideopen.batch.ray_engine import RayEngine

        return RayEngine(JOB, BatchSettings(engine="ray", workers=workers))
    return LocalEngine(Workers(PoolSize(workers=workers, threads=1), warm_up_of(JOB)), timeout_s=300)


def run(engine_name: str, workers: int, count: int, size: tuple[int, int]) -> Watcher:
    """Do `count` photos; returns what was seen."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "in", Path(folder) / "out"
        make_photos(source, count, size)
        watcher = Watcher()
        engine = engine_of(engine_name, workers)
        with Manifest(Path(folder) / "m.jsonl") as manifest:
            Batch(JOB, str(out), manifest, watcher).run(
                iter(list(find_photos([str(source)], str(out)))), engine, Stop()
            )
        engine.end()
    return watcher


def rate(engine_name: str, workers: int, count: int, megapixels: int) -> dict[str, Any]:
    """Photos a second in the steady state, and the share of the cores that was used."""
    watcher = run(engine_name, workers, count, SIZES[megapixels])
    skip = 2 * workers  # results of the first round, which began one after another
    (begin, cpu_begin, _), (end, cpu_end, _) = watcher.results[skip - 1], watcher.results[-workers]
    done = len(watcher.results) - workers - skip + 1
    share = round((cpu_end - cpu_begin) / (end - begin) / (os.cpu_count() or 1), 3)
    totals = [report["seconds"]["total"] for _, _, report in watcher.results]
    return {
        "photos": count,
        "workers": workers,
        "threads_each": 1,
        "per_second": round(done / (end - begin), 3),
        "cores_used": None if engine_name == "ray" else share,  # Ray's processes are not ours
        "first_result_s": round(watcher.results[0][0] - watcher.begin, 2),
        "seconds_per_photo": round(statistics.median(totals), 3),
        "whole_s": round(watcher.results[-1][0] - watcher.begin, 2),
        "peak_mb": max(report["peak_mb"] for _, _, report in watcher.results),
    }


def command(count: int) -> dict[str, Any]:
    """The same photos in one process, `wideopen render *.jpg`, with as many threads as there are cores."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in"
        make_photos(source, count, SIZES[2])
        photos = sorted(map(str, source.iterdir()))
        options = ["--depth", "planar", "--offline", "--json", "-o", f"{folder}/out"]
        with subprocess.Popen([COMMAND, "render", *photos, *options], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            times = [(time.perf_counter(), cpu_seconds(process.pid)) for _ in process.stdout]
    (begin, cpu_begin), (end, cpu_end) = times[1], times[-1]
    return {
        "photos": count,
        "workers": 1,
        "threads_each": os.cpu_count(),
        "per_second": round((len(times) - 2) / (end - begin), 3),
        "cores_used": round((cpu_end - cpu_begin) / (end - begin) / (os.cpu_count() or 1), 3),
    }


def growth(count: int) -> dict[str, Any]:
    """Resident memory of each worker, once settled and at the end."""
    watcher = run("local", 2, count, SMALL)
    rows = []
    for worker in sorted({report["worker"] for _, _, report in watcher.results}):
        memory = [report["memory_mb"] for _, _, report in watcher.results if report["worker"] == worker]
        settled, last = (statistics.median(part) for part in (memory[WARM : 2 * WARM], memory[-WARM:]))
        rows.append(
            {
                "photos": len(memory),
                "settled_mb": settled,
                "last_mb": last,
                "growth": round(last / settled - 1, 4),
                "every_100th_mb": memory[::100],
            }
        )
    return {"photos": count, "megapixels": round(SMALL[0] * SMALL[1] / 1e6, 2), "workers": rows}


def keep(name: str, found: dict[str, Any]) -> None:
    """Add a figure to the results; ratios follow from what is there."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"runs": {}}
    runs = results["runs"]
    runs[name] = [found] if name == "growth" else [*runs.get(name, []), found]
    ratios = {
        "two workers over one": ("local, 2 workers", "local, 1 workers"),
        "two workers over one process of all threads": ("local, 2 workers", "command"),
        "ray over local": ("ray, 2 workers", "local, 2 workers"),
    }
    speedups = {
        what: round(mean_rate(runs[a]) / mean_rate(runs[b]), 3)
        for what, (a, b) in ratios.items()
        if a in runs and b in runs
    }
    write_result(RESULTS, {"ratios": speedups, "runs": runs})
    print(json.dumps(found, indent=1))
    print(*chain.from_iterable(speedups.items()))


def mean_rate(pieces: list[dict[str, Any]]) -> float:
    """Photos a second over all pieces of a run."""
    return statistics.mean(piece["per_second"] for piece in pieces)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["rate", "growth"])
    parser.add_argument("--engine", choices=["local", "ray", "command"], default="local")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--photos", type=int)
    parser.add_argument("--megapixels", type=int, choices=SIZES, default=2)
    asked = parser.parse_args()
    if asked.what == "growth":
        keep("growth", growth(asked.photos or 1000))
    elif asked.engine == "command":
        keep("command", command(asked.photos or 200))
    else:
        name = f"{asked.engine}, {asked.workers} workers"
        name += "" if asked.megapixels == 2 else f", {asked.megapixels} megapixels"
        keep(name, rate(asked.engine, asked.workers, asked.photos or 200, asked.megapixels))


if __name__ == "__main__":
    main()
