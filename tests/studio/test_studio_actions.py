"""The page's actions, without a browser: previews, downloads equal to the command's files, and deleted photos."""

import asyncio
import base64
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from studio_photos import HEIGHT, WIDTH, disparity, kept_photo, light, matte, quietly

from wideopen import cli
from wideopen.errors import InvalidInput
from wideopen.matting import Outline
from wideopen.photo import Photo
from wideopen.settings import LensSettings, MapSettings
from wideopen.studio import StudioSettings
from wideopen.studio.actions import Studio
from wideopen.studio.brush import Stroke
from wideopen.studio.preview import colour_map, data_url, lens_of, prepare, preview_size, render_u8, shrink
from wideopen.studio.settings_form import FIRST

FORM = FIRST | {"blur": 3.0, "highlights": 0.5}
ADD = Stroke(kind="add", points=((0.75, 0.2), (0.85, 0.4)), radius=0.06)


def picture(url):
    """(h, w, 3) RGB of a data URL."""
    data = base64.b64decode(url.removeprefix("data:image/jpeg;base64,"))
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


async def here(function, *arguments):
    """Run it in this process: quicker, and all that most tests need."""
    return function(*arguments)


def done(action):
    """The message that a heavy action answers with."""
    return asyncio.run(action)


def open_upload(studio, upload, name):
    """The message that opening an upload answers with."""
    studio.receive("a", upload, name)
    return done(studio.open_received("a", FORM))


@pytest.fixture
def studio(tmp_path):
    made = Studio(tmp_path / "root", StudioSettings(), here, quietly)
    yield made
    made.close()


@pytest.fixture
def opened(studio, tmp_path):
    """The studio, with the photo open in tab "a", and that photo."""
    photo = kept_photo(tmp_path / "photo.jpg")
    upload = shutil.copyfile(photo, tmp_path / "upload")
    shown = open_upload(studio, upload, "photo.jpg")
    return studio, photo, shown


def test_opening_shows_the_photo_its_maps_and_their_sources(opened, tmp_path):
    _, _, shown = opened
    assert (shown["photo"]["width"], shown["photo"]["height"]) == (WIDTH, HEIGHT)
    assert shown["photo"]["matte"] == shown["photo"]["disparity"] == "kept with the photo"
    assert set(shown["pictures"]) == {"original", "matte", "disparity", "result"}
    assert {picture(url).shape for url in shown["pictures"].values()} == {(HEIGHT, WIDTH, 3)}
    assert_allclose(picture(shown["pictures"]["matte"])[..., 0] / 255, matte(), rtol=0, atol=0.1)
    assert not (tmp_path / "upload").exists()


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.heic"])
def test_a_download_is_what_the_command_writes(opened, name, tmp_path):
    studio, photo, _ = opened
    studio.focus_at("a", FORM, 0.5, 0.5)
    kind = {"jpg": "As photo", "png": "PNG", "heic": "HEIC"}[name[-4:].strip(".")]
    shown = done(studio.download("a", FORM, kind, None))["download"]
    command = studio.command("a", FORM, kind, None).split()
    assert command[2] == "photo.jpg"
    out = tmp_path / shown["name"]
    assert cli.run(["render", str(photo), *command[3:-1], str(out)]) == 0
    assert Path(shown["path"]).read_bytes() == out.read_bytes()


def test_a_photo_in_a_format_that_is_not_written_is_downloaded_as_png(studio, tmp_path):
    photo = kept_photo(tmp_path / "photo.jpg").rename(tmp_path / "photo.jfif")
    open_upload(studio, shutil.copyfile(photo, tmp_path / "upload"), "photo.jfif")
    download = done(studio.download("a", FORM, "As photo", 90))["download"]
    assert download["name"] == "photo.bokeh.png"
    command = studio.command("a", FORM, "As photo", 90).split()
    assert command[-1] == "photo.bokeh.png"
    assert cli.run(["render", str(photo), *command[3:-2]]) == 0  # the command gives the same name by itself
    assert Path(download["path"]).read_bytes() == (tmp_path / "photo.bokeh.png").read_bytes()


