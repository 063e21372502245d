"""Photos in worker processes: whatever happens to one, the others are rendered, and no partial file is left."""

import os
from pathlib import Path

import pytest
from batch_photos import matte_bytes

from wideopen.batch.local import Stop
from wideopen.batch.work import inputs_of, with_matte_folder
from wideopen.session.open_photo import Given, Job
from wideopen.session.render_file import render_file
from wideopen.settings import LensSettings, MapSettings
from wideopen.workers import PoolSize, Workers


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def one_thread():
    import cv2
    import numba

    before = numba.get_num_threads(), cv2.getNumThreads()
    numba.set_num_threads(1)
    cv2.setNumThreads(1)
    yield
    numba.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def test_the_same_bytes_as_the_command_for_one_photo(shop, run_batch, one_thread):
    folder = shop("a.jpg", "b.png", "sub/c.jpg")
    heard = run_batch()
    assert (heard.names, heard.reasons) == (["a.jpg", "b.png", "c.jpg"], [])
    job = Job(maps=MapSettings(depth="planar"), lens=LensSettings(blur="4px"), given=Given(mattes=folder / "mattes"))
    for name, target in (("a.jpg", "a.bokeh.jpg"), ("b.png", "b.bokeh.png"), ("sub/c.jpg", "sub/c.bokeh.jpg")):
        alone = folder / f"alone{Path(name).suffix}"
        render_file(folder / "in" / name, alone, job)
        assert alone.read_bytes() == (folder / "out" / target).read_bytes()
        alone.unlink()


def test_a_photo_that_fails_hangs_or_kills_its_worker_affects_no_other(shop, run_batch):
    folder = shop("a.jpg", "bug.jpg", "hangs.jpg", "kills.jpg", "z.jpg")
    (folder / "in" / "broken.jpg").write_bytes(b"\xff\xd8\xff garbage")
    (folder / "mattes" / "broken.png").write_bytes(b"")
    heard = run_batch(timeout_s=3)
    assert heard.names == ["a.jpg", "z.jpg"]
    reasons = sorted(reason.removeprefix(f"{folder}/in/") for reason in heard.reasons)
    assert reasons == [
        "broken.jpg: damaged or incomplete JPEG file (no marker found)",
        "bug.jpg: unexpected error: LookupError: unforeseen",
        "hangs.jpg: took longer than 3 s",
        "kills.jpg: its worker process died (SIGKILL, perhaps because memory ran out)",
    ]
    assert files(folder / "out") == ["a.bokeh.jpg", "z.bokeh.jpg"]  # no temporary file of the killed one


def test_a_result_that_was_there_when_its_worker_died_counts(shop, run_batch):
    folder = shop("late.jpg")
    heard = run_batch()
    assert (heard.names, heard.reasons) == (["late.jpg"], [])
    assert heard.done_reports[0]["adopted"]
    assert run_batch().skips == [str(folder / "in" / "late.jpg")]


def test_a_report_has_times_sources_and_memory(shop, run_batch):
    shop("a.jpg")
    (report,) = run_batch().done_reports
    assert report["seconds"]["total"] > 0
    assert report["disparity"] == "planar"
    assert report["peak_mb"] > 50
    assert report["worker"] != os.getpid()


def test_a_changed_matte_is_a_changed_photo(shop, run_batch):
    folder = shop("a.jpg", "b.jpg")
    run_batch()
    matte = folder / "mattes" / "a.png"
    matte.write_bytes(matte.read_bytes().replace(b"IEND", b"IEND") + b"more")
    assert run_batch().names == ["a.jpg"]


def test_mattes_are_found_in_the_photos_subfolders(shop, run_batch):
    folder = shop("one/x.jpg", "two/x.jpg")
    matte = folder / "mattes" / "x.png"
    for name in ("one", "two"):
        (folder / "mattes" / name).mkdir()
        (folder / "mattes" / name / "x.png").write_bytes(matte.read_bytes())
    matte.unlink()
    heard = run_batch()
    assert [Path(report["matte"]).parent.name for report in sorted(heard.done_reports, key=lambda r: r["out"])] == [
        "one",
        "two",
    ]


