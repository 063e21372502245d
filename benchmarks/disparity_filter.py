"""How well disparity is filtered along the matte: known disparity, degraded as networks degrade it.

    python benchmarks/disparity_filter.py --photos DIR [DIR ...] --backgrounds DIR [--count 12] [--renders DIR]

Scenes: the drawn ones of disparity_truth.py; cut-outs over backgrounds as in composites.py, on a floor before a wall,
alone or with what stands at the subject's disparity: a second person, a held thing (with the texture of another photo);
and the photos of the lens benchmark as far as they are rendered (exact disparity from the ray tracer). Each is degraded
by every network of disparity_truth.py, and filtered with the photo and without. Then mattes by the network that ships:
of what such a matte misses of the subject, how much keeps the subject's disparity. And the time for 12 megapixels.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import mean, median

import cv2
import numpy as np

import composites
from disparity_truth import NETWORKS, Figures, Truth, degraded, judged, scenes
from lens.truth import default_cache
from provenance import write_result
from wideopen.checks import F32
from wideopen.color import srgb_decode
from wideopen.disparity.along_matte import filter_along_matte
from wideopen.matting.inference import MattingSettings

SUBJECT, WALL = 0.8, 0.25
KINDS = ("alone", "beside another", "holds a thing")
FILTERS: dict[str, Callable[[F32, Truth], F32]] = {
    "matte alone": lambda d, t: filter_along_matte(d, t.alpha),
    "with the photo": lambda d, t: filter_along_matte(d, t.alpha, t.photo),
}
MEGAPIXELS_12 = (4000, 3000)


def cut_outs(photos: Path, backgrounds: Path, count: int) -> Iterator[tuple[str, Truth]]:
    """Real subjects over real backgrounds, at made-up distances."""
    layers = list(composites.scenes(photos, backgrounds, count))
    for i, own in enumerate(layers):
        kind, other = KINDS[i % len(KINDS)], layers[(i + 1) % len(layers)]
        height, width = own.alpha.shape
        exact = np.broadcast_to(np.linspace(-0.6, 0.75, height, dtype=np.float32).clip(WALL)[:, None], (height, width))
        colour, thing = own.background, np.zeros((height, width), np.float32)
        if kind == "beside another":
            thing = _moved(cv2.resize(other.alpha, (width, height)), 0.45)
            colour = _over(_moved(cv2.resize(other.foreground, (width, height)), 0.45), thing, colour)
        elif kind == "holds a thing":
            thing = _held(own.alpha)
            colour = _over(cv2.resize(other.background, (width, height)), thing, colour)
        exact = np.where(own.alpha > 0.5, np.float32(SUBJECT), np.where(thing > 0.5, np.float32(SUBJECT), exact))
        yield kind, Truth(photo=_over(own.foreground, own.alpha, colour), alpha=own.alpha, exact=exact)


def _moved(image: F32, share: float) -> F32:
    """Shifted to the right by a share of the width; empty on the left."""
    move = np.array([[1, 0, share * image.shape[1]], [0, 1, 0]], np.float32)
    return cv2.warpAffine(image, move, image.shape[1::-1])


def _over(front: F32, alpha: F32, back: F32) -> F32:
    return (alpha[..., None] * front + (1 - alpha[..., None]) * back).astype(np.float32)


def _held(alpha: F32) -> F32:
    """The mask of a slanted rectangle, 6 x 20 percent of the long side, that the subject's right edge half hides."""
    rows = np.flatnonzero((alpha > 0.5).any(axis=1))
    y = int(rows[0] + 0.7 * (rows[-1] - rows[0]))
    x, long_side = int(np.flatnonzero(alpha[y] > 0.5)[-1]), max(alpha.shape)
    corners = cv2.boxPoints(((x + 0.03 * long_side, y), (0.2 * long_side, 0.06 * long_side), -35))
    return cv2.fillPoly(np.zeros(alpha.shape, np.float32), [corners.astype(np.int32)], 1)


def renders(cache: Path) -> Iterator[tuple[str, Truth]]:
    """The lens benchmark's photos: exact matte and disparity."""
    for file in sorted(cache.glob("*-photo-*.npz")):
        maps = np.load(file)
        photo = srgb_decode(maps["photo"] / 255.0).astype(np.float32)
        yield file.name.split("-photo-")[0], Truth(photo=photo, alpha=maps["matte"], exact=maps["disparity"])


def table(found: list[tuple[str, Truth]]) -> dict[str, dict[str, dict[str, float]]]:
    """filter -> network -> means over scenes, and the worst."""
    rows: dict[str, dict[str, list[Figures]]] = {f: {n: [] for n in NETWORKS} for f in FILTERS}
    for seed, (_, truth) in enumerate(found):
        for network, how in NETWORKS.items():
            before, ideal = degraded(truth, how, seed)
            for name, method in FILTERS.items():
                rows[name][network].append(judged(before, method(before, truth), truth, ideal))
    return {f: {n: _summary(figures) for n, figures in by.items()} for f, by in rows.items()}


