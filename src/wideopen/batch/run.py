"""Going through the photos: what is still to be done, what became of it, and what is remembered of both."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from wideopen.batch.local import Engine, Outcome, Stop
from wideopen.batch.manifest import Manifest
from wideopen.batch.places import Status, is_url, join, status_of
from wideopen.batch.plan import Step, plan
from wideopen.batch.walk import Found, Problem
from wideopen.batch.work import Task, inputs_of, settings_hash, with_matte_folder
from wideopen.errors import InvalidInput
from wideopen.files.atomic import remove_leftovers
from wideopen.files.kept import sidecar_of
from wideopen.session.render_file import Job


class Listener(Protocol):
    """Told of everything as it happens."""

    def done(self, report: dict[str, Any]) -> None:
        """A result is there; `report` as `wideopen render --json`."""

    def skipped(self, photo: str, out: str) -> None:
        """A result was there already, made from the same photo with the same settings."""

    def failed(self, photo: str, reason: str) -> None:
        """A photo has no result; `reason` is a line that names it."""

    def tick(self) -> None:
        """Some time has passed."""


class Batch:
    """All photos of one command."""

    def __init__(self, job: Job, destination: str, manifest: Manifest, listener: Listener) -> None:
        """`job.overwrite` lets files be replaced that no batch has made. The manifest's results are ours."""
        self._job = job
        self._destination = destination
        self._manifest = manifest
        self._listener = listener
        self._settings = settings_hash(job)
        self._photo_of: dict[str, str] = {}
        self._safe_folders: dict[str, bool] = {}
        self._clean_up()

    def run(self, found: Iterator[Found | Problem | None], engine: Engine, stop: Stop) -> None:
        """Do all photos found, until told to stop. Raises ManifestError where the manifest cannot be written."""
        for outcome in engine.outcomes(self._tasks(found, stop), stop):
            if outcome is not None:
                self._note(outcome)
            self._listener.tick()

    def _tasks(self, found: Iterator[Found | Problem | None], stop: Stop) -> Iterator[Task | None]:
        """The photos that are to be done, noted as begun when they are taken."""
        for one in found:
            if stop.soon.is_set():
                return
            if one is None:
                yield None
            elif isinstance(one, Problem):
                self._listener.failed(one.place, f"{one.place}: {one.reason}")
            else:
                try:
                    task = self._task(one)
                except (InvalidInput, OSError) as error:
                    named = str(error) if isinstance(error, InvalidInput) else f"{one.photo}: {error}"
                    self._listener.failed(one.photo, named)
                    continue
                if task is not None:
                    yield task
            self._listener.tick()

    def _task(self, found: Found) -> Task | None:
        """The task for a photo; None if it is done. Raises InvalidInput for a result that must not be written."""
        photo, target = found
        out = join(self._destination, target)
        other = self._photo_of.setdefault(target, photo)
        if other != photo:
            raise InvalidInput(f"{photo}: its result {out} is that of {other}")
        self._require_inside(out)
        job = with_matte_folder(self._job, target)
        inputs = inputs_of(photo, job)
        now, present = inputs.statuses(), status_of(out)
        step = plan(
            self._manifest.entries.get(target),
            settings=self._settings,
            inputs=now,
            found=present,
            overwrite=job.overwrite,
            digest=inputs.digest,
        )
        if step is Step.REFUSE:
            raise InvalidInput(f"{photo}: its result {out} exists already; --overwrite replaces it")
        if step is Step.SKIP:
            self._listener.skipped(photo, out)
            return None
        if step is Step.ADOPT:
            self._manifest.done(target, digest=inputs.digest(), result=present)
            self._listener.skipped(photo, out)
            return None
        replaces = step is Step.REPLACE
        self._manifest.begin(target, settings=self._settings, inputs=now, before=present, may_replace=replaces)
        return Task(photo, out, target, replace(job, overwrite=replaces), present)

    def _note(self, outcome: Outcome) -> None:
        task = outcome.task
        report = outcome.report
        if (outcome.lost or outcome.interrupted) and not is_url(task.out):
            remove_leftovers(_files_of(Path(task.out)))
        if outcome.interrupted:
            return
        if report is None and outcome.lost:
            report = self._finished_though_lost(task)
        if report is None:
            self._manifest.failed(task.target)
            self._listener.failed(task.photo, outcome.reason)
            return
        report = dict(report)
        self._manifest.done(task.target, digest=report.pop("digest"), result=report.pop("result"))
        self._listener.done(report)

    def _finished_though_lost(self, task: Task) -> dict[str, Any] | None:
        """The report of a task whose worker was lost after the result was there."""
        present: Status | None = status_of(task.out)
        if present is None or present == task.before or present.size == 0:
            return None
        digest = inputs_of(task.photo, task.job).digest()
        return {"photo": task.photo, "out": task.out, "digest": digest, "result": present, "adopted": True}

    def _require_inside(self, out: str) -> None:
        """Refuse a result whose folder is led out of the destination by a link: there may be originals there."""
        if is_url(out):
            return
        folder = os.path.dirname(out)  # noqa: PTH120
        if folder not in self._safe_folders:
            root, real = os.path.realpath(self._destination), os.path.realpath(folder)
            self._safe_folders[folder] = real == root or real.startswith(root.rstrip(os.sep) + os.sep)
        if not self._safe_folders[folder]:
            raise InvalidInput(f"{out}: expected a folder inside {self._destination}, found a link out of it")

    def _clean_up(self) -> None:
        """Remove what a killed run left half written."""
        if is_url(self._destination):
            return
        begun = [target for target, entry in self._manifest.entries.items() if entry.state == "begun"]
        remove_leftovers(file for target in begun for file in _files_of(Path(join(self._destination, target))))


def _files_of(out: Path) -> tuple[Path, Path]:
    return out, sidecar_of(out)
