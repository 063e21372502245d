"""From a photo's file to its maps or its scene; only this module decides which matte and disparity are used.

`auto` uses the portrait matte inside the photo if there is one: phones make it from more data than the finished photo
(depth, several exposures), and it needs no computing. A network asked for by name is always used.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

from wideopen.arrays.maps import resize_map
from wideopen.backends import require_known
from wideopen.checks import F32, require
from wideopen.disparity import hub
from wideopen.disparity.depth_map import DepthMap
from wideopen.disparity.find_disparity import WORDS
from wideopen.errors import InvalidInput, WeightsError, WideopenError
from wideopen.files import Keep, read, read_depth_m, read_disparity, read_matte
from wideopen.files.containers.tiff import taken_in_portrait_mode
from wideopen.files.inside import read_embedded
from wideopen.files.inside.parts import Embedded
from wideopen.files.maps import MAP_EXTENSIONS, MAX_MAP_MEGAPIXELS, read_matte_and_outline
from wideopen.files.refocusable import Kept, read_kept
from wideopen.matting import Outline
from wideopen.matting.find_matte import emptiness, load_network, predict_matte
from wideopen.matting.inference import INSIDE, NETWORK
from wideopen.matting.start import fetch_isnet
from wideopen.photo import Photo, srgb_u8
from wideopen.pipeline import Maps, Scene, take_apart, understand
from wideopen.rendering import BACKENDS
from wideopen.settings import MAX_MEGAPIXELS, LensSettings, MapSettings, OutputSettings
from wideopen.timing import SILENT, Steps, timed

KEPT = "kept with the photo"
EMBEDDED_MATTE = "embedded portrait matte"
BLURRED_TWICE = (
    "taken in portrait mode: if the phone has blurred the background already, it is blurred twice;"
    " the same photo without the phone's effect gives a better picture"
)
_NEARLY_EMPTY = 0.5
_tried: set[str] = set()
"""Models that this process tried to download; without a network connection, every photo would try again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Files with the user's own maps; a map that is None is found or predicted."""

    matte: Path | None = None
    matte_hint: Path | None = None  # a rough mask, scribble or trimap for the network
    mattes: Path | None = None  # a folder with a matte for each photo, by name
    matte_hints: Path | None = None  # a folder with hints for some of the photos, by name
    disparity: Path | None = None
    depth_m: Path | None = None
    max_megapixels: float = MAX_MAP_MEGAPIXELS  # limit for a map's picture
    outline: Outline | None = None  # of the matte; None = what its file says, else `GIVEN`

    def __post_init__(self) -> None:
        mattes = {"--matte": self.matte, "--mattes": self.mattes}
        mattes |= {"--matte-hint": self.matte_hint, "--matte-hints": self.matte_hints}
        chosen = [name for name, path in mattes.items() if path is not None]
        require(len(chosen) < 2, f"{' and '.join(chosen)}: expected one of them, found {len(chosen)}")
        for name in ("--mattes", "--matte-hints"):
            folder = mattes[name]
            require(folder is None or folder.is_dir(), f"{name}: expected a folder, found {folder}")
        both = self.disparity is not None and self.depth_m is not None
        require(not both, "--disparity and --depth-m: expected one of them, found both")

    @property
    def files(self) -> list[Path]:
        """The files that are named one by one, without the folder `mattes`."""
        return [path for path in (self.matte, self.matte_hint, self.disparity, self.depth_m) if path is not None]

    def matte_of(self, photo: Path) -> Path | None:
        """The file of a photo's matte, if mattes are given. Raises InvalidInput if the folder does not have it."""
        if self.mattes is None:
            return self.matte
        file = _map_in(self.mattes, photo)
        require(file is not None, f"--mattes: expected a matte {self.mattes / photo.stem}.png, found none")
        return file

    def hint_of(self, photo: Path) -> Path | None:
        """The file of a photo's hint, if it has one."""
        return self.matte_hint if self.matte_hints is None else _map_in(self.matte_hints, photo)

    def read_matte(self, photo: Path, size: tuple[int, int]) -> tuple[F32 | None, str | None, Outline]:
        """Return (the user's matte for a photo of `size` (H, W), its file, its outline). Raises InvalidInput."""
        file = self.matte_of(photo)
        if file is None:
            return None, None, Outline.FOUND
        matte, stated = read_matte_and_outline(file, size=size, max_megapixels=self.max_megapixels)
        return matte, str(file), self.outline or stated or Outline.GIVEN

    def read_hint(self, photo: Path, size: tuple[int, int]) -> F32 | None:
        """The user's hint for the matte of a photo of `size` (H, W). Raises InvalidInput."""
        file = self.hint_of(photo)
        return None if file is None else read_matte(file, size=size, max_megapixels=self.max_megapixels)

    def read_disparity(self, size: tuple[int, int]) -> tuple[F32 | None, str | None]:
        """Return (the user's disparity for a photo of `size` (H, W), its file). Raises InvalidInput."""
        if self.disparity is not None:
            disparity = read_disparity(self.disparity, size=size, max_megapixels=self.max_megapixels)
            return disparity, str(self.disparity)
        if self.depth_m is not None:
            return read_depth_m(self.depth_m, size=size), str(self.depth_m)
        return None, None


