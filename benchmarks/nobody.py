"""How much of a photo without people the matte covers: scikit-image's photos, and your own files.

A photo is well when that is below 1 %. The cat is apart: a photographer may want it.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from provenance import ROOT, write_result

WELL = 0.01
NAMES = (
    "brick", "cell", "clock", "coffee", "coins", "grass", "gravel", "hubble_deep_field", "immunohistochemistry",
    "microaneurysms", "moon", "page", "retina", "rocket", "stereo_motorcycle", "text", "cat",
)  # fmt: skip


def photos(files: list[Path]) -> Iterator:
    """(name, (H, W, 3) uint8) of each."""
    import numpy as np
    from skimage import color, data

    from wideopen.evals.mattes import read_rgb

    for name in NAMES:
        found = getattr(data, name)()
        image = np.asarray(found[0] if isinstance(found, tuple) else found)
        yield name, np.ascontiguousarray(color.gray2rgb(image) if image.ndim == 2 else image[..., :3])
    for path in files:
        yield path.stem, read_rgb(path)


def main() -> None:
    """Matte all photos with each of the weights, print a table, and write benchmarks/results/nobody.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="more photos without people")
    parser.add_argument("--matting", nargs="+", default=["mobile"], help="shipped names or .safetensors files")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "nobody.json")
    asked = parser.parse_args()
    from wideopen.matting.net.state import load_net
    from wideopen.matting.net.torch_engine import matte_with

    nets = {name: load_net(name) for name in asked.matting}
    rows = []
    print(f"{'photo':24}", *(f"{Path(name).stem:>12}" for name in nets))
    for name, image in photos(asked.files):
        shares = {key: round(float(matte_with(net, image).mean()), 4) for key, net in nets.items()}
        rows.append({"photo": name, **shares})
        print(f"{name:24}", *(f"{100 * share:11.1f}%" for share in shares.values()), flush=True)
    counted = [row for row in rows if row["photo"] != "cat"]
    well = {key: sum(row[key] < WELL for row in counted) for key in nets}
    print(f"{'below 1 %, without the cat':24}", *(f"{count} of {len(counted)}" for count in well.values()))
    write_result(asked.out, {"well": well, "rows": rows})
    print(f"written to {asked.out}")


if __name__ == "__main__":
    main()
