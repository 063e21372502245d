"""What runs in the worker processes: everything that touches a client's picture.

A job has a folder of its own, by way of which it is stopped between its steps (`workers.FolderSteps`). Messages for the
client name files as they are called in that folder, never where it lies.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wideopen.errors import InvalidInput
from wideopen.files import check_output, write_map
from wideopen.pipeline import render
from wideopen.session.open_photo import Given, Opened, open_photo
from wideopen.session.render_file import report_of, write_result
from wideopen.session.settings import LensSettings, MapSettings, OutputSettings
from wideopen.timing import timed
from wideopen.workers import FolderSteps, depths_of

MATTE, DISPARITY = "matte", "disparity"
_WARM_MEGAPIXELS = 16.0  # a prepared scene takes some 50 bytes a pixel


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A photo in a folder, and how to understand it."""

    folder: Path
    photo: str
    matte: str | None
    disparity: str | None
    maps: MapSettings
    backend: str
    max_megapixels: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How to render, and the name of the file to write into a folder."""

    folder: Path
    out: str
    lens: LensSettings
    output: OutputSettings
    with_maps: bool
    """Also write matte.png and disparity.png."""


def render_photo(source: Source, result: Result) -> dict[str, Any]:
    """Open a photo, render it, write the result; returns the report. Raises InvalidInput, Unwanted."""
    with _our_names(source.folder, result.folder):
        _check(result)
        opened = _open(source, stop_in=source.folder)
        report, seconds = _render(opened, result, source.backend)
        return report | _sources(opened) | {"seconds": _rounded(opened.seconds | seconds)}


def analyze_photo(source: Source) -> dict[str, Any]:
    """Open a photo and write its maps beside it, as float32 .npy; returns what was found. Raises as `render_photo`."""
    with _our_names(source.folder):
        opened = _open(source, stop_in=source.folder)
        FolderSteps(source.folder)("writing")
        np.save(source.folder / f"{MATTE}.npy", opened.scene.matte)
        np.save(source.folder / f"{DISPARITY}.npy", opened.scene.disparity)
        for given in filter(None, (source.matte, source.disparity)):
            (source.folder / given).unlink()
        height, width = opened.photo.rgb.shape[:2]
        found = {"size": [width, height], "filtered": opened.scene.maps.disparity_filtered}
        return found | _sources(opened) | {"seconds": _rounded(opened.seconds)}


def render_scene(scene: str, source: Source, result: Result, found: dict[str, Any]) -> dict[str, Any]:
    """Render the analysed scene in `source.folder`, of which `found` is known; returns the report.

    The scene that this worker rendered last is still prepared. Raises as `render_photo`.
    """
    with _our_names(source.folder, result.folder):
        _check(result)
        opened, preparing = _prepared(scene, source, stop_in=result.folder)
        report, seconds = _render(opened, result, source.backend)
        known = {name: found[name] for name in ("matte", "disparity", "filtered", "notes")}
        return report | known | {"seconds": _rounded(preparing | seconds)}


_warm: tuple[str, Opened] | None = None


def _prepared(scene: str, source: Source, *, stop_in: Path) -> tuple[Opened, dict[str, float]]:
    """The scene and the seconds it took to prepare: none, where it is still there."""
    global _warm
    if _warm is not None and _warm[0] == scene:
        return _warm[1], {}
    _warm = None  # before the next needs its memory
    opened = _open(source, stop_in=stop_in)
    if opened.photo.rgb.size / 3e6 <= _WARM_MEGAPIXELS:
        _warm = (scene, opened)
    return opened, opened.seconds


def _open(source: Source, *, stop_in: Path) -> Opened:
    given = Given(
        matte=source.folder / source.matte if source.matte else None,
        disparity=source.folder / source.disparity if source.disparity else None,
        max_megapixels=source.max_megapixels,
    )
    return open_photo(
        source.folder / source.photo,
        source.maps,
        given=given,
        depths=depths_of(source.maps),
        backend=source.backend,
        max_megapixels=source.max_megapixels,
        originals=False,  # a result names its original by a path, and that is the client's
        step=FolderSteps(stop_in),
    )


def _check(result: Result) -> None:
    """Refuse what could not be written, before the work."""
    output = result.output
    out = result.folder / result.out
    if output.keep_depth and out.suffix != ".jpg":
        raise InvalidInput(f"output.keep_depth: expected a result in JPEG, found {out.suffix[1:]}")
    check_output(out, quality=output.output_quality, bits=output.output_bits)


def _render(opened: Opened, result: Result, backend: str) -> tuple[dict[str, Any], dict[str, float]]:
    """Render and write; returns (the report without paths, seconds of the two)."""
    step = FolderSteps(result.folder)
    seconds: dict[str, float] = {}
    lens = result.lens.lens(opened.scene)
    step("rendering")
    with timed(seconds, "render"):
        image = render(opened.scene, lens, backend=backend)
    step("writing")
    out = result.folder / result.out
    with timed(seconds, "write"):
        write_result(image, out, opened, result.output)
        if result.with_maps:
            write_map(result.folder / f"{MATTE}.png", opened.scene.matte, overwrite=True)
            write_map(result.folder / f"{DISPARITY}.png", opened.scene.disparity, overwrite=True)
    report = report_of(opened, lens, out, backend)
    return {key: value for key, value in report.items() if key not in ("photo", "out")}, seconds


def _sources(opened: Opened) -> dict[str, Any]:
    """Where the maps came from, without the paths of those that were given."""
    folder = str(opened.path.parent)
    words = {MATTE: opened.matte_source, DISPARITY: opened.disparity_source}
    return {key: "given" if word.startswith(folder) else word for key, word in words.items()} | {
        "notes": [note.replace(f"{folder}/", "") for note in opened.notes]
    }


def _rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in seconds.items()}


@contextmanager
def _our_names(*folders: Path) -> Iterator[None]:
    """Take the folders out of what an InvalidInput says."""
    try:
        yield
    except InvalidInput as error:
        text = str(error)
        for folder in folders:
            text = text.replace(f"{folder}/", "")
        raise InvalidInput(text) from None