def _map_in(folder: Path, photo: Path) -> Path | None:
    """The file in `folder` that has the name of `photo` and the extension of a map, or None."""
    files = (folder / f"{photo.stem}{suffix}" for suffix in MAP_EXTENSIONS)
    return next((file for file in files if file.is_file()), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The settings that all photos of one command share."""

    lens: LensSettings = field(default_factory=LensSettings)
    maps: MapSettings = field(default_factory=MapSettings)
    output: OutputSettings = field(default_factory=OutputSettings)
    given: Given = field(default_factory=Given)
    save_matte: Path | None = None
    save_disparity: Path | None = None
    backend: str = "auto"
    max_megapixels: float = MAX_MEGAPIXELS
    originals: bool = True  # render a result that keeps its maps from the original that it names
    overwrite: bool = False

    def __post_init__(self) -> None:
        require_known(BACKENDS, self.backend)

    @classmethod
    def of_upload(cls, maps: MapSettings, backend: str, max_megapixels: float) -> "Job":
        """The job for a client's files in a folder of their own; they must not refer to other files on this machine."""
        limits = {"given": Given(max_megapixels=max_megapixels), "max_megapixels": max_megapixels}
        return cls(maps=maps, backend=backend, originals=False, overwrite=True, **limits)  # type: ignore[arg-type]

    def with_maps(self, matte: Path, disparity: Path, outline: Outline) -> "Job":
        """This job with maps found earlier: nothing is predicted, and the disparity is not filtered again."""
        maps = replace(self.maps, depth="planar", filter_disparity=False)
        own = replace(self.given, matte_hint=None, matte_hints=None)
        given = replace(own, matte=matte, disparity=disparity, outline=outline)
        return replace(self, maps=maps, given=given)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Opened:
    """An analysed photo; its scene can be rendered any number of times.

    `scene.maps` has the sources of both maps, the notes for the user, and the seconds of each step.
    """

    path: Path
    photo: Photo
    scene: Scene

    @property
    def facts(self) -> dict[str, Any]:
        """The result of the analysis as JSON values, for reports."""
        maps, (height, width) = self.scene.maps, self.scene.rgb.shape[:2]
        return {
            "size": [width, height],
            "matte": maps.matte_source,
            "outline": maps.outline.value,
            "disparity": maps.disparity_source,
            "filtered": maps.disparity_filtered,
            "notes": list(maps.notes),
        }


def open_photo(path: Path, job: Job, step: Steps = SILENT) -> Opened:
    """Read a photo and analyse it. This is slow, and needed once per photo.

    Raises InvalidInput, WeightsError, BackendUnavailable.
    """
    seconds: dict[str, float] = {}
    with timed(seconds, "read"):
        sources = _find_sources(path, job, step)
    maps = sources.find(on_step=step)
    maps = replace(maps, **sources.named(maps), seconds=seconds | maps.seconds)
    if taken_in_portrait_mode(sources.photo.metadata.exif):
        maps = replace(maps, notes=(BLURRED_TWICE, *maps.notes))
    photo = replace(sources.photo, codes=None)  # only the maps needed them
    del sources
    scene = take_apart(photo, maps, backend=job.backend, on_step=step)
    return Opened(path=path, photo=photo, scene=scene)


def find_maps(path: Path, job: Job, step: Steps = SILENT) -> Maps:
    """The matte and the disparity that `open_photo` finds, without making a scene. Raises the same errors."""
    sources = _find_sources(path, job, step)
    maps = sources.find(on_step=step)
    return replace(maps, **sources.named(maps))


def find_matte(path: Path, job: Job, step: Steps = SILENT) -> tuple[F32, Outline, tuple[str, ...]]:
    """Return (the matte (H, W) that `open_photo` finds, its outline, notes). Raises the same errors."""
    sources = _find_sources(path, replace(job, maps=replace(job.maps, depth="planar")), step)
    matte = sources.matte
    if matte is None:
        step("matte")
        matte = predict_matte(srgb_u8(sources.photo), job.maps, sources.matte_hint)
    empty = emptiness(matte)
    return matte, sources.outline, (*sources.notes, *([empty] if empty else []))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sources:
    """A photo and its existing maps; a map that is None is predicted, or made from the matte."""

    photo: Photo
    find: Callable[..., Maps]  # `understand` of the photo and what is known of it
    matte: F32 | None  # (H, W) in [0, 1]
    matte_source: str | None
    outline: Outline  # of the matte
    matte_hint: F32 | None  # (H, W) in [0, 1], for the network
    disparity_source: str | None
    notes: tuple[str, ...]

    def named(self, maps: Maps) -> dict[str, Any]:
        """The sources that `maps` are to state."""
        return {
            "outline": self.outline,
            "matte_source": self.matte_source or maps.matte_source,
            "disparity_source": self.disparity_source or maps.disparity_source,
            "notes": (*self.notes, *maps.notes),
        }


def _find_sources(path: Path, job: Job, step: Steps) -> _Sources:
    """Read a photo and choose the sources of its maps: given > kept > inside the photo > network > planar.

    For depth "auto", the default network is downloaded if it is needed. Raises InvalidInput.
    """
    settings, given = job.maps, job.given
    step("reading")
    stored = read_kept(path, max_megapixels=job.max_megapixels, originals=job.originals)
    source = path if stored is None else stored.photo  # the original of a result that keeps its maps
    found = read_embedded(source) if settings.matting in INSIDE or settings.depth in INSIDE else Embedded()
    if given.matte is None and given.mattes is None and stored is None and found.portrait_matte is None:
        Thread(target=_load_network, args=(settings,), daemon=True).start()
    photo, kept = read_with_kept(path, stored, max_megapixels=job.max_megapixels)
    size = photo.rgb.shape[:2]
    matte, matte_source, outline = given.read_matte(path, size)
    hint = given.read_hint(path, size)
    disparity, disparity_source = given.read_disparity(size)
    if kept is not None and matte is None and hint is None and settings.matting == "auto":
        matte, matte_source, outline = kept.matte, KEPT, kept.outline
    if kept is not None and disparity is None and settings.depth == "auto":
        disparity, disparity_source = kept.disparity, KEPT
        settings = replace(settings, filter_disparity=False)  # a kept disparity is already filtered
    if disparity is not None:
        settings = replace(settings, depth="planar")  # no other source is used
    inside, embedded = Embedded(), None
    notes: tuple[str, ...] = ()
    if (matte is None and settings.matting in INSIDE) or (disparity is None and settings.depth in INSIDE):
        inside = found
    if matte is None and hint is None:
        matte, notes = _matte_inside(settings.matting, inside, photo)
        matte_source = None if matte is None else EMBEDDED_MATTE
    if matte is None:
        fetch_start(settings, step)
    if disparity is None:
        embedded = _depth_inside(settings.depth, inside, source)
        if embedded is None and settings.depth == "auto":
            fetch_default_model(step, offline=settings.offline, device=settings.device)
    known = {"matte": matte, "matte_hint": hint, "disparity": disparity, "embedded": embedded}
    return _Sources(
        photo=photo,
        find=partial(understand, photo, settings, **known),  # type: ignore[arg-type]  # each is what its name says
        matte=matte,
        matte_source=matte_source,
        outline=outline,
        matte_hint=hint,
        disparity_source=disparity_source,
        notes=(*photo.metadata.notes, *(f"ignored inside the photo: {line}" for line in inside.ignored), *notes),
    )


def _load_network(settings: MapSettings) -> None:
    with suppress(WideopenError):  # raised again by whoever needs the network
        load_network(settings)


def read_with_kept(path: Path, kept: Kept | None, *, max_megapixels: float) -> tuple[Photo, Keep | None]:
    """Return (the photo to render, the maps kept with it or None); its notes name the source of both.

    kept: what is stored with the photo at `path`, if that is a result. Raises InvalidInput as `files.read` does.
    """
    photo = read(path if kept is None else kept.photo, max_megapixels=max_megapixels)
    if kept is None:
        return photo, None
    height, width = photo.rgb.shape[:2]
    notes = [*photo.metadata.notes, *kept.notes]
    if kept.photo != path:
        notes.append(f"rendered from the original, {kept.photo}")
    maps = kept.maps if kept.fits((height, width)) else None
    if kept.maps is not None and maps is None:
        rows, columns = kept.maps.matte.shape
        notes.append(f"the maps kept with the photo are {columns} x {rows}, not {width} x {height}: not used")
    return replace(photo, metadata=replace(photo.metadata, notes=tuple(notes))), maps


def _matte_inside(matting: str, parts: Embedded, photo: Photo) -> tuple[F32 | None, tuple[str, ...]]:
    """Return (the portrait matte inside the photo, (H, W) in [0, 1], or None if a network is needed; notes).

    It is resized linearly, not along the photo's edges as disparity is, which would assign soft hair to one side or the
    other. Raises InvalidInput for matting "embedded" if there is none.
    """
    if matting not in INSIDE:
        return None, ()
    matte = parts.portrait_matte
    if matte is None and matting == "embedded":
        raise InvalidInput(
            f"{photo.source}: expected a portrait matte inside the photo's file (--matting embedded), found none"
            f"{_reasons(parts)}"
        )
    if matte is None:
        return None, ()
    if matting == "auto" and matte.max() < _NEARLY_EMPTY:
        return None, (f"the {EMBEDDED_MATTE} is empty; {NETWORK} predicts one",)
    return resize_map(matte, photo.rgb.shape[:2]), ()


def _depth_inside(depth: str, parts: Embedded, path: Path) -> DepthMap | None:
    """The depth inside the photo at `path`. Raises InvalidInput for depth "embedded" if there is none."""
    if parts.depth is None and depth == "embedded":
        raise InvalidInput(
            f"{path}: expected depth inside the photo's file (--depth embedded), found none{_reasons(parts)}"
        )
    return parts.depth if depth in INSIDE else None


def _reasons(parts: Embedded) -> str:
    return f" ({'; '.join(parts.ignored)})" if parts.ignored else ""


def fetch_named_model(maps: MapSettings, step: Steps) -> None:
    """Download the weights of a depth model asked for by name, if they are not on disk. Raises WeightsError."""
    if maps.depth not in WORDS:
        hub.fetch(maps.depth, device=maps.device, offline=maps.offline, step=step)


def fetch_start(settings: MapSettings, step: Steps) -> None:
    """Download the network that --matting-start isnet asks for, if it is not on disk. Raises WeightsError."""
    if settings.matting_start == "isnet":
        fetch_isnet(step, offline=settings.offline)


def fetch_default_model(step: Steps, *, offline: bool, device: str) -> None:
    """Try once per process to download the default depth model, if it is not on disk; without it, `small` is used."""
    from wideopen.networks import is_offline

    if is_offline(offline) or hub.DEFAULT in _tried:
        return
    _tried.add(hub.DEFAULT)
    with suppress(WeightsError):
        hub.fetch(hub.DEFAULT, device=device, step=step)
