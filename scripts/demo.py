"""Render a real portrait with the default settings and print where the result is, for `make demo`.

Arguments are handed on to `wideopen render`, for example `scripts/demo.py --look paper --blur 3%`.
"""

import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

DEMO = Path(__file__).resolve().parents[1] / "demo"
GAP_PX = 8


def make_photo(path: Path) -> None:
    """Write scikit-image's astronaut (NASA, public domain) as a photo."""
    Image.fromarray(skimage.data.astronaut()).save(path, quality=95, subsampling=0)


def render(photo: Path, result: Path, options: list[str]) -> None:
    """Run the command a user would type, and show it."""
    maps = ["--save-matte", str(DEMO / "matte.png"), "--save-disparity", str(DEMO / "disparity.png")]
    depth = [] if "--depth" in options else ["--depth", "small"]  # the same picture everywhere, and no download
    arguments = ["render", str(photo), "-o", str(result), *maps, *depth, "--overwrite", *options]
    print("wideopen", shlex.join(arguments), flush=True)
    command = Path(sys.executable).with_name("wideopen")
    done = subprocess.run([command, *arguments], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def save_pair(left: Path, right: Path, out: Path) -> None:
    """Write two pictures of one height side by side."""
    before, after = (np.asarray(Image.open(path).convert("RGB")) for path in (left, right))
    gap = np.full((len(before), GAP_PX, 3), 255, np.uint8)
    Image.fromarray(np.concatenate([before, gap, after], axis=1)).save(out, quality=95, subsampling=0)


def main() -> None:
    """Leave photo, result, maps and a before/after picture in demo/."""
    DEMO.mkdir(exist_ok=True)
    photo, result, pair = DEMO / "astronaut.jpg", DEMO / "astronaut.bokeh.jpg", DEMO / "before_after.jpg"
    make_photo(photo)
    render(photo, result, sys.argv[1:])
    save_pair(photo, result, pair)
    print(f"\nresult        {result}\nbefore/after  {pair}\nmaps          {DEMO}/matte.png  {DEMO}/disparity.png")


if __name__ == "__main__":
    main()
