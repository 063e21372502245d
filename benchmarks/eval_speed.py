"""Time of evaluation and tuning: the real commands in cold processes, on pairs made for it.

    python benchmarks/eval_speed.py [--pairs 100] [--trials 200] [--only ROW ...] [--folder DIR] [--out FILE]

Pairs are scikit-image's astronaut (NASA, public domain), shifted and enlarged with detail and noise, with a drawn matte
and disparity; their truth is thin-lens at another blur, so that no figure is perfect. Promised on two cores: 1.2 s
for each pair of one megapixel with PSNR, SSIM, blur error, LVCorr and DISTS (its VGG16 is of the true layout with
random weights, on which time does not depend); 3 minutes for 100 pairs with FLIP instead; 200 trials on 8 pairs of half
a megapixel in 20 minutes. Rows that are not measured (--only) keep their figures and where these come from.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from skimage.data import astronaut

from lens.export import codes
from provenance import provenance, write_result
from wideopen import Lens, analyze, render
from wideopen.color import srgb_decode, srgb_encode
from wideopen.evals.dists import STAGES
from wideopen.settings import MapSettings

RESULTS = Path(__file__).with_name("results") / "eval_speed.json"
PAIR_S = {"eval bokeh": 1.2, "eval bokeh, FLIP instead": 1.8}  # promised for each pair
TRIAL_S = 6.0  # promised for each trial on 8 pairs
RUN = "from wideopen.cli import main; main()"


def make_pairs(folder: Path, count: int, size: tuple[int, int]) -> None:
    """`count` pairs of `size` (width, height), each a different cut of the photo."""
    width, height = size
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    for number in range(count):
        cut = np.roll(astronaut(), (3 * number, 5 * number), (0, 1))
        srgb = cv2.resize(cut, size, interpolation=cv2.INTER_CUBIC).astype(np.float32)
        photo = np.clip(srgb + rng.normal(0, 3, srgb.shape), 0, 255) / 255
        edge = np.hypot((x / width - 0.5) * 1.3, y / height - 0.6) + 0.02 * np.sin(60 * np.arctan2(y - height, x))
        matte = np.clip((0.35 - edge) * 60 + 0.5, 0, 1).astype(np.float32)
        disparity = np.where(matte > 0.5, np.float32(0.8), 0.5 * y / height).astype(np.float32)
        light = srgb_decode(np.rint(photo * 255) / 255).astype(np.float32)
        scene = analyze(light, MapSettings(filter_disparity=False), matte=matte, disparity=disparity)
        truth = render(scene, Lens(focus_disparity=0.8, max_radius=0.02, highlights=0.5, grain=0.0))
        for kind, values, top in (
            ("sharp", photo, 255),
            ("bokeh", srgb_encode(np.clip(truth, 0, 1)), 255),
            ("matte", matte, 255),
            ("disparity", disparity, 65535),
        ):
            codes(folder / kind / f"{number:03}.png", values, top)
    meta = {"format": 1, "all": {"focus": "d=0.8", "blur": "2.4%"}}
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")


def first_of(folder: Path, few: Path, count: int) -> None:
    """Write to `few` links to the first `count` pairs of `folder`."""
    for kind in ("sharp", "bokeh", "matte", "disparity"):
        (few / kind).mkdir(parents=True)
        for number in range(count):
            (few / kind / f"{number:03}.png").symlink_to(folder / kind / f"{number:03}.png")
    shutil.copy(folder / "meta.json", few)


def random_vgg(home: Path) -> None:
    """Write random weights of VGG16 to where torch's hub, at `home`, keeps what it has downloaded."""
    import torch

    file, channels = home / "hub" / "checkpoints" / "vgg16-397923af.pth", 3
    layers: dict[str, torch.Tensor] = {}
    for stage, width in zip(STAGES, (64, 128, 256, 512, 512), strict=True):
        for number in stage:
            scale = (2 / (9 * channels)) ** 0.5
            layers[f"features.{number}.weight"] = scale * torch.randn(width, channels, 3, 3)
            layers[f"features.{number}.bias"] = torch.zeros(width)
            channels = width
    file.parent.mkdir(parents=True)
    torch.save(layers, file)


def timed(torch_home: Path, *arguments: str) -> dict[str, float]:
    """Wall seconds, and CPU seconds of the process and its children, of one command in a cold process."""
    command = [sys.executable, "-c", RUN, *arguments]
    before, started = os.times(), time.perf_counter()
    subprocess.run(command, check=True, cwd=Path(__file__).parent, env=os.environ | {"TORCH_HOME": str(torch_home)})
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"seconds": round(time.perf_counter() - started, 1), "cpu_seconds": round(cpu, 1)}


def main() -> None:
    """Make the pairs, run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--few", type=int, default=0, help="time so many pairs too, to tell what 100 take")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--only", nargs="+", choices=(*PAIR_S, "tune"), default=(*PAIR_S, "tune"), metavar="ROW")
    parser.add_argument("--folder", type=Path, default=None, help="keep the pairs here, and use those that are there")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        for name, count, size in (("one", options.pairs, (1152, 868)), ("half", 8, (816, 612))):
            if not (folder / name / "meta.json").exists():
                make_pairs(folder / name, count, size)
        few, many = Path(temporary) / "few", folder / "one"
        first_of(many, few, options.few)
        bokeh = ("eval", "bokeh", "--pairs", str(many))
        home = Path(temporary) / "torch"
        random_vgg(home)
        preset, search = str(Path(temporary) / "preset.json"), ("--sampler", "cmaes", "--trials", str(options.trials))
        commands = {
            "eval bokeh": (*bokeh, "--no-flip", "--lvcorr", "--dists"),
            "eval bokeh, FLIP instead": bokeh,
            "tune": ("tune", "--pairs", str(folder / "half"), "-o", preset, *search),
        }
        known = json.loads(options.out.read_text(encoding="utf-8"))["rows"] if options.out.exists() else {}
        for name in options.only:
            count, promised = (options.trials, TRIAL_S) if name == "tune" else (options.pairs, PAIR_S[name])
            about = {**provenance(), "count": count, "load_before": round(os.getloadavg()[0], 2)}
            known[name] = row = {**about, "promised_s": promised, **timed(home, *commands[name])}
            if options.few and name != "tune":
                fewer = timed(home, *(str(few) if word == str(many) else word for word in commands[name]))
                more_s = (row["seconds"] - fewer["seconds"]) / (count - options.few)
                row["few"] = {"count": options.few, **fewer, "each_more_s": round(more_s, 3)}
                row["of_100_s"] = round(row["seconds"] + (100 - count) * more_s, 1)
            print(name, *(f"{key}: {value}" for key, value in row.items() if key not in about))
    write_result(options.out, {"rows": known})


if __name__ == "__main__":
    main()
