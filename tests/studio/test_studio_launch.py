"""Serving: mounted on another app, refused with a message, and without a request to other hosts."""

import re
import subprocess
import sys

import pytest

from wideopen import cli

pytest.importorskip("gradio")

MOUNTED = """
import sys
from fastapi import FastAPI
from fastapi.testclient import TestClient
from wideopen.studio.launch import mount
from wideopen.studio import StudioSettings
app = mount(FastAPI(), "/studio", StudioSettings(max_megabytes=0.001))
with TestClient(app) as client:
    page = client.get("/studio/")
    print(page.status_code, "wideopen studio" in page.text)
    print(*client.get("/studio/theme.css").text.split())
    sent = client.post("/studio/gradio_api/upload", files={"files": ("large.jpg", b"x" * 5000)})
    print("upload", sent.status_code)
"""


@pytest.fixture(scope="module")
def mounted():
    """What an app with the studio at /studio answers; in a process of its own, for gradio warns of what it imports."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", MOUNTED], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_studio_can_be_mounted_on_another_app(mounted):
    assert mounted[0] == "200 True"


def test_the_theme_loads_no_font_from_elsewhere(mounted):
    assert "system-ui" in mounted[1]
    assert re.findall(r"https?://(?!www.w3.org/)|@import|@font-face", mounted[1]) == []  # w3.org names SVG, unasked


def test_too_large_uploads_are_refused_before_they_are_stored(mounted):
    assert mounted[2] == "upload 413"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["none.jpg"], "none.jpg: expected a photo, found no such file"),
        (["--port", "70000"], "--port: expected 1 to 65535, found 70000"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(arguments, expected, capfd):
    assert cli.run(["studio", *arguments]) == 2
    assert capfd.readouterr().err == f"wideopen: {expected}\n"


def test_the_command_names_the_extra_to_install_without_gradio(monkeypatch, capfd):
    from wideopen import errors

    monkeypatch.setattr(errors, "find_spec", lambda _: None)
    assert cli.run(["studio"]) == 2
    assert "pip install 'wideopen[web]'" in capfd.readouterr().err


def test_the_studio_has_the_flags_of_the_maps(monkeypatch):
    from wideopen.studio import launch

    started = []
    monkeypatch.setattr(launch, "serve", lambda *arguments: started.append(arguments))
    assert cli.run(["studio", "--depth", "planar", "--offline", "--matting-size", "256", "--backend", "numba"]) == 0
    ((*_, config),) = started
    assert (config.maps.depth, config.maps.offline, config.maps.matting_size) == ("planar", True, 256)
    assert config.backend == "numba"


def test_the_service_lends_the_studio_its_settings_limits_and_workers(monkeypatch):
    from wideopen.service import ServeSettings
    from wideopen.service.app import make_app
    from wideopen.settings import MapSettings
    from wideopen.studio import launch

    mounted = []
    monkeypatch.setattr(launch, "mount", lambda *arguments, **options: mounted.append((*arguments, options)))
    maps = MapSettings(depth="planar", offline=True)
    limits = {"max_megapixels": 3, "max_mb": 7, "request_timeout": 11}
    app = make_app(ServeSettings(studio=True, workers=2, maps=maps, backend="reference", **limits))
    _, path, config, options = mounted[0]
    assert (path, config.maps, config.backend) == ("/studio", maps, "reference")
    assert (config.max_megapixels, config.max_megabytes, config.photo_s) == (3, 7, 11)
    assert options == {"run": app.state.service.run, "jobs": 2}
