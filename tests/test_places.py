"""Scripts for other programs: darktable's lists the program's options, and the external editor replaces its copy."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wideopen.lens import LOOKS
from wideopen.session.presets import shipped

FOLDER = Path(__file__).parents[1] / "integrations"
WIDEOPEN = Path(sys.executable).with_name("wideopen")


def lua_list(name):
    """The words of a list in the darktable script, without its first, which stands for none."""
    script = (FOLDER / "darktable" / "wideopen.lua").read_text(encoding="utf-8")
    return re.findall(r'"([^"]+)"', re.search(rf"local {name} = {{(.*?)}}", script, re.DOTALL)[1])


def test_darktable_offers_the_looks_and_presets_of_the_program():
    assert lua_list("LOOKS") == list(LOOKS)
    assert lua_list("PRESETS") == shipped()


@pytest.fixture
def photo(tmp_path):
    """A photo of noise under an awkward name."""
    path = tmp_path / "it's a $(photo).png"
    Image.fromarray(np.random.default_rng(5).integers(0, 256, (48, 64, 3)).astype(np.uint8)).save(path)
    return path


def edit(photo, options):
    command = ["sh", FOLDER / "external-editor" / "wideopen-in-place", photo]
    env = {**os.environ, "WIDEOPEN": str(WIDEOPEN), "WIDEOPEN_OPTIONS": options}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_external_editor_replaces_the_copy(photo):
    before = np.asarray(Image.open(photo)).astype(int)
    done = edit(photo, "--blur 10% --focus d=1")
    assert done.returncode == 0, done.stderr
    assert np.abs(np.asarray(Image.open(photo)).astype(int) - before).mean() > 10
    assert list(photo.parent.iterdir()) == [photo]


def test_external_editor_leaves_the_copy_if_rendering_fails(photo):
    before = photo.read_bytes()
    done = edit(photo, "--blur wide")
    assert done.returncode == 2
    assert "blur: expected a radius" in done.stderr
    assert photo.read_bytes() == before
    assert list(photo.parent.iterdir()) == [photo]
