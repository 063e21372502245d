"""Tiny photos with mattes, and workers that all tests of the batch share: they take seconds to start."""

from pathlib import Path

import pytest
from batch_photos import matte_bytes, photo_bytes

from wideopen.batch.batch import Batch
from wideopen.batch.local import LocalEngine, Stop, warm_up_of
from wideopen.batch.manifest import Manifest
from wideopen.batch.walk import find_photos, watched
from wideopen.session.open_photo import Given, Job
from wideopen.settings import LensSettings, MapSettings
from wideopen.workers import PoolSize, Workers

PLANAR = MapSettings(depth="planar")


class Heard:
    """A listener that keeps what it hears."""

    def __init__(self, on_done=lambda: None):
        self.done_reports, self.skips, self.reasons = [], [], []
        self.on_done = on_done

    def __call__(self, row):
        match row:
            case {"status": "done"}:
                self.done_reports.append(row)
                self.on_done()
            case {"status": "skipped", "photo": photo}:
                self.skips.append(photo)
            case {"status": "failed", "reason": reason}:
                self.reasons.append(reason)

    @property
    def names(self):
        return sorted(Path(report["photo"]).name for report in self.done_reports)


@pytest.fixture
def shop(tmp_path):
    """Folders in/ and mattes/; call it with names to make photos with their mattes."""
    (tmp_path / "in").mkdir()
    (tmp_path / "mattes").mkdir()

    def make(*names, content=None):
        for seed, name in enumerate(names):
            path = tmp_path / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(
                photo_bytes("PNG" if path.suffix == ".png" else "JPEG", seed) if content is None else content
            )
            (tmp_path / "mattes" / f"{path.stem}.png").write_bytes(matte_bytes())
        return tmp_path

    return make


@pytest.fixture(scope="session")
def workers():
    """Two workers; the job's mattes are given, so that no network is loaded."""
    job = Job(maps=PLANAR, given=Given(mattes=Path(__file__).parent))
    with Workers(PoolSize(workers=2, threads=1), warm_up_of(job)) as pool:
        yield pool


@pytest.fixture
def run_batch(tmp_path, workers):
    """Run in/ (or `sources`) to out/ and return what was heard."""
    from batch_tasks import do_or_misbehave

    def run(*sources, destination=None, timeout_s=60, stop=None, on_done=lambda: None, pool=None, watch_s=None):
        destination = str(destination or tmp_path / "out")
        heard = Heard(on_done)
        job = Job(maps=PLANAR, lens=LensSettings(blur="4px"), given=Given(mattes=tmp_path / "mattes"))
        places = [str(one) for one in sources or [tmp_path / "in"]]
        found = list(find_photos(places, destination)) if watch_s is None else None
        hot = watched(lambda: find_photos(places, destination), every_s=watch_s or 1)
        with Manifest(tmp_path / "manifest.jsonl") as manifest:
            engine = LocalEngine(pool or workers, timeout_s=timeout_s, work=do_or_misbehave)
            Batch(job, destination, manifest, heard).run(hot if found is None else iter(found), engine, stop or Stop())
        return heard

    return run
