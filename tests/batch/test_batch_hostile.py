"""Hostile files: each gives a complete result or one line, and costs neither another photo nor a worker."""

import os
import re
from pathlib import Path

import pytest
from batch_photos import matte_bytes, photo_bytes
from hostile_files import CORPUS

from wideopen.files import read

PAGE = Path(__file__).parents[2] / "docs" / "batch.md"


def rows_of_page():
    """{what: (rendered, refused)} of the table in docs/batch.md."""
    table = PAGE.read_text(encoding="utf-8").split("## When things go wrong")[1]
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| (\d+) \|", table, re.MULTILINE)
    return {what: (int(rendered), int(refused)) for what, rendered, refused in rows}


@pytest.mark.parametrize("what", CORPUS)
def test_hostile_files_are_rendered_or_refused_in_one_line(shop, run_batch, what):
    folder = shop("0 good.jpg", "~ good.jpg")
    count = 0
    for name, content in CORPUS[what]():
        count += 1
        (folder / "in" / name).write_bytes(content)
        size = tuple(map(int, re.findall(r"\d+", name)[:2])) if what.startswith("65535") else (64, 48)
        matte = folder / "mattes" / f"{Path(name).stem}.png"
        matte.write_bytes(matte_bytes(*size))
    heard = run_batch(timeout_s=30)
    for reason in heard.reasons:
        assert "worker process died" not in reason
        assert "unexpected error" not in reason
        assert "longer than" not in reason
        assert reason.startswith(str(folder))
    for report in heard.done_reports:
        assert report["peak_mb"] < 1200
        assert read(report["out"]).rgb.size > 0
    assert {"0 good.jpg", "~ good.jpg"} <= set(heard.names)
    rendered = len(heard.names) - 2
    assert rendered + len(heard.reasons) == count
    assert (rendered, len(heard.reasons)) == rows_of_page().get(what), heard.reasons
    left = [path for path in folder.rglob("*") if path.suffix == ".wideopen-tmp"]
    assert left == []


def test_a_full_disk_is_one_line_for_a_photo(shop, run_batch):
    """The system's limit on the size of files stands for it."""
    folder = shop("a.jpg", "full.jpg")
    heard = run_batch()
    assert heard.names == ["a.jpg"]
    assert heard.reasons == [f"{folder}/out/full.bokeh.jpg: cannot be written (File too large)"]
    assert sorted(os.listdir(folder / "out")) == ["a.bokeh.jpg"]  # noqa: PTH208


def test_a_folder_that_cannot_be_made_is_one_line(shop, run_batch):
    folder = shop("a.jpg", "sub/b.jpg")
    (folder / "out").mkdir()
    (folder / "out" / "sub").write_bytes(b"a file")
    heard = run_batch()
    assert heard.names == ["a.jpg"]
    assert len(heard.reasons) == 1
    assert str(folder / "out" / "sub") in heard.reasons[0]


def test_special_files_are_skipped(shop, run_batch):
    folder = shop("a.jpg")
    os.mkfifo(folder / "in" / "pipe.jpg")
    (folder / "in" / "device.jpg").symlink_to("/dev/zero")
    (folder / "in" / "nowhere.jpg").symlink_to("gone.jpg")
    (folder / "in" / "up").symlink_to("..")
    for name in ("pipe", "device", "nowhere"):
        (folder / "mattes" / f"{name}.png").write_bytes(matte_bytes())
    (folder / "elsewhere.png").write_bytes(photo_bytes("PNG", 1))
    heard = run_batch()
    assert "a.jpg" in heard.names
    assert not {"pipe.jpg", "device.jpg", "nowhere.jpg"} & set(heard.names)
    named = run_batch(folder / "in" / "pipe.jpg", folder / "in" / "device.jpg")
    assert len(named.reasons) == 2
