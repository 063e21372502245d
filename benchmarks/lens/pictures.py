"""Contact pictures: the worst case, and all scenes on one sheet."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from lens.scenes import Scene, Shot
from lens.truth import F32, View
from wideopen.evals.measures import displayed, edge_band, psnr

ERROR_GAIN = 8


class Judged(Protocol):
    """What a picture is made of."""

    scene: Scene
    shot: Shot
    view: View
    ours: F32


def worst(cases: Sequence[Judged]) -> Judged:
    """The shot with the lowest PSNR at the matte's edge against the clamped truth."""
    return min(
        cases, key=lambda case: psnr(displayed(case.ours), displayed(case.view.clamped), edge_band(case.view.matte))
    )


def strip(case: Judged) -> F32:
    """Photo, ours, truth, error x 8 side by side, display-encoded."""
    ours, truth = displayed(case.ours), displayed(case.view.clamped)
    error = np.clip(ERROR_GAIN * np.abs(ours - truth), 0, 1)
    return np.hstack([displayed(case.view.photo), ours, truth, error]).astype(np.float32)


def sheet(cases: Sequence[Judged], height_px: int = 200) -> F32:
    """Photo and clamped truth of the first shot of every scene, upright scenes first."""
    first = {case.scene.name: case for case in reversed(cases)}
    tiles = []
    for name in dict.fromkeys(case.scene.name for case in cases):
        case = first[name]
        pair = np.hstack([displayed(case.view.photo), displayed(case.view.clamped)]).astype(np.float32)
        size = (round(pair.shape[1] * height_px / pair.shape[0]), height_px)
        tiles.append(cv2.resize(pair, size, interpolation=cv2.INTER_AREA))
    return rows_of(sorted(tiles, key=lambda tile: tile.shape[1]), 7.5 * height_px)


def rows_of(tiles: Sequence[F32], width_px: float) -> F32:
    """Tiles of one height in rows of at most `width_px`, white where a row is shorter."""
    rows: list[list[F32]] = [[]]
    for tile in tiles:
        if rows[-1] and sum(t.shape[1] for t in (*rows[-1], tile)) > width_px:
            rows.append([])
        rows[-1].append(tile)
    joined = [np.hstack(row) for row in rows]
    width = max(row.shape[1] for row in joined)
    return np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=1) for row in joined])


def write(folder: Path, cases: Sequence[Judged]) -> None:
    """`lens_worst.jpg` and `lens_scenes.jpg`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in (("lens_worst.jpg", strip(worst(cases))), ("lens_scenes.jpg", sheet(cases))):
        bgr = np.rint(picture[..., ::-1] * 255).astype(np.uint8)
        cv2.imwrite(str(folder / name), bgr, [cv2.IMWRITE_JPEG_QUALITY, 82])
