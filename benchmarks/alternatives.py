"""wideopen compared with other programs, on the same photos with the same maps: pictures, scores, time, memory.

    python benchmarks/alternatives.py PHOTO ... [--truth DIR ...] [--radiance DIR ...] [--show PAIR ...] [--isnet FILE]

Programs and how they are used: others.py; one that cannot run is a row that says why. Pictures: crops of each PHOTO at
100 %, with the matte and disparity that wideopen finds. Scores: against each folder of pairs (docs/evaluation.md), with
its maps; `--lvcorr` adds LVCorr by a third and two thirds of the blur, `--dists` DISTS; `--radiance` gives highlights
back. Time: 1 and 12 megapixels, from the photo's file to the result's, JPEG, in a cold process; U as in phones.py. What
a run leaves out keeps its figures in the results' file.
"""

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from others import Failed, Program, Work, programs, run, version
from phones import unit
from provenance import ROOT, provenance, write_result
from scene import SHARE, SIZES

RESULTS = ROOT / "benchmarks" / "results" / "alternatives.json"
SHEETS = ROOT / "docs" / "pictures"
PARTS = ("pictures", "scores", "time")


def timed_work(folder: Path, megapixels: int) -> Work:
    """A noisy portrait with drawn maps, as in scene.py."""
    from alternatives_judge import work_of
    from scene import make_scene
    from wideopen.files import read, read_disparity, read_matte

    make_scene(folder, *SIZES[megapixels])
    rgb = read(folder / "photo.jpg").rgb
    size = rgb.shape[:2]
    maps = read_matte(folder / "matte.png", size=size), read_disparity(folder / "disparity.png", size=size)
    work = work_of(folder, rgb, *maps, focus=0.8, focus_range=0.05, full_px=SHARE * max(size))
    return replace(work, photo="photo.jpg", out="out.jpg")


def times(rows: dict[str, Program], megapixels: int, runs: int, most_s: float) -> dict[str, Any]:
    """Seconds, seconds over U, and peak memory of each program."""
    spawn = multiprocessing.get_context("spawn")
    U = statistics.median(unit(3))
    lines: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, ProcessPoolExecutor(1, mp_context=spawn) as apart:
        # this process stays small: a child's peak memory is never counted below its parent's
        work = apart.submit(timed_work, Path(name), megapixels).result()
        for title, program in rows.items():
            try:
                done = [run(program, work, most_s) for _ in range(runs)]
            except Failed as error:
                lines[title] = {"not_run": str(error)}
            else:
                middle = {key: statistics.median(one[key] for one in done) for key in done[0]}
                lines[title] = middle | {"over_unit": round(middle["seconds"] / U, 2)}
            print(megapixels, title, lines[title], file=sys.stderr)
    return {"unit_s": round(U, 3), "runs": runs, "rows": lines}


def scored(
    rows: dict[str, Program], clipped: list[Path], radiance: list[Path], show: list[str], dists: bool, sheets: Path
) -> dict[str, Any]:
    """The scores of each folder of pairs; the crops of the pairs `show` become a sheet."""
    from alternatives_judge import scores
    from wideopen.evals.report import finite, stacked, write_sheet

    sets, strips = {}, []
    for folder, highlights in (*((f, 0.0) for f in clipped), *((f, 1.0) for f in radiance)):
        sets[folder.name], shown = scores(rows, folder, highlights, show, dists)
        strips += shown
    if strips:
        write_sheet(sheets / "alternatives_truth.jpg", stacked(strips), overwrite=True)
    return dict(finite(sets))


def main() -> None:
    """Run the parts that are asked for, and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, nargs="*")
    parser.add_argument(
        "--truth", type=Path, nargs="+", default=[], metavar="DIR", help="pairs of photos clipped at white"
    )
    parser.add_argument("--radiance", type=Path, nargs="+", default=[], metavar="DIR", help="pairs of true radiance")
    parser.add_argument("--show", nargs="+", default=[], metavar="PAIR", help="pairs of --truth whose crops are shown")
    parser.add_argument("--lvcorr", action="store_true", help="measure LVCorr too: three times the time")
    parser.add_argument("--dists", action="store_true", help="measure DISTS too, as eval bokeh --dists does")
    parser.add_argument("--isnet", type=Path, default=None, help="weights of IS-Net (.onnx) for rembg")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each program (%(default)s)")
    parser.add_argument(
        "--megapixels", type=int, nargs="+", choices=SIZES, default=(1, 12), help="sizes that are timed"
    )
    parser.add_argument("--most-s", type=float, default=600, help="limit of a timed run, in seconds (%(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--sheets", type=Path, default=SHEETS, help="folder of the sheets of crops (%(default)s)")
    options = parser.parse_args()
    rows = programs(options.isnet and options.isnet.resolve())
    if not options.lvcorr:
        rows = {title: replace(program, obeys=False) for title, program in rows.items()}
    result: dict[str, Any] = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {}
    about = {title: {"about": one.about, "version": version(one)} for title, one in rows.items()}
    origin = provenance() | {"programs": about}
    if "time" in options.only:
        for size in options.megapixels:
            result[f"time_{size}"] = origin | times(rows, size, options.runs, options.most_s)
    if "scores" in options.only and options.truth + options.radiance:
        found = scored(rows, options.truth, options.radiance, options.show, options.dists, options.sheets)
        result["scores"] = result.get("scores", {}) | {name: origin | one for name, one in found.items()}
    if "pictures" in options.only and options.photos:
        from alternatives_judge import pictures

        result["pictures"] = origin | pictures(rows, options.photos, options.sheets / "alternatives.jpg")
    write_result(options.out, result)


if __name__ == "__main__":
    main()
