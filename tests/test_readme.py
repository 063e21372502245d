"""Every example of the README runs, in order, in a folder with a small portrait."""

import glob
import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from wideopen.cli import run

ROOT = Path(__file__).parents[1]
PAGES = ["README.md"]


@pytest.fixture
def portrait(tmp_path, monkeypatch):
    """A folder with portrait.jpg (256 x 256) and depth.png, made the working folder."""
    small = cv2.resize(astronaut(), (256, 256), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(tmp_path / "portrait.jpg"), small[..., ::-1])
    cv2.imwrite(str(tmp_path / "depth.png"), np.tile(np.arange(256, dtype=np.uint8)[:, None], (1, 256)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _blocks(page, language):
    blocks = re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S)
    assert blocks, f"{page} has no {language} example"
    return blocks


@pytest.mark.parametrize("page", PAGES)
def test_python_examples_run(portrait, page):
    before = set(portrait.iterdir())
    for block in _blocks(page, "python"):
        exec(compile(block, page, "exec"), {})  # noqa: S102  our own file
    assert set(portrait.iterdir()) > before


@pytest.mark.parametrize("page", PAGES)
def test_command_lines_run(portrait, page):
    lines = [line for block in _blocks(page, "sh") for line in block.splitlines() if line.startswith("wideopen ")]
    assert len(lines) >= 3
    for line in lines:
        words = shlex.split(line.split("  #")[0])[1:]
        for written in portrait.glob("*.bokeh.*"):
            written.unlink()  # each line stands for itself
        (portrait / "out.jpg").unlink(missing_ok=True)
        words = [w for word in words for w in (sorted(glob.glob(word)) if "*" in word else [word])]  # noqa: PTH207
        if "1200,800" in words:
            words[words.index("1200,800")] = "120,80"  # the example's portrait is larger
        assert run(words) == 0, line
