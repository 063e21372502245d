"""Depth of `small` and `planar` on ray-traced scenes: rank correlation, and renders against those of true disparity.

    python benchmarks/depth_scenes.py DIR [--renders DIR --rays N] [--sets ten others] [--out FILE]

Traces the ten scenes of lens/scenes.py and eleven others without a lens (minutes; kept in DIR/renders), on which only
the shape of subjects was measured. Writes DIR/ten and DIR/others: sharp/ and disparity/ for `wideopen eval depth
--data`. With --renders and --rays, photos that lens/run.py traced are taken.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lens import hair, scenes, textures, truth
from lens import surroundings as s
from lens.bust import bust
from lens.export import codes
from lens.others import bear
from lens.scenes import (
    AUBURN,
    BLACK,
    BLOND,
    CHESTNUT,
    DAY,
    HEAD,
    INDOORS,
    LANDSCAPE,
    LOW,
    NIGHT,
    PORTRAIT,
    SIDE,
    STRIPED,
)
from lens.shapes import Part, quad
from provenance import ROOT, provenance
from wideopen import Lens, analyze, render
from wideopen.arrays.transfer import decode
from wideopen.color import SRGB
from wideopen.disparity.depth_map import normalise
from wideopen.disparity.find_disparity import from_small
from wideopen.disparity.planar import planar
from wideopen.evals.measures import displayed, psnr
from wideopen.matting.find_matte import pick_matter
from wideopen.matting.inference import MattingSettings

COLUMNS = [
    *("planar, predicted matte: Spearman", "small, predicted matte: Spearman"),
    *("planar, true matte: Spearman", "small, true matte: Spearman"),
    *("planar, true matte: dB of its render", "small, true matte: dB of its render"),
]
RAYS = {"ten": 32, "others": 24}
BLUR = 0.02
WIDE = replace(PORTRAIT, focal_px=900)


def wall(distance: float, slant: float, *, bricks: bool = False) -> scenes.Callable[[int], list[Part]]:
    """A wall, nearer on one side, behind a floor."""

    def build(seed: int) -> list[Part]:
        rng = np.random.default_rng(seed)
        plain = (0.4, 0.38, 0.35), (0.6, 0.58, 0.55)
        texture = textures.bricks(rng, rows=40, columns=16) if bricks else textures.speckled(*plain, rng, cells=6)
        ground = textures.speckled((0.1, 0.1, 0.1), (0.3, 0.3, 0.3), rng, cells=12)
        front = quad((-4, -s.EYE, 4 * slant - distance), (8, 0, -8 * slant), (0, 6, 0), texture=texture)
        return [front, *s.floor(ground, far=distance + 6)]

    return build


def head(style: hair.Style, seed: int, turn: float, at: tuple[float, ...] = HEAD, **rest) -> scenes.Build:
    """A bust anywhere."""
    return lambda: bust(style, seed=seed, at=at, turn_deg=turn, **rest)


def toy(at: tuple[float, ...], seed: int, turn_deg: float) -> scenes.Build:
    """A bear."""
    return lambda: bear(at, seed=seed, turn_deg=turn_deg)


OTHERS = {
    "room": (scenes.room, 31, [head(hair.STRAIGHT, 41, 10, (-0.08, 0.05, -1.5))], INDOORS, WIDE),
    "brick": (wall(2.2, 0.25, bricks=True), 32, [head(hair.SHORT, 42, -20)], DAY, PORTRAIT),
    "plain": (
        wall(3.5, -0.4, bricks=False),
        33,
        [head(hair.CURLY, 43, 15, (0.1, 0.03, -1.4), hair_colour=BLACK)],
        INDOORS,
        WIDE,
    ),
    "street": (scenes.street, 34, [head(hair.CURLY, 44, 20, (0.12, 0.05, -1.6), hair_colour=CHESTNUT)], SIDE, WIDE),
    "night": (scenes.night, 35, [head(hair.SHORT, 45, 25, hair_colour=BLACK)], NIGHT, PORTRAIT),
    "park": (scenes.park, 36, [head(hair.SHORT, 46, -15, (-0.1, 0.05, -1.7), cloth=STRIPED)], DAY, WIDE),
    "sky": (scenes.open_sky, 37, [head(hair.STRAIGHT, 47, -25, hair_colour=BLOND)], LOW, PORTRAIT),
    "bear-room": (scenes.room, 38, [toy((0.05, 0.05, -1.5), 48, 10)], INDOORS, LANDSCAPE),
    "bear-street": (scenes.street, 40, [toy((-0.06, -0.05, -1.3), 50, -15), scenes.table], SIDE, LANDSCAPE),
    "boards": (scenes.boards, 51, [head(hair.STRAIGHT, 51, 5, (0.05, 0.06, -1.35), hair_colour=AUBURN)], DAY, PORTRAIT),
    "night-far": (scenes.night, 52, [head(hair.CURLY, 52, -10, (-0.1, 0.02, -1.6), hair_colour=AUBURN)], NIGHT, WIDE),
}


def table() -> dict[str, list[scenes.Scene]]:
    """The scenes of both sets."""
    like = next(iter(scenes.SCENES.values()))
    others = [
        replace(like, name=name, build=scenes.scene_with(around, seed, *parts), light=light, camera=camera)
        for name, (around, seed, parts, light, camera) in OTHERS.items()
    ]
    return {"ten": list(scenes.SCENES.values()), "others": others}


def judged(maps: dict[str, np.ndarray], matter) -> list[float]:
    """Spearman of planar and small with a predicted matte, then with the true one; and their renders' dB."""
    photo, exact, true = np.ascontiguousarray(maps["photo"]), normalise(maps["disparity"]), maps["matte"]
    linear = decode(photo, SRGB, bit_depth=8).astype(np.float32)

    def rendered(disparity: np.ndarray) -> np.ndarray:
        focus = float(np.median(disparity[true > 0.9]))
        lens = Lens(focus_disparity=focus, max_radius=BLUR, highlights=0, grain=0)
        return displayed(render(analyze(linear, matte=true, disparity=disparity, filter_disparity=False), lens))

    figures = []
    for alpha in (matter(photo), true):
        found = [planar(alpha), np.clip(from_small(photo, lambda alpha=alpha: alpha).disparity, 0, 1)]
        figures += [float(spearmanr(d[::2, ::2].ravel(), exact[::2, ::2].ravel())[0]) for d in found]
    return figures + [psnr(rendered(d), rendered(exact)) for d in found]


