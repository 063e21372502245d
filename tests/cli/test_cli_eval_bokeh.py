"""`wideopen eval bokeh`: our pictures and others' get the same figures; problems are reported."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from small_portrait import nearness, portrait, save_grey, size_of, subject

from tiny_sets import ours
from wideopen.evals import judge
from wideopen.evals.pairs import find_pairs
from wideopen.settings import LensSettings, MapSettings
from wideopen.workers import Workers

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
    heads = "2 pairs  PSNR  edge  SSIM  edge SSIM  blur error px"
    assert " ".join(done.out.splitlines()[0].split()) == " ".join(heads.split())
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
    assert report["means"]["as they are"]["psnr_db"] == pytest.approx(
        np.mean([float(row["psnr_db"]) for row in rows]), abs=1e-3
    )
    assert size_of("out.png") == (4 * 64, 2 * (64 + 24))  # crops at 100 %, here as high as the photo
    assert report["commit"] is None or len(report["commit"].rstrip("+")) == 40


def test_aligned_figures_are_of_the_fitted_picture(wideopen, pairs, folder):
    shutil.copytree("pairs/sharp", "theirs")
    assert wideopen(*pairs, "--pred", "theirs", "--align", "--json", "out.json").code == 0
    means = json.loads((folder / "out.json").read_text())["means"]
    assert means["aligned"]["psnr_db"] == pytest.approx(means["as they are"]["psnr_db"], abs=1)


def test_one_photo_with_two_blurs_is_analyzed_once(pairs, folder, monkeypatch):
    opened, find = [], judge.open_photo
    monkeypatch.setattr(judge, "open_photo", lambda photo, *rest: opened.append(photo) or find(photo, *rest))
    pair = find_pairs(folder / "pairs").pairs[0]
    wide = replace(pair, name="wide", meta=replace(pair.meta, blur="9px"))
    method = judge.by_us(LensSettings(grain=0.0), MapSettings(), sweep=True)
    first, second, third = (method(one, judge.true_picture(one)).picture.rgb for one in (pair, wide, pair))
    assert len(opened) == 1
    assert np.abs(first - third).max() == 0
    assert np.abs(first - second).max() > 0.05


def test_pictures_of_others_get_the_same_figures(wideopen, pairs, folder):
    shutil.copytree("pairs/bokeh", "theirs")
    shutil.copy("pairs/sharp/b.png", "theirs/b.png")
    done = wideopen(*pairs, "--pred", "theirs", "--json", "out.json")
    assert done.code == 0
    rows = {row["pair"]: row for row in json.loads((folder / "out.json").read_text())["rows"]}
    assert rows["a"]["psnr_db"] is None  # equal: infinite, which JSON has not
    assert rows["a"]["ssim"] == pytest.approx(1, abs=1e-6)
    assert rows["b"]["psnr_db"] < 35


def test_flip_computed_in_another_process_is_given_to_its_pair(wideopen, pairs, folder):
    pytest.importorskip("flip_evaluator")
    shutil.copytree("pairs/bokeh", "theirs")
    shutil.copy("pairs/sharp/b.png", "theirs/b.png")
    assert wideopen(*pairs[:-1], "--pred", "theirs", "--json", "out.json").code == 0
    rows = {row["pair"]: row for row in json.loads((folder / "out.json").read_text())["rows"]}
    assert rows["a"]["flip"] < 1e-6 < 0.01 < rows["b"]["flip"]


def test_many_pairs_are_judged_in_processes_with_the_same_figures(wideopen, pairs, folder, monkeypatch):
    for name in ("c", "d", "e"):
        for kind in ("sharp", "bokeh", "matte", "disparity"):
            shutil.copy(f"pairs/{kind}/{'a' if name == 'd' else 'b'}.png", f"pairs/{kind}/{name}.png")
    bokeh = folder / "pairs/bokeh/d.png"
    bokeh.write_bytes(bokeh.read_bytes()[:-4000])
    monkeypatch.setattr("wideopen.workers.size.usable_cores", lambda: 2)
    used = []
    begin = Workers.__init__
    monkeypatch.setattr(
        Workers, "__init__", lambda self, size, *rest, **more: used.append(size) or begin(self, size, *rest, **more)
    )
    many = wideopen(*pairs, "--lvcorr", "--csv", "many.csv", "--json", "many.json")
    assert many.code == 0
    assert used == [(2, 1)]
    assert many.err[0] == "note: skipped, 1:"
    assert "bokeh/d.png" in many.err[1]
    monkeypatch.setattr("wideopen.evals.judge.FEW", 9)
    assert wideopen(*pairs, "--lvcorr", "--json", "few.json").err == many.err
    assert used == [(2, 1)]
    rows, alone = (json.loads((folder / f"{name}.json").read_text())["rows"] for name in ("many", "few"))
    assert [row["pair"] for row in rows] == ["a", "b", "c", "e"]
    for row, other in zip(rows, alone, strict=True):
        assert row.pop("pair") == other.pop("pair")
        known, expected = ({k: v for k, v in one.items() if v is not None} for one in (row, other))
        assert known == pytest.approx(expected, rel=1e-4)


def test_faulty_pairs_are_listed_first_and_the_others_judged(wideopen, pairs, folder):
    (folder / "pairs/bokeh/a.png").unlink()
    done = wideopen(*pairs)
    assert done.code == 0
    assert done.err[0] == "note: left out, 1:"
    assert "expected a partner pairs/bokeh/a.*, found none" in done.err[1]
    assert done.out.splitlines()[0].startswith("1 pairs")


def test_a_damaged_pair_is_reported_and_the_others_judged(wideopen, pairs, folder):
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
    assert done.err[0] == "wideopen: --pred: expected pictures of 2 pairs, found 2 problems:"
    assert done.err[1] == "  - a: expected a picture theirs/a.*, found none"
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


def test_a_benchmark_by_name_is_judged_beside_what_is_published(wideopen, folder):
    ours(20)(folder / "wax")
    done = wideopen("eval", "bokeh", "--benchmark", "wax", "--root", "wax", "--pred", "wax/bokeh", "--no-flip")
    assert (done.code, done.err) == (0, [])
    lines = done.out.splitlines()
    assert lines[0].startswith("20 pairs")
    assert any(line.startswith("the paper's [1]") and "26.29" in line for line in lines)
    assert lines[-1].startswith("[1] Rao, Zhang, Lau, Chen, which this project implements")


def test_an_incomplete_benchmark_is_refused_and_partial_judges_the_rest(wideopen, refused, folder):
    ours(19)(folder / "wax")
    command = ("eval", "bokeh", "--benchmark", "wax", "--root", "wax", "--pred", "wax/bokeh", "--no-flip")
    message = refused(*command)
    assert "found 1 problem; --partial judges the 19 usable pairs:" in message
    assert message.endswith("  - count: expected 20 pairs, found 19 usable ones")
    assert wideopen(*command, "--partial").code == 0


def test_missing_or_resized_pictures_of_others_are_listed_before_any_work(wideopen, refused, folder):
    ours(20)(folder / "wax")
    shutil.copytree("wax/bokeh", "theirs")
    (folder / "theirs/3.png").unlink()
    Image.open("theirs/4.png").resize((8, 6)).save("theirs/4.png")
    command = ("eval", "bokeh", "--benchmark", "wax", "--root", "wax", "--pred", "theirs", "--no-flip")
    assert refused(*command, "--csv", "out.csv").splitlines() == [
        "--pred: expected pictures of 20 pairs, found 2 problems; --partial judges the other 18:",
        "  - 3: expected a picture theirs/3.*, found none",
        "  - 4: theirs/4.png: expected 16 x 12 as wax/bokeh/4.png, found 8 x 6",
    ]
    done = wideopen(*command, "--partial")
    assert (done.code, done.err[0]) == (0, "note: left out, 2:")
    assert done.out.startswith("18 pairs")


def test_long_lists_of_problems_end_after_ten(wideopen, pairs, folder):
    for number in range(12):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(f"pairs/sharp/x{number:02}.png")
    done = wideopen(*pairs)
    assert (done.err[0], done.err[-1], len(done.err)) == ("note: left out, 12:", "  - and 2 more", 12)


def test_the_same_command_continues_its_csv(wideopen, pairs, folder):
    assert wideopen(*pairs, "--csv", "each.csv").code == 0
    text = (folder / "each.csv").read_text()
    (folder / "each.csv").write_text("\n".join(text.splitlines()[:2]) + "\n")
    kept = text.splitlines()[1][0]
    shutil.copy(f"pairs/sharp/{kept}.png", f"pairs/bokeh/{kept}.png")  # would change its figures, were it judged again
    assert wideopen(*pairs, "--csv", "each.csv").code == 0
    assert sorted((folder / "each.csv").read_text().splitlines()) == sorted(text.splitlines())


@pytest.mark.parametrize(("given", "typed", "searched"), [(False, (), 2), (True, (), 0), (False, ("--blur", "3px"), 0)])
def test_blur_is_searched_where_nobody_gives_it(wideopen, pairs, folder, given, typed, searched):
    meta = {"focus": "d=0.8", "filter_disparity": False} | ({"blur": "6px"} if given else {})
    (folder / "pairs/meta.json").write_text(json.dumps({"format": 1, "all": meta}))
    command = ("eval", "bokeh", "--benchmark", "real", "--root", "pairs", "--no-flip", *typed)
    assert wideopen(*command, "--json", "out.json").code == 0
    found = [row["found_blur_px"] for row in json.loads((folder / "out.json").read_text())["rows"]]
    assert len([blur for blur in found if blur is not None]) == searched
    assert all(blur == pytest.approx(6, rel=0.08) for blur in found if blur is not None)  # what the truth was made with


def test_lvcorr_renders_with_less_blur(wideopen, pairs):
    done = wideopen(*pairs, "--lvcorr")
    heads, figures = (line.split() for line in done.out.replace("edge SSIM", "edge_SSIM").splitlines()[:2])
    assert 0.5 < float(figures[heads.index("LVCorr") - len(heads)]) <= 1


def test_a_sheet_of_others_shows_ours_beside(wideopen, pairs, folder):
    shutil.copytree("pairs/sharp", "theirs")
    assert wideopen(*pairs, "--pred", "theirs", "--sheet", "crops.png").code == 0
    assert size_of("crops.png") == (5 * 64, 2 * (64 + 24))
    crops = np.asarray(Image.open("crops.png"))[24:88]
    sharp, truth, theirs, mine, error = (crops[:, k * 64 : (k + 1) * 64].astype(int) for k in range(5))
    assert np.abs(theirs - sharp).max() == 0
    assert np.abs(mine - truth).max() <= 2  # the truth is ours
    assert error.max() > 0


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ((), "--pairs and --benchmark: expected one of them"),
        (("--benchmark", "blb"), "--benchmark and --root: expected both or neither"),
        (("--benchmark", "p3m-500-p", "--root", "."), "--benchmark: expected one of ebb-val294"),
    ],
)
def test_the_set_is_named_once(refused, options, line):
    assert line in refused("eval", "bokeh", *options)
