"""The parts of alternatives.py that look at pictures: files for the programs, scores against truth, sheets of crops."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lens.baselines import typical_radius
from lens.export import codes
from others import Failed, Program, Work, run
from wideopen.checks import F32, U8
from wideopen.color import srgb_encode
from wideopen.evals.dists import load_dists
from wideopen.evals.judge import SWEEP, MadePicture, Method, Picture, lens_of, line_of, open_pair, true_picture
from wideopen.evals.measures import edge_band, load_flip
from wideopen.evals.obedience import laplacian_variance, lvcorr
from wideopen.evals.pairs import Pair, find_pairs
from wideopen.evals.report import ERROR_GAIN, labelled, means, square_at, stacked, write_sheet
from wideopen.files import read
from wideopen.session.open_photo import Job, Opened, open_photo
from wideopen.settings import LensSettings, MapSettings

CROP_PX = 160


def work_of(
    folder: Path,
    rgb: F32,
    matte: F32,
    disparity: F32,
    *,
    focus: float,
    focus_range: float,
    full_px: float,
    highlights: float = 1.0,
) -> Work:
    """Write the files that every program reads, besides photo.jpg."""
    radius = full_px * np.maximum(np.abs(disparity - focus) - focus_range, 0)
    most = float(radius.max())
    shown = np.clip(srgb_encode(rgb), 0, 1)
    codes(folder / "photo.png", shown, 255)
    codes(folder / "matte.png", matte, 65535)
    codes(folder / "disparity.png", disparity, 65535)
    codes(folder / "map.png", radius / max(most, 1e-6), 65535)
    subject = np.dstack([shown[..., ::-1], matte])
    cv2.imwrite(str(folder / "subject.png"), np.rint(subject * 65535).astype(np.uint16))
    inside, outside = (float(np.median(radius[where])) for where in (matte > 0.5, matte <= 0.5))
    typical = typical_radius(matte, disparity, focus_disparity=focus, full_radius_px=full_px)
    return Work(
        folder=folder,
        photo="photo.png",
        size=(rgb.shape[1], rgb.shape[0]),
        focus=focus,
        focus_range=focus_range,
        full_px=full_px,
        most_px=most,
        typical_px=typical,
        subject_in_focus=inside < outside,
        highlights=highlights,
    )


def opened_work(folder: Path, opened: Opened, pair: Pair | None, highlights: float) -> Work:
    """The files of an opened photo, seen through the pair's lens or the default one."""
    settings = LensSettings(highlights=highlights, grain="off")
    scene = opened.scene
    lens = settings.lens(scene) if pair is None else lens_of(pair, settings, opened)
    return work_of(
        folder,
        opened.photo.rgb,
        scene.matte,
        scene.disparity,
        focus=lens.focus_disparity,
        focus_range=lens.focus_range,
        full_px=lens.max_radius * max(scene.rgb.shape[:2]),
        highlights=highlights,
    )


def made_by(program: Program, work: Work) -> Picture:
    """What a program makes of a photo. Raises Failed."""
    run(program, work)
    photo = read(work.folder / work.out)
    return Picture(rgb=photo.rgb, encoding=photo.encoding)


def method(program: Program, work: Work) -> Method:
    """A program as `evals.judge` takes it, with LVCorr."""

    def make(pair: Pair, _: Picture) -> MadePicture:
        picture = made_by(program, work)
        if not program.obeys:
            return MadePicture(picture=picture)
        shown = [Picture(rgb=read(pair.sharp).rgb), *(made_by(program, work.weaker(part)) for part in SWEEP), picture]
        obeyed = lvcorr((0, *SWEEP, 1), [laplacian_variance(one.shown) for one in shown])
        return MadePicture(picture=picture, facts={"lvcorr": obeyed})

    return make


def scores(
    rows: dict[str, Program], folder: Path, highlights: float, show: list[str], dists: bool
) -> tuple[dict[str, Any], list[U8]]:
    """For a folder of pairs the means of each program, in all and by what is in focus, and the strips of some pairs."""
    lines: dict[str, list[Any]] = {title: [] for title in rows}
    not_run: dict[str, str] = {}
    kinds: dict[str, list[str]] = {"all": [], "subject": [], "background": []}
    strips: list[U8] = []
    slow = {"flip": load_flip()} | ({"dists": load_dists()} if dists else {})
    for pair in find_pairs(folder).pairs:
        opened = open_pair(pair, MapSettings())
        truth = true_picture(pair)
        made: dict[str, F32] = {"photo": Picture(rgb=opened.photo.rgb).shown, "truth": truth.shown}
        with tempfile.TemporaryDirectory() as name:
            work = opened_work(Path(name), opened, pair, highlights)
            for kind in ("all", "subject" if work.subject_in_focus else "background"):
                kinds[kind].append(pair.name)
            for title, program in rows.items():
                try:
                    found = method(program, work)(pair, truth)
                    lines[title].append(line_of(pair, found, truth, slow))
                    made[title] = found.picture.shown
                except Failed as error:
                    not_run[title] = str(error)
        if pair.name in show:
            strips.append(strip(opened.scene.matte, made))
        print(folder.name, pair.name, file=sys.stderr)
    return {
        "highlights": highlights,
        "pairs": {kind: len(names) for kind, names in kinds.items()},
        "means": {
            title: {kind: means(line for line in done if line["pair"] in names) for kind, names in kinds.items()}
            for title, done in lines.items()
            if title not in not_run
        },
        "not_run": not_run,
    }, strips


def pictures(rows: dict[str, Program], photos: list[Path], sheet: Path) -> dict[str, Any]:
    """A sheet of crops of photos without a truth; returns what could not be run."""
    strips, not_run = [], {}
    for photo in photos:
        opened = open_photo(photo, Job(maps=MapSettings(depth="small", offline=True)))
        made: dict[str, F32] = {"photo": Picture(rgb=opened.photo.rgb).shown}
        with tempfile.TemporaryDirectory() as name:
            work = opened_work(Path(name), opened, None, 1.0)
            for title, program in rows.items():
                try:
                    made[title] = made_by(program, work).shown
                except Failed as error:
                    not_run[title] = str(error)
        strips.append(strip(opened.scene.matte, made))
    write_sheet(sheet, stacked(strips), overwrite=True)
    return {"photos": [photo.name for photo in photos], "not_run": not_run}


def strip(matte: F32, made: dict[str, F32]) -> U8:
    """Crops side by side at 100 %, where the subject has most outline; below them their errors, if truth is there."""
    where = square_at(edge_band(matte, 1).astype(np.float32), CROP_PX)
    crops = {title: np.ascontiguousarray(picture[where]) for title, picture in made.items()}
    tiles = [labelled([crop], title, CROP_PX) for title, crop in crops.items()]
    if "truth" in crops:
        wrong = [np.clip(ERROR_GAIN * np.abs(crop - crops["truth"]), 0, 1) for crop in crops.values()]
        tiles = [np.vstack([t, np.rint(255 * error).astype(np.uint8)]) for t, error in zip(tiles, wrong, strict=True)]
    return np.hstack(tiles)
