"""A small portrait with its maps in a folder of its own, and ways to run the command there."""

import numpy as np
import pytest
from PIL import Image
from small_portrait import Done, contents, load, nearness, portrait, save_grey, subject

from wideopen import cli


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels():
    """Compile before any test looks at stderr, where the first run of all says that it compiles."""
    from wideopen import Lens, analyze, render

    grey = np.full((8, 8, 3), 0.5, np.float32)
    matte = np.pad(np.ones((4, 4), np.float32), 2)
    scene = analyze(grey, matte=matte, disparity=matte)
    for look in ("thin-lens", "paper"):
        render(scene, Lens(focus_disparity=1.0, max_radius=0.2, look=look, grain=0.0))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder: photo.png, photo.jpg, matte.png and disparity.png in it."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(portrait()).save("photo.png")
    Image.fromarray(portrait()).save("photo.jpg", quality=95)
    save_grey("matte.png", subject())
    save_grey("disparity.png", nearness())
    return tmp_path


@pytest.fixture
def wideopen(folder, capfd):
    """Run `wideopen ARGUMENTS` in this process."""

    def run(*arguments):
        capfd.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Done(code, captured.out, captured.err.splitlines())

    return run


@pytest.fixture
def rendered(wideopen):
    """Run a render with matte and disparity that must succeed; return (codes of the result, its report)."""

    def run(*options, photo="photo.png", matte="matte.png", disparity="disparity.png", out="result.png"):
        maps = [*(["--matte", matte] if matte else []), *(["--disparity", disparity] if disparity else [])]
        done = wideopen("render", photo, "-o", out, "--overwrite", "--json", *maps, *options)
        assert (done.code, done.err) == (0, [])
        return load(out), done.report

    return run


@pytest.fixture
def refused(wideopen, folder):
    """Run what must be refused: exit 2, a line (and a list) on stderr, nothing else touched. Return what it said."""

    def run(*arguments):
        before = contents(folder)
        done = wideopen(*arguments)
        assert (done.code, done.out) == (2, ""), done
        assert all(line.startswith("  - ") for line in done.err[1:]), done
        assert contents(folder) == before
        assert done.err[0].startswith("wideopen: ")
        return "\n".join(done.err).removeprefix("wideopen: ")

    return run


@pytest.fixture(scope="session")
def untrained(tmp_path_factory):
    """A weights file of the mobile network with random numbers: its mattes mean nothing, but they are mattes."""
    import torch

    from wideopen.matting.inference import PRESETS
    from wideopen.matting.net.model import MattingNet
    from wideopen.matting.net.state import save_weights

    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    save_weights(path, MattingNet(PRESETS["mobile"]).state_dict(), "mobile", {})
    return path
