"""`wideopen eval bokeh`: ours and other people's pictures by the same figures; what is wrong is told."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from small_portrait import nearness, portrait, save_grey, size_of, subject

SETTINGS = ("--blur", "6px", "--focus", "d=0.8", "--no-filter-disparity")


@pytest.fixture
def pairs(wideopen, folder):
    """Two pairs whose truth is what `render` makes of them, in folder/pairs."""
    for name in ("sharp", "bokeh", "matte", "disparity"):
        (folder / "pairs" / name).mkdir(parents=True)
    for name in ("a", "b"):
        codes = portrait() if name == "a" else portrait()[:, ::-1]
        Image.fromarray(codes).save(f"pairs/sharp/{name}.png")
        save_grey(f"pairs/matte/{name}.png", subject() if name == "a" else subject()[:, ::-1])
        save_grey(f"pairs/disparity/{name}.png", nearness() if name == "a" else nearness()[:, ::-1])
        maps = ("--matte", f"pairs/matte/{name}.png", "--disparity", f"pairs/disparity/{name}.png", *SETTINGS)
        done = wideopen("render", f"pairs/sharp/{name}.png", "-o", f"pairs/bokeh/{name}.png", "--grain", "off", *maps)
        assert done.code == 0
    meta = {"format": 1, "all": {"blur": "6px", "focus": "d=0.8", "filter_disparity": False}}
    (folder / "pairs/meta.json").write_text(json.dumps(meta))
    return ("eval", "bokeh", "--pairs", "pairs", "--no-flip")


def test_our_own_pictures_are_right_but_for_rounding(wideopen, pairs, folder):
    done = wideopen(*pairs, "--csv", "out.csv", "--json", "out.json", "--sheet", "out.png", "--align")
    assert (done.code, done.err) == (0, [])
    assert done.out.splitlines()[0].split() == ["2", "pairs", "PSNR", "edge", "SSIM"]
    with open("out.csv", newline="") as file:  # noqa: PTH123
        rows = list(csv.DictReader(file))
    assert sorted(row["pair"] for row in rows) == ["a", "b"]
    for row in rows:
        assert float(row["psnr_db"]) > 52  # half a code of 8 bits is 59 dB at most wrong, 54 on average less dither
        assert float(row["edge_psnr_db"]) > 52
        assert abs(float(row["shift_x_px"])) < 0.01
        assert float(row["gain_g"]) == pytest.approx(1, abs=2e-3)
    report = json.loads((folder / "out.json").read_text())
    assert report["pairs"] == 2
    assert report["lens"]["grain"] == "off"
    assert report["means"]["psnr_db"] == pytest.approx(np.mean([float(row["psnr_db"]) for row in rows]), abs=1e-3)
    assert size_of("out.png") == (4 * 360, 2 * (240 + 24))


def test_other_peoples_pictures_by_the_same_figures(wideopen, pairs, folder):
    shutil.copytree("pairs/bokeh", "theirs")
    shutil.copy("pairs/sharp/b.png", "theirs/b.png")
    done = wideopen(*pairs, "--pred", "theirs", "--json", "out.json")
    assert done.code == 0
    rows = {row["name"]: row["figures"] for row in json.loads((folder / "out.json").read_text())["rows"]}
    assert rows["a"]["psnr_db"] is None  # equal: infinite, which JSON has not
    assert rows["a"]["ssim"] == pytest.approx(1, abs=1e-6)
    assert rows["b"]["psnr_db"] < 35


def test_flip_is_computed_aside_and_lands_on_its_pair(wideopen, pairs, folder):
    pytest.importorskip("flip_evaluator")
    shutil.copytree("pairs/bokeh", "theirs")
    shutil.copy("pairs/sharp/b.png", "theirs/b.png")
    assert wideopen(*pairs[:-1], "--pred", "theirs", "--json", "out.json").code == 0
    rows = {row["name"]: row["figures"] for row in json.loads((folder / "out.json").read_text())["rows"]}
    assert rows["a"]["flip"] < 1e-6 < 0.01 < rows["b"]["flip"]


def test_what_is_wrong_is_told_first_and_the_rest_is_done(wideopen, pairs, folder):
    (folder / "pairs/bokeh/a.png").unlink()
    done = wideopen(*pairs)
    assert done.code == 0
    assert done.err[0] == "note: left out, 1:"
    assert "expected a partner pairs/bokeh/a.*, found none" in done.err[1]
    assert done.out.splitlines()[0].startswith("1 pairs")


def test_damage_inside_a_file_is_told_and_the_rest_is_done(wideopen, pairs, folder):
    file = folder / "pairs/bokeh/a.png"
    file.write_bytes(file.read_bytes()[:-4000])
    done = wideopen(*pairs)
    assert done.code == 0
    assert done.err[0].startswith("note: skipped, 1:")
    assert done.out.splitlines()[0].startswith("1 pairs")


def test_nothing_that_could_be_judged_is_2(wideopen, pairs, folder):
    (folder / "theirs").mkdir()
    done = wideopen(*pairs, "--pred", "theirs", "--csv", "out.csv")
    assert (done.code, done.out) == (2, "")
    assert "expected a picture theirs/a.*, found none" in done.err[1]
    assert not (folder / "out.csv").exists()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--sheet", "out.gif"), "--sheet: expected a .png or .jpg file"),
        (("--csv", "pairs/meta.json"), "exists already"),
        (("--preset", "nothing"), "--preset: expected a .json file or one of"),
        (("--look", "wide"), "look: expected thin-lens or paper"),
        (("--pred", "nowhere"), "--pred: expected a folder, found nowhere"),
    ],
)
def test_refused_before_any_work(refused, pairs, options, line):
    assert line in refused(*pairs, *options)
