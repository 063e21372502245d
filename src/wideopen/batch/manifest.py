"""What a batch has done, so that a later run does exactly the rest, however the earlier one ended.

A file of JSON lines that is only ever appended to, one write per line. For each photo a line before it is begun, with
what its result's name held then, and one after it is done (or failed). A line that a crash cut short is not read; a
line that says begun, without one that says how it ended, is settled by looking: results appear whole or not at all, so
one that is there now, and was not before, is done.

One process writes a manifest at a time; a second is refused.
"""

import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from wideopen.batch.places import Status
from wideopen.errors import InvalidInput, ManifestError

_FORMAT = {"wideopen-batch": 1}
State = Literal["begun", "done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The last that is known of a result."""

    state: State
    settings: str  # hash
    inputs: tuple[Status | None, ...]  # of the photo, and of the other files that its result depends on
    digest: str = ""  # of what these held; known once it is done
    before: Status | None = None  # what had the result's name when it was begun
    may_replace: bool = False  # whether that was ours to replace, or the user said so
    result: Status | None = None  # the result, once it is done
    made: "Entry | None" = None  # of a result that is not done: the last entry that was; in memory only


def _line(values: dict[str, Any]) -> bytes:
    """JSON in ASCII: it escapes names that are no Unicode."""
    return json.dumps(values, separators=(",", ":")).encode("ascii") + b"\n"


_HEADER = _line(_FORMAT)


class Manifest:
    """The file, open for appending; a context manager."""

    def __init__(self, path: Path, *, anew: bool = False) -> None:
        """Open or make the manifest at `path` and read it; with `anew` what it says is forgotten.

        Raises InvalidInput for a file that is none of ours, that cannot be written, or that another batch writes.
        """
        self.path = path
        self.entries: dict[str, Entry] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise InvalidInput(f"{path}: cannot be written ({error.strerror})") from error
        try:
            _lock(self._file, path)
            if anew:
                os.ftruncate(self._file, 0)
            self._load()
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Have everything on the disk, and let others write the manifest."""
        try:
            os.fsync(self._file)
        except OSError:  # not a file of a disk
            pass
        finally:
            os.close(self._file)

    def begin(
        self,
        target: str,
        *,
        settings: str,
        inputs: tuple[Status | None, ...],
        before: Status | None = None,
        may_replace: bool = False,
    ) -> None:
        """Note that a result is about to be made. Raises ManifestError where it cannot be written, as all notes do."""
        self._note(
            target,
            Entry(state="begun", settings=settings, inputs=inputs, before=before, may_replace=may_replace),
        )

    def done(self, target: str, *, digest: str, result: Status | None) -> None:
        """Note that a result which was begun is there."""
        begun = self.entries[target]
        self._note(
            target,
            Entry(state="done", settings=begun.settings, inputs=begun.inputs, digest=digest, result=result),
        )

    def failed(self, target: str) -> None:
        """Note that a result which was begun was not made."""
        self._note(target, replace(self.entries[target], state="failed"))

    def _note(self, target: str, entry: Entry) -> None:
        self._append({"target": target, **_as_dict(entry)})
        self._remember(target, entry)

    def _remember(self, target: str, entry: Entry) -> None:
        last = self.entries.get(target)
        if last is not None and entry.state != "done":
            entry = replace(entry, made=last if last.state == "done" else last.made)
        self.entries[target] = entry

    def _append(self, values: dict[str, Any]) -> None:
        data = _line(values)
        try:
            written = os.write(self._file, data)
        except OSError as error:
            raise ManifestError(f"{self.path}: cannot be written ({error.strerror})") from error
        if written < len(data):
            raise ManifestError(f"{self.path}: cannot be written (No space left on device)")

    def _load(self) -> None:
        os.lseek(self._file, 0, os.SEEK_SET)
        with os.fdopen(os.dup(self._file), "rb") as file:
            line = file.readline()
            if line != _HEADER and _HEADER.startswith(line):  # new, or cut short by a crash at once
                os.ftruncate(self._file, 0)
                self._append(_FORMAT)
                return
            if line != _HEADER:
                raise InvalidInput(f"{self.path}: expected a manifest of `wideopen batch`, found another file")
            for line in file:
                values = _parsed(line)
                target = values.pop("target", None)
                if target is not None:
                    self._remember(target, _from_dict(values))
        if not line.endswith(b"\n"):  # cut short by a crash: ended, so that what follows is read
            os.write(self._file, b"\n")


def _as_dict(entry: Entry) -> dict[str, Any]:
    values = {name: getattr(entry, name) for name in Entry.__slots__ if name != "made"}
    return {name: value for name, value in values.items() if value not in ("", None, False)}


def _from_dict(values: dict[str, Any]) -> Entry:
    statuses = {name: Status(*values[name]) for name in ("before", "result") if values.get(name)}
    inputs = tuple(None if one is None else Status(*one) for one in values["inputs"])
    return Entry(**{**values, **statuses, "inputs": inputs, "settings": sys.intern(values["settings"])})


def _parsed(line: bytes) -> dict[str, Any]:
    """The values of a line; nothing for one that was cut short."""
    try:
        values = json.loads(line)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _lock(file: int, path: Path) -> None:
    """Refuse a file that another process has locked; it is unlocked when closed, also by a killed process."""
    try:
        import fcntl
    except ImportError:  # Windows: two batches into one folder are not noticed
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InvalidInput(f"{path}: another batch writes there now") from error
    except OSError:  # a file system without locks
        return
