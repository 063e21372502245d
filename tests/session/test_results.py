"""Results have the same name everywhere, and those that cannot be written are refused before a photo is opened."""

from dataclasses import replace
from pathlib import PurePath

import pytest

from wideopen.errors import InvalidInput
from wideopen.session import render_file as module
from wideopen.session.open_photo import Job
from wideopen.session.render_file import render_file
from wideopen.session.results import has_quality, map_names, result_name
from wideopen.settings import OutputSettings

JOB = Job(output=OutputSettings())


@pytest.mark.parametrize(
    ("photo", "extension", "name"),
    [
        ("a.HEIC", None, "a.bokeh.HEIC"),
        ("a.dng", None, "a.bokeh.tif"),
        ("a.jfif", None, "a.bokeh.png"),
        ("photo", None, "photo.bokeh.png"),
        ("a.b.jpg", ".png", "a.b.bokeh.png"),
        ("a.jfif", ".heic", "a.bokeh.heic"),
    ],
)
def test_a_result_is_named_after_its_photo_in_a_format_that_can_be_written(photo, extension, name):
    assert result_name(PurePath(photo), extension) == name
    has_quality(PurePath(name))  # raises for a format that cannot be written


def test_maps_are_named_after_their_photo():
    assert map_names(PurePath("in/a.b.jpg")) == ("a.b.matte.png", "a.b.disparity.png")


@pytest.fixture
def unopened(monkeypatch):
    def opened(*_, **__):
        raise AssertionError("the photo was opened")

    monkeypatch.setattr(module, "open_photo", opened)


@pytest.mark.parametrize(
    ("name", "output", "message"),
    [
        ("a.jfif", {}, "expected one of .jpg"),
        ("a.png", {"output_quality": 90}, "PNG is lossless"),
        ("a.jpg", {"output_bits": 16}, "expected 8 bits in JPEG, found 16"),
        ("photo.jpg", {}, "originals are never overwritten"),
        ("here.png", {}, "exists already"),
        ("b.png", {"keep_depth": True}, "b.png.depth.tif: exists already"),
    ],
)
def test_a_result_that_cannot_be_written_is_refused_before_its_photo_is_opened(
    unopened, tmp_path, name, output, message
):
    for existing in ("photo.jpg", "here.png", "b.png.depth.tif"):
        (tmp_path / existing).write_bytes(b"mine")
    with pytest.raises(InvalidInput, match=message):
        render_file(tmp_path / "photo.jpg", tmp_path / name, replace(JOB, output=OutputSettings(**output)))


def test_a_result_in_a_folder_still_to_be_made_is_checked_too(unopened, tmp_path):
    with pytest.raises(InvalidInput, match=r"expected one of \.jpg"):
        render_file(tmp_path / "photo.jpg", tmp_path / "new" / "a.jfif", JOB)
    assert not (tmp_path / "new").exists()
