"""Tasks for worker processes: everything that reads or writes a photo's file.

The serving process holds only the results: the arrays of a small `Scene`, and file names. Maps lie on disk between
calls. Functions are pickled by name; `step` is the last argument of each.
"""

import pickle
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wideopen.errors import InvalidInput
from wideopen.files import read, write_map
from wideopen.matting import Outline
from wideopen.pipeline import Scene
from wideopen.session.open_photo import Job, open_photo
from wideopen.session.render_file import render_file, user_names
from wideopen.session.results import map_names
from wideopen.settings import LensSettings, OutputSettings
from wideopen.studio.brush import MapPair, Stroke, paint
from wideopen.studio.preview import render_u8, shrink
from wideopen.timing import Steps

_PREVIEW = "preview.pickle"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoFile:
    """A photo in a folder of its own, how it is opened, and the strokes on its maps."""

    path: Path
    name: str  # of the user's file
    job: Job  # without a lens; its maps are the user's own
    strokes: tuple[Stroke, ...] = ()
    edit: int = 0  # incremented with every change of the maps
    outline: Outline = Outline.FOUND  # of the matte, once the photo is opened

    @property
    def folder(self) -> Path:
        """The folder of the photo and its other files."""
        return self.path.parent

    @property
    def found(self) -> tuple[Path, Path]:
        """Matte and disparity at full size before any stroke, float32 .npy; they exist once the photo is opened."""
        return self.folder / "matte.npy", self.folder / "disparity.npy"

    @property
    def edited(self) -> bool:
        """Whether the maps differ from those that `wideopen render` would find."""
        return bool(self.strokes or self.job.given.files)


def open_for_page(photo: PhotoFile, preview_megapixels: float, step: Steps) -> tuple[int, ...]:
    """Open a photo as `wideopen render` does, and write its maps and its preview beside it; returns its size (H, W).

    Raises InvalidInput, WeightsError, BackendUnavailable; their messages name the user's file.
    """
    try:
        with user_names((str(photo.path), photo.name), (f"{photo.folder}/", "")):
            scene = open_photo(photo.path, photo.job, step).scene
    except InvalidInput as error:
        named = photo.name in str(error) or photo.job.given.files
        raise error if named else InvalidInput(f"{photo.name}: {error}") from None
    step("preview")
    for path, values in zip(photo.found, (scene.matte, scene.disparity), strict=True):
        write_map(path, values, overwrite=True)
    small = shrink(scene, preview_megapixels, backend=photo.job.backend)
    known = replace(
        small.maps,
        matte_source=scene.maps.matte_source if photo.job.given.matte is None else "uploaded",
        disparity_source=scene.maps.disparity_source if photo.job.given.disparity is None else "uploaded",
        notes=tuple(note.replace(f"{photo.folder}/", "") for note in scene.maps.notes),
    )
    # In a file: killing a worker while it sends 80 MB would break the pipe that all workers share.
    with (photo.folder / _PREVIEW).open("wb") as file:
        pickle.dump(replace(small, maps=known), file, protocol=pickle.HIGHEST_PROTOCOL)
    return scene.disparity.shape


def take_preview(photo: PhotoFile) -> Scene:
    """In the serving process: read the scene that a worker made, at preview size, and delete its file.

    Its maps have the sources and the notes of the full-size ones.
    """
    file = photo.folder / _PREVIEW
    with file.open("rb") as data:
        preview: Scene = pickle.load(data)  # noqa: S301  made by our worker, in a private folder
    file.unlink()
    return preview


def write_maps(photo: PhotoFile, step: Steps) -> tuple[Path, Path]:
    """Write matte and disparity at full size with every stroke, as 16-bit PNG named for downloading; once per edit.

    Raises InvalidInput.
    """
    folder = photo.folder / f"maps-{photo.edit}"
    matte, disparity = (folder / name for name in map_names(Path(photo.name)))
    if not (matte.is_file() and disparity.is_file()):
        folder.mkdir(exist_ok=True)
        maps = MapPair(*(np.load(file) for file in photo.found))
        if photo.strokes:
            step("reading")
            light = read(photo.path, max_megapixels=photo.job.max_megapixels).rgb
            for stroke in photo.strokes:
                maps, _ = paint(light, maps, stroke)
        step("writing")
        write_map(matte, maps.matte, outline=photo.outline, overwrite=True)
        write_map(disparity, maps.disparity, overwrite=True)
    return matte, disparity


def render_result(photo: PhotoFile, lens: LensSettings, output: OutputSettings, out: Path, step: Steps) -> Path:
    """Write the result at full size with the photo's metadata, bit for bit what `wideopen render` writes.

    Raises InvalidInput.
    """
    render_file(photo.path, out, replace(_as_found(photo, step), lens=lens, output=output), step=step)
    return out


def render_pixels(photo: PhotoFile, lens: LensSettings, out: Path, step: Steps) -> Path:
    """Write the result at full size for display: sRGB pixels (H, W, 3) uint8, .npy. Raises InvalidInput."""
    scene = open_photo(photo.path, _as_found(photo, step), step).scene
    step("rendering")
    np.save(out, render_u8(scene, lens.lens(scene), backend=photo.job.backend))
    return out


def _as_found(photo: PhotoFile, step: Steps) -> Job:
    """The job with exactly the maps that were found, or with the downloads if they were edited; predicts nothing."""
    matte, disparity = write_maps(photo, step) if photo.edited else photo.found
    return photo.job.with_maps(matte, disparity, photo.outline)
