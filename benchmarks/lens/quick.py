"""wideopen against truths of few rays: PSNR with little of the truth's own noise.

    python benchmarks/lens/quick.py [--cache DIR] [--out FILE]

For every scene of run.py, with the rays that its cache holds. A truth is two independent halves T1, T2, so the mean of
(P - T1)(P - T2) holds the error of the picture P and not the variance of the halves. Their mean is a little dark,
since display encoding is concave and taken of noise: fern-night with the subject in focus has 34.7 dB from 32 rays and
35.2 from 128. So the figures of few rays are low, by up to half a dB. SSIM and FLIP have no such form. Against clamped
and true radiance, and, from the photo's true radiance instead of its 8 bits, against true radiance again.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lens.scenes import SCENES
from lens.truth import F32, Renders, View, default_cache
from provenance import ROOT, write_result
from wideopen import analyze, render
from wideopen.evals.measures import BAND, displayed, edge_band
from wideopen.settings import MapSettings

RESULTS = ROOT / "benchmarks" / "results" / "lens_quick.json"
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


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=default_cache(), help="folder of renders (%(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON (%(default)s)")
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


if __name__ == "__main__":
    main()
