"""The ray-traced shots as a folder of pairs, for `wideopen eval bokeh`, `wideopen tune`, or another program.

    python benchmarks/lens/export.py DIR [--set tune|judge|all] [--focus subject|background|both]
        [--truth clamped|true|hdr] [--network NAME] [--cache DIR]

Writes sharp/ (8 bit), bokeh/, matte/, disparity/ (16 bit) and meta.json with the exact focus and blur of each shot.
`clamped` is the truth of a photo clipped at white, to be met with --highlights 0; `true` that of true radiance; `hdr`
has photo and truth as OpenEXR, above white where they are (extra exr), to be met with --highlights 0. With all shots
the folder is the benchmark lens-clamped, lens-true or lens-hdr of `wideopen eval bokeh`.
--network degrades the exact disparity as a depth network would (disparity_truth.py), lets it be filtered, and focuses
on the subject where the shot did.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from disparity_truth import NETWORKS, Truth, degraded
from lens.scenes import SCENES, Scene, Shot
from lens.truth import F32, Renders, View, default_cache
from wideopen.color import srgb_encode
from wideopen.files import write


def write_shot(
    folder: Path, name: str, focus: str, view: View, truth: str, network: str | None, radiance: F32 | None = None
) -> dict[str, Any]:
    """Write the pictures of one shot (`radiance`: the photo's, for hdr); returns what meta.json says of it."""
    disparity = view.disparity
    if network is not None:
        exact = Truth(photo=view.photo, alpha=view.matte, exact=view.disparity)
        disparity, _ = degraded(exact, NETWORKS[network])
    if truth == "hdr":
        for kind, light in (("sharp", radiance), ("bokeh", view.true)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            write(folder / kind / f"{name}.exr", light, bits=32, overwrite=True)
    else:
        codes(folder / "sharp" / f"{name}.png", srgb_encode(view.photo), 255)
        codes(folder / "bokeh" / f"{name}.png", srgb_encode(view.clamped if truth == "clamped" else view.true), 65535)
    codes(folder / "matte" / f"{name}.png", view.matte, 65535)
    codes(folder / "disparity" / f"{name}.png", disparity, 65535)
    blur = {"blur": f"{view.full_radius_px:.4f}px", "filter_disparity": network is not None}
    if network is not None and focus == "subject":
        return {"focus": "subject", **blur}  # a degraded disparity no longer has the subject where it was
    return {"focus": f"d={view.lens.focus_disparity:.6f}", "focus_range": 0.0, **blur}


def codes(file: Path, values: F32, top: int) -> None:
    """A PNG of values in [0, 1], (H, W) or (H, W, 3), clipped; `top` 255 or 65535."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rounded = np.rint(np.clip(values, 0, 1) * top).astype(np.uint8 if top == 255 else np.uint16)
    cv2.imwrite(str(file), rounded if rounded.ndim == 2 else rounded[..., ::-1])


def export(
    folder: Path, shots: list[tuple[Scene, Shot]], truth: str, network: str | None, cache: Path
) -> dict[str, Any]:
    """All shots into a folder; returns its meta.json."""
    entries = {}
    for scene, shot in shots:
        name = f"{scene.name}-{shot.focus}"
        renders = Renders(scene, cache, say=lambda line: print(line, file=sys.stderr))
        radiance = renders.radiance() if truth == "hdr" else None
        entries[name] = write_shot(folder, name, shot.focus, renders.view(shot), truth, network, radiance)
        print(name)
    meta = {"format": 1, "pairs": entries}
    (folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
    return meta


def main() -> None:
    """Export the chosen half."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", choices=("tune", "judge", "all"), default="all")
    parser.add_argument("--focus", choices=("subject", "background", "both"), default="both")
    parser.add_argument("--truth", choices=("clamped", "true", "hdr"), default="clamped")
    parser.add_argument("--network", choices=sorted(NETWORKS), default=None, help="degrade the disparity as it would")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="folder of renders (%(default)s)")
    options = parser.parse_args()
    chosen = [(s, shot) for s in SCENES.values() if options.set in (s.purpose, "all") for shot in s.shots]
    shots = [(s, shot) for s, shot in chosen if options.focus in (shot.focus, "both")]
    export(options.folder, shots, options.truth, options.network, options.cache)


if __name__ == "__main__":
    main()
