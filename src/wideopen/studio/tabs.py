"""The state of each browser tab, with limits, in a folder of its own in a `workers.ExpiringStore`.

A tab ends when it is closed, when it has been idle for too long, when a new tab needs the place of the one idle
longest, and when the server ends. Its photo is deleted then.
"""

import itertools
import secrets
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from wideopen.checks import F32
from wideopen.errors import InvalidInput
from wideopen.lens import parse_focus
from wideopen.photo import Photo, srgb_u8
from wideopen.pipeline import Maps, Scene
from wideopen.settings import LensSettings
from wideopen.studio.brush import History, MapPair
from wideopen.studio.preview import colour_map, data_url, prepare
from wideopen.studio.work import PhotoFile

NO_PHOTO = "Open a photo first."
_TURNS = itertools.count(1)


@dataclass(slots=True, kw_only=True, eq=False)
class TabPhoto:
    """The photo open in a tab: small maps and pictures in memory, full-size ones on disk."""

    opened: PhotoFile
    size: tuple[int, ...]  # (H, W) of the full size
    found: Maps  # at preview size, before any stroke; sources and notes are those of the full-size maps
    small: Photo  # (h, w, 3), at preview size
    maps: MapPair  # (h, w), with all strokes
    scene: Scene | None  # from `small` and `maps`; None until it is prepared again
    history: History
    focus: str = "subject"  # as in `LensSettings.focus`, in pixels of the full size
    edit: int = 0  # incremented with every change of the maps

    @property
    def file(self) -> PhotoFile:
        """The photo in its current state, with all strokes, for a worker."""
        return replace(self.opened, strokes=tuple(self.history.strokes), edit=self.edit)

    def change(self, maps: MapPair) -> None:
        """Replace the maps (h, w)."""
        self.maps, self.scene, self.edit = maps, None, self.edit + 1

    def prepared(self) -> Scene:
        """The scene with the current maps."""
        if self.scene is None:
            self.scene = prepare(self.small, *self.maps, self.opened.outline, backend=self.opened.job.backend)
        return self.scene

    def focus_at(self, x: float, y: float) -> None:
        """Focus on a point, in fractions of the photo."""
        height, width = self.size
        self.focus = f"{min(int(x * width), width - 1)},{min(int(y * height), height - 1)}"

    @property
    def _point(self) -> tuple[int, int] | None:
        """The point in focus, (x, y) in pixels of the full size; None = the subject."""
        point = parse_focus(self.focus)
        return (int(point[0]), int(point[1])) if isinstance(point, tuple) else None

    @property
    def focus_disparity(self) -> float | None:
        """The full-size map's disparity at the point in focus; None = the subject."""
        if self._point is None:
            return None
        x, y = self._point
        if not self.history.strokes:
            disparity: F32 = np.load(self.opened.found[1], mmap_mode="r")
            return float(disparity[y, x])
        rows, columns = self.maps.disparity.shape
        return float(self.maps.disparity[y * rows // self.size[0], x * columns // self.size[1]])

    def shown_maps(self) -> dict[str, str]:
        """Pictures of the maps: the matte in grey, white = subject; the disparity in colours."""
        matte = np.rint(self.maps.matte * 255).astype(np.uint8)
        return {"matte": data_url(matte), "disparity": data_url(colour_map(self.maps.disparity))}

    def shown_focus(self) -> dict[str, float] | None:
        """The point in focus, in fractions of the photo, or None for the subject."""
        return None if self._point is None else {"x": self._point[0] / self.size[1], "y": self._point[1] / self.size[0]}

    def shown(self) -> dict[str, Any]:
        """The content of a message that shows a newly opened photo."""
        height, width = self.size
        return {
            "photo": {
                "name": self.opened.name,
                "width": width,
                "height": height,
                "hdr": self.small.hdr is not None,
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
    """A rendered full-size picture on disk, with the settings and photo it was rendered from."""

    settings: LensSettings
    photo: PhotoFile
    pixels: Path  # (H, W, 3) uint8, .npy


@dataclass(slots=True, eq=False)
class Tab:
    """One browser tab. `lock` guards its photo; `latest` numbers its newest render request."""

    folder: Path
    received: PhotoFile | None = None  # uploaded, not yet opened
    loaded: TabPhoto | None = None
    detail: Detail | None = None
    base: LensSettings = field(default_factory=LensSettings)  # from a preset: settings without a control
    lock: threading.RLock = field(default_factory=threading.RLock)
    latest: int = 0
    ended: bool = False

    def next_turn(self) -> int:
        """The number of a new render request; all earlier ones become stale."""
        self.latest = next(_TURNS)
        return self.latest

    def is_stale(self, turn: int) -> bool:
        """Whether a newer render has been requested since."""
        return turn != self.latest

    @property
    def photo(self) -> TabPhoto:
        """The open photo. Raises InvalidInput, with a message for the user, if there is none."""
        if self.loaded is None:
            raise InvalidInput(NO_PHOTO)
        return self.loaded

    def new_folder(self) -> Path:
        """An empty folder for one photo's files."""
        folder = self.folder / secrets.token_hex(8)
        folder.mkdir(parents=True)
        return folder

    def end(self) -> None:
        """Release the photo; renders in progress become stale."""
        self.next_turn()
        self.ended = True
        self.loaded = self.detail = None
