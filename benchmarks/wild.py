"""Mattes of photos of every kind: whether the subject is complete, and nothing else in it.

    python benchmarks/wild.py PHOTOS [--start FILE.onnx]

PHOTOS holds people/ and none/, each with rgb/NAME.jpg and a teacher's mattes, isnet/NAME.png. wild.json names the 100
photos, and whose matte of each is the truth, chosen by eye: the teacher's, `mobile`'s without a start, or the larger of
the two at every pixel. So `mobile` without a start is judged kindly where the truth is its own. Columns: photos, mean
intersection over union at 0.5, photos where that is below 0.9, photos with a wrong blob or hole above 1 % of the photo;
of empty scenes, those with a matte of less than 1 %.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from provenance import ROOT, write_result
from wideopen.arrays.maps import resize_map
from wideopen.checks import F32, U8
from wideopen.evals.mattes import read_alpha, read_rgb
from wideopen.matting.engine import pick_engine
from wideopen.matting.inference import MattingSettings
from wideopen.matting.predict import matte_by
from wideopen.matting.start import segment_by

CHOSEN = Path(__file__).with_suffix(".json")
WHOLE, BLOB, EMPTY = 0.9, 0.01, 0.01
THIN = 0.004  # half the width of what is too thin for a blob, as a fraction of the long side


def mattes(photo: U8, start: str | None) -> dict[str, F32]:
    """Mattes (H, W) of a photo by `mobile`, and with a start also by that network alone and by both."""
    engine, settings = pick_engine("mobile", "onnx"), MattingSettings(matting="mobile", matting_start="none")
    found = {"mobile": matte_by(engine, settings, photo)}
    if start is not None:
        segmented = segment_by(start, photo)
        found["start alone"] = resize_map(segmented, photo.shape)
        found["started"] = matte_by(engine, settings, photo, start=lambda _: segmented)
    return found


def scores(alpha: F32, truth: F32 | None) -> tuple[float, ...]:
    """(IoU, below 0.9, wrong blob), or (empty,) where there is no truth."""
    if truth is None:
        return (float(alpha.mean() < EMPTY),)
    inside, expected = alpha > 0.5, truth > 0.5
    side = 2 * max(1, round(THIN * max(alpha.shape))) + 1
    wrong = cv2.morphologyEx((inside != expected).astype(np.uint8), cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    areas = cv2.connectedComponentsWithStats(wrong, connectivity=8)[2][1:, cv2.CC_STAT_AREA]
    iou = float((inside & expected).sum() / max(1, (inside | expected).sum()))
    return iou, float(iou < WHOLE), float(areas.max(initial=0) > BLOB * alpha.size)


def main() -> None:
    """Matte all photos, print a table, and write benchmarks/results/wild.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--start", help="a segmentation network, as --matting-start takes it: isnet or a .onnx file")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "wild.json")
    asked = parser.parse_args()
    found: dict[tuple[str, str], list[tuple[float, ...]]] = defaultdict(list)
    rows = []
    for kind, choice in json.loads(CHOSEN.read_text("utf-8")).items():
        for name, whose in choice.items():
            folder, stem = asked.photos / Path(name).parent, Path(name).name
            made = mattes(read_rgb(folder / "rgb" / f"{stem}.jpg"), asked.start)
            teacher = read_alpha(folder / "isnet" / f"{stem}.png").astype(np.float32) / np.float32(255)
            truths = {"teacher": teacher, "mobile": made["mobile"], "both": np.maximum(teacher, made["mobile"])}
            for method, alpha in made.items():
                score = scores(alpha, truths.get(whose))
                found[kind, method].append(score)
                rows.append({"kind": kind, "photo": name, "truth": whose, "method": method, "scores": score})
    table = []
    for (kind, method), of in found.items():
        mean, counts = np.mean(of, axis=0), np.sum(of, axis=0)
        row = {"kind": kind, "method": method, "photos": len(of)}
        if kind == "empty":
            table.append(row | {"empty": int(counts[0])})
        else:
            table.append(row | {"iou": float(mean[0]), "below_0.9": int(counts[1]), "wrong_blob": int(counts[2])})
        print(*(f"{value:.3f}" if isinstance(value, float) else value for value in table[-1].values()), sep="  ")
    write_result(asked.out, {"table": table, "rows": rows})
    print(f"written to {asked.out}")


if __name__ == "__main__":
    main()
