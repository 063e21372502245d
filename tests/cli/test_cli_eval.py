"""`wideopen eval matting`: the same figures for the network's mattes and for those in a folder."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from small_portrait import portrait, save_grey, subject

from tiny_sets import mattes


@pytest.fixture
def pairs(folder):
    """Two pairs in folder/data, and the true mattes, one of them inverted, in folder/theirs."""
    for name in ("data/rgb", "data/alpha", "theirs"):
        (folder / name).mkdir(parents=True)
    for name in ("a", "b"):
        Image.fromarray(portrait()).save(folder / f"data/rgb/{name}.png")
        save_grey(f"data/alpha/{name}.png", subject())
        save_grey(f"theirs/{name}.png", subject() if name == "a" else 1 - subject())
    return ("eval", "matting", "--data", "data", "--part", "all")


def test_mattes_in_a_folder_are_judged(wideopen, pairs, untrained):
    network = ("--matting", untrained, "--matting-size", "64", "--matting-stages", "1")
    done = wideopen(*pairs, "--pred", "theirs", "--csv", "errors.csv", "--sheet", "worst.png", *network)
    assert (done.code, done.err) == (0, [])
    with open("errors.csv", newline="") as file:  # noqa: PTH123
        rows = list(csv.DictReader(file))
    assert [row["photo"] for row in rows] == ["b", "a"]  # worst first
    assert [float(rows[1][name]) for name in ("mad", "mse", "sad", "gradient", "connectivity")] == [0] * 5
    assert float(rows[0]["mad"]) > 0.9
    assert float(rows[0]["transition_mad"]) > 0
    head, whole, transition = done.out.splitlines()[:3]
    assert head.split() == ["photos", "mad", "mse", "sad", "gradient", "connectivity"]
    assert float(whole.split()[3]) == pytest.approx(float(rows[0]["mad"]) / 2, abs=1e-4)
    assert transition.split()[2] == "transition"
    picture = np.asarray(Image.open("worst.png"))
    side = min(portrait().shape[:2])
    assert picture.shape[:2] == (2 * (side + 24), 5 * side)  # photo, truth, theirs, ours, error
    photo, truth, theirs, _, error = np.split(picture[24 : 24 + side].astype(int), 5, axis=1)
    assert np.abs(truth + theirs - 255).max() <= 1  # theirs is inverted
    assert error.max() == 255
    assert np.ptp(photo) > 100


def test_the_network_is_judged_by_the_same_figures(wideopen, pairs, untrained, folder):
    network = ("--matting", untrained, "--matting-size", "64", "--matting-stages", "1")
    done = wideopen(*pairs, *network)
    assert done.code == 0
    (folder / "own").mkdir()
    for name in ("a", "b"):
        assert wideopen("matte", f"data/rgb/{name}.png", "-o", f"own/{name}.png", *network).code == 0
        Image.fromarray((np.asarray(Image.open(f"own/{name}.png")) // 257).astype(np.uint8)).save(f"own/{name}.png")
    again = wideopen(*pairs, "--pred", "own")
    assert float(again.out.splitlines()[1].split()[3]) == pytest.approx(
        float(done.out.splitlines()[1].split()[3]), abs=5e-3
    )


def test_corrupt_pairs_are_skipped_counted_and_listed(wideopen, pairs, folder):
    (folder / "data/rgb/a.png").write_bytes(b"no picture")
    done = wideopen(*pairs, "--pred", "theirs")
    assert done.code == 0
    assert done.err[0] == "note: skipped, 1:"
    assert done.err[1].startswith("  - data/a: data/rgb/a.png: expected an image")
    assert "skipped 1 of 2 photos" in done.out


def test_bad_arguments_are_refused_with_one_line(refused, pairs, folder):
    assert refused(*pairs, "--pred", "nowhere") == "--pred: expected a folder, found nowhere"
    assert refused(*pairs[:4], "--part", "some") == "--part: expected val or all, found 'some'"
    assert "expected a .png or .jpg file" in refused(*pairs, "--sheet", "w.gif")
    (folder / "e.csv").touch()
    assert "exists already" in refused(*pairs, "--csv", "e.csv")
    assert "--part all judges all" in refused(*pairs[:4], "--pred", "theirs")  # two photos have no val part


def test_a_benchmark_is_judged_by_name(wideopen, refused, folder):
    mattes("image", "matte", 100, ".jpg")(folder / "ppm")
    command = ("eval", "matting", "--benchmark", "ppm-100", "--root", "ppm")
    (folder / "theirs").mkdir()
    for file in (folder / "ppm/matte").iterdir():
        Image.open(file).save(folder / f"theirs/{file.stem}.png")
    done = wideopen(*command, "--pred", "theirs", "--json", "ppm.json")
    assert done.code == 0
    assert done.out.splitlines()[1].split()[:3] == ["PPM-100", "100", "whole"]
    report = json.loads((folder / "ppm.json").read_text())
    assert report["means"]["PPM-100"]["whole"]["mad"] == 0
    done = wideopen("reproduce", "--measured", "ppm.json")
    (row,) = [line for line in done.out.splitlines() if line.startswith("theirs (measured), 100 pairs")]
    assert row.split()[4:6] == ["0.0000", "0.0000"]
    (folder / "ppm/matte/3.jpg").unlink()
    assert "found 2 problems; --partial judges the 99 usable pairs:\n  - 3: expected" in refused(*command)


def test_mattes_that_others_lack_are_listed_before_any_work(wideopen, refused, folder):
    mattes("image", "matte", 100, ".jpg")(folder / "ppm")
    (folder / "theirs").mkdir()
    for number in range(88):
        Image.open(f"ppm/matte/{number}.jpg").resize((16, 12) if number else (8, 6)).save(f"theirs/{number}.png")
    command = ("eval", "matting", "--benchmark", "ppm-100", "--root", "ppm", "--pred", "theirs")
    head, *items, more = refused(*command, "--csv", "out.csv").split("\n  - ")
    assert head == "--pred: expected pictures of 100 pairs, found 13 problems; --partial judges the other 87:"
    assert items[0] == "0: theirs/0.png: expected 16 x 12 as ppm/matte/0.jpg, found 8 x 6"
    assert items[1] == "88: expected a matte theirs/88.png, found none"
    assert (len(items), more) == (10, "and 3 more")
    done = wideopen(*command, "--partial", "--json", "out.json")
    assert done.code == 0
    assert len(json.loads((folder / "out.json").read_text())["skipped"]) == 13
