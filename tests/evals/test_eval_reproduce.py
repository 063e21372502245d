"""`wideopen reproduce`: the paper's figures, ours beside them, and what is missing by name."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tiny_pairs import make_pairs
from wideopen import cli


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        capfd.readouterr()
        code = cli.run(["reproduce", *map(str, arguments)])
        done = capfd.readouterr()
        return code, done.out, done.err

    return run


def mattes(folder):
    rng = np.random.default_rng(1)
    for kind in ("rgb", "alpha"):
        (folder / kind).mkdir(parents=True)
    for k in range(10):
        Image.fromarray(rng.integers(0, 255, (40, 30, 3)).astype(np.uint8)).save(folder / "rgb" / f"{k}.png")
        Image.fromarray(np.full((40, 30), 255, np.uint8)).save(folder / "alpha" / f"{k}.png")
    return folder


def test_without_data_the_papers_tables_name_what_is_missing(run):
    code, out, err = run("--json", "tables.json")
    assert (code, err) == (0, "")
    one, two, three = json.loads(Path("tables.json").read_text())["tables"]
    assert one["paper"]["the paper's"] == [0.004, 0.0021, 0.0038, 0.0017]
    assert two["paper"]["without AGM"] == [0.0052, 0.0025, 0.0047, 0.0023]
    assert three["paper"]["MPIB"] == [26.26, 0.9157, 0.3881]
    assert [table["ours"] for table in (one, two, three)] == [{}, {}, {}]
    assert "github.com/JizhiziLi/P3M" in out
    assert "WAX" in out.split("not run here")[-1]


def test_our_figures_state_the_data_they_were_measured_on(run, tmp_path):
    pairs = make_pairs(tmp_path / "mypairs", filter_disparity=False)
    code, _, _ = run("--matting-data", mattes(tmp_path / "few"), "--pairs", pairs, "--json", "tables.json")
    assert code == 0
    one, two, three = json.loads((tmp_path / "tables.json").read_text())["tables"]
    (name,) = one["ours"]
    assert "few" in name
    assert one["ours"][name][2:] == [None, None]  # no blurry and clear halves
    assert "NOT on the paper's photos but on few (1)" in one["notes"][0]
    assert "agm, low-resolution, high-resolution" in two["notes"][-1]
    assert three["ours"]["thin-lens"][0] > 20
    assert three["ours"]["thin-lens"][2] is None
    assert any("2 pairs of mypairs" in note for note in three["notes"])


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--ablated", "agm"), "--ablated: expected PART=FILE"),
        (("--ablated", "agm=none.safetensors"), "expected a file of weights, found no none.safetensors"),
        (("--pairs", "nowhere"), "--pairs: expected a folder, found nowhere"),
        (("--matting-data", "nowhere"), "expected a folder, found nowhere"),
    ],
)
def test_bad_input_gives_a_one_line_error(run, options, line):
    code, _, err = run(*options)
    assert (code, len(err.splitlines())) == (2, 1)
    assert line in err
