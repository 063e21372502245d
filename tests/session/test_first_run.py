"""The first run on a machine compiles kernels in a second process."""

import subprocess
import sys
import threading

import pytest

from wideopen.session import first_run
from wideopen.timing import Steps


class _RecordedSteps(Steps):
    def __init__(self):
        self.steps, self.notes = [], []

    def __call__(self, step):
        self.steps.append(step)

    def note(self, line):
        self.notes.append(line)


class _Processes(list):
    """The processes that were started."""

    def __init__(self):
        self.begun = threading.Event()


@pytest.fixture
def processes(monkeypatch):
    """The processes that were started, each a sleeping Python; `first_use_compiles` is true."""
    started, start = _Processes(), subprocess.Popen

    def popen(_, **options):
        started.append(
            start([sys.executable, "-c", "import time; time.sleep(SECONDS)".replace("SECONDS", "0.2")], **options)
        )
        started.begun.set()
        return started[-1]

    monkeypatch.setattr(first_run, "first_use_compiles", lambda *_: True)
    monkeypatch.setattr(first_run.subprocess, "Popen", popen)
    monkeypatch.setattr(first_run, "_loaded", set())
    return started


def test_the_photo_waits_for_the_kernels_with_a_note(processes):
    recorded = _RecordedSteps()
    with first_run.kernels_meanwhile("auto", "thin-lens", recorded):
        assert processes.begun.wait(10)
        assert processes[0].poll() is None  # compiling while the photo is analysed
    assert processes[0].returncode == 0
    assert recorded.steps == ["compiling kernels (first run only)"]
    assert len(recorded.notes) == 1
    assert "first run" in recorded.notes[0]


def test_a_photo_that_fails_does_not_wait(processes):
    def fail():
        with first_run.kernels_meanwhile("auto", "thin-lens", _RecordedSteps()):
            processes.begun.wait(10)
            raise ValueError("no photo")

    with pytest.raises(ValueError, match="no photo"):
        fail()
    assert processes[0].returncode != 0  # ended at once


def test_compiled_kernels_are_loaded_once_without_a_process(processes, monkeypatch):
    monkeypatch.setattr(first_run, "first_use_compiles", lambda *_: False)
    recorded, loaded = _RecordedSteps(), []
    monkeypatch.setattr(first_run, "run_kernels", loaded.append)
    for _ in range(2):
        with first_run.kernels_meanwhile("auto", "thin-lens", recorded):
            pass
    assert (processes, recorded.notes, loaded) == ([], [], ["thin-lens"])


def test_another_backend_loads_no_kernels(processes, monkeypatch):
    monkeypatch.setattr(first_run, "run_kernels", pytest.fail)
    with first_run.kernels_meanwhile("reference", "thin-lens", _RecordedSteps()):
        pass
    assert not processes
