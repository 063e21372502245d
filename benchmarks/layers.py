"""Accuracy with more than two layers: known layers, judged against an exact lens.

    python benchmarks/layers.py --photos DIR --backgrounds DIR [--count 6]

Like `composites`, with four fronto-parallel layers: a far background, something in the mid-ground (a person, a wall, a
fence), the subject, and something in front of it (leaves, a railing, a person). The truth is each layer convolved with
its own disk, over one another in linear light. Methods get the 8-bit photo, the visible part of the subject's matte and
the disparity of the layer that covers most of a pixel, as it is or degraded as networks leave it: near things widened
by `WIDEN` of the long side, then blurred by `SMEAR`. PSNR is taken on display-encoded pictures, over all pixels and
within `BAND_PX` / 2 of each layer's edge, with each of three things in focus.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from pymatting import estimate_foreground_ml

from composites import BAND_PX, disk, load
from provenance import write_result
from wideopen import Lens, analyze, render
from wideopen.checks import F32
from wideopen.color import srgb_decode, srgb_encode
from wideopen.evals.measures import displayed, edge_band, psnr
from wideopen.settings import MapSettings

DISPARITY = {"background": 0.1, "mid-ground": 0.4, "subject": 0.7, "front": 1.0}
FOCUS = ("subject", "front", "background")
RADIUS_PX = 40.0  # at a disparity difference of 1: 12 to 36 pixels from layer to layer
WIDEN, SMEAR = 0.004, 0.008
SIDE = 640


@dataclass(frozen=True, slots=True)
class Stack:
    """One scene: four layers, farthest first, and what a camera with a pin-hole saw of them."""

    photo: F32  # (H, W, 3) linear light, through 8 bits
    colours: list[np.ndarray]  # 4 x (H, W, 3), not premultiplied
    coverages: list[np.ndarray]  # 4 x (H, W); the first is 1
    visible: np.ndarray  # (4, H, W), adds up to 1

    @property
    def matte(self) -> F32:
        """(H, W): what is seen of the subject."""
        return self.visible[2].astype(np.float32)

    def disparity(self, degraded: bool) -> F32:
        """(H, W): exact to a pixel, or as a network would have it."""
        others = np.where(self.visible[2] > 0.5, 2, np.argmax(self.visible * np.array([1, 1, 0, 1])[:, None, None], 0))
        exact = np.array(list(DISPARITY.values()), np.float32)[others]
        if not degraded:
            return exact
        side = 2 * round(WIDEN * SIDE) + 1
        wide = cv2.dilate(exact, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
        return cv2.GaussianBlur(wide, (0, 0), SMEAR * SIDE)


def cut_out(photos: Path, name: str, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A person's own colour (side, side, 3) and matte (side, side)."""
    rgb = srgb_decode(cv2.resize(load(photos / "rgb" / name), (side, side), interpolation=cv2.INTER_AREA))
    mask = cv2.imread(str((photos / "alpha" / name).with_suffix(".png")), cv2.IMREAD_GRAYSCALE) / 255.0
    alpha = cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA)
    return np.clip(estimate_foreground_ml(rgb, alpha), 0, 1), alpha


def scenery(path: Path) -> np.ndarray:
    """A background photo's square, (SIDE, SIDE, 3) linear light."""
    image = load(path)
    scale = SIDE / min(image.shape[:2])
    size = (max(SIDE, round(image.shape[1] * scale)), max(SIDE, round(image.shape[0] * scale)))
    return srgb_decode(cv2.resize(image, size, interpolation=cv2.INTER_AREA)[:SIDE, :SIDE])


def placed(colour: np.ndarray, alpha: np.ndarray, x: int, y: int) -> tuple[np.ndarray, np.ndarray]:
    """A smaller picture on an empty canvas, its upper left corner at (x, y), which may lie outside."""
    move = np.array([[1, 0, x], [0, 1, y]], float)
    canvas = (SIDE, SIDE)
    return (
        cv2.warpAffine(colour, move, canvas, borderMode=cv2.BORDER_REPLICATE),
        cv2.warpAffine(alpha, move, canvas, borderMode=cv2.BORDER_CONSTANT),
    )


