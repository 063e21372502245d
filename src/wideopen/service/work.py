"""Functions that run in the worker processes: everything that touches a client's image.

Each job has its own folder, through which it can be stopped between its steps (`workers.FolderSteps`). Messages to the
client contain the names of files in that folder, never its path.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wideopen.errors import InvalidInput
from wideopen.files import check_output
from wideopen.session.open_photo import Job, Opened, open_photo
from wideopen.session.render_file import render_file, render_opened, user_names
from wideopen.settings import OutputSettings
from wideopen.workers import FolderSteps

MATTE, HINT, DISPARITY = "matte", "matte_hint", "disparity"
_WARM_MEGAPIXELS = 16.0  # a prepared scene takes about 50 bytes per pixel


def render_photo(out: Path, job: Job, photo: Path) -> dict[str, Any]:
    """Open and render a photo and write the result to `out`; return the report. Raises InvalidInput, WorkCancelled."""
    with user_names((f"{photo.parent}/", "")):
        _check(out, job.output)
        report = render_file(photo, out, job, step=FolderSteps(photo.parent))
        return _public(report, photo.parent)


def analyze_photo(photo: Path, job: Job) -> dict[str, Any]:
    """Open a photo and write its maps beside it as float32 .npy; return the facts. Raises as `render_photo`."""
    with user_names((f"{photo.parent}/", "")):
        opened = open_photo(photo, job, FolderSteps(photo.parent))
        FolderSteps(photo.parent)("writing")
        np.save(photo.parent / f"{MATTE}.npy", opened.scene.matte)
        np.save(photo.parent / f"{DISPARITY}.npy", opened.scene.disparity)
        for given in job.given.files:
            given.unlink()
        return _public(opened.facts | {"seconds": opened.scene.maps.seconds}, photo.parent)


def render_scene(out: Path, job: Job, photo: Path, scene: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Render the analysed scene of a photo; `found` is the result of its analysis. Return the report.

    The worker keeps its last scene prepared. Raises what `render_photo` raises.
    """
    with user_names((f"{photo.parent}/", ""), (f"{out.parent}/", "")):
        _check(out, job.output)
        opened, preparing = _prepared(scene, photo, job, stop_in=out.parent)
        report = render_opened(opened, out, job, step=FolderSteps(out.parent))
        report["seconds"] = preparing | report["seconds"]
        known = {name: found[name] for name in (MATTE, "outline", DISPARITY, "filtered", "notes")}
        return _public(report | known, photo.parent)


_warm: tuple[str, Opened] | None = None


def _prepared(scene: str, photo: Path, job: Job, *, stop_in: Path) -> tuple[Opened, dict[str, float]]:
    """Return the scene and the seconds of each step of its preparation, which are empty if it was still prepared."""
    global _warm
    if _warm is not None and _warm[0] == scene:
        return _warm[1], {}
    _warm = None  # free its memory before the next scene is prepared
    opened = open_photo(photo, job, FolderSteps(stop_in))
    if opened.photo.rgb.size / 3e6 <= _WARM_MEGAPIXELS:
        _warm = (scene, opened)
    return opened, opened.scene.maps.seconds


def _check(out: Path, output: OutputSettings) -> None:
    """Refuse output that cannot be written before the work starts, in terms of the service's settings."""
    if output.keep_depth and out.suffix != ".jpg":
        raise InvalidInput(f"output.keep_depth: expected a result in JPEG, found {out.suffix[1:]}")
    check_output(out, quality=output.output_quality, bits=output.output_bits, hdr=output.hdr)


def _public(report: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the report without paths and without the total time."""
    found = {name: value for name, value in report.items() if name not in ("photo", "out")}
    for name in (MATTE, DISPARITY):
        found[name] = "given" if found[name].startswith(str(folder)) else found[name]
    found["notes"] = [note.replace(f"{folder}/", "") for note in found["notes"]]
    found["seconds"] = {step: round(value, 4) for step, value in found["seconds"].items() if step != "total"}
    return found
