"""`wideopen batch` as a process: interrupted, killed, resumed; and what it refuses."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys

import pytest
from PIL import Image

from wideopen import cli

LONG_S = 300  # ends a test that would hang; never reached
COMMAND = [sys.executable, "-c", "from wideopen.cli import main; main()", "batch"]


@pytest.fixture
def start(shop, tmp_path):
    """Start the command on in/ and out/, in a session of its own, as a terminal would."""

    def begin(*options):
        settings = ["--mattes", "mattes", "--depth", "planar", "--workers", "2", "--json", *options]
        process = subprocess.Popen(
            [*COMMAND, "in", "out", *settings],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        if hasattr(fcntl, "F_SETPIPE_SZ"):  # it cannot run far ahead of a test that is slow to read
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        return process

    return begin


def first_line(process, status):
    """Wait until a photo is done (or skipped, ...)."""
    for line in process.stdout:
        values = json.loads(line)
        if values["status"] == status:
            return values
    raise AssertionError(process.stderr.read())


def notices(err):
    """Lines of stderr without the progress of a slow batch."""
    return [line for line in err.splitlines() if not re.match(r"starting workers|\d+ (of \d+ )?done", line)]


def results(folder):
    """Every visible result, which must be a whole picture, with its time."""
    found = {}
    for path in sorted((folder / "out").glob("*.bokeh.jpg")):
        with Image.open(path) as image:
            image.load()
        found[path.name] = path.stat().st_mtime_ns
    return found


def test_interrupted_then_killed_then_resumed_every_photo_is_done_once(shop, start):
    folder = shop(*(f"{n:02}.jpg" for n in range(60)))
    with start() as process:
        first_line(process, "done")
        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C reaches every process of the terminal
        out, err = process.communicate(timeout=LONG_S)
    assert process.returncode == 130, err
    assert notices(err) == ["wideopen: finishing the photos in progress; interrupt again to stop at once"]
    summary = json.loads(out.splitlines()[-1])
    interrupted = results(folder)
    assert summary["status"] == "summary"
    assert summary["done"] == len(interrupted) < 60

    with start("--resume") as process:
        first_line(process, "done")
        process.kill()
        process.communicate(timeout=LONG_S)  # ends when its workers, which hold the pipes too, are gone
    killed = results(folder)
    assert interrupted.items() < killed.items()

    with start("--resume") as process:
        out, err = process.communicate(timeout=LONG_S)
    assert (process.returncode, notices(err)) == (0, [])
    reports = [json.loads(line) for line in out.splitlines()]
    statuses = [report["status"] for report in reports]
    assert statuses.count("skipped") == len(killed)
    assert statuses.count("done") == 60 - len(killed)
    assert killed.items() <= results(folder).items()
    assert len(results(folder)) == 60
    assert sorted(path.name for path in (folder / "out").iterdir() if path.suffix != ".jpg") == [
        ".wideopen-batch.jsonl"
    ]


@pytest.fixture
def refused(shop, tmp_path, monkeypatch, capfd):
    """Run what must be refused before any worker is started: exit 2 and one line, which is returned."""
    shop("a.jpg")
    monkeypatch.chdir(tmp_path)

    def never(*_, **__):
        raise AssertionError("workers were started")

    monkeypatch.setattr("wideopen.workers.Workers", never)

    def run(*arguments):
        code = cli.run(["batch", *arguments])
        captured = capfd.readouterr()
        assert (code, captured.out) == (2, "")
        (line,) = captured.err.splitlines()
        return line.removeprefix("wideopen: ")

    return run


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["in"], "batch: expected SRC and DST, found one place only"),
        (["nowhere", "out"], "nowhere: expected a photo, a folder or a pattern, found none there"),
        (["mattes/*.jpg", "out"], "mattes/*.jpg: expected photos, found none"),
        (["in", "in"], "in: expected another folder than the source in, found the same"),
        (["in", "in/a.jpg"], "in/a.jpg: expected a folder for the results, found a file"),
        (["in", "out", "--engine", "spark"], "engine: expected local or ray, found 'spark'"),
        (["in", "out", "--address", "auto"], "--address: expected --engine ray, found local"),
        (["in", "out", "--engine", "ray", "--watch"], "--watch: expected --engine local, found ray"),
        (["in", "out", "--workers", "0"], "workers: expected at least 1, found 0"),
        (["in", "out", "--timeout", "-1"], "timeout: expected at least 0 s, found -1"),
        (["in", "out", "--watch", "--watch-seconds", "0"], "watch_seconds: expected at least 0.01 s, found 0"),
        (["in", "out", "--list", "none.txt"], "--list: none.txt cannot be read (No such file or directory)"),
        (["in", "s3://b/out", "--keep-depth"], "--keep-depth: expected local folders (the original is named by its "),
        (["in", "out", "--report", "no/r.jsonl"], "--report: no/r.jsonl cannot be written (No such file or directory)"),
        (["in", "out", "--blur", "much"], "blur: expected"),
        (["in", "xyz://b/out"], "xyz://b/out: expected a URL that fsspec can open, found Protocol not known: xyz"),
    ],
)
def test_invalid_arguments_are_refused_in_one_line(refused, arguments, line):
    assert refused(*arguments).startswith(line)


def test_an_earlier_batch_is_not_started_over_by_accident(refused, tmp_path):
    from wideopen.batch.manifest import Manifest

    with Manifest(tmp_path / "out" / ".wideopen-batch.jsonl") as manifest:
        manifest.begin("a.bokeh.jpg", settings="s", inputs=())
    assert refused("in", "out") == (
        "out: expected --resume (continue) or --overwrite (start over), "
        "found the results of an earlier batch (1 photos)"
    )


def test_a_list_names_photos_one_by_one(tmp_path, monkeypatch):
    from pathlib import Path

    from wideopen.cli.batch import _lines_of

    (tmp_path / "list.txt").write_bytes(b"in/a.jpg\r\n\ncaf\xe9.jpg\n")
    assert _lines_of(Path(tmp_path / "list.txt")) == ("in/a.jpg", os.fsdecode(b"caf\xe9.jpg"))
