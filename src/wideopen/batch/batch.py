"""Process the photos of a batch: decide what to do with each, run it and record the outcome."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from wideopen.batch.local import BatchEngine, Outcome, Stop
from wideopen.batch.manifest import Manifest, Step, plan
from wideopen.batch.places import is_url, join, status_of
from wideopen.batch.walk import BatchPhoto, Unusable
from wideopen.batch.work import Task, digest_of_all, finished_report, inputs_of, settings_hash, with_matte_folder
from wideopen.checks import require
from wideopen.errors import InvalidInput
from wideopen.files.atomic import TAKEN, remove_leftovers
from wideopen.files.refocusable import sidecar_of
from wideopen.session.open_photo import Job

Listen = Callable[[dict[str, Any] | None], object]
"""Is called with a row for each photo. Its `status` is "done", with the report of `wideopen render --json`; "skipped",
with `photo` and `out`, since the same settings have made the result before; or "failed", with `photo` and `reason`, one
line that names it. Is called with None regularly, to refresh a display."""


class Batch:
    """All photos of one command."""

    def __init__(self, job: Job, destination: str, manifest: Manifest, listen: Listen) -> None:
        """`job.overwrite` allows replacing files that no batch made; those in the manifest may always be replaced."""
        self._job, self._destination, self._manifest, self._listen = job, destination, manifest, listen
        self._settings = settings_hash(job)
        self._photo_of: dict[str, str] = {}
        self._safe_folders: dict[str, bool] = {}
        if not is_url(destination):
            begun = [target for target, record in manifest.records.items() if record.state == "begun"]
            remove_leftovers(file for target in begun for file in _files_of(Path(join(destination, target))))

    def run(self, found: Iterator[BatchPhoto | Unusable | None], engine: BatchEngine, stop: Stop) -> None:
        """Process all photos found, until a stop. Raises ManifestError if the manifest cannot be written."""
        for outcome in engine.outcomes(self._tasks(found, stop), stop):
            if outcome is not None:
                self._note(outcome)
            self._listen(None)

    def _tasks(self, found: Iterator[BatchPhoto | Unusable | None], stop: Stop) -> Iterator[Task | None]:
        """Yield the tasks that remain; each is recorded as begun when it is taken."""
        for one in found:
            if stop.soon.is_set():
                return
            if one is None:
                yield None
            elif isinstance(one, Unusable):
                self._failed(one.place, f"{one.place}: {one.reason}")
            else:
                try:
                    task = self._task(one)
                except (InvalidInput, OSError) as error:
                    reason = str(error) if isinstance(error, InvalidInput) else f"{one.photo}: {error}"
                    self._failed(one.photo, reason)
                    continue
                if task is not None:
                    yield task
            self._listen(None)

    def _task(self, found: BatchPhoto) -> Task | None:
        """Return the task for a photo; None if it is done. Raises InvalidInput if the result must not be written."""
        photo, target = found
        out = join(self._destination, target)
        other = self._photo_of.setdefault(target, photo)
        require(other == photo, f"{photo}: its result {out} is also the result of {other}")
        self._require_inside(out)
        job = with_matte_folder(self._job, target)
        inputs = inputs_of(photo, job)
        now, present = tuple(map(status_of, inputs)), status_of(out)
        step = plan(
            self._manifest.records.get(target),
            settings=self._settings,
            inputs=now,
            found=present,
            overwrite=job.overwrite,
            digest=lambda: digest_of_all(inputs),
        )
        require(step is not Step.REFUSE, f"{photo}: its result {TAKEN.format(out)}")
        if step is Step.ADOPT:
            self._manifest.done(target, digest=digest_of_all(inputs), result=present)
        if step in (Step.ADOPT, Step.SKIP):
            self._listen({"status": "skipped", "photo": photo, "out": out})
            return None
        replaces = step is Step.REPLACE
        self._manifest.begin(target, settings=self._settings, inputs=now, before=present, may_replace=replaces)
        return Task(photo, out, target, replace(job, overwrite=replaces), present)

    def _note(self, outcome: Outcome) -> None:
        task, report = outcome.task, outcome.report
        if (outcome.lost or outcome.interrupted) and not is_url(task.out):
            remove_leftovers(_files_of(Path(task.out)))
        if outcome.interrupted:
            return
        if report is None and outcome.lost:
            report = finished_report(task)
        if report is None:
            self._manifest.failed(task.target)
            self._failed(task.photo, outcome.reason)
            return
        report = dict(report)
        self._manifest.done(task.target, digest=report.pop("digest"), result=report.pop("result"))
        self._listen({"status": "done", **report})

    def _failed(self, photo: str, reason: str) -> None:
        self._listen({"status": "failed", "photo": photo, "reason": reason})

    def _require_inside(self, out: str) -> None:
        """Refuse a result if a link leads its folder out of the destination, where originals may be."""
        if is_url(out):
            return
        folder = os.path.dirname(out)  # noqa: PTH120
        if folder not in self._safe_folders:
            root, real = os.path.realpath(self._destination), os.path.realpath(folder)
            self._safe_folders[folder] = real == root or real.startswith(root.rstrip(os.sep) + os.sep)
        inside = self._safe_folders[folder]
        require(inside, f"{out}: expected a folder inside {self._destination}, found a link out of it")


def _files_of(out: Path) -> tuple[Path, Path]:
    return out, sidecar_of(out)
