"""Where results go, and that neither originals nor anything else is ever replaced by accident."""

import os

import numpy as np
import pytest
from PIL import Image
from small_portrait import HEIGHT, WIDTH, contents, load, portrait, save_grey, subject

from wideopen.session.results import result_paths

MATTE = ("--matte", "matte.png")


@pytest.fixture
def two_photos(folder):
    (folder / "sub").mkdir()
    Image.fromarray(portrait()).save("sub/second.jpg")
    return "photo.png", "sub/second.jpg"


@pytest.mark.parametrize(("photo", "result"), [("photo.png", "photo.bokeh.png"), ("photo.jpg", "photo.bokeh.jpg")])
def test_default_is_beside_the_photo_in_its_format(wideopen, folder, photo, result):
    before = contents(folder)
    done = wideopen("render", folder / photo, *MATTE)
    assert done.code == 0
    assert set(contents(folder)) - set(before) == {folder / result}
    with Image.open(result) as image:
        assert image.format == {"png": "PNG", "jpg": "JPEG"}[photo[-3:]]


def test_upper_case_extension_is_kept(wideopen, folder):
    (folder / "photo.jpg").rename("IMG_1.JPG")
    assert wideopen("render", "IMG_1.JPG", *MATTE).code == 0
    assert (folder / "IMG_1.bokeh.JPG").is_file()


def test_folder_takes_the_result(wideopen, folder):
    (folder / "out").mkdir()
    assert wideopen("render", "photo.png", *MATTE, "-o", "out").code == 0
    assert [path.name for path in (folder / "out").iterdir()] == ["photo.bokeh.png"]


def test_several_photos_beside_themselves_or_into_a_new_folder(wideopen, folder, two_photos, untrained):
    options = ("--matting", untrained, "--json")
    done = wideopen("render", *two_photos, *options)
    assert (done.code, done.err) == (0, [])
    assert len(done.out.splitlines()) == 2
    assert (folder / "photo.bokeh.png").is_file()
    assert (folder / "sub" / "second.bokeh.jpg").is_file()
    assert wideopen("render", *two_photos, *options, "-o", "new/folder").code == 0
    assert sorted(path.name for path in (folder / "new/folder").iterdir()) == ["photo.bokeh.png", "second.bokeh.jpg"]


def test_one_bad_photo_does_not_stop_the_others(wideopen, folder, untrained):
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    done = wideopen("render", "broken.jpg", "photo.png", "--matting", untrained, "--json")
    assert (done.code, len(done.err)) == (2, 1)
    assert "broken.jpg" in done.err[0]
    assert done.report["photo"] == "photo.png"
    assert (folder / "photo.bokeh.png").is_file()


def test_bad_photos_leave_no_folder_behind(wideopen, folder):
    before = contents(folder)
    done = wideopen("render", "none.jpg", "nor_this.jpg", "-o", "new")
    assert (done.code, done.out, len(done.err)) == (2, "", 2)
    assert contents(folder) == before


def test_several_photos_need_a_folder(refused, folder, two_photos):
    assert "expected a folder for 2 photos" in refused("render", *two_photos, "-o", "one.jpg")
    (folder / "file").write_text("taken")
    assert "expected a folder for 2 photos" in refused("render", *two_photos, "-o", "file")


def test_two_results_of_one_name_are_refused(refused, folder, two_photos):
    (folder / "sub/photo.png").write_bytes((folder / "photo.png").read_bytes())
    assert "two that would be written to it" in refused("render", "photo.png", "sub/photo.png", "-o", "new")
    assert "two that would be written to it" in refused("render", "photo.png", folder / "photo.png")


@pytest.mark.parametrize("option", [*MATTE, "--save-matte", "--save-disparity", "--disparity", "--depth-m"][::2])
def test_maps_belong_to_one_photo(refused, two_photos, option):
    assert "expected a single photo" in refused("render", *two_photos, option, "matte.png")


def test_existing_result_is_kept_without_overwrite(wideopen, refused, folder):
    (folder / "photo.bokeh.png").write_bytes(b"mine")
    assert "--overwrite" in refused("render", "photo.png", *MATTE)
    assert wideopen("render", "photo.png", *MATTE, "--overwrite").code == 0
    assert load("photo.bokeh.png").shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("option", ["--save-matte", "--save-disparity"])
def test_existing_map_is_kept_without_overwrite(wideopen, refused, folder, option):
    (folder / "map.png").write_bytes(b"mine")
    assert "--overwrite" in refused("render", "photo.png", *MATTE, option, "map.png")
    assert wideopen("render", "photo.png", *MATTE, option, "map.png", "--overwrite").code == 0
    assert np.asarray(Image.open("map.png")).dtype == np.uint16