def test_a_repaired_download_is_what_the_command_writes_with_the_downloaded_maps(opened, tmp_path, monkeypatch):
    studio, _, _ = opened
    studio.stroke("a", FORM, ADD)
    studio.stroke("a", FORM, Stroke(kind="nearer", points=((0.2, 0.5),), radius=0.1))
    for kind in ("matte", "disparity"):
        shown = done(studio.download_map("a", kind))["download"]
        shutil.copyfile(shown["path"], tmp_path / shown["name"])
    result = done(studio.download("a", FORM, "PNG", None))["download"]
    monkeypatch.chdir(tmp_path)
    assert cli.run(studio.command("a", FORM, "PNG", None).split()[1:]) == 0
    assert Path(result["path"]).read_bytes() == (tmp_path / result["name"]).read_bytes()
    plain = done(studio.download("a", FORM, "PNG", None))["download"]["path"]
    studio.undo("a", FORM)
    studio.undo("a", FORM)
    undone = done(studio.download("a", FORM, "PNG", None))["download"]["path"]
    assert (cv2.imread(plain) != cv2.imread(undone)).any()


def test_a_repair_changes_the_matte_and_undo_gives_it_back(opened):
    studio, _, first = opened
    painted = studio.stroke("a", FORM, ADD)
    assert painted["strokes"] == 1
    before, after = (picture(shown["pictures"]["matte"])[..., 0].astype(int) for shown in (first, painted))
    assert (after - before)[int(0.3 * HEIGHT), int(0.8 * WIDTH)] > 200
    assert abs(after - before)[:, : WIDTH // 2].max() < 8  # JPEG
    undone = studio.undo("a", FORM)
    assert undone["strokes"] == 0
    assert undone["pictures"] == {name: first["pictures"][name] for name in ("matte", "disparity", "result")}


def test_clicking_far_away_makes_the_subject_soft(opened):
    studio, _, first = opened
    shown = studio.focus_at("a", FORM, 0.95, 0.1)
    assert_allclose((shown["focus"]["x"], shown["focus"]["y"]), (0.95, 0.1), rtol=0, atol=0.01)

    def detail(url, rows, columns):
        return picture(url).astype(float)[rows, columns].std(axis=(0, 1)).mean()

    subject = slice(70, 110), slice(100, 140)
    corner = slice(2, 40), slice(200, 236)
    before, after = first["pictures"]["result"], shown["pictures"]["result"]
    assert detail(after, *subject) < 0.7 * detail(before, *subject)
    assert detail(after, *corner) > 1.5 * detail(before, *corner)
    again = studio.focus_on_subject("a", FORM)
    assert again["pictures"]["result"] == before
    assert again["focus"] is None


def test_a_small_preview_focuses_on_what_the_full_size_has_at_that_pixel(studio, tmp_path):
    studio.config = replace(studio.config, preview_megapixels=0.01)
    done(studio.open_file("a", FORM, kept_photo(tmp_path / "photo.jpg")))
    loaded = studio.tab("a").photo
    studio.focus_at("a", FORM, 0.999, 0.999)
    assert loaded.focus_disparity == np.load(loaded.opened.found[1])[HEIGHT - 1, WIDTH - 1]
    corner = studio.render("a", FORM)["pictures"]["result"]
    studio.focus_at("a", FORM, 0.5, 0.5)
    assert_allclose(loaded.focus_disparity, 0.9, rtol=0, atol=1e-3)
    assert studio.render("a", FORM)["pictures"]["result"] != corner


def test_a_stale_render_is_not_made(opened):
    studio, _, _ = opened
    session = studio.tab("a")
    with session.lock:  # as if another render were under way
        answers = []
        slow = threading.Thread(target=lambda: answers.append(studio.render("a", FORM)))
        slow.start()
        while session.latest < 2:  # until it has its turn
            pass
        session.next_turn()
    slow.join()
    assert answers == [None]


def test_the_full_size_is_shown_in_part_and_rendered_once(studio, tmp_path):
    studio.config = replace(studio.config, preview_megapixels=0.01)
    kept_photo(tmp_path / "photo.jpg")
    shown = done(studio.open_file("a", FORM, tmp_path / "photo.jpg"))
    assert shown["photo"]["preview_width"] == 115
    assert picture(shown["pictures"]["result"]).shape == (86, 115, 3)
    part = done(studio.detail("a", FORM, 0.25, 0.5, 0.5, 0.25))["detail"]
    assert_allclose(part["box"], (0.25, 0.5, 0.5, 0.25), rtol=0, atol=1e-9)
    full = cv2.imread(done(studio.download("a", FORM, "PNG", None))["download"]["path"])[..., ::-1]
    expected = full[90:135, 60:180].astype(int)
    assert abs(picture(part["picture"]).astype(int) - expected).mean() < 4  # JPEG
    rendered = studio.tab("a").detail
    again = done(studio.detail("a", FORM, 0, 0, 0.5, 0.5))
    assert studio.tab("a").detail is rendered
    moved = done(studio.detail("a", FORM | {"blur": 1.0}, 0, 0, 0.5, 0.5))
    before, after = (picture(shown["detail"]["picture"]).astype(int) for shown in (again, moved))
    assert abs(after - before).max() > 20


def test_uploaded_maps_are_used_and_named_as_such(opened, tmp_path):
    studio, _, _ = opened
    mine = tmp_path / "mine.png"
    cv2.imwrite(str(mine), np.rint(255 * np.roll(matte(), 40, axis=1)).astype(np.uint8))
    upload = shutil.copyfile(mine, tmp_path / "upload.png")
    shown = done(studio.give_map("a", FORM, "matte", upload))
    assert shown["photo"]["matte"] == "uploaded"
    assert_allclose(picture(shown["pictures"]["matte"])[..., 0] / 255, np.roll(matte(), 40, axis=1), rtol=0, atol=0.1)
    assert "--matte photo.matte.png" in studio.command("a", FORM, "PNG", None)
    wrong = tmp_path / "wrong.png"
    cv2.imwrite(str(wrong), np.zeros((10, 90), np.uint8))
    with pytest.raises(InvalidInput, match=r"^wrong.png: expected the aspect"):
        done(studio.give_map("a", FORM, "disparity", wrong))
    assert studio.tab("a").photo.found.matte_source == "uploaded"  # the photo is still open


def test_strokes_become_a_hint_for_the_network(opened, tmp_path):
    studio, _, _ = opened
    with pytest.raises(InvalidInput, match=r"^Paint on the matte first"):
        done(studio.redo_matte("a", FORM))
    studio.stroke("a", FORM, ADD)
    studio.stroke("a", FORM, replace(ADD, kind="take", points=((0.1, 0.1),)))
    studio.stroke("a", FORM, replace(ADD, kind="nearer", points=((0.5, 0.9),)))
    shown = done(studio.redo_matte("a", FORM))
    assert (shown["photo"]["matte"], shown["strokes"]) == ("predicted by mobile from a hint", 0)
    photo = studio.tab("a").photo
    hint = np.load(photo.opened.job.given.matte_hint)
    rows, columns = hint.shape
    assert set(np.unique(hint)) == {0, 0.5, 1}
    assert [hint[int(y * rows), int(x * columns)] for x, y in ((0.8, 0.3), (0.1, 0.1), (0.5, 0.9))] == [1, 0, 0.5]
    assert photo.maps.matte[int(0.3 * rows), int(0.8 * columns)] > 0.9
    studio.stroke("a", FORM, replace(ADD, points=((0.3, 0.5),)))
    done(studio.redo_matte("a", FORM))  # the first strokes still count
    assert np.load(studio.tab("a").photo.opened.job.given.matte_hint)[int(0.1 * rows), int(0.1 * columns)] == 0
    out = done(studio.download("a", FORM, "PNG", None))["download"]["path"]
    assert Path(out).stat().st_size > 0


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("notes.jpg", b"these are no pixels", "notes.jpg: expected a photo"),
        ("empty.png", b"", "empty.png: expected a photo"),
        ("cut.jpg", "cut", "cut.jpg"),
    ],
)
def test_a_bad_file_is_refused_in_one_line_and_leaves_nothing(studio, tmp_path, name, content, expected):
    if content == "cut":
        whole = kept_photo(tmp_path / "whole.jpg").read_bytes()
        content = whole[: len(whole) // 8]
    upload = tmp_path / "upload"
    upload.write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        open_upload(studio, upload, name)
    assert expected in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path for path in studio.tabs.root.rglob("*") if path.is_file()] == []