def test_hints_are_inputs_and_lie_in_folders_like_the_photos(tmp_path):
    (tmp_path / "hints" / "one").mkdir(parents=True)
    (tmp_path / "hints" / "one" / "x.png").write_bytes(matte_bytes())
    job = Job(given=Given(matte_hints=tmp_path / "hints"))
    hint = str(tmp_path / "hints" / "one" / "x.png")
    assert inputs_of("in/one/x.jpg", with_matte_folder(job, "one/x.bokeh.jpg")) == ("in/one/x.jpg", hint)
    assert inputs_of("in/two/x.jpg", with_matte_folder(job, "two/x.bokeh.jpg")) == ("in/two/x.jpg",)


def test_a_first_stop_finishes_photos_in_progress_and_begins_no_others(shop, run_batch):
    folder = shop(*(f"{n}.jpg" for n in range(12)))
    stop = Stop()
    heard = run_batch(stop=stop, on_done=stop.soon.set)
    assert 1 <= len(heard.names) <= 4  # the first, and what two workers had then
    assert len(files(folder / "out")) == len(heard.names)
    rest = run_batch()
    assert len(rest.names) == 12 - len(heard.names)
    assert len(rest.skips) == len(heard.names)


def test_a_second_stop_abandons_photos_in_progress(shop, run_batch):
    folder = shop("a.jpg", "b.jpg", "hangs.jpg", "hangs too.jpg")
    stop = Stop()
    pool = Workers(PoolSize(workers=2, threads=1))
    heard = run_batch(stop=stop, on_done=lambda: (stop.ask(), stop.ask()), pool=pool)
    assert heard.reasons == []
    assert set(files(folder / "out")) <= {"a.bokeh.jpg", "b.bokeh.jpg"}  # whole ones, and nothing temporary
    (folder / "in" / "hangs.jpg").unlink()
    (folder / "in" / "hangs too.jpg").unlink()
    assert run_batch().reasons == []
    assert files(folder / "out") == ["a.bokeh.jpg", "b.bokeh.jpg"]


def test_a_hot_folder_is_done_as_photos_come_until_asked_to_stop(shop, run_batch):
    folder = shop("a.jpg")
    stop = Stop()
    done = []

    def then():
        done.append(1)
        if len(done) == 1:
            shop("b.jpg")
        else:
            stop.ask()

    heard = run_batch(stop=stop, on_done=then, watch_s=0.05)
    assert (heard.names, heard.reasons) == (["a.jpg", "b.jpg"], [])
    assert files(folder / "out") == ["a.bokeh.jpg", "b.bokeh.jpg"]


def test_urls_are_read_and_written(shop, run_batch):
    """local:// goes the way of every kind of URL that fsspec knows; an object store is in the test of the cluster."""
    folder = shop("a.jpg", "sub/b.jpg")
    (folder / "in" / "broken.jpg").write_bytes(b"\xff\xd8\xff garbage")
    (folder / "mattes" / "broken.png").touch()
    source, destination = f"local://{folder}/in", f"local://{folder}/remote"
    heard = run_batch(source, destination=destination)
    assert heard.names == ["a.jpg", "b.jpg"]
    assert heard.reasons == [f"{source}/broken.jpg: damaged or incomplete JPEG file (no marker found)"]
    assert files(folder / "remote") == ["a.bokeh.jpg", "sub/b.bokeh.jpg"]
    assert sorted(report["out"] for report in heard.done_reports)[0] == f"{destination}/a.bokeh.jpg"
    assert len(run_batch(source, destination=destination).skips) == 2
    assert len(run_batch().done_reports) == 2
    for name in files(folder / "remote"):
        assert (folder / "remote" / name).read_bytes() == (folder / "out" / name).read_bytes()
