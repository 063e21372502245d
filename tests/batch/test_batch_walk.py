"""The photos and results that follow from what the user names."""

import os

import pytest

from wideopen.batch.walk import Unusable, find_photos
from wideopen.errors import InvalidInput


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")

    return make


def targets(*sources, destination="out", **how):
    return [found.target for found in find_photos(sources, destination, **how)]


def test_a_folder_keeps_its_shape(tree):
    tree("in/b.JPG", "in/a/x.heic", "in/a/deep/y.cr2", "in/notes.txt", "in/.hidden.jpg", "in/.trash/z.jpg")
    assert targets("in") == ["b.bokeh.JPG", "a/x.bokeh.heic", "a/deep/y.bokeh.tif"]


def test_several_folders_each_get_their_name(tree):
    tree("one/x.jpg", "two/x.jpg")
    assert targets("one", "two/") == ["one/x.bokeh.jpg", "two/x.bokeh.jpg"]
    assert targets(".") == ["one/x.bokeh.jpg", "two/x.bokeh.jpg"]


def test_files_keep_the_folders_below_the_one_they_share(tree):
    tree("in/a/x.jpg", "in/b/x.jpg")
    assert targets("in/a/x.jpg") == ["x.bokeh.jpg"]
    assert targets("in/a/x.jpg", "in/b/x.jpg") == ["a/x.bokeh.jpg", "b/x.bokeh.jpg"]
    assert targets(listed=["in/b/x.jpg", os.path.abspath("in/a/x.jpg")]) == ["b/x.bokeh.jpg", "a/x.bokeh.jpg"]  # noqa: PTH100


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("in/*.jpg", ["x.bokeh.jpg"]),
        ("in/**/*.jpg", ["x.bokeh.jpg", "a/y.bokeh.jpg", "a/b/z.bokeh.jpg"]),
        ("in/**/b/*", ["a/b/z.bokeh.jpg"]),
        ("i?/a/*", ["in/a/y.bokeh.jpg", "in/a/y.bokeh.png"]),
    ],
)
def test_patterns_select_photos(tree, pattern, expected):
    tree("in/x.jpg", "in/a/y.jpg", "in/a/y.png", "in/a/b/z.jpg")
    assert targets(pattern) == expected


def test_a_name_that_looks_like_a_pattern_is_a_name(tree):
    tree("in/[1].jpg", "in/1.jpg")
    assert targets("in/[1].jpg") == ["[1].bokeh.jpg"]


def test_excluded_names_are_left_out(tree):
    tree("in/x.jpg", "in/thumbs/x.jpg", "in/x.bokeh.jpg")
    assert targets("in", exclude=["thumbs/*", "*.bokeh.*"]) == ["x.bokeh.jpg"]


def test_results_inside_the_source_are_skipped(tree):
    tree("in/x.jpg", "in/out/x.bokeh.jpg")
    assert targets("in", destination="in/out") == ["x.bokeh.jpg"]


@pytest.mark.parametrize("destination", ["in", "in/", "./in", "link"])
def test_the_destination_must_be_another_folder(tree, destination):
    tree("in/x.jpg")
    os.symlink("in", "link")  # noqa: PTH211
    with pytest.raises(InvalidInput, match="expected another folder than the source"):
        targets("in", destination=destination)


def test_links_in_a_circle_end(tree):
    tree("in/a/x.jpg")
    os.symlink("..", "in/a/up")  # noqa: PTH211
    os.symlink(".", "in/self")  # noqa: PTH211
    os.symlink("itself.jpg", "in/itself.jpg")  # noqa: PTH211
    assert targets("in") == ["a/x.bokeh.jpg"]


def test_a_folder_that_cannot_be_read_is_reported_and_the_rest_found(tree, monkeypatch):
    tree("in/a/x.jpg", "in/b/x.jpg")
    scandir = os.scandir

    def refuse(folder):
        if str(folder).endswith("in/a"):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr("wideopen.batch.walk.os.scandir", refuse)
    problem, found = find_photos(["in"], "out")
    assert problem == ("in/a", "cannot be read (Permission denied)")
    assert found.target == "b/x.bokeh.jpg"


def test_a_missing_source_is_refused(tree):
    tree("in/x.jpg")
    for missing in ("nowhere", "nowhere/*.jpg", "s5://bucket"):
        with pytest.raises(InvalidInput, match=f"^{missing[:4]}"):
            targets(missing)


def test_a_bucket_cannot_write_outside_of_the_destination():
    """Keys of an object store may be called anything."""
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe({"/bucket/good/x.jpg": b"x", "/bucket/../../up.jpg": b"x", "/bucket/a/../../up.jpg": b"x"})
    found = list(find_photos(["memory://bucket"], "out"))
    assert [one.target for one in found if not isinstance(one, Unusable)] == ["good/x.bokeh.jpg"]
    assert all("stays below" in one.reason for one in found if isinstance(one, Unusable))


def test_names_that_are_not_unicode_are_kept(tmp_path):
    name = os.fsdecode(b"caf\xe9 \xff.jpg")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(b"x")
    assert targets(str(tmp_path / "in"), destination=str(tmp_path / "out")) == [name.replace(".jpg", ".bokeh.jpg")]
