"""Rendering one photo of a batch, in a worker of any engine."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from wideopen.batch.places import Status, digest_of, is_url, local_file, status_of
from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.files.refocusable import sidecar_of
from wideopen.session.open_photo import Given, Job
from wideopen.session.render_file import render_file, user_names
from wideopen.timing import Steps


class Task(NamedTuple):
    """A photo and its result; picklable."""

    photo: str  # place
    out: str  # place
    target: str  # path of the result relative to the destination
    job: Job
    before: Status | None = None  # the file at the result's path when the task was created


def digest_of_all(places: Sequence[str]) -> str:
    """Return a hash of the contents of files. Raises InvalidInput if one cannot be read."""
    digests = [digest_of(place) for place in places]
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def settings_hash(job: Job) -> str:
    """Return a hash of all settings that change a result, including the contents of a weights file."""
    maps = job.maps.to_dict()
    del maps["offline"]  # this changes how a model is obtained, not which
    words = [job.lens.to_dict(), maps, job.output.to_dict(), job.backend, job.given.mattes is not None]
    if Path(job.maps.matting).is_file():
        words.append(digest_of(job.maps.matting))
    return hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()[:16]


def with_matte_folder(job: Job, target: str) -> Job:
    """Return `job` with the mattes or hints of one photo: from the subfolder that matches, else from the folder."""
    folder = job.given.mattes or job.given.matte_hints
    if folder is None or not (below := folder / Path(target).parent).is_dir():
        return job
    return replace(job, given=Given(mattes=below) if job.given.mattes else Given(matte_hints=below))


def inputs_of(photo: str, job: Job) -> tuple[str, ...]:
    """Return the files that a result depends on: the photo, its matte or hint if given, and the maps beside it."""
    file = Path(photo.rpartition("/")[2] if is_url(photo) else photo)
    try:
        matte = job.given.matte_of(file) or job.given.hint_of(file)
    except (InvalidInput, OSError):
        matte = None  # rendering the photo reports the error
    beside = str(sidecar_of(file))
    kept = not is_url(photo) and os.path.isfile(beside)  # noqa: PTH113  False also for a name that is too long
    return (photo, *([str(matte)] if matte else []), *([beside] if kept else []))


def require_local_originals(job: Job, places: Sequence[str]) -> None:
    """Refuse --keep-depth to or from URLs, since a result names its original by path. Raises InvalidInput."""
    remote = next((place for place in places if is_url(place)), None)
    expected = "--keep-depth: expected local folders (the original is named by its path)"
    require(remote is None or not job.output.keep_depth, f"{expected}, found {remote}")


def render_task(task: Task) -> dict[str, Any]:
    """Render one photo; return the report of `wideopen render --json` with `digest` of the inputs and `result`.

    A task that a lost worker had finished is not repeated. Raises InvalidInput, WeightsError, BackendUnavailable.
    """
    if (report := finished_report(task)) is not None:
        return report
    digest = digest_of_all(inputs_of(task.photo, task.job))
    notes = _Notes()
    with (
        local_file(task.photo) as photo,
        local_file(task.out, is_result=True) as out,
        user_names((str(photo), task.photo), (str(out), task.out)),
    ):
        report = render_file(photo, out, task.job, step=notes)
    report |= {"photo": task.photo, "out": task.out, "digest": digest, "result": status_of(task.out)}
    report["notes"] = [*notes.lines, *report["notes"]]
    return report


def finished_report(task: Task) -> dict[str, Any] | None:
    """Return the report of a task whose worker finished it but died before reporting; None for any other task.

    Raises InvalidInput if the inputs cannot be read.
    """
    found = status_of(task.out)
    if found is None or found == task.before or found.size == 0:
        return None
    digest = digest_of_all(inputs_of(task.photo, task.job))
    return {"photo": task.photo, "out": task.out, "digest": digest, "result": found, "adopted": True}


class _Notes(Steps):
    """Collects notes for the report."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, line: str) -> None:
        """Add a line to the notes."""
        self.lines.append(line)
