"""From a photo's file to a scene: its pixels, the maps given, kept or embedded, and what networks add."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from wideopen.checks import F32, require
from wideopen.errors import InvalidInput
from wideopen.files import read_depth_m, read_disparity, read_matte
from wideopen.files.maps import MAX_MAP_MEGAPIXELS
from wideopen.files.metadata.exif import taken_in_portrait_mode
from wideopen.photo import Photo
from wideopen.pipeline import Scene, take_apart, understand
from wideopen.session import matte_source as mattes
from wideopen.session.depth_source import Depths
from wideopen.session.kept_maps import SOURCE, read_with_kept
from wideopen.session.progress import SILENT, Steps
from wideopen.session.results import MAP_EXTENSIONS
from wideopen.settings import MAX_MEGAPIXELS, MapSettings
from wideopen.timing import timed

BLURRED_TWICE = (
    "taken in portrait mode: where the phone has blurred the background already it is blurred again;"
    " the same photo without the phone's effect gives a better picture"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Files of maps that the user gives; what is None is found or predicted."""

    matte: Path | None = None
    mattes: Path | None = None  # a folder with a matte for each photo, by name
    disparity: Path | None = None
    depth_m: Path | None = None
    max_megapixels: float = MAX_MAP_MEGAPIXELS  # of a picture of a map
    exact_matte: bool = False  # mattes are as a rule some network's: see `pipeline.analyze`

    def __post_init__(self) -> None:
        require(self.matte is None or self.mattes is None, "--matte and --mattes: expected one of them, found both")
        require(self.mattes is None or self.mattes.is_dir(), f"--mattes: expected a folder, found {self.mattes}")
        both = self.disparity is not None and self.depth_m is not None
        require(not both, "--disparity and --depth-m: expected one of them, found both")

    @property
    def files(self) -> list[Path]:
        """The files named one by one."""
        return [path for path in (self.matte, self.disparity, self.depth_m) if path is not None]

    def matte_of(self, photo: Path) -> Path | None:
        """The file of a photo's matte, if mattes are given. Raises InvalidInput for a folder without it."""
        if self.mattes is None:
            return self.matte
        for suffix in MAP_EXTENSIONS:
            file = self.mattes / f"{photo.stem}{suffix}"
            if file.is_file():
                return file
        raise InvalidInput(f"--mattes: expected a matte {self.mattes / photo.stem}.png, found none")


NOTHING_GIVEN = Given()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Opened:
    """A photo from a file, understood and taken apart; render its scene as often as you like."""

    path: Path
    photo: Photo
    scene: Scene
    matte_source: str
    disparity_source: str
    notes: tuple[str, ...]  # for the user, a line each
    seconds: dict[str, float] = field(default_factory=dict)


class _Read(NamedTuple):
    photo: Photo
    matte: F32 | None
    disparity: F32 | None
    matte_source: str | None
    disparity_source: str | None


def open_photo(
    path: Path,
    maps: MapSettings,
    *,
    given: Given = NOTHING_GIVEN,
    depths: Depths | None = None,
    backend: str = "auto",
    max_megapixels: float = MAX_MEGAPIXELS,
    originals: bool = True,
    step: Steps = SILENT,
) -> Opened:
    """Read a photo and analyse it. Slow, once per photo.

    `depths` is the source of depth of several photos, so that a model is fetched, or given up, once for all.
    With `originals` off, a result that keeps its maps is rendered itself, and no original that it names is opened.
    Raises InvalidInput, WeightsError, BackendUnavailable.
    """
    depths = depths or Depths(maps.depth, offline=maps.offline)
    seconds: dict[str, float] = {}
    step("reading")
    with timed(seconds, "read"):
        read = _read(path, maps, given, max_megapixels, originals=originals)
        embedded, own = None, mattes.Found()
        looks_for_depth = read.disparity is None and depths.looks_inside
        looks_for_matte = read.matte is None and mattes.looks_inside(maps.matting)
        source = read.photo.source or path  # the original of a result that keeps its maps
        parts = mattes.parts_of(source, wanted=looks_for_depth or looks_for_matte)
        if read.disparity is None:
            embedded = depths.embedded(source, parts, step)
        if read.matte is None:
            own = mattes.from_photo(maps.matting, parts, read.photo)
    blurred = (BLURRED_TWICE,) if taken_in_portrait_mode(read.photo.metadata.exif) else ()
    found = understand(
        read.photo,
        replace(maps, filter_disparity=False) if read.disparity_source == SOURCE else maps,  # what is kept was filtered
        matte=own.matte if read.matte is None else read.matte,
        disparity=read.disparity,
        embedded=embedded,
        on_step=step,
    )
    exact = given.exact_matte and read.matte is not None
    scene = take_apart(read.photo, found, exact_matte=exact, backend=backend, on_step=step)
    return Opened(
        path=path,
        photo=read.photo,
        scene=scene,
        matte_source=read.matte_source or own.source or found.matte_source,
        disparity_source=read.disparity_source or found.disparity_source,
        notes=(*read.photo.metadata.notes, *blurred, *found.notes, *mattes.notes_of(parts), *own.notes),
        seconds=seconds | found.seconds,
    )


def _read(path: Path, maps: MapSettings, given: Given, max_megapixels: float, *, originals: bool) -> _Read:
    """The photo, and the matte and disparity that were given, or else kept with it, with their sources."""
    photo, kept = read_with_kept(path, max_megapixels=max_megapixels, originals=originals)
    size = photo.rgb.shape[:2]
    matte, disparity, matte_source, disparity_source = None, None, None, None
    if (file := given.matte_of(path)) is not None:
        matte, matte_source = read_matte(file, size=size, max_megapixels=given.max_megapixels), str(file)
    elif kept is not None and maps.matting == "auto":
        matte, matte_source = kept.matte, SOURCE
    if given.disparity is not None:
        disparity = read_disparity(given.disparity, size=size, max_megapixels=given.max_megapixels)
        disparity_source = str(given.disparity)
    elif given.depth_m is not None:
        disparity, disparity_source = read_depth_m(given.depth_m, size=size), str(given.depth_m)
    elif kept is not None and maps.depth == "auto":
        disparity, disparity_source = kept.disparity, SOURCE
    return _Read(photo, matte, disparity, matte_source, disparity_source)
