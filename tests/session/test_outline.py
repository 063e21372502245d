"""The origin of a matte reaches the renderer on every surface: only a given matte is examined for rims."""

import asyncio
import shutil
import tempfile
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from wideopen import cli
from wideopen.color import srgb_decode
from wideopen.files import Keep, write
from wideopen.files.maps import OUTLINE, stated_outline
from wideopen.photo import Photo
from wideopen.session.open_photo import Given, Job
from wideopen.settings import MapSettings
from wideopen.sheets.rims import Rims

PLANAR = MapSettings(depth="planar")
SIZE = (60, 80)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder: photo.png, a disk in it as matte.png, and found.jpg, which keeps a matte that was found."""
    monkeypatch.chdir(tmp_path)
    y, x = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    disk = np.clip(18.5 - np.hypot(x - 40, y - 30), 0, 1).astype(np.float32)
    codes = np.random.default_rng(0).integers(30, 200, (*SIZE, 3)).astype(np.uint8)
    cv2.imwrite("photo.png", codes)
    cv2.imwrite("matte.png", np.rint(255 * disk).astype(np.uint8))
    light = srgb_decode(codes / 255).astype(np.float32)
    write("found.jpg", light, like=Photo(rgb=light), keep=Keep(matte=disk, disparity=disk))
    return tmp_path


@pytest.fixture
def examined(monkeypatch):
    """Whether each matte rendered so far was examined."""
    seen = []
    made = Rims.__init__

    def record(rims, sheets, *, examine=False):
        seen.append(examine)
        made(rims, sheets, examine=examine)

    monkeypatch.setattr(Rims, "__init__", record)
    return seen


def command(photo, *options, matte=None, out="result.png"):
    """Run `wideopen render`."""
    given = () if matte is None else ("--matte", matte)
    assert cli.run(["render", photo, "-o", out, "--depth", "planar", "--overwrite", *given, *options]) == 0


async def here(function, *arguments):
    """Run it in this process."""
    return function(*arguments)


def on_the_page(photo, matte=None):
    """Open a photo, give it a matte, paint on it, download the result, and the matte as painted.png."""
    from wideopen.studio import StudioSettings
    from wideopen.studio.actions import Studio
    from wideopen.studio.brush import Stroke
    from wideopen.studio.settings_form import FIRST

    async def use():
        studio.receive("tab", Path(shutil.copyfile(photo, "upload")), photo)
        await studio.open_received("tab", FIRST)
        if matte:
            await studio.give_map("tab", FIRST, "matte", Path(shutil.copyfile(matte, "upload.png")))
        studio.stroke("tab", FIRST, Stroke(kind="add", points=((0.8, 0.3),), radius=0.05))
        await studio.download("tab", FIRST, "PNG", None)
        shutil.copyfile((await studio.download_map("tab", "matte"))["download"]["path"], "painted.png")

    settings = StudioSettings(preview_megapixels=0.002, maps=PLANAR)
    studio = Studio(Path("root").absolute(), settings, here, lambda *_: None)
    try:
        asyncio.run(use())
    finally:
        studio.close()


def by_service(photo, matte=None):
    """Render the photo, and analyse it and render its scene."""
    from wideopen.service import ServeSettings
    from wideopen.service.app import make_app

    async def ask():
        folder = Path(tempfile.mkdtemp(dir=Path.cwd()))
        app = make_app(ServeSettings(folder=folder, maps=PLANAR))
        service = app.state.service
        service.use(folder)
        service.ready, service.call = True, here
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
            files = {"photo": photo} | ({"matte": matte} if matte else {})
            uploads = {name: (file, Path(file).read_bytes()) for name, file in files.items()}
            answers = [await http.post(f"/v1/{route}", files=uploads) for route in ("render", "analyze")]
            answers.append(await http.post(f"/v1/scenes/{answers[1].json()['id']}/render", json={}))
            return answers

    for answer in asyncio.run(ask()):
        assert answer.is_success, answer.text


def in_batch(photo, matte=None):
    """Do one task of a batch, in this process."""
    from wideopen.batch.work import Task, render_task

    Path("batch.png").unlink(missing_ok=True)  # else it counts as done
    job = Job(maps=PLANAR, given=Given(matte=matte and Path(matte)), overwrite=True)
    render_task(Task(photo, "batch.png", "batch.png", job))


every_surface = pytest.mark.parametrize("surface", [command, on_the_page, by_service, in_batch])


@every_surface
def test_a_given_matte_is_examined_and_a_found_one_is_not(surface, folder, examined):
    surface("photo.png", matte="matte.png")
    assert set(examined) == {True}
    examined.clear()
    surface("found.jpg")
    assert set(examined) == {False}


@every_surface
def test_kept_results_and_saved_mattes_remember_whose_they_are(surface, folder, examined):
    saved = ("--keep-depth", "--save-matte")
    command("photo.png", *saved, "given.tif", matte="matte.png", out="given.jpg")
    command("found.jpg", *saved, "found.png", out="kept.jpg")
    for given, photo, matte in [
        (True, "given.jpg", None),
        (True, "photo.png", "given.tif"),
        (False, "kept.jpg", None),
        (False, "photo.png", "found.png"),
    ]:
        examined.clear()
        surface(photo, matte=matte)
        assert set(examined) == {given}, (photo, matte)


def test_a_result_kept_beside_its_file_remembers_whose_matte_it_is(folder, examined):
    command("photo.png", "--keep-depth", matte="matte.png", out="kept.png")
    examined.clear()
    command("kept.png")
    assert examined == [True]


def test_a_matte_painted_on_a_found_one_counts_as_found(folder, examined):
    on_the_page("found.jpg")
    command("photo.png", matte="painted.png")
    assert set(examined) == {False}


@pytest.mark.parametrize("stated", ["mine", ""])
def test_an_unknown_word_counts_as_missing(stated):
    assert stated_outline({OUTLINE: stated}) is None
