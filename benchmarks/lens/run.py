"""Accuracy: ray-traced scenes seen through an exact thin lens, and every method judged against them.

    python benchmarks/lens/run.py [--set tune|judge|all] [--scenes NAME ...] [--cache DIR] [--out FILE]

Renders what the cache lacks (needs the extra `bench` and LLVM; can be stopped and goes on), runs the methods, prints
the table, writes the JSON and the picture of the worst case. What scenes, truths and columns are:
docs/evaluation.md.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lens import pictures
from lens.methods import METHODS, OURS, TRUTHS, prepared
from lens.scenes import SCENES, Scene, Shot
from lens.truth import F32, FLOOR_DB, MOST_RAYS, Renders, View, default_cache
from provenance import write_result
from wideopen.evals.measures import BAND, displayed, edge_band, load_flip, psnr, ssim

RESULTS = Path(__file__).resolve().parents[1] / "results" / "lens.json"
BEGIN, END = "<!-- tables of run.py -->", "<!-- end of tables -->"
COLUMNS = ("psnr_db", "edge_psnr_db", "ssim", "flip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One shot with what every method made of it."""

    scene: Scene
    shot: Shot
    view: View
    figures: dict[str, dict[str, dict[str, float]]]  # truth -> method -> column -> figure
    ours: F32  # against the clamped truth


def judged(picture: F32, truth: F32, matte: F32) -> dict[str, float]:
    """The columns of one cell of the table."""
    seen, wanted = displayed(picture), displayed(truth)
    return {
        "psnr_db": psnr(seen, wanted),
        "edge_psnr_db": psnr(seen, wanted, edge_band(matte)),
        "ssim": ssim(seen, wanted),
        "flip": load_flip()(seen, wanted),
    }


def run(scene: Scene, shot: Shot, view: View) -> Case:
    """Every method on one shot, against both truths."""
    understood = prepared(view)
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for truth in TRUTHS:
        wanted = view.clamped if truth == "clamped" else view.true
        made = {name: method(view, understood, truth) for name, method in METHODS.items()}
        figures[truth] = {name: judged(picture, wanted, view.matte) for name, picture in made.items()}
        if truth == TRUTHS[0]:
            ours = made[OURS]
    return Case(scene=scene, shot=shot, view=view, figures=figures, ours=ours)


def mean(cases: list[Case], truth: str, method: str) -> dict[str, float]:
    """The mean over shots of each column."""
    return {c: float(np.mean([case.figures[truth][method][c] for case in cases])) for c in COLUMNS}


def tables(cases: list[Case]) -> Iterator[str]:
    """Lines of Markdown: for each truth the means of each set, then PSNR whole / edge of each shot."""
    for truth, title in zip(TRUTHS, ("rays clamped at white", "true radiance"), strict=True):
        yield from (
            "",
            f"Against **{title}**, means:",
            "",
            *heads("set", "method", "PSNR, dB", "edge, dB", "SSIM", "FLIP"),
        )
        for name, chosen in sets_of(cases).items():
            for method in METHODS:
                m = mean(chosen, truth, method)
                figures = (f"{m['psnr_db']:.2f}", f"{m['edge_psnr_db']:.2f}", f"{m['ssim']:.3f}", f"{m['flip']:.3f}")
                yield row(name, method, *figures)
        yield from ("", f"Against **{title}**, PSNR whole / edge in dB:", "")
        yield from heads("scene, in focus", *METHODS, "noise floor")
        for case in cases:
            figures = [case.figures[truth][name] for name in METHODS]
            pairs = [(f["psnr_db"], f["edge_psnr_db"]) for f in figures] + [case.view.floors(TRUTHS.index(truth))]
            yield row(f"{case.scene.name}, {case.shot.focus}", *(f"{whole:.1f} / {edge:.1f}" for whole, edge in pairs))


def row(*cells: str) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def heads(*cells: str) -> tuple[str, str]:
    """The first two rows of a Markdown table."""
    return row(*cells), "|---" * len(cells) + "|"


def sets_of(cases: list[Case]) -> dict[str, list[Case]]:
    """The shots of each half that was run, and all where both were."""
    halves = {purpose: [c for c in cases if c.scene.purpose == purpose] for purpose in ("tune", "judge")}
    return {name: chosen for name, chosen in halves.items() if chosen} | (
        {"all": cases} if all(halves.values()) else {}
    )


def report(cases: list[Case]) -> dict[str, Any]:
    """What the JSON says."""
    rounded = lambda figures: {column: round(value, 4) for column, value in figures.items()}  # noqa: E731
    means = {
        name: {truth: {m: rounded(mean(chosen, truth, m)) for m in METHODS} for truth in TRUTHS}
        for name, chosen in sets_of(cases).items()
    }
    shots = [
        {
            "scene": case.scene.name,
            "set": case.scene.purpose,
            "focus": case.shot.focus,
            "radius_px": case.shot.radius_px,
            "rays_per_pixel": case.view.rays,
            "noise_floor_db": {truth: [round(x, 2) for x in case.view.floors(i)] for i, truth in enumerate(TRUTHS)},
            **{truth: {m: rounded(figures) for m, figures in rows.items()} for truth, rows in case.figures.items()},
        }
        for case in cases
    ]
    return {"edge_band": BAND, "means": means, "shots": shots}


def put(folder: Path, begin: str, end: str, lines: str) -> None:
    """Put lines between their marks in evaluation.md."""
    page = folder / "evaluation.md"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        sys.exit(f"{page}: expected {begin} and {end}, found at most one")
    page.write_text(f"{before}{begin}\n{lines}\n\n{end}{after}", encoding="utf-8")


def main() -> None:
    """Render, run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=("tune", "judge", "all"), default="all")
    parser.add_argument("--scenes", nargs="+", choices=sorted(SCENES), default=None, help="these only, of any set")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="folder of renders (%(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON (%(default)s)")
    parser.add_argument("--docs", type=Path, default=None, help="folder whose evaluation.md and pictures/ are updated")
    parser.add_argument(
        "--floor", type=float, default=FLOOR_DB, help="dB at which a truth is good enough (%(default)s)"
    )
    parser.add_argument("--most-rays", type=int, default=MOST_RAYS, help="per pixel and half (%(default)s)")
    options = parser.parse_args()
    chosen = [s for s in SCENES.values() if options.set in (s.purpose, "all")]
    if options.scenes:
        chosen = [SCENES[name] for name in options.scenes]
    cases = []
    for scene in chosen:
        renders = Renders(scene, options.cache, say=lambda line: print(line, file=sys.stderr))
        for shot in scene.shots:
            view = renders.view(shot, floor_db=options.floor, most_rays=options.most_rays)
            cases.append(run(scene, shot, view))
    lines = "\n".join(tables(cases))
    print(lines)
    write_result(options.out, report(cases))
    if options.docs:
        put(options.docs, BEGIN, END, lines)
        pictures.write(options.docs / "pictures", cases)


if __name__ == "__main__":
    main()