def drawn(shapes: np.ndarray) -> np.ndarray:
    """Coverage (SIDE, SIDE) of a mask (4 SIDE, 4 SIDE): antialiased."""
    return cv2.resize(shapes.astype(np.float64), (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def leaves(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Green leaves from the lower and side edges."""
    shapes = np.zeros((4 * SIDE, 4 * SIDE), np.uint8)
    for _ in range(14):
        side = rng.choice([-1, 1])
        x = 2 * SIDE + side * rng.uniform(0.9, 2.0) * SIDE
        y = rng.uniform(1.0, 3.9) * SIDE
        axes = (int(rng.uniform(0.2, 0.5) * SIDE), int(rng.uniform(0.06, 0.12) * SIDE))
        cv2.ellipse(shapes, (int(x), int(y)), axes, rng.uniform(0, 180), 0, 360, 1, -1)
    grain = cv2.GaussianBlur(rng.random((SIDE, SIDE)), (0, 0), 2)
    grain = 0.5 + np.clip((grain - grain.mean()) / grain.std(), -2, 2) * 0.15
    return grain[..., None] * np.array([0.25, 0.5, 0.1]), drawn(shapes)


def railing(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Slanted bars and a rail across the lower half."""
    shapes = np.zeros((4 * SIDE, 4 * SIDE), np.uint8)
    top = int(2.6 * SIDE)
    cv2.line(shapes, (0, top), (4 * SIDE, top + 40), 1, 60)
    for x in range(100, 4 * SIDE, 330):
        cv2.line(shapes, (x, top), (x + 60, 4 * SIDE), 1, int(rng.uniform(40, 80)))
    shade = np.linspace(0.1, 0.6, SIDE)[None, :, None] * np.ones((SIDE, 1, 1))
    return shade * np.array([0.8, 0.6, 0.5]), drawn(shapes)


def wall(picture: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The corner of a house, with a picture's texture."""
    shapes = np.zeros((4 * SIDE, 4 * SIDE), np.uint8)
    x = int(rng.uniform(1.2, 2.0) * SIDE)
    points = np.array([[0, int(0.7 * SIDE)], [x, int(1.1 * SIDE)], [x + 40, 4 * SIDE], [0, 4 * SIDE]])
    cv2.fillPoly(shapes, [points], 1)
    return picture[::-1], drawn(shapes)


def scenes(photos: Path, backgrounds: Path, count: int) -> Iterator[Stack]:
    """Evenly spread photos; kinds of front and of mid-ground take turns."""
    names = sorted(p.name for p in (photos / "rgb").iterdir())
    pictures = sorted(backgrounds.iterdir())
    step = max(1, len(names) // count)
    for i in range(count):
        rng = np.random.default_rng(i)
        far = scenery(pictures[(11 * i + 5) % len(pictures)])
        subject = cut_out(photos, names[(i * step + 3) % len(names)], SIDE)
        other = names[(i * step + step // 2) % len(names)]
        if i % 3 == 0:
            mid = placed(*cut_out(photos, other, SIDE // 2), x=SIDE // 2 + 30, y=SIDE // 4)
        elif i % 3 == 1:
            mid = wall(scenery(pictures[(11 * i + 6) % len(pictures)]), rng)
        else:
            mid = (lambda c, a: (c[::-1, ::-1], a[::-1]))(*railing(rng))
        if i % 3 == 0:
            front = leaves(rng)
        elif i % 3 == 1:
            front = railing(rng)
        else:
            front = placed(*cut_out(photos, other, SIDE), x=-SIDE // 2, y=SIDE // 3)
        colours, coverages = zip((far, np.ones((SIDE, SIDE))), mid, subject, front, strict=True)
        yield stack(list(colours), list(coverages))


def stack(colours: list[np.ndarray], coverages: list[np.ndarray]) -> Stack:
    """What a pin-hole sees of the layers."""
    visible, left = [], np.ones(coverages[0].shape)
    for alpha in reversed(coverages):
        visible.insert(0, left * alpha)
        left = left * (1 - alpha)
    photo = sum(v[..., None] * c for v, c in zip(visible, colours, strict=True))
    seen = srgb_decode(np.rint(srgb_encode(np.clip(photo, 0, 1)) * 255) / 255).astype(np.float32)
    return Stack(seen, colours, coverages, np.stack(visible))


def convolve(image: np.ndarray, radius_px: float) -> np.ndarray:
    """Blurred with a disk, cut at the border and normalised by what is left."""
    if radius_px < 1e-6:
        return image
    K = disk(radius_px)
    blur = lambda x: cv2.filter2D(x, cv2.CV_64F, K, borderType=cv2.BORDER_CONSTANT)  # noqa: E731
    inside = blur(np.ones(image.shape[:2]))
    return blur(image) / (inside if image.ndim == 2 else inside[..., None])


def truth(layers: Stack, focus: float) -> np.ndarray:
    """What the lens sees, (H, W, 3)."""
    out = np.zeros_like(layers.colours[0])
    for colour, alpha, d in zip(layers.colours, layers.coverages, DISPARITY.values(), strict=True):
        radius = round(RADIUS_PX * abs(d - focus), 6)
        out = convolve(alpha[..., None] * colour, radius) + (1 - convolve(alpha, radius))[..., None] * out
    return out


def ours(layers: Stack, focus: float, degraded: bool) -> np.ndarray:
    """`wideopen`, thin lens; a network's disparity is cleaned along the matte, as by default."""
    scene = analyze(
        layers.photo, MapSettings(filter_disparity=degraded), matte=layers.matte, disparity=layers.disparity(degraded)
    )
    return render(scene, Lens(focus_disparity=focus, max_radius=RADIUS_PX / SIDE, highlights=0.0, grain=0.0))


METHODS = {
    "all in focus": lambda layers, focus: layers.photo,  # noqa: ARG005
    "exact disparity": lambda layers, focus: ours(layers, focus, degraded=False),
    "degraded disparity": lambda layers, focus: ours(layers, focus, degraded=True),
}


def main() -> None:
    """Print the table and write benchmarks/results/layers.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--backgrounds", type=Path, required=True)
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results") / "layers.json")
    options = parser.parse_args()
    areas = ("whole", "front edge", "subject edge", "mid edge")
    rows: dict[str, list[list[list[float]]]] = {name: [] for name in METHODS}
    for layers in scenes(options.photos, options.backgrounds, options.count):
        everywhere = np.ones(layers.matte.shape, bool)
        where = [everywhere, *(edge_band(layers.coverages[k].astype(np.float32), BAND_PX // 2) for k in (3, 2, 1))]
        true = {f: displayed(truth(layers, DISPARITY[f])) for f in FOCUS}
        for name, method in METHODS.items():
            pictures = {f: displayed(method(layers, DISPARITY[f])) for f in FOCUS}
            rows[name].append([[psnr(pictures[f], true[f], w) for w in where] for f in FOCUS])
    means = {name: np.mean(figures, 0).round(2).tolist() for name, figures in rows.items()}
    print(f"{'PSNR, dB':20} {'in focus':12}" + "".join(f"{area:>14}" for area in areas))
    for name, table in means.items():
        for focus, figures in zip(FOCUS, table, strict=True):
            print(f"{name:20} {focus:12}" + "".join(f"{x:14.2f}" for x in figures))
    result = {"count": options.count, "radius_px": RADIUS_PX, "band_px": BAND_PX, "areas": areas}
    result |= {"psnr_db": {n: dict(zip(FOCUS, t, strict=True)) for n, t in means.items()}}
    write_result(options.out, result)


if __name__ == "__main__":
    main()