def _summary(figures: list[Figures]) -> dict[str, float]:
    keys = ("carried_before", "carried_after", "error_before", "error_after", "worse_share")
    shown = {key: mean(asdict(f)[key] for f in figures) for key in keys}
    shown |= {"carried_after_worst": max(f.carried_after for f in figures), "worse": max(f.worse for f in figures)}
    return {k: round(v, 5) for k, v in shown.items()} | {"untouched": all(f.untouched for f in figures)}


def missed(found: list[tuple[str, Truth]]) -> dict[str, float]:
    """Of the subject's pixels that a predicted matte misses in the ring: the share left at the subject's disparity."""
    from wideopen.matting.find_matte import predict_matte
    from wideopen.photo import Photo, srgb_u8

    kept: dict[str, list[tuple[int, int]]] = {name: [] for name in ("before", *FILTERS)}
    for seed, (_, truth) in enumerate(found):
        alpha = predict_matte(srgb_u8(Photo(rgb=truth.photo)), MattingSettings(matting="mobile", device="cpu"))
        before, ideal = degraded(truth, NETWORKS["widened"], seed)
        given = Truth(photo=truth.photo, alpha=alpha, exact=truth.exact)
        lost = (truth.alpha > 0.9) & (alpha < 0.1) & (ideal > SUBJECT - 0.1)
        for name in kept:
            after = before if name == "before" else FILTERS[name](before, given)
            kept[name].append((int((after > ideal - 0.1)[lost].sum()), int(lost.sum())))
    shares = {name: round(sum(k for k, _ in n) / max(1, sum(m for _, m in n)), 4) for name, n in kept.items()}
    return {"pixels": sum(m for _, m in kept["before"]), **shares}


def seconds(truth: Truth) -> dict[str, dict[str, float]]:
    """Medians of five at 12 megapixels: by the clock, and by the processor (all threads; the clock on an idle core)."""
    photo, alpha, before = (
        np.clip(cv2.resize(m, MEGAPIXELS_12[::-1], interpolation=cv2.INTER_LINEAR), 0, 1)
        for m in (truth.photo, truth.alpha, degraded(truth, NETWORKS["all of it"])[0])
    )
    big, took = Truth(photo=photo, alpha=alpha, exact=before), {}
    for name, method in FILTERS.items():
        runs = []
        for _ in range(5):
            started = time.perf_counter(), time.process_time()
            method(before, big)
            runs.append((time.perf_counter() - started[0], time.process_time() - started[1]))
        took[name] = {k: round(median(r[i] for r in runs), 3) for i, k in enumerate(("clock", "processor"))}
    return took


def show(title: str, tables: dict[str, dict[str, dict[str, float]]]) -> None:
    """Print one group of scenes."""
    print(f"\n{title}\n{'':18}{'network':16}{'carried before':>15}{'after':>8}{'worst':>8}{'error':>8}{'after':>8}"
          f"{'grew > 0.01':>13}{'most':>7}")  # fmt: skip
    for name, by in tables.items():
        for network, f in by.items():
            print(f"{name:18}{network:16}{f['carried_before']:15.3f}{f['carried_after']:8.4f}"
                  f"{f['carried_after_worst']:8.4f}{f['error_before']:8.3f}{f['error_after']:8.4f}"
                  f"{f['worse_share']:13.5f}{f['worse']:7.3f}")  # fmt: skip


def main() -> None:
    """Print the tables and write benchmarks/results/disparity_filter.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, nargs="+")
    parser.add_argument("--backgrounds", type=Path, required=True)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--renders", type=Path, default=default_cache())
    options = parser.parse_args()
    drawn = list(scenes().items())
    real = [s for photos in options.photos for s in cut_outs(photos, options.backgrounds, options.count)]
    traced = list(renders(options.renders))
    groups = {"drawn": drawn, **{kind: [s for s in real if s[0] == kind] for kind in KINDS}, "ray-traced": traced}
    result: dict[str, object] = {"count": options.count, "traced": [name for name, _ in traced]}
    for title, found in groups.items():
        if found:
            result[title] = table(found)
            show(f"{title} ({len(found)})", result[title])  # type: ignore[arg-type]
    result["missed_by_a_predicted_matte"] = missed(real)
    result["seconds_12mp"] = seconds(real[0][1])
    print(result["missed_by_a_predicted_matte"], result["seconds_12mp"])
    write_result(Path(__file__).with_name("results") / "disparity_filter.json", result)


if __name__ == "__main__":
    main()
