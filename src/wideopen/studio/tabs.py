"""Who is at the page: one bounded session per browser tab, its photo on disk, deleted when the session ends.

A session ends when its tab closes, when it was idle for too long, when it is the idlest and another person comes, and
when the server ends. All of its files lie in one folder of its own, whose name cannot be guessed.
"""

import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.session.open_photo import NOTHING_GIVEN, Given
from wideopen.session.settings import LensSettings
from wideopen.studio.brush import History
from wideopen.studio.preview import Preview

__all__ = ["Detail", "Limits", "Loaded", "Session", "Sessions"]

ENDED = "This session has ended and its photo was deleted. Open the photo again."
NO_PHOTO = "Open a photo first."


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one page may take; every session, photo and stroke is within these."""

    sessions: int = 16
    idle_s: float = 30 * 60
    max_megabytes: float = 100.0  # of one upload
    max_megapixels: float = 60.0
    preview_megapixels: float = 1.5
    strokes: int = 60  # that can be undone, and are replayed on the full-size maps

    def __post_init__(self) -> None:
        for name in ("sessions", "idle_s", "max_megabytes", "max_megapixels", "preview_megapixels", "strokes"):
            value = getattr(self, name)
            require(value > 0, f"{name}: expected more than 0, found {value}")


@dataclass(slots=True, kw_only=True, eq=False)
class Loaded:
    """One opened photo of a session: small maps and pictures in memory, all of full size on disk."""

    path: Path
    name: str  # as the photographer's file is called
    size: tuple[int, int]  # (H, W)
    given: Given  # maps of the photographer's own
    matte: Path  # full size, float32 .npy, before any stroke
    disparity: Path
    preview: Preview
    notes: tuple[str, ...]
    matte_source: str
    disparity_source: str
    history: History
    focus: str = "subject"  # as in `LensSettings.focus`, pixels of the full size
    edit: int = 0  # goes up with every change of the maps

    @property
    def painted(self) -> bool:
        """Whether strokes change the maps."""
        return bool(self.history.strokes)

    @property
    def edited(self) -> bool:
        """Whether the maps are not those that `wideopen render` would find by itself."""
        return self.painted or self.given != NOTHING_GIVEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """A rendered full-size picture on disk, and what it was rendered from."""

    settings: LensSettings
    edit: int
    pixels: Path  # (H, W, 3) uint8, .npy


@dataclass(slots=True, eq=False)
class Session:
    """One tab. `lock` guards what it has loaded; `latest` is the number of the newest render that it asked for."""

    folder: Path
    last_used: float
    loaded: Loaded | None = None
    detail: Detail | None = None
    base: LensSettings = field(default_factory=LensSettings)  # what a preset said that no control shows
    lock: threading.RLock = field(default_factory=threading.RLock)
    latest: int = 0
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
    def photo(self) -> Loaded:
        """What is loaded. Raises InvalidInput, for the photographer, before any photo is."""
        if self.loaded is None:
            raise InvalidInput(NO_PHOTO)
        return self.loaded

    def new_folder(self) -> Path:
        """An empty folder for one photo's files."""
        folder = self.folder / secrets.token_hex(8)
        folder.mkdir(parents=True)
        return folder


class Sessions:
    """All sessions of one server, by the key that the page gives each tab."""

    def __init__(self, root: Path, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        """`root` is a folder of ours alone; it is removed by `close`."""
        self.root, self.limits = root, limits
        self._clock, self._lock = clock, threading.Lock()
        self._sessions: dict[str, Session] = {}
        self.is_open = True

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, key: str) -> Session:
        """The session of a tab, made if need be; the idlest of too many ends."""
        self.sweep()
        with self._lock:
            session = self._sessions.get(key)
            if session is None:
                session = Session(self.root / secrets.token_urlsafe(16), self._clock())
                session.folder.mkdir(parents=True)
                self._sessions[key] = session
            session.last_used = self._clock()
            surplus = len(self._sessions) - self.limits.sessions
            idlest = sorted(self._sessions, key=lambda k: self._sessions[k].last_used)[: max(surplus, 0)]
        for other in idlest:
            self.end(other)
        return session

    def get(self, key: str) -> Session:
        """The session of a tab that has one. Raises InvalidInput, for the photographer, when it has ended."""
        self.sweep()
        with self._lock:
            session = self._sessions.get(key)
            if session is None:
                raise InvalidInput(ENDED)
            session.last_used = self._clock()
            return session

    def sweep(self) -> None:
        """End what was idle for too long."""
        now = self._clock()
        with self._lock:
            idle = [key for key, s in self._sessions.items() if now - s.last_used > self.limits.idle_s]
        for key in idle:
            self.end(key)

    def end(self, key: str) -> None:
        """Forget a session and delete its files; nothing, for a tab that has none."""
        with self._lock:
            session = self._sessions.pop(key, None)
        if session is not None:
            session.next_turn()  # whatever it still renders is stale
            session.loaded = None
            shutil.rmtree(session.folder, ignore_errors=True)

    def close(self) -> None:
        """End all sessions and remove the folder."""
        self.is_open = False
        for key in list(self._sessions):
            self.end(key)
        shutil.rmtree(self.root, ignore_errors=True)
