"""matte, depth, info, --version and help; and the installed command in its own process."""

import contextlib
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_portrait import HEIGHT, WIDTH, contents, load, size_of, subject

import wideopen as package

COMMAND = Path(sys.executable).with_name("wideopen")
MAPS = ("--matte", "matte.png", "--disparity", "disparity.png")


def command(*arguments, **options):
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False, **options)


@pytest.mark.parametrize(
    "name", ["m.png", *(pytest.param(name, marks=pytest.mark.slow) for name in ("m.tif", "m.npy"))]
)
def test_matte_writes_what_render_uses(wideopen, untrained, name):
    network = ("--matting", untrained, "--device", "cpu")
    done = wideopen("matte", "photo.png", "-o", name, *network)
    assert (done.code, done.out) == (0, f"{name}\n")
    assert wideopen("render", "photo.png", *network, "--save-matte", "used.npy").code == 0
    alpha = np.load(name) if name == "m.npy" else np.asarray(Image.open(name)) / 65535
    assert alpha.shape == (HEIGHT, WIDTH)
    np.testing.assert_allclose(alpha, np.load("used.npy"), rtol=0, atol=1 / 65535)


def test_depth_writes_what_render_uses(wideopen):
    done = wideopen("depth", "photo.png", "-o", "d.png", "--matte", "matte.png")
    assert (done.code, done.out) == (0, "d.png\n")
    assert done.err == []
    written = np.asarray(Image.open("d.png"))
    assert written.dtype == np.uint16
    assert wideopen("render", "photo.png", "--matte", "matte.png", "--save-disparity", "used.png").code == 0
    assert (np.asarray(Image.open("used.png")) == written).all()
    assert written[subject() == 1].min() > written[:5].max()


def test_depth_predicts_the_matte_it_needs(wideopen, untrained):
    assert wideopen("depth", "photo.png", "-o", "d.npy", "--matting", untrained).code == 0
    assert np.load("d.npy").shape == (HEIGHT, WIDTH)


def sky():
    """A photo of nothing but a gradient and noise."""
    rows = np.linspace(60, 200, 64)[:, None, None]
    noise = np.random.default_rng(2).integers(-9, 10, (64, 96, 3))
    Image.fromarray((rows + noise).astype(np.uint8)).save("sky.png")


def test_a_photo_without_a_subject_has_an_empty_matte(wideopen):
    sky()
    done = wideopen("matte", "sky.png", "-o", "m.png")
    assert (done.code, done.err) == (0, ["note: empty matte: no person found"])
    assert not load("m.png").any()


@pytest.mark.parametrize("look", ["thin-lens", "paper"])
def test_without_subject_and_depth_the_photo_is_left_as_it_is(wideopen, look):
    sky()
    done = wideopen("render", "sky.png", "-o", "r.png", "--depth", "planar", "--look", look, "--blur", "8%")
    assert done.code == 0
    assert len(done.err) == 1
    assert "the photo stays unchanged (--depth small" in done.err[0]
    assert np.abs(load("r.png").astype(int) - load("sky.png")).max() <= (look == "paper")


@pytest.mark.parametrize("name", ["matte", "depth"])
def test_maps_are_replaced_only_with_overwrite(wideopen, refused, folder, untrained, name):
    (folder / "map.png").write_bytes(b"mine")
    assert "--overwrite" in refused(name, "photo.png", "-o", "map.png")
    assert wideopen(name, "photo.png", "-o", "map.png", "--matting", untrained, "--overwrite").code == 0
    assert size_of("map.png") == (WIDTH, HEIGHT)


@pytest.mark.parametrize("name", ["matte", "depth"])
def test_maps_have_the_limit_of_megapixels(refused, name):
    assert "at most 0.001 megapixels" in refused(name, "photo.png", "-o", "m.png", "--max-megapixels", "0.001")


