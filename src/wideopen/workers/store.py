"""Values that each own a folder on disk and expire when unused.

The service keeps analysed scenes in it, the studio the photos of its tabs. The least recently used entry makes room for
another. Folders have names that cannot be guessed.
"""

import math
import secrets
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from wideopen.errors import InvalidInput
from wideopen.timing import Steps

V = TypeVar("V")
_KEY_BYTES = 16
_EXPIRE_EVERY_S = 5.0
STOP, STEP = "stop", "step"


@dataclass(slots=True, kw_only=True, eq=False)
class StoreEntry(Generic[V]):
    """One value of a store."""

    key: str
    folder: Path
    value: V
    size: int  # bytes on disk when it was added
    expires: float  # by the store's clock
    users: int = 0
    dropped: bool = False  # its folder is removed when its last user is done


class ExpiringStore(Generic[V]):
    """At most `most` entries with `most_bytes` in total, each for `idle_s` seconds after its last use. Thread-safe."""

    def __init__(
        self,
        root: Path,
        *,
        most: int,
        idle_s: float,
        most_bytes: float = math.inf,
        on_drop: Callable[[V], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`root` is a folder that does not exist yet; `close` removes it. `on_drop` receives each dropped value."""
        self.root = root
        self._most, self._idle_s, self._most_bytes = most, idle_s, most_bytes
        self._on_drop, self._clock = on_drop, clock
        self._lock = threading.RLock()
        self._entries: OrderedDict[str, StoreEntry[V]] = OrderedDict()  # least recently used first
        root.mkdir(mode=0o700, parents=True)
        self._closed = threading.Event()
        threading.Thread(target=self._expire_regularly, name="expiry", daemon=True).start()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """Bytes of all entries on disk."""
        return sum(entry.size for entry in list(self._entries.values()))

    def add(self, value: V, *, folder: Path) -> StoreEntry[V]:
        """Take over `folder` (files only) under a new key. Raises InvalidInput if it exceeds the store's limit."""
        size = sum(file.stat().st_size for file in folder.iterdir())
        if size > self._most_bytes:
            raise InvalidInput(f"expected at most {self._most_bytes / 1e6:g} MB, found {size / 1e6:.0f}")
        key = secrets.token_urlsafe(_KEY_BYTES)
        return self._insert(key, folder.rename(self.root / key), lambda _: value, size)

    def open(self, key: str, make: Callable[[Path], V]) -> StoreEntry[V]:
        """Return the entry `key`, or a new one with the value that `make` returns for its empty folder."""
        with self._lock:
            if key in self:
                return self.get(key)
            folder = self.root / secrets.token_urlsafe(_KEY_BYTES)
            folder.mkdir(mode=0o700)
            return self._insert(key, folder, make, 0)

    def __contains__(self, key: str) -> bool:
        """Whether the entry is there and has not expired."""
        self.expire()
        return key in self._entries

    def get(self, key: str) -> StoreEntry[V]:
        """The entry `key`, used now. Raises KeyError if it is missing or has expired."""
        self.expire()
        with self._lock:
            entry = self._entries[key]
            self._entries.move_to_end(key)
            entry.expires = self._clock() + self._idle_s
            return entry

    @contextmanager
    def using(self, key: str) -> Iterator[StoreEntry[V]]:
        """Yield the entry `key`; its folder stays on disk in the block, even if removed. Raises KeyError as `get`."""
        with self._lock:
            entry = self.get(key)
            entry.users += 1
        try:
            yield entry
        finally:
            with self._lock:
                entry.users -= 1
                entry.expires = self._clock() + self._idle_s
                if entry.dropped and not entry.users:
                    shutil.rmtree(entry.folder, ignore_errors=True)

    def remove(self, key: str) -> None:
        """Forget the entry `key`. Raises KeyError as `get`."""
        self._drop(self.get(key))

    def expire(self) -> None:
        """Remove the expired entries."""
        now = self._clock()
        with self._lock:
            for entry in [entry for entry in self._entries.values() if entry.expires <= now and not entry.users]:
                self._drop(entry)

    def _expire_regularly(self) -> None:
        while not self._closed.wait(_EXPIRE_EVERY_S):
            self.expire()

    def close(self) -> None:
        """Forget all entries and remove the root folder."""
        self._closed.set()
        with self._lock:
            for entry in list(self._entries.values()):
                self._drop(entry)
        shutil.rmtree(self.root, ignore_errors=True)

    def _insert(self, key: str, folder: Path, make: Callable[[Path], V], size: int) -> StoreEntry[V]:
        with self._lock:
            self.expire()
            while self._entries and (len(self) >= self._most or self.size + size > self._most_bytes):
                self._drop(next(iter(self._entries.values())))
            expires = self._clock() + self._idle_s
            entry = StoreEntry(key=key, folder=folder, value=make(folder), size=size, expires=expires)
            self._entries[key] = entry
            return entry

    def _drop(self, entry: StoreEntry[V]) -> None:
        with self._lock:
            if self._entries.pop(entry.key, None) is None:
                return
            entry.dropped = True
            self._on_drop(entry.value)
            if not entry.users:
                shutil.rmtree(entry.folder, ignore_errors=True)


class WorkCancelled(Exception):
    """The work was cancelled."""


class FolderSteps(Steps):
    """Steps of work in a worker, reported through a folder that also holds the request of `ask_to_stop`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, step: str) -> None:
        """Write the step. Raises WorkCancelled if the work was cancelled."""
        if (self._folder / STOP).exists():
            raise WorkCancelled(step)
        (self._folder / STEP).write_text(step, encoding="utf-8")

    def download(self, done: int, total: int) -> None:
        """Write the progress of a download."""
        self(f"downloading, {done / 1e6:.0f} of {total / 1e6:.0f} MB")


def ask_to_stop(folder: Path) -> None:
    """Ask work that reports to `folder` to stop at its next step."""
    (folder / STOP).touch()


def current_step(folder: Path) -> str:
    """Return the last step reported to `folder`; "" before the first."""
    with suppress(OSError):
        return (folder / STEP).read_text(encoding="utf-8")
    return ""
