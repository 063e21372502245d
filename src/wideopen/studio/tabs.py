"""Who is at the page: one bounded state per browser tab, with a folder of its own in a `workers.ExpiringStore`.

A tab ends when it is closed, when it was idle for too long, when it is the idlest and another person comes, and when
the server ends; its photo is deleted then.
"""

import secrets
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.session.settings import LensSettings, MapSettings
from wideopen.studio.brush import History
from wideopen.studio.preview import Preview
from wideopen.studio.work import PhotoFile, Understood

__all__ = ["Detail", "StudioConfig", "Tab", "TabPhoto"]

NO_PHOTO = "Open a photo first."


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
    understood: Understood
    preview: Preview
    history: History
    focus: str = "subject"  # as in `LensSettings.focus`, pixels of the full size
    edit: int = 0  # goes up with every change of the maps

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the full size."""
        return self.understood.size

    @property
    def file(self) -> PhotoFile:
        """The photo as it is now, strokes included, for a worker."""
        return replace(self.opened, strokes=tuple(self.history.strokes), edit=self.edit)


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
    loaded: TabPhoto | None = None
    detail: Detail | None = None
    base: LensSettings = field(default_factory=LensSettings)  # what a preset said that no control shows
    lock: threading.RLock = field(default_factory=threading.RLock)
    latest: int = 0
    ended: bool = False
    _counter: threading.Lock = field(default_factory=threading.Lock)

    def next_turn(self) -> int:
        """A number for a render that was just asked for; all earlier ones are stale from now on."""
        with self._counter:
            self.latest += 1
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