def test_uploads_are_limited_in_bytes_and_pixels(studio, tmp_path):
    photo = kept_photo(tmp_path / "photo.jpg")
    studio.config = replace(studio.config, max_megapixels=0.04)
    with pytest.raises(InvalidInput, match=r"photo.jpg: expected at most 0.04 megapixels .*, found 240 x 180"):
        open_upload(studio, shutil.copyfile(photo, tmp_path / "one"), "photo.jpg")
    studio.config = replace(studio.config, max_megabytes=0.01)
    with pytest.raises(InvalidInput, match=r"photo.jpg: expected a photo of at most 0.01 MB"):
        open_upload(studio, shutil.copyfile(photo, tmp_path / "two"), "photo.jpg")


def test_an_upload_that_waits_to_be_opened_ends_with_its_tab(studio, tmp_path):
    studio.receive("a", kept_photo(tmp_path / "photo.jpg"), "photo.jpg")
    assert not (tmp_path / "photo.jpg").exists()
    studio.end("a")
    assert list(studio.tabs.root.iterdir()) == []


def test_every_photo_is_opened_with_the_settings_of_the_server(tmp_path):
    config = StudioSettings(maps=MapSettings(depth="embedded", offline=True), backend="reference", max_megapixels=1)
    studio = Studio(tmp_path / "root", config, here, quietly)
    cv2.imwrite(str(tmp_path / "plain.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(InvalidInput, match=r"plain.png: expected depth inside the photo's file"):
        done(studio.open_file("a", FORM, tmp_path / "plain.png"))
    cv2.imwrite(str(tmp_path / "large.png"), np.zeros((1001, 1000, 3), np.uint8))
    with pytest.raises(InvalidInput, match="expected at most 1 megapixels"):
        done(studio.open_file("a", FORM, tmp_path / "large.png"))
    studio.close()


def test_the_command_names_the_depth_that_the_server_uses(tmp_path):
    studio = Studio(tmp_path / "root", StudioSettings(maps=MapSettings(depth="planar", offline=True)), here, quietly)
    done(studio.open_file("a", FORM, kept_photo(tmp_path / "photo.jpg")))
    assert " --depth planar --offline " in studio.command("a", FORM, "As photo", None)
    studio.close()


def test_the_next_photo_and_the_end_of_a_tab_delete_files(opened, tmp_path):
    studio, _, _ = opened
    first = studio.tab("a").photo.opened.path
    done(studio.open_file("a", FORM, kept_photo(tmp_path / "next.jpg", seed=8)))
    assert not first.exists()
    assert studio.tab("a").photo.opened.path.exists()
    studio.end("a")
    assert list(studio.tabs.root.iterdir()) == []
    with pytest.raises(InvalidInput, match="session has ended"):
        studio.focus_on_subject("a", FORM)


def test_tabs_do_not_affect_each_other(opened, tmp_path):
    studio, _, first = opened
    done(studio.open_file("b", FORM | {"blur": 0.5}, kept_photo(tmp_path / "next.jpg", seed=8)))
    studio.focus_at("b", FORM, 0.9, 0.9)
    again = studio.render("a", FORM)
    assert again["pictures"]["result"] == first["pictures"]["result"]
    assert again["focus"] is None


def test_a_preview_is_at_most_as_large_as_asked_and_the_photo_itself_when_small():
    assert preview_size((180, 240), 1.5) == (180, 240)
    for size in ((3000, 4000), (4000, 3000), (1, 9_000_000), (5464, 8192)):
        height, width = preview_size(size, 1.5)
        assert height * width <= 1.5e6
        assert height >= 1
    scene = prepare(Photo(rgb=light()), matte(), disparity(), Outline.FOUND)
    assert shrink(scene, 1.5) is scene
    assert shrink(scene, 0.01).rgb.shape == (86, 115, 3)


def test_a_preview_without_blur_is_the_photo():
    rgb = light()
    scene = prepare(Photo(rgb=rgb), matte(), disparity(), Outline.FOUND)
    sharp = render_u8(scene, lens_of(LensSettings(blur="0%"), scene, 0.3))
    assert_array_equal(sharp, np.rint(sharp))
    expected = np.asarray(picture_of(rgb))
    assert abs(sharp.astype(int) - expected).max() <= 1


def picture_of(rgb):
    """(h, w, 3) uint8."""
    from wideopen.photo import srgb_u8

    return srgb_u8(Photo(rgb=rgb))


def test_nearer_is_brighter_in_the_colour_map():
    ramp = np.linspace(0, 1, 256, dtype=np.float32)[None]
    colours = colour_map(ramp)[0].astype(float) @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(colours) >= -1).all()
    assert colours[-1] - colours[0] > 150
    assert picture(data_url(colour_map(ramp))).shape == (1, 256, 3)