def test_info_lists_versions_backends_and_weights(wideopen):
    done = wideopen("info")
    assert (done.code, done.err) == (0, [])
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[0].startswith(f"wideopen {package.__version__}, Python {sys.version_info.major}.")
    assert f"numpy {np.__version__}" in lines
    assert "render reference usable" in lines
    assert [line for line in lines if line.startswith("render numba")]
    assert [line for line in lines if line.startswith("mobile ")]


def test_info_gives_the_reason_why_a_backend_cannot_run(wideopen, monkeypatch):
    from wideopen.backends import Backend

    broken = {"quantum": Backend(lambda: "no qubits here", lambda: None)}
    monkeypatch.setattr("wideopen.rendering.BACKENDS", broken)
    assert "render    quantum    no qubits here" in wideopen("info").out


def test_version_is_printed(wideopen):
    done = wideopen("--version")
    assert (done.code, done.out, done.err) == (0, f"{package.__version__}\n", [])


@pytest.mark.parametrize("arguments", [("--help",), ("render", "--help"), ("matte", "--help"), ("depth", "--help")])
def test_help_shows_the_usage(wideopen, arguments):
    done = wideopen(*arguments)
    assert (done.code, done.err) == (0, [])
    assert "Usage: wideopen" in done.out


def test_help_of_render_names_every_option_of_the_documented_ones(wideopen, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    text = wideopen("render", "--help").out
    words = text.split()
    names = "look blur focus focus-range planes aperture cat-eye highlights grain matte disparity depth-m matting"
    more = "filter-disparity no-filter-disparity device backend save-matte save-disparity json overwrite"
    more += " output-quality max-megapixels"
    assert [name for name in f"{names} {more}".split() if f"--{name}" not in words] == []
    assert "polygon:6@15~0.4" in text


def test_no_arguments_show_the_help(wideopen):
    done = wideopen()
    assert (done.code, done.err) == (2, [])
    assert "Usage: wideopen" in done.out
    assert "render" in done.out


def test_the_installed_command_renders(folder):
    done = command("render", "photo.jpg", *MAPS, "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "photo.bokeh.jpg").is_file()


def test_the_installed_command_refuses_a_missing_photo(folder):
    before = contents(folder)
    done = command("render", "none.jpg", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "wideopen: none.jpg: expected a photo, found no such file\n"
    assert contents(folder) == before


def test_a_reader_that_leaves_early_is_not_an_error(folder):
    for arguments in (("--help",), ("info",), ("render", "photo.png", *MAPS, "--json")):
        read_end, write_end = os.pipe()
        os.close(read_end)  # as of `wideopen ... | true`
        with os.fdopen(write_end) as pipe:
            done = subprocess.run([COMMAND, *arguments], stdout=pipe, stderr=subprocess.PIPE, cwd=folder, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
    assert (folder / "photo.bokeh.png").is_file()


def test_a_name_that_is_not_utf8_is_printed_unchanged(folder):
    name = os.fsdecode(b"caf\xe9.png")
    (folder / "photo.png").rename(folder / name)
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [COMMAND, "render", name, *MAPS], capture_output=True, cwd=folder, env=environment, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"caf\xe9.bokeh.png  96 x 64")


def test_progress_is_shown_on_a_terminal_only(folder):
    terminal, other_end = pty.openpty()
    shown = b""
    with subprocess.Popen(
        [COMMAND, "render", "photo.png", *MAPS], stdout=subprocess.PIPE, stderr=other_end, cwd=folder
    ) as process:
        os.close(other_end)
        with contextlib.suppress(OSError):  # Linux tells the end of a terminal by an error
            while piece := os.read(terminal, 65536):
                shown += piece
        out, _ = process.communicate()
    os.close(terminal)
    assert process.returncode == 0
    assert b"photo.png" in shown
    assert out.startswith(b"photo.bokeh.png  96 x 64")
    assert command("render", "photo.png", *MAPS, "--overwrite", cwd=folder).stderr == ""
