"""Ours, simple classical methods and other programs' pictures on one folder of pairs, in one run.

    python benchmarks/pairs.py --pairs DIR [--pred NAME=DIR ...] [--highlights 0] [--preset FILE ...] [--out FILE]

DIR as for `wideopen eval bokeh` (docs/evaluation.md), for instance as benchmarks/lens/export.py makes it. All are
given the same photo, matte, disparity, focus and blur. Methods that are not ours: the photo as it is; one Gaussian for
everything; one disk, and what is in focus pasted back; a disk for each pixel, gathered by its disparity (the textbook);
a disk from each pixel, scattered far to near; NAME: pictures made elsewhere, NAME.EXT in a folder.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lens import baselines
from provenance import write_result
from wideopen import Lens, render
from wideopen.checks import F32
from wideopen.errors import WideopenError
from wideopen.evals.judge import MadePicture, Picture, by_others, lens_of, line_of, open_pair, true_picture
from wideopen.evals.measures import load_flip
from wideopen.evals.pairs import Pair, find_pairs
from wideopen.evals.report import means, means_table
from wideopen.session.open_photo import Opened
from wideopen.session.presets import read_preset
from wideopen.settings import LensSettings, MapSettings

RESULTS = Path(__file__).with_name("results") / "pairs.json"
Plain = Callable[[F32, F32, F32, float, float], F32]  # (photo, matte, disparity, focus, full radius in pixels)
PLAIN: dict[str, Plain] = {
    "all in focus": lambda photo, _, __, ___, ____: photo,
    "uniform Gaussian": lambda p, m, d, f, r: baselines.uniform_gaussian(p, m, d, focus_disparity=f, full_radius_px=r),
    "blur and paste": lambda p, m, d, f, r: baselines.blur_and_paste(p, m, d, focus_disparity=f, full_radius_px=r),
    "gather by disparity": lambda p, _, d, f, r: baselines.gather(p, d, focus_disparity=f, full_radius_px=r),
    "scatter by disparity": lambda p, _, d, f, r: baselines.scatter(p, d, focus_disparity=f, full_radius_px=r),
}


def lenses(presets: list[str], highlights: float) -> dict[str, LensSettings]:
    """Our rows: both looks untuned, and the presets."""
    ours = {
        f"{look} look": LensSettings(look=look, highlights=highlights, grain="off") for look in ("paper", "thin-lens")
    }
    for name in presets:
        preset = read_preset(name)
        ours[f"preset {Path(name).stem}"] = replace(preset.settings(beneath={"grain": "off"}), grain="off")
    return ours


def pictures_of(
    pair: Pair, opened: Opened, ours: dict[str, LensSettings], theirs: dict[str, Path]
) -> dict[str, Callable[[], Picture]]:
    """What each method makes of a pair, when called."""
    scene = opened.scene
    lens: Lens = lens_of(pair, LensSettings(grain="off"), opened)
    full = lens.max_radius * max(scene.rgb.shape[:2])

    def shown(rgb: F32) -> Picture:
        return Picture(rgb=np.maximum(rgb, 0), encoding=opened.photo.encoding)

    made: dict[str, Callable[[], Picture]] = {}
    for name, plain in PLAIN.items():
        made[name] = lambda plain=plain: shown(
            plain(scene.rgb, scene.matte, scene.disparity, lens.focus_disparity, full)
        )
    for name, settings in ours.items():
        made[name] = lambda settings=settings: shown(render(scene, lens_of(pair, settings, opened)))
    for name, folder in theirs.items():
        made[name] = lambda folder=folder: by_others(folder)(pair, true_picture(pair)).picture
    return made


def run(pairs: tuple[Pair, ...], ours: dict[str, LensSettings], theirs: dict[str, Path]) -> dict[str, list[Any]]:
    """For each method the lines of all pairs that it could do."""
    rows: dict[str, list[Any]] = {}
    slow = {"flip": load_flip()}
    for pair in pairs:
        opened = open_pair(pair, MapSettings())
        truth = true_picture(pair)
        for name, make in pictures_of(pair, opened, ours, theirs).items():
            try:
                line = line_of(pair, MadePicture(picture=make()), truth, slow)
            except WideopenError as error:
                print(f"{name}, {pair.name}: {error}", file=sys.stderr)
                continue
            rows.setdefault(name, []).append(line)
        print(pair.name, file=sys.stderr)
    return rows


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--pred", action="append", default=[], metavar="NAME=DIR", help="pictures made elsewhere")
    parser.add_argument("--preset", action="append", default=[], help="a preset beside the untuned looks")
    parser.add_argument("--highlights", type=float, default=1.0, help="0 where the truth is clamped (%(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    theirs = {name: Path(folder) for name, _, folder in (text.partition("=") for text in options.pred)}
    found = find_pairs(options.pairs)
    rows = run(found.pairs, lenses(options.preset, options.highlights), theirs)
    lines = {name: means(done) for name, done in rows.items()}
    print("\n".join(means_table(lines, f"{len(found.pairs)} pairs")))
    each = {name: {line["pair"]: line for line in done} for name, done in rows.items()}
    about = {"folder": options.pairs.name, "highlights": options.highlights}
    write_result(options.out, about | {"means": lines, "each": each})


if __name__ == "__main__":
    main()
