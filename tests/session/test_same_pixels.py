"""One photo with its own depth and matte gives the same pixels on every surface."""

import asyncio
import shutil
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import wideopen
from embedded_files import DEPTH_URN, PORTRAIT_URN, disparity_xmp, heic, scene
from wideopen import cli
from wideopen.arrays.maps import resize_map
from wideopen.session.open_photo import Job
from wideopen.session.render_file import render_file
from wideopen.settings import LensSettings

HEIGHT, WIDTH = 90, 120


def decoded(path):
    """(H, W, 3) codes of a PNG."""
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


async def here(function, *arguments):
    """Run it in this process."""
    return function(*arguments)


def by_session(photo, out):
    render_file(photo, out, Job())
    return decoded(out)


def by_python(photo, out):
    opened, inside = wideopen.read(photo), wideopen.read_embedded(photo)
    matte = resize_map(inside.portrait_matte, opened.rgb.shape[:2])
    analysed = wideopen.analyze(opened, matte=matte, embedded=inside.depth, exact_matte=False)
    lens = LensSettings().lens(analysed)
    wideopen.write(out, wideopen.render(analysed, lens), like=opened)
    return decoded(out)


def by_page(photo, out):
    from wideopen.studio import StudioSettings
    from wideopen.studio.actions import Studio
    from wideopen.studio.settings_form import FIRST

    async def download():
        upload = shutil.copyfile(photo, out.parent / "upload")
        studio.receive("tab", upload, photo.name)
        await studio.open_received("tab", FIRST)
        return await studio.download("tab", FIRST, "PNG", None)

    studio = Studio(out.parent / "root", StudioSettings(), here, lambda *_: None)
    try:
        return decoded(asyncio.run(download())["download"]["path"])
    finally:
        studio.close()


def by_service(photo, out):
    from wideopen.service import ServeSettings
    from wideopen.service.app import make_app

    async def ask():
        app = make_app(ServeSettings(folder=out.parent))
        service = app.state.service
        service.use(out.parent)
        service.ready, service.call = True, here  # in this process: quicker than a worker
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
            files = {"photo": (photo.name, photo.read_bytes())}
            return await http.post("/v1/render", files=files, data={"output": '{"format": "png"}'})

    answer = asyncio.run(ask())
    assert answer.status_code == 200, answer.text
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A HEIC of checks with the depth of a disk before a slope, and the disk's matte."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    inside = np.clip(25.5 - np.hypot(x - WIDTH / 2, y - HEIGHT / 2), 0, 1)[::2, ::2]
    near = np.where(inside > 0.5, 220, 100 * x[::2, ::2] / WIDTH)
    codes = [np.rint(values).astype(np.uint8) for values in (near, 255 * inside)]
    auxiliary = [(codes[0], DEPTH_URN, disparity_xmp()), (codes[1], PORTRAIT_URN, None)]
    path = tmp_path_factory.mktemp("photo") / "phone.heic"
    checks = scene(HEIGHT, WIDTH) // 2 + (60 * ((x // 4 + y // 4) % 2)).astype(np.uint8)[..., None]
    path.write_bytes(heic(checks, auxiliary))
    return path


@pytest.fixture(scope="module")
def expected(photo, tmp_path_factory):
    """What the command makes of it, as PNG."""
    out = tmp_path_factory.mktemp("command") / "result.png"
    assert cli.run(["render", str(photo), "-o", str(out)]) == 0
    return decoded(out)


@pytest.mark.parametrize("surface", [by_session, by_python, by_page, by_service])
def test_every_surface_gives_the_pixels_of_the_command(surface, photo, expected, tmp_path):
    assert_array_equal(surface(photo, tmp_path / "result.png"), expected)


def test_a_batch_gives_the_pixels_of_the_command(photo, tmp_path):
    """Both in the photo's format, since a batch has no other."""
    folder = tmp_path / "in"
    folder.mkdir()
    own = Path(shutil.copyfile(photo, folder / photo.name))
    assert cli.run(["batch", str(folder), str(tmp_path / "out"), "--workers", "1"]) == 0
    assert cli.run(["render", str(own)]) == 0
    by_batch, by_command = tmp_path / "out" / "phone.bokeh.heic", folder / "phone.bokeh.heic"
    assert_array_equal(wideopen.read(by_batch).rgb, wideopen.read(by_command).rgb)
    assert by_batch.read_bytes() == by_command.read_bytes()


def test_the_result_differs_from_the_photo_where_it_is_blurred(photo, expected):
    difference = np.abs(expected[..., ::-1].astype(int) - wideopen.photo.srgb_u8(wideopen.read(photo)))
    assert difference.max() > 30  # of the 60 between light and dark checks