def main() -> None:
    """Trace, write, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--renders", type=Path, help="folder of traced photos (DIR/renders)")
    parser.add_argument("--rays", type=int, help="rays per pixel of the photos (ten: 32, others: 24)")
    parser.add_argument("--sets", nargs="+", choices=RAYS, default=list(RAYS))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "depth_scenes.json")
    options = parser.parse_args()
    folder, renders = options.folder, options.renders or options.folder / "renders"
    report = {**provenance(), "columns": COLUMNS}
    matter, _ = pick_matter(MattingSettings())
    for kind, rows in table().items():
        if kind not in options.sets:
            continue
        truth.PHOTO_RAYS = options.rays or RAYS[kind]
        figures = []
        for scene in rows:
            maps = truth.Renders(scene, renders)._maps()
            codes(folder / kind / "sharp" / f"{scene.name}.png", maps["photo"] / 255, 255)
            codes(folder / kind / "disparity" / f"{scene.name}.png", maps["disparity"], 65535)
            figures.append(judged(maps, matter))
            print(f"{scene.name:12}", " ".join(f"{x:6.3f}" for x in figures[-1]), flush=True)
        print(f"{kind:12}", " ".join(f"{x:6.3f}" for x in np.mean(figures, 0)))
        names = [*(scene.name for scene in rows), "mean"]
        lines = np.round([*figures, np.mean(figures, 0)], 3).tolist()
        report[kind] = {"rays": truth.PHOTO_RAYS, "figures": dict(zip(names, lines, strict=True))}
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
