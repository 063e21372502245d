"""Photos' files are touched in worker processes only; a worker that dies or hangs costs one photo."""

import asyncio
import importlib
import os
import time
from pathlib import Path

import pytest
from studio_photos import decode_with_traps, kept_photo, quietly

from wideopen.errors import InvalidInput
from wideopen.studio import StudioSettings
from wideopen.studio.actions import Studio
from wideopen.studio.launch import runner
from wideopen.studio.settings_form import FIRST
from wideopen.workers import PoolSize, Workers

PATIENCE_S = 60


@pytest.fixture(scope="module")
def workers():
    """One worker, whose decoder notes where it runs, and obeys the file names "kill", "hang" and "wait"."""
    with Workers(PoolSize(workers=1, threads=1), decode_with_traps) as made:
        yield made


@pytest.fixture
def studio(workers, tmp_path):
    made = Studio(tmp_path / "root", StudioSettings(), runner(workers, timeout_s=15), quietly)
    yield made
    made.close()


def opened(studio, file):
    return asyncio.run(studio.open_file("a", FIRST, file))


def pids(studio):
    """The processes that decoded a photo."""
    return {int(file.read_text()) for file in studio.tabs.root.rglob("*.pid")}


def test_photos_are_decoded_in_a_worker(studio, tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("decoded in the serving process")

    for module, name in (("read", "_decoder"), ("decode_pillow", "facts_in")):
        monkeypatch.setattr(importlib.import_module(f"wideopen.files.{module}"), name, refuse)
    assert opened(studio, kept_photo(tmp_path / "photo.jpg"))["photo"]["matte"] == "kept with the photo"
    asyncio.run(studio.detail("a", FIRST, 0, 0, 1, 1))
    result = asyncio.run(studio.download("a", FIRST, "PNG", None))
    assert Path(result["download"]["path"]).is_file()
    assert len(pids(studio)) == 1
    assert os.getpid() not in pids(studio)


@pytest.mark.parametrize(("trap", "cause"), [("kill", "SIGKILL"), ("hang", "longer than 15 s")])
def test_a_worker_that_ends_loses_one_photo_and_is_reported_in_one_line(studio, tmp_path, trap, cause):
    opened(studio, kept_photo(tmp_path / "photo.jpg"))
    with pytest.raises(InvalidInput) as caught:
        opened(studio, kept_photo(tmp_path / f"{trap}.jpg", trap=trap))
    assert str(caught.value).startswith(f"{trap}.jpg: ")
    assert cause in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert studio.tab("a").photo.opened.name == "photo.jpg"  # still open
    assert opened(studio, kept_photo(tmp_path / "next.jpg", seed=8))["photo"]["name"] == "next.jpg"


def test_the_steps_of_a_worker_are_shown(studio, tmp_path):
    shown = []
    studio.show_progress = lambda share, what: shown.append((share, what))
    opened(studio, kept_photo(tmp_path / "photo.jpg", trap="wait"))
    assert "Opening photo.jpg: reading" in [what for _, what in shown]
    assert all(0 <= share < 1 for share, _ in shown)


def test_work_for_a_closed_tab_is_stopped(studio, tmp_path):
    def leave(share, what):
        if "reading" in what and "a" in studio.tabs:
            studio.end("a")

    studio.show_progress = leave
    with pytest.raises(InvalidInput, match="session has ended"):
        opened(studio, kept_photo(tmp_path / "photo.jpg", trap="wait"))
    latest = time.monotonic() + PATIENCE_S
    while list(studio.tabs.root.iterdir()) and time.monotonic() < latest:
        time.sleep(0.1)
    assert list(studio.tabs.root.iterdir()) == []
