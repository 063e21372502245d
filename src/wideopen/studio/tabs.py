"""Who is at the page: one bounded state per browser tab, with a folder of its own in a `workers.ExpiringStore`.

A tab ends when it is closed, when it was idle for too long, when it is the idlest and another person comes, and when
the server ends; its photo is deleted then.
"""

import itertools
import secrets
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from wideopen.checks import F32, require
from wideopen.errors import InvalidInput
from wideopen.photo import Photo, srgb_u8
from wideopen.pipeline import Maps, Scene
from wideopen.settings import LensSettings, MapSettings
from wideopen.studio.brush import History, MapPair
from wideopen.studio.preview import colour_map, data_url, matte_u8, prepare
from wideopen.studio.work import PhotoFile

__all__ = ["Detail", "StudioConfig", "Tab", "TabPhoto"]

NO_PHOTO = "Open a photo first."
_TURNS = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioConfig:
    """What one page may take, and how photos are understood and rendered; every tab, photo and stroke is within it."""

    maps: MapSettings = field(default_factory=MapSettings)
    backend: str = "auto"
    tabs: int = 16
    idle_s: float = 30 * 60
    photo_s: float = 300.0
    """For one photo in a worker; then the worker is ended."""
    max_megabytes: float = 100.0
    """Of one upload."""
    max_megapixels: float = 60.0
    preview_megapixels: float = 1.5
    strokes: int = 60
    """That can be undone, and are painted again on the full-size maps."""

    def __post_init__(self) -> None:
        for name in ("tabs", "idle_s", "photo_s", "max_megabytes", "max_megapixels", "preview_megapixels", "strokes"):
            value = getattr(self, name)
            require(value > 0, f"{name}: expected more than 0, found {value}")


@dataclass(slots=True, kw_only=True, eq=False)
class TabPhoto:
    """The photo open in a tab: small maps and pictures in memory, all of full size on disk."""

    opened: PhotoFile
    size: tuple[int, ...]  # (H, W) of the full size
    found: Maps  # at the size of the screen, before any stroke; with the sources and notes of the full-size ones
    small: Photo  # (h, w, 3), at the size of the screen
    maps: MapPair  # (h, w), with all strokes
    scene: Scene | None  # of `small` and `maps`; None until it is prepared again
    history: History
    focus: str = "subject"  # as in `LensSettings.focus`, pixels of the full size
    edit: int = 0  # goes up with every change of the maps

    @property
    def file(self) -> PhotoFile:
        """The photo as it is now, strokes included, for a worker."""
        return replace(self.opened, strokes=tuple(self.history.strokes), edit=self.edit)

    def change(self, maps: MapPair) -> None:
        """Take other maps (h, w)."""
        self.maps, self.scene, self.edit = maps, None, self.edit + 1

    def prepared(self) -> Scene:
        """The scene of the maps as they are."""
        if self.scene is None:
            self.scene = prepare(self.small, *self.maps, backend=self.opened.backend)
        return self.scene

    @property
    def focus_disparity(self) -> float | None:
        """The disparity at the point in focus, from the map that the full size is rendered with; None = the subject."""
        if "," not in self.focus:
            return None
        x, y = (int(part) for part in self.focus.split(","))
        if not self.history.strokes:
            disparity: F32 = np.load(self.opened.found[1], mmap_mode="r")
            return float(disparity[y, x])
        rows, columns = self.maps.disparity.shape
        return float(self.maps.disparity[y * rows // self.size[0], x * columns // self.size[1]])

    def shown_maps(self) -> dict[str, str]:
        """Pictures of the maps."""
        return {"matte": data_url(matte_u8(self.maps.matte)), "disparity": data_url(colour_map(self.maps.disparity))}

    def shown_focus(self) -> dict[str, float] | None:
        """Where the focus is: a point in fractions of the photo, or None for the subject."""
        if "," not in self.focus:
            return None
        x, y = (float(part) for part in self.focus.split(","))
        return {"x": x / self.size[1], "y": y / self.size[0]}

    def shown(self) -> dict[str, Any]:
        """What the viewer shows of a photo that was just opened."""
        height, width = self.size
        return {
            "photo": {
                "name": self.opened.name,
                "width": width,
                "height": height,
                "preview_width": self.small.rgb.shape[1],
                "matte": self.found.matte_source,
                "disparity": self.found.disparity_source,
                "notes": list(self.found.notes),
            },
            "pictures": {"original": data_url(srgb_u8(self.small)), **self.shown_maps()},
            "strokes": len(self.history.strokes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """A rendered full-size picture on disk, and what it was rendered from."""

    settings: LensSettings
    photo: PhotoFile
    pixels: Path  # (H, W, 3) uint8, .npy


@dataclass(slots=True, eq=False)
class Tab:
    """One browser tab. `lock` guards its photo; `latest` is the number of the newest render that it asked for."""

    folder: Path
    received: PhotoFile | None = None  # uploaded, to be opened
    loaded: TabPhoto | None = None
    detail: Detail | None = None
    base: LensSettings = field(default_factory=LensSettings)  # of a preset: what no control shows
    lock: threading.RLock = field(default_factory=threading.RLock)
    latest: int = 0
    ended: bool = False

    def next_turn(self) -> int:
        """A number for a render that was just asked for; all earlier ones are stale from now on."""
        self.latest = next(_TURNS)
        return self.latest

    def is_stale(self, turn: int) -> bool:
        """Whether a newer render was asked for since."""
        return turn != self.latest

    @property
    def photo(self) -> TabPhoto:
        """What is loaded. Raises InvalidInput, for the photographer, before any photo is."""
        if self.loaded is None:
            raise InvalidInput(NO_PHOTO)
        return self.loaded

    def new_folder(self) -> Path:
        """An empty folder for one photo's files."""
        folder = self.folder / secrets.token_hex(8)
        folder.mkdir(parents=True)
        return folder

    def end(self) -> None:
        """Let go of the photo; whatever is still rendered is stale."""
        self.next_turn()
        self.ended = True
        self.loaded = self.detail = None
