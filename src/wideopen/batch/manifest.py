"""What a batch has done, so that a later run does exactly the rest, however the earlier one ended.

A file of JSON lines that is only ever appended to, one write per line. Each photo has a line before its work begins,
with the file that had the result's name then, and a line after it is done (or failed). A line that a crash cut short is
ignored. Where only the first line is there, the result itself decides: results appear whole or not at all, so one that
exists now, and did not before, is done.

One process writes a manifest at a time; a second is refused.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from wideopen.batch.places import Status
from wideopen.errors import InvalidInput, ManifestError


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The last known state of a result."""

    state: Literal["begun", "done", "failed"]
    settings: str  # hash
    inputs: tuple[Status | None, ...]  # of the photo, and of the other files that its result depends on
    digest: str = ""  # of the inputs' contents; known once it is done
    before: Status | None = None  # what had the result's name when work began
    may_replace: bool = False  # whether an earlier batch, or the user, allowed replacing that
    result: Status | None = None  # the result, once it is done
    made: "Record | None" = None  # of a result that is not done: the last record that was; in memory only


def _line(values: dict[str, Any]) -> bytes:
    """JSON in ASCII: it escapes names that are not Unicode."""
    return json.dumps(values, separators=(",", ":")).encode("ascii") + b"\n"


_HEADER = _line({"wideopen-batch": 1})


class Manifest:
    """The file, open for appending; a context manager."""

    def __init__(self, path: Path, *, anew: bool = False) -> None:
        """Open or make the manifest at `path` and read it; with `anew` its records are dropped.

        Raises InvalidInput for a file that is not a manifest, that cannot be written, or that another batch writes.
        """
        self.path = path
        self.records: dict[str, Record] = {}  # by target
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
        """Note that work on a result begins. Raises ManifestError where that cannot be written, as all notes do."""
        record = Record(state="begun", settings=settings, inputs=inputs, before=before, may_replace=may_replace)
        self._note(target, record)

    def done(self, target: str, *, digest: str, result: Status | None) -> None:
        """Note that a result which was begun exists."""
        begun = self.records[target]
        record = Record(state="done", settings=begun.settings, inputs=begun.inputs, digest=digest, result=result)
        self._note(target, record)

    def failed(self, target: str) -> None:
        """Note that a result which was begun was not made."""
        self._note(target, replace(self.records[target], state="failed"))

    def _note(self, target: str, record: Record) -> None:
        values = {name: getattr(record, name) for name in Record.__slots__ if name != "made"}
        kept = {name: value for name, value in values.items() if value not in ("", None, False)}
        self._append(_line({"target": target, **kept}))
        self._remember(target, record)

    def _remember(self, target: str, record: Record) -> None:
        last = self.records.get(target)
        if last is not None and record.state != "done":
            record = replace(record, made=last if last.state == "done" else last.made)
        self.records[target] = record

    def _append(self, line: bytes) -> None:
        try:
            written = os.write(self._file, line)
        except OSError as error:
            raise ManifestError(f"{self.path}: cannot be written ({error.strerror})") from error
        if written < len(line):
            raise ManifestError(f"{self.path}: cannot be written (No space left on device)")

    def _load(self) -> None:
        os.lseek(self._file, 0, os.SEEK_SET)
        with os.fdopen(os.dup(self._file), "rb") as file:
            line = file.readline()
            if line != _HEADER and _HEADER.startswith(line):  # new, or cut short by a crash at once
                os.ftruncate(self._file, 0)
                self._append(_HEADER)
                return
            if line != _HEADER:
                raise InvalidInput(f"{self.path}: expected a manifest of `wideopen batch`, found another file")
            for line in file:
                values = _parsed(line)
                target = values.pop("target", None)
                if target is not None:
                    self._remember(target, _record(values))
        if not line.endswith(b"\n"):  # cut short by a crash: ended, so that the next line can be read
            os.write(self._file, b"\n")


class Step(Enum):
    """What to do with one photo."""

    SKIP = auto()  # done before, nothing has changed
    ADOPT = auto()  # finished by a run that was killed before it could note it
    MAKE = auto()  # no file has the result's name
    REPLACE = auto()  # the file of that name may be replaced
    REFUSE = auto()  # the file of that name may not be replaced


def plan(
    record: Record | None,
    *,
    settings: str,
    inputs: tuple[Status | None, ...],
    found: Status | None,
    overwrite: bool,
    digest: Callable[[], str],
) -> Step:
    """What to do for a result with this `record`, where the file `found` has its name now.

    settings: hash of those asked for; inputs: the files that the result depends on, as they are now; overwrite: whether
    files that no batch has made may be replaced; digest: reads the inputs, and is called only where their sizes are
    those of the record and their times are not.
    """
    if found is None:
        return Step.MAKE
    if record is None:
        return Step.REPLACE if overwrite else Step.REFUSE
    if record.made is not None and record.made.result == found:  # begun again since, but the file is from before
        record = record.made
    if record.state == "done":
        if found.size == 0:  # lost with the power
            return Step.REPLACE
        if record.settings == settings and _unchanged(record, inputs, digest):
            return Step.SKIP
        edited = record.result is not None and found.size != record.result.size  # by somebody, since
        return Step.REFUSE if edited and not overwrite else Step.REPLACE
    if record.state == "begun" and found != record.before:  # it appeared: results appear whole
        same = (record.settings, record.inputs) == (settings, inputs)
        return Step.ADOPT if same and found.size > 0 else Step.REPLACE  # an empty file only claims the name
    allowed = found == record.before and record.may_replace
    return Step.REPLACE if allowed or overwrite else Step.REFUSE


def _unchanged(record: Record, inputs: tuple[Status | None, ...], digest: Callable[[], str]) -> bool:
    if record.inputs == inputs:
        return True
    sizes = [[one and one.size for one in files] for files in (record.inputs, inputs)]
    return sizes[0] == sizes[1] and digest() == record.digest


def _record(values: dict[str, Any]) -> Record:
    statuses = {name: Status(*values[name]) for name in ("before", "result") if values.get(name)}
    inputs = tuple(None if one is None else Status(*one) for one in values["inputs"])
    return Record(**{**values, **statuses, "inputs": inputs, "settings": sys.intern(values["settings"])})


def _parsed(line: bytes) -> dict[str, Any]:
    """The values of a line; nothing for one that was cut short."""
    try:
        values = json.loads(line)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _lock(file: int, path: Path) -> None:
    """Refuse a file that another process has locked; the lock ends when it is closed, also by a kill."""
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
