"""Everything at the photo's own size: opening it, its maps with all strokes, crops of it, and the result's file.

What is in memory here is gone when the function returns; between calls a photo's maps lie on disk.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from wideopen.checks import F32, U8
from wideopen.files import read, write_map
from wideopen.photo import Photo, srgb_u8
from wideopen.pipeline import render
from wideopen.session.open_photo import NOTHING_GIVEN, Given, Opened, open_photo
from wideopen.session.progress import Steps
from wideopen.session.render_file import Job, render_file
from wideopen.session.results import map_names
from wideopen.session.settings import LensSettings, MapSettings, OutputSettings
from wideopen.studio.brush import History, Maps, paint
from wideopen.studio.preview import make_preview
from wideopen.studio.tabs import Limits, Loaded

__all__ = ["crop", "full_maps", "open_full", "render_result"]

AS_FOUND = MapSettings()
AS_GIVEN = MapSettings(depth="planar", filter_disparity=False)
"""For maps that were found, filtered and perhaps painted already: nothing is looked for again."""


def open_full(path: Path, name: str, limits: Limits, step: Steps, *, given: Given = NOTHING_GIVEN) -> Loaded:
    """Open a photo as `wideopen render` does, keep its maps on disk beside it, and make its preview.

    Raises InvalidInput, WeightsError, BackendUnavailable.
    """
    maps = AS_FOUND if given.disparity is None else replace(AS_FOUND, depth="planar")
    opened = open_photo(
        path, maps, given=given, max_megapixels=limits.max_megapixels, originals=False, step=step
    )  # an upload names no file of ours
    step("preview")
    scene = opened.scene
    files = path.parent / "matte.npy", path.parent / "disparity.npy"
    for file, values in zip(files, (scene.matte, scene.disparity), strict=True):
        write_map(file, values, overwrite=True)
    preview = make_preview(
        scene.rgb, scene.encoding, scene.matte, scene.disparity, megapixels=limits.preview_megapixels
    )
    if preview.size == preview.full_size:  # a small photo is its own preview
        preview = replace(preview, scene=scene)
    return Loaded(
        path=path,
        name=name,
        size=preview.full_size,
        given=given,
        matte=files[0],
        disparity=files[1],
        preview=preview.prepared(),
        notes=opened.notes,
        matte_source=_source(opened.matte_source, given.matte),
        disparity_source=_source(opened.disparity_source, given.disparity),
        history=History(limits.strokes),
    )


def _source(said: str, given: Path | None) -> str:
    return said if given is None else "uploaded"


def full_maps(loaded: Loaded, *, rgb: F32 | None = None) -> tuple[Path, Path]:
    """The files of matte and disparity at full size with every stroke, 16-bit PNG, named for downloading.

    They are made once for each change; `rgb` (H, W, 3) saves reading the photo for it. Raises InvalidInput.
    """
    folder = loaded.path.parent / f"maps-{loaded.edit}"
    files = tuple(folder / name for name in map_names(Path(loaded.name)))
    if not all(file.is_file() for file in files):
        folder.mkdir(exist_ok=True)
        maps = Maps(np.load(loaded.matte), np.load(loaded.disparity))
        if loaded.painted:
            light = read(loaded.path).rgb if rgb is None else rgb
            for stroke in loaded.history.strokes:
                maps, _ = paint(light, maps, stroke)
        for file, values in zip(files, maps, strict=True):
            write_map(file, values, overwrite=True)
    return files[0], files[1]


def maps_given(loaded: Loaded) -> Given:
    """The maps as files to open the photo with again: bit for bit those found, or the downloads once edited."""
    if not loaded.edited:
        return Given(matte=loaded.matte, disparity=loaded.disparity)
    matte, disparity = full_maps(loaded)
    return Given(matte=matte, disparity=disparity)


def render_result(
    loaded: Loaded, lens: LensSettings, output: OutputSettings, out: Path, limits: Limits, step: Steps
) -> Path:
    """Write the result at full size, with the photo's metadata: what `wideopen render` writes, bit for bit.

    Raises InvalidInput.
    """
    job = Job(
        lens=lens,
        maps=AS_GIVEN,
        output=output,
        given=maps_given(loaded),
        max_megapixels=limits.max_megapixels,
        originals=False,
        overwrite=True,
    )
    render_file(loaded.path, out, job, step=step)
    return out


def render_pixels(loaded: Loaded, lens: LensSettings, limits: Limits, step: Steps) -> U8:
    """The result at full size as sRGB pixels (H, W, 3), to look at."""
    opened: Opened = open_photo(
        loaded.path,
        AS_GIVEN,
        given=maps_given(loaded),
        max_megapixels=limits.max_megapixels,
        originals=False,
        step=step,
    )
    step("rendering")
    image = render(opened.scene, lens.lens(opened.scene))
    return srgb_u8(Photo(rgb=image, encoding=opened.scene.encoding))


def crop(pixels: U8, box: tuple[float, float, float, float], most_px: int = 2000) -> tuple[U8, tuple[int, ...]]:
    """A part of pixels (H, W, 3) and where it is, (x, y, width, height). `box` is in fractions; no side over `most_px`.

    >>> part, where = crop(np.zeros((100, 200, 3), np.uint8), (0.5, 0.5, 0.5, 1.0))
    >>> part.shape, where
    ((50, 100, 3), (100, 50, 100, 50))
    """
    height, width = pixels.shape[:2]
    x, y = (min(max(int(box[i] * size), 0), size - 1) for i, size in ((0, width), (1, height)))
    columns = min(max(int(np.ceil(box[2] * width)), 1), most_px, width - x)
    rows = min(max(int(np.ceil(box[3] * height)), 1), most_px, height - y)
    return np.ascontiguousarray(pixels[y : y + rows, x : x + columns]), (x, y, columns, rows)
