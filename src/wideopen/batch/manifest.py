"""The record of a batch, so that a later run does only the remaining work, however the earlier run ended.

A manifest is an append-only file of JSON lines; each line is one write. Each photo has a line before its work begins,
which also describes the file that the result would replace, and a line after it is done or has failed. A line that a
crash cut short is ignored. If only the first line exists, the result decides: results are written atomically, so a
result that exists now and did not exist before is done.

Only one process may write a manifest at a time; a second one is refused.
"""

import fcntl
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path
from typing import Any, Literal, Self

from wideopen.batch.places import Status
from wideopen.errors import InvalidInput, ManifestError, system_errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The last known state of a result."""

    state: Literal["begun", "done", "failed"]
    settings: str  # hash
    inputs: tuple[Status | None, ...]  # the photo and the other files that its result depends on
    digest: str = ""  # hash of the inputs' contents, set once the result is done
    before: Status | None = None  # the file at the result's path when work began
    may_replace: bool = False  # whether an earlier batch or the user allowed replacing it
    result: Status | None = None  # the result, once it is done
    made: "Record | None" = None  # if not done: the last record that was done; in memory only


def _line(values: dict[str, Any]) -> bytes:
    """Return `values` as a line of ASCII JSON, which escapes names that are not valid Unicode."""
    return json.dumps(values, separators=(",", ":")).encode("ascii") + b"\n"


_HEADER = _line({"wideopen-batch": 1})


class Manifest:
    """The manifest file, open for appending; a context manager."""

    def __init__(self, path: Path, *, anew: bool = False) -> None:
        """Open or create the manifest at `path` and read it; `anew` drops its records.

        Raises InvalidInput if the file is not a manifest, cannot be written, or is being written by another batch.
        """
        self.path = path
        self.records: dict[str, Record] = {}  # by target
        with system_errors(f"{path}: cannot be written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a kill, too, releases it
            except BlockingIOError as error:
                raise InvalidInput(f"{path}: another batch is writing it") from error
            except OSError:  # a file system without locks
                pass
            if anew:
                os.ftruncate(self._file, 0)
            self._load()
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Flush everything to disk and release the lock."""
        with suppress(OSError):  # not a regular file on a disk
            os.fsync(self._file)
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
        """Record that work on a result begins. This, `done` and `failed` raise ManifestError if writing fails."""
        record = Record(state="begun", settings=settings, inputs=inputs, before=before, may_replace=may_replace)
        self._note(target, record)

    def done(self, target: str, *, digest: str, result: Status | None) -> None:
        """Record that a result is finished; `begin` must have been called for it."""
        begun = self.records[target]
        record = Record(state="done", settings=begun.settings, inputs=begun.inputs, digest=digest, result=result)
        self._note(target, record)

    def failed(self, target: str) -> None:
        """Record that a result failed; `begin` must have been called for it."""
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
        with system_errors(f"{self.path}: cannot be written", ManifestError):
            written = os.write(self._file, line)
        if written < len(line):
            raise ManifestError(f"{self.path}: cannot be written (No space left on device)")

    def _load(self) -> None:
        os.lseek(self._file, 0, os.SEEK_SET)
        with os.fdopen(os.dup(self._file), "rb") as file:
            line = file.readline()
            if line != _HEADER and _HEADER.startswith(line):  # new, or a crash cut the header short
                os.ftruncate(self._file, 0)
                self._append(_HEADER)
                return
            if line != _HEADER:
                raise InvalidInput(f"{self.path}: expected a manifest of `wideopen batch`, found another file")
            for line in file:
                values = _parsed(line)
                target = values.pop("target", None)
                if target is None:
                    continue
                statuses = {name: Status(*values[name]) for name in ("before", "result") if values.get(name)}
                inputs = tuple(None if one is None else Status(*one) for one in values["inputs"])
                settings = sys.intern(values["settings"])
                self._remember(target, Record(**{**values, **statuses, "inputs": inputs, "settings": settings}))
        if not line.endswith(b"\n"):  # a crash cut it short: end it, so that the next line is readable
            os.write(self._file, b"\n")


class Step(Enum):
    """What to do with one photo."""

    SKIP = auto()  # done before and nothing has changed
    ADOPT = auto()  # finished by a run that was killed before it could record this
    MAKE = auto()  # no file exists at the result's path
    REPLACE = auto()  # the existing file may be replaced
    REFUSE = auto()  # the existing file may not be replaced


def plan(
    record: Record | None,
    *,
    settings: str,
    inputs: tuple[Status | None, ...],
    found: Status | None,
    overwrite: bool,
    digest: Callable[[], str],
) -> Step:
    """Decide what to do for a result with this `record`, if the file `found` is now at its path.

    settings: hash of the requested settings; inputs: the current files that the result depends on; overwrite: whether
    files that no batch has made may be replaced; digest: hashes the inputs, and is called only if their sizes match the
    record and their times do not.
    """
    if found is None:
        return Step.MAKE
    if record is None:
        return Step.REPLACE if overwrite else Step.REFUSE
    if record.made is not None and record.made.result == found:  # begun again since, but the file is still the old one
        record = record.made
    if record.state == "done":
        if found.size == 0:  # the content was lost in a power failure
            return Step.REPLACE
        if record.settings == settings and _unchanged(record, inputs, digest):
            return Step.SKIP
        edited = record.result is not None and found.size != record.result.size  # changed since the batch wrote it
        return Step.REFUSE if edited and not overwrite else Step.REPLACE
    if record.state == "begun" and found != record.before:  # the result appeared since; results are written atomically
        same = (record.settings, record.inputs) == (settings, inputs)
        return Step.ADOPT if same and found.size > 0 else Step.REPLACE  # an empty file only reserves the name
    allowed = found == record.before and record.may_replace
    return Step.REPLACE if allowed or overwrite else Step.REFUSE


def _unchanged(record: Record, inputs: tuple[Status | None, ...], digest: Callable[[], str]) -> bool:
    if record.inputs == inputs:
        return True
    sizes = [[one and one.size for one in files] for files in (record.inputs, inputs)]
    return sizes[0] == sizes[1] and digest() == record.digest


def _parsed(line: bytes) -> dict[str, Any]:
    """Return the values of a line; empty if the line was cut short."""
    with suppress(ValueError):
        values = json.loads(line)
        return values if isinstance(values, dict) else {}
    return {}
