"""Accuracy: real cut-outs over real backgrounds, judged against an exact lens.

    python benchmarks/composites.py --photos DIR --backgrounds DIR [--count 10] [--busy] [--export DIR [--hdr]]

DIR of photos holds rgb/ and alpha/ with equal names. A cut-out's own colour (pymatting) over a background makes an
all-in-focus photo of which both layers are known, so what a thin lens sees is known too: each layer convolved with a
disk (64-fold supersampled, OpenCV's filter2D; none of our kernels), the subject's over the background's, in linear
light. Each method gets the 8-bit photo, the true matte and the true disparity; PSNR is taken on display-encoded
pictures, over all pixels and over a band of 20 pixels at the matte's edge, with the subject in focus and with the
background in focus. --busy takes those backgrounds that lose most when they are blurred, instead of evenly spread ones:
the hardest that the folder has. --export writes the scenes as pairs and measures nothing: the benchmark composites of
`wideopen eval bokeh`, whose truth is of photos clipped at white (--highlights 0). With --hdr it is composites-hdr: the
background is four times as bright, as behind somebody in the shade, and photo and truth are OpenEXR, above white where
they are (extra exr; --highlights 0 too).
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from pymatting import estimate_foreground_ml

from lens.export import codes
from provenance import write_result
from wideopen import Lens, analyze, render
from wideopen.checks import F32
from wideopen.color import srgb_decode, srgb_encode
from wideopen.evals.measures import displayed, edge_band, psnr
from wideopen.files import write
from wideopen.settings import MapSettings

NEAR, FAR = 0.9, 0.2
BRIGHTER = 4.0  # a background in HDR
RADIUS_PX = 20.0  # of what is out of focus
BAND_PX = 20
FOCUS = {"subject": NEAR, "background": FAR}


@dataclass(frozen=True, slots=True)
class Layers:
    """One scene, all in linear light: what the camera saw, and what it is made of."""

    photo: F32  # (H, W, 3), through 8 bits, or above white
    alpha: F32  # (H, W)
    foreground: F32  # (H, W, 3)
    background: F32  # (H, W, 3)


def load(path: Path) -> np.ndarray:
    """(H, W, 3) display-encoded float64 in [0, 1]."""
    return cv2.imread(str(path))[..., ::-1] / 255.0


def lost_by_blur(path: Path) -> float:
    """RMS of what a blur takes from a background at the size of a scene."""
    small = cv2.resize(load(path), (900, 600), interpolation=cv2.INTER_AREA)
    return float(np.sqrt(np.mean((small - cv2.blur(small, (int(2 * RADIUS_PX), int(2 * RADIUS_PX)))) ** 2)))


def scenes(photos: Path, backgrounds: Path, count: int, busy: bool = False, hdr: bool = False) -> Iterator[Layers]:
    """Evenly spread photos, each on a background of its own; in HDR above white."""
    names = sorted(p.name for p in (photos / "rgb").iterdir())
    scenery = sorted(backgrounds.iterdir())
    if busy:
        chosen = sorted(scenery, key=lost_by_blur, reverse=True)[:count]
    else:
        chosen = [scenery[(7 * i + 3) % len(scenery)] for i in range(count)]
    for name, back_path in zip(names[:: max(1, len(names) // count)][:count], chosen, strict=False):
        rgb = srgb_decode(load(photos / "rgb" / name))
        alpha = cv2.imread(str((photos / "alpha" / name).with_suffix(".png")), cv2.IMREAD_GRAYSCALE) / 255.0
        foreground = np.clip(estimate_foreground_ml(rgb, alpha), 0, 1)
        height, width = alpha.shape
        back = load(back_path)
        scale = max(height / back.shape[0], width / back.shape[1])
        size = (int(np.ceil(back.shape[1] * scale)), int(np.ceil(back.shape[0] * scale)))
        background = srgb_decode(cv2.resize(back, size, interpolation=cv2.INTER_AREA)[:height, :width])
        background *= BRIGHTER if hdr else 1
        a = alpha[..., None]
        photo = a * foreground + (1 - a) * background
        if not hdr:
            photo = srgb_decode(np.rint(srgb_encode(photo) * 255) / 255)
        yield Layers(*(x.astype(np.float32) for x in (photo, alpha, foreground, background)))


@cache
def disk(radius_px: float) -> np.ndarray:
    """A disk's exact coverage of each pixel, to 1 / 64 of a pixel."""
    reach, n = int(np.ceil(radius_px)) + 1, 64
    fine = (np.arange((2 * reach + 1) * n) + 0.5) / n - reach - 0.5
    inside = (fine[:, None] ** 2 + fine[None] ** 2 <= radius_px**2).reshape(2 * reach + 1, n, 2 * reach + 1, n)
    return inside.mean((1, 3)) / inside.mean((1, 3)).sum()


def convolve(image: np.ndarray) -> np.ndarray:
    """Blurred with the disk, cut at the border and normalised by what is left."""
    K = disk(RADIUS_PX)
    blur = lambda x: cv2.filter2D(x, cv2.CV_64F, K, borderType=cv2.BORDER_CONSTANT)  # noqa: E731
    inside = blur(np.ones(image.shape[:2]))
    return blur(image.astype(np.float64)) / (inside if image.ndim == 2 else inside[..., None])


