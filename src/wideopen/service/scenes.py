"""Analysed scenes, kept for a while: each a folder with the photo and its two maps.

Not the scene in a worker's memory: work goes to whichever worker is free, a worker may be killed, and one prepared
scene of 12 megapixels takes some 600 MB. Matte and disparity are what is slow to find; from them and the photo any
worker prepares the same scene again, bit for bit, and each keeps the one it used last warm (`work.py`).
"""

import secrets
import shutil
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wideopen.service.operation import MEGABYTE, SceneLimits
from wideopen.service.problems import Problem

_ID_BYTES = 16


@dataclass(slots=True, kw_only=True, eq=False)
class Kept:
    """One scene."""

    id: str
    folder: Path
    facts: dict[str, Any]  # what `analyze` found, for reports
    size: int  # bytes on disk
    expires: float
    users: int = 0
    dropped: bool = False  # to be removed when its last user is done


class Scenes:
    """A bounded store; the scene that was not used for the longest time makes room."""

    def __init__(self, folder: Path, limits: SceneLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._limits = limits
        self._clock = clock
        self._scenes: OrderedDict[str, Kept] = OrderedDict()  # least recently used first
        folder.mkdir(mode=0o700)

    def __len__(self) -> int:
        return len(self._scenes)

    @property
    def size(self) -> int:
        """Bytes of all scenes on disk."""
        return sum(scene.size for scene in self._scenes.values())

    def add(self, made: Path, facts: dict[str, Any]) -> Kept:
        """Take over the folder `made`. Raises Problem (413) when it alone is larger than the whole store may be."""
        size = sum(file.stat().st_size for file in made.iterdir())
        most = self._limits.most_mb * MEGABYTE
        if size > most:
            detail = f"scene: expected at most {self._limits.most_mb:g} MB, found {size / MEGABYTE:.0f}"
            raise Problem("too-large", detail)
        self.expire()
        while self._scenes and (len(self) >= self._limits.most or self.size + size > most):
            self._drop(next(iter(self._scenes.values())))
        name = secrets.token_urlsafe(_ID_BYTES)
        folder = made.rename(self._folder / name)
        scene = Kept(id=name, folder=folder, facts=facts, size=size, expires=self._clock() + self._limits.idle_s)
        self._scenes[name] = scene
        return scene

    @contextmanager
    def using(self, name: str) -> Iterator[Kept]:
        """The scene `name`, which stays on disk meanwhile. Raises Problem (404) where it is not there."""
        self.expire()
        scene = self._scenes.get(name)
        if scene is None:
            raise Problem("no-such-scene", "scene: expected the id of one that has not expired, found none of it")
        self._scenes.move_to_end(name)
        scene.users += 1
        try:
            yield scene
        finally:
            scene.users -= 1
            scene.expires = self._clock() + self._limits.idle_s
            if scene.dropped and not scene.users:
                shutil.rmtree(scene.folder, ignore_errors=True)

    def remove(self, name: str) -> None:
        """Forget the scene `name`. Raises Problem (404) as `using`."""
        with self.using(name) as scene:
            self._drop(scene)

    def expire(self) -> None:
        """Forget the scenes whose time is over."""
        now = self._clock()
        for scene in [scene for scene in self._scenes.values() if scene.expires <= now and not scene.users]:
            self._drop(scene)

    def _drop(self, scene: Kept) -> None:
        del self._scenes[scene.id]
        scene.dropped = True
        if not scene.users:
            shutil.rmtree(scene.folder, ignore_errors=True)
