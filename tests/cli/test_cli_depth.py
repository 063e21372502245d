"""--depth and --offline of render and depth: the source is reported, and a named source is used or refused."""

import json
import os
import pty
import subprocess
import sys

import numpy as np
import pytest
from small_portrait import HEIGHT, WIDTH, nearness

from tiny_depth import save_tiny_onnx
from wideopen import networks
from wideopen.cli.terminal import steps
from wideopen.disparity import hub
from wideopen.errors import WeightsError
from wideopen.files.inside.parts import Embedded

MATTE = ("--matte", "matte.png")


class Phone:
    """Depth as it comes with a photo."""

    values = nearness()[::4, ::4]
    kind = "relative_disparity"
    name = "a phone's depth"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save_tiny_onnx(tmp_path_factory.mktemp("weights"), "dpt")


@pytest.fixture
def fetched(monkeypatch):
    """Downloads that would be made, none of which succeeds; that of zoedepth breaks off."""
    asked = []

    def fetch(model, *, device, step, offline=False):
        if hub.on_disk(model):
            return
        asked.append(model)
        if model == "zoedepth":
            step.note(f"note: downloading depth model {model}, only once")
        raise WeightsError(f"depth model {model}: cannot be downloaded (no network)")

    monkeypatch.setattr("wideopen.session.open_photo._tried", set())
    monkeypatch.setattr(hub, "fetch", fetch)
    monkeypatch.setattr(networks, "is_offline", lambda asked=False: asked)
    return asked


def test_render_with_a_model_in_a_folder(wideopen, tiny):
    options = ("--depth", tiny, "--json", "--device", "cpu", "--save-disparity", "d.npy")
    done = wideopen("render", "photo.png", *MATTE, *options)
    assert (done.code, done.err) == (0, [])
    assert done.report["disparity"] == f"predicted by {tiny.name}"
    assert done.report["filtered"]
    assert np.load("d.npy").std() > 0.01


def test_depth_writes_what_a_model_predicts(wideopen, tiny):
    assert wideopen("depth", "photo.png", "-o", "d.npy", *MATTE, "--depth", tiny).code == 0
    assert wideopen("depth", "photo.png", "-o", "planar.npy", *MATTE, "--depth", "planar").code == 0
    d, flat = np.load("d.npy"), np.load("planar.npy")
    assert d.shape == (HEIGHT, WIDTH)
    assert np.abs(d - flat).max() > 0.1


def test_depth_inside_the_photo_is_used_first(wideopen, monkeypatch, fetched):
    monkeypatch.setattr("wideopen.session.open_photo.read_embedded", lambda _: Embedded(depth=Phone))
    for asked in ("auto", "embedded"):
        done = wideopen("render", "photo.png", *MATTE, "--json", "--overwrite", "--depth", asked)
        assert (done.code, done.err) == (0, [])
        assert done.report["disparity"] == "embedded: a phone's depth"
    assert fetched == []


def test_embedded_is_refused_without_depth_inside(refused):
    line = refused("render", "photo.png", *MATTE, "--depth", "embedded")
    assert line == "photo.png: expected depth inside the photo's file (--depth embedded), found none"


def test_auto_downloads_the_default_model_once_and_does_without_it(wideopen, fetched):
    done = wideopen("render", "photo.png", "photo.jpg", "-o", "out", "--matting", "mobile", "--json")
    assert done.code == 0
    assert fetched == ["depth-anything-v2-small"]
    reports = [json.loads(line) for line in done.out.splitlines()]
    assert [report["disparity"] for report in reports] == ["predicted by small"] * 2
    assert done.err == []


@pytest.mark.parametrize("options", [("--offline",), ("--depth", "planar"), ("--disparity", "disparity.png")])
def test_nothing_is_downloaded_unless_it_is_needed_and_may_be(wideopen, fetched, options):
    done = wideopen("render", "photo.png", *MATTE, "--json", *options)
    assert (done.code, done.err, fetched) == (0, [], [])


def test_a_model_named_is_downloaded_or_refused(refused, fetched, wideopen):
    done = wideopen("render", "photo.png", *MATTE, "--depth", "zoedepth")
    assert (done.code, done.out, fetched) == (2, "", ["zoedepth"])
    assert done.err[0].startswith("note: downloading depth model zoedepth")
    assert done.err[1] == "wideopen: depth model zoedepth: cannot be downloaded (no network)"


def test_a_model_named_is_refused_offline(refused):
    for command in (("render", "photo.png"), ("depth", "photo.png", "-o", "d.png")):
        line = refused(*command, *MATTE, "--depth", "depth-anything-v2-large", "--offline")
        assert line.startswith("depth model depth-anything-v2-large (1340 MB, licence CC-BY-NC-4.0): not on disk")


def test_a_folder_without_a_model_is_refused(refused, folder):
    (folder / "empty").mkdir()
    assert "depth model empty: expected config.json" in refused("render", "photo.png", *MATTE, "--depth", "empty")


@pytest.mark.parametrize("word", ["magic", "", "planer"])
def test_unknown_words_are_refused(refused, word):
    assert "depth: expected auto, embedded, small, planar, " in refused("render", "photo.png", *MATTE, "--depth", word)
    assert "depth: expected auto, embedded, small, planar, " in refused(
        "depth", "photo.png", "-o", "d.png", "--depth", word
    )


@pytest.mark.parametrize("option", ["--disparity", "--depth-m"])
def test_a_file_and_a_source_are_refused(refused, option):
    line = refused("render", "photo.png", *MATTE, option, "disparity.png", "--depth", "planar")
    assert line == f"--depth and {option}: expected one of them, found both"


def test_info_lists_the_models(wideopen, monkeypatch):
    lines = [" ".join(line.split()) for line in wideopen("info").out.splitlines()]
    assert "dpt Apache-2.0 1370 MB not on disk the paper's; squeezes every photo into a square" in lines
    assert [line for line in lines if line.startswith("depth-anything-v2-base CC-BY-NC-4.0 389 MB not on disk")]
    assert [line for line in lines if line.startswith("upsample numba")]
    monkeypatch.setattr(hub, "on_disk", lambda _: "here")
    assert "zoedepth                 MIT            1380 MB  on disk" in wideopen("info").out


def test_a_download_shows_a_bar_on_a_terminal():
    script = """
from wideopen import networks
from wideopen.cli.terminal import steps
with steps("photo.jpg") as step:
    step("downloading")
    step.download(30_000_000, 99_000_000)
    import time; time.sleep(0.3)
    step("matte")
"""
    terminal, other_end = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", script], stderr=other_end) as process:
        os.close(other_end)
        shown = b""
        try:
            while piece := os.read(terminal, 65536):
                shown += piece
        except OSError:  # Linux tells the end of a terminal by an error
            pass
    os.close(terminal)
    assert process.returncode == 0
    assert b"30 of 99 MB" in shown
    assert b"downloading" in shown


def test_without_a_terminal_nothing_is_shown(capfd):
    with steps("photo.jpg") as step:
        step("downloading")
        step.download(1, 2)
    assert capfd.readouterr() == ("", "")