def truth(layers: Layers, focus: str) -> np.ndarray:
    """What the lens sees, (H, W, 3)."""
    a = layers.alpha[..., None].astype(np.float64)
    subject, background = a * layers.foreground, layers.background.astype(np.float64)
    if focus == "subject":
        background = convolve(background)
    else:
        subject, a = convolve(subject), convolve(layers.alpha)[..., None]
    return subject + (1 - a) * background


def blur_and_paste(layers: Layers, focus: str) -> np.ndarray:
    """The textbook way: blur the whole photo, paste what is in focus with the matte."""
    a = layers.alpha[..., None]
    sharp = a if focus == "subject" else 1 - a
    return convolve(layers.photo) * (1 - sharp) + layers.photo * sharp


def ours(layers: Layers, focus: str, look: str) -> np.ndarray:
    """`wideopen` with the given look."""
    disparity = np.where(layers.alpha > 0.5, np.float32(NEAR), np.float32(FAR))
    scene = analyze(layers.photo, MapSettings(filter_disparity=False), matte=layers.alpha, disparity=disparity)
    radius = RADIUS_PX / (NEAR - FAR) / max(layers.alpha.shape)
    return render(scene, Lens(focus_disparity=FOCUS[focus], max_radius=radius, look=look, highlights=0.0, grain=0.0))


METHODS = {
    "all in focus": lambda layers, focus: layers.photo,  # noqa: ARG005
    "blur and paste": blur_and_paste,
    "paper": lambda layers, focus: ours(layers, focus, "paper"),
    "thin-lens": lambda layers, focus: ours(layers, focus, "thin-lens"),
}


def picture(file: Path, rgb: np.ndarray, top: int, hdr: bool) -> None:
    """Write (H, W, 3) linear light as codes, or in HDR as OpenEXR."""
    if not hdr:
        codes(file.with_suffix(".png"), srgb_encode(rgb), top)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    write(file.with_suffix(".exr"), rgb.astype(np.float32), bits=32, overwrite=True)


def export(folder: Path, made: Iterator[Layers], hdr: bool = False) -> None:
    """Write scenes as a folder of pairs, both focuses each."""
    for number, layers in enumerate(made):
        disparity = np.where(layers.alpha > 0.5, np.float32(NEAR), np.float32(FAR))
        for focus in FOCUS:
            name = f"{number:02}-{focus}.png"
            picture(folder / "sharp" / name, layers.photo, 255, hdr)
            picture(folder / "bokeh" / name, truth(layers, focus), 65535, hdr)
            codes(folder / "matte" / name, layers.alpha, 65535)
            codes(folder / "disparity" / name, disparity, 65535)
    known = {"blur": f"{RADIUS_PX / (NEAR - FAR):.4f}px", "focus_range": 0.0, "filter_disparity": False}
    names = sorted(file.stem for file in (folder / "sharp").iterdir())
    entries = {name: {"focus": f"d={FOCUS[name.split('-')[1]]}"} for name in names}
    meta = {"format": 1, "all": known, "pairs": entries}
    (folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Print the table and write benchmarks/results/composites.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--backgrounds", type=Path, required=True)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--busy", action="store_true", help="the backgrounds that lose most when blurred")
    parser.add_argument("--export", type=Path, default=None, help="write pairs here instead of measuring")
    parser.add_argument("--hdr", action="store_true", help="with --export: a background above white")
    options = parser.parse_args()
    if options.export is not None:
        made = scenes(options.photos, options.backgrounds, options.count, options.busy, options.hdr)
        export(options.export, made, options.hdr)
        return
    rows: dict[str, list[list[float]]] = {name: [] for name in METHODS}
    for layers in scenes(options.photos, options.backgrounds, options.count, options.busy):
        band, everywhere = edge_band(layers.alpha, BAND_PX // 2), np.ones(layers.alpha.shape, bool)
        true = {focus: displayed(truth(layers, focus)) for focus in FOCUS}
        for name, method in METHODS.items():
            pictures = {focus: displayed(method(layers, focus)) for focus in FOCUS}
            rows[name].append([psnr(pictures[f], true[f], where) for f in FOCUS for where in (everywhere, band)])
    means = {name: [round(float(x), 2) for x in np.mean(figures, 0)] for name, figures in rows.items()}
    print(f"{'PSNR, dB':16} {'subject in focus':>20} {'background in focus':>22}")
    print(f"{'':16} {'whole':>10} {'edge':>9} {'whole':>12} {'edge':>9}")
    for name, (whole, edge, far_whole, far_edge) in means.items():
        print(f"{name:16} {whole:10.2f} {edge:9.2f} {far_whole:12.2f} {far_edge:9.2f}")
    out = Path(__file__).with_name("results") / ("composites_busy.json" if options.busy else "composites.json")
    write_result(out, {"count": options.count, "radius_px": RADIUS_PX, "psnr_db": means})


if __name__ == "__main__":
    main()
