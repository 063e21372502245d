"""wideopen against truths of few rays: PSNR with little of the truth's own noise.

    python benchmarks/lens/quick.py [--cache DIR] [--out FILE] [--docs docs]

For every scene of run.py, with the rays that its cache holds. A truth is two independent halves T1, T2, so the mean of
(P - T1)(P - T2) holds the error of the picture P and not the variance of the halves. Their mean is a little dark,
since display encoding is concave and taken of noise: fern-night with the subject in focus has 34.7 dB from 32 rays and
35.2 from 128. So the figures of few rays are low, by up to half a dB. SSIM and FLIP have no such form. Against clamped
and true radiance, and, from the photo's true radiance instead of its 8 bits, against true radiance again.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lens.run import RESULTS as WHOLE
from lens.run import heads, put, row
from lens.scenes import SCENES
from lens.truth import F32, Renders, View, default_cache
from provenance import ROOT, write_result
from wideopen import analyze, render
from wideopen.evals.measures import BAND, displayed, edge_band
from wideopen.settings import MapSettings

RESULTS = ROOT / "benchmarks" / "results" / "lens_quick.json"
BEGIN, END = "<!-- table of quick.py -->", "<!-- end of table -->"
CASES = {"clamped": (0, 0.0), "true": (1, 1.0), "hdr": (1, 1.0)}  # truth, highlights


def error(picture: F32, halves: NDArray[Any], where: NDArray[np.bool_]) -> float:
    """PSNR in dB of a picture (H, W, 3) against halves (2, H, W, 3) of a truth."""
    shown, first, second = (displayed(x)[where] for x in (picture, *halves))
    return round(float(-10 * np.log10(max(((shown - first) * (shown - second)).mean(), 1e-9))), 2)


def judged(view: View, radiance: F32) -> dict[str, list[float]]:
    """For each of CASES, PSNR of the whole and along the edge."""
    figures = {}
    for name, (truth, highlights) in CASES.items():
        photo = radiance if name == "hdr" else view.photo
        scene = analyze(photo, MapSettings(filter_disparity=False), matte=view.matte, disparity=view.disparity)
        picture = render(scene, replace(view.lens, highlights=highlights))
        parts = np.ones(view.matte.shape, bool), edge_band(view.matte)
        figures[name] = [error(picture, view.halves[:, truth], part) for part in parts]
    return figures


def table(quick: dict[str, Any], whole: dict[str, Any]) -> Iterator[str]:
    """Lines of Markdown: what quick.json says, and the means of run.py's JSON below its own."""
    yield f"The tables above are of commit `{whole['commit'][:8]}`. `benchmarks/lens/quick.py --cache DIR` measured"
    yield f"commit `{quick['commit'][:8]}` on truths of few rays"
    yield "([results](../benchmarks/results/lens_quick.json)): PSNR whole / edge in dB. Most of the truths' noise is"
    yield "compensated for, but not all: figures from 32 rays are up to half a dB low. In *HDR* the photo is its true"
    yield "radiance instead of 8 bits, and so is the truth."
    both = lambda figures, digits: " / ".join(f"{x:.{digits}f}" for x in figures)  # noqa: E731
    yield from ("", *heads("scene, in focus", "clamped", "true", "HDR", "rays"))
    yield row("**mean**", *(f"**{both(quick['means'][case], 2)}**" for case in CASES), "")
    above = {truth: methods["thin-lens"] for truth, methods in whole["means"]["all"].items()}
    known = (both((m["psnr_db"], m["edge_psnr_db"]), 2) for m in (above["clamped"], above["true"]))
    yield row("mean, tables above", *known, "", "")
    for shot in quick["shots"]:
        figures = (both(shot[case], 1) for case in CASES)
        yield row(f"{shot['scene']}, {shot['focus']}", *figures, str(shot["rays_per_pixel"]))


def documented() -> str:
    """The part of evaluation.md that the results' files make."""
    return "\n".join(table(*(json.loads(file.read_text(encoding="utf-8")) for file in (RESULTS, WHOLE))))


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=default_cache(), help="folder of renders (%(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON (%(default)s)")
    parser.add_argument(
        "--docs", type=Path, default=None, help="folder whose evaluation.md is updated from the results"
    )
    options = parser.parse_args()
    shots = []
    for scene in SCENES.values():
        renders = Renders(scene, options.cache)
        for shot in scene.shots:
            view = renders.view(shot, floor_db=0)
            line = {"scene": scene.name, "focus": shot.focus, "rays_per_pixel": view.rays}
            shots.append(line | judged(view, renders.radiance()))
            print(shots[-1], flush=True)
    means = {name: np.mean([shot[name] for shot in shots], axis=0).round(2).tolist() for name in CASES}
    print(means)
    write_result(options.out, {"edge_band": BAND, "means": means, "shots": shots})
    if options.docs:
        put(options.docs, BEGIN, END, documented())


if __name__ == "__main__":
    main()