def test_dangling_link_counts_as_existing(refused, folder):
    (folder / "result.png").symlink_to("nowhere.png")
    assert "--overwrite" in refused("render", "photo.png", *MATTE, "-o", "result.png")


@pytest.fixture(params=["itself", "symlink", "hardlink", "folder link"])
def way_to_photo(request, folder):
    """Return another way to say photo.png."""
    if request.param == "itself":
        return "photo.png"
    if request.param == "folder link":
        (folder / "here").symlink_to(".")
        return "here/photo.png"
    {"symlink": os.symlink, "hardlink": os.link}[request.param]("photo.png", "alias.png")
    return "alias.png"


@pytest.mark.parametrize("option", ["-o", "--save-matte", "--save-disparity"])
def test_original_is_never_overwritten(refused, way_to_photo, option):
    line = refused("render", "photo.png", *MATTE, option, way_to_photo, "--overwrite")
    assert "originals are never overwritten" in line


@pytest.mark.parametrize("command", ["matte", "depth"])
def test_original_is_never_overwritten_by_a_map(refused, way_to_photo, command):
    assert "originals are never overwritten" in refused(command, "photo.png", "-o", way_to_photo, "--overwrite")


def test_given_maps_are_originals_too(refused):
    maps = (*MATTE, "--disparity", "disparity.png", "--overwrite")
    for option in ("-o", "--save-matte", "--save-disparity"):
        for name in ("matte.png", "disparity.png"):
            assert "originals are never overwritten" in refused("render", "photo.png", *maps, option, name)
    assert "originals" in refused("depth", "photo.png", *MATTE, "-o", "matte.png", "--overwrite")


def test_result_that_is_another_of_the_photos_is_refused(refused, folder):
    (folder / "photo.bokeh.png").write_bytes((folder / "photo.png").read_bytes())
    assert "originals" in refused("render", "photo.png", "photo.bokeh.png", "--overwrite")


def test_outputs_of_one_command_must_differ(refused):
    assert "two that would" in refused("render", "photo.png", *MATTE, "-o", "a.png", "--save-matte", "a.png")
    same = ("--save-matte", "a.png", "--save-disparity", "./a.png")
    assert "two that would" in refused("render", "photo.png", *MATTE, *same)


@pytest.mark.parametrize("name", ["result.gif", "result.npy", "result.png.bak"])
def test_an_unknown_result_format_is_refused(refused, name):
    assert name in refused("render", "photo.png", *MATTE, "-o", name)


@pytest.mark.parametrize("option", ["--save-matte", "--save-disparity"])
def test_maps_are_not_saved_in_lossy_formats(refused, option):
    assert "expected one of .png .tif .tiff .npy, found .jpg" in refused("render", "photo.png", *MATTE, option, "m.jpg")


@pytest.mark.parametrize("option", ["-o", "--save-matte", "--save-disparity"])
def test_a_missing_folder_is_refused(refused, option):
    line = refused("render", "photo.png", *MATTE, option, "none/result.png")
    assert "expected an existing folder, found no none" in line


@pytest.mark.parametrize("option", ["-o", "--save-matte"])
def test_a_folder_in_the_place_of_a_file_is_refused(refused, folder, option):
    (folder / "taken.png").mkdir()
    (folder / "taken.png/photo.bokeh.png").mkdir()
    assert "found a folder" in refused("render", "photo.png", *MATTE, option, "taken.png")


def test_a_name_too_long_for_the_file_system_is_refused(refused):
    assert "cannot be written" in refused("render", "photo.png", *MATTE, "-o", "n" * 300 + ".png")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(refused, folder):
    (folder / "locked").mkdir(mode=0o500)
    assert "cannot be written" in refused("render", "photo.png", *MATTE, "-o", "locked/r.png")


def test_quality_for_a_lossless_format_is_refused(refused):
    assert "lossless" in refused("render", "photo.png", *MATTE, "--output-quality", "80", "-o", "r.png")


def test_failure_while_writing_leaves_nothing(refused, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("wideopen.files.atomic._take_name", full)
    assert "No space left" in refused("render", "photo.png", *MATTE, "-o", "r.png")


def test_photo_stays_as_it_was(wideopen, folder):
    before = contents(folder)
    save_grey("other.png", subject(), 8)
    options = ("-o", "r.jpg", "--save-matte", "m.png", "--save-disparity", "d.npy")
    assert wideopen("render", "photo.jpg", "--matte", "other.png", *options).code == 0
    after = contents(folder)
    assert {path: after[path] for path in before} == before


def test_a_raw_file_s_result_is_a_tiff(tmp_path):
    photos = [tmp_path / "a.NEF", tmp_path / "b.dng", tmp_path / "c.jxl"]
    results = result_paths(photos, None)
    assert [path.name for path in results] == ["a.bokeh.tif", "b.bokeh.tif", "c.bokeh.jxl"]
