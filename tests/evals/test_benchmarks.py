"""Every benchmark is read in its authors' layout, and an incomplete one is refused before any work."""

import json
import re

import pytest

from tiny_sets import COUNTS, MAKERS, blb, grey, picture, realbokeh
from wideopen.errors import InvalidInput
from wideopen.evals.benchmarks import BENCHMARKS, benchmark
from wideopen.evals.exact import asked_radius_px, edges_of, true_disparity

pytest.importorskip("OpenImageIO")


def test_every_benchmark_has_a_tiny_set():
    assert MAKERS.keys() == BENCHMARKS.keys()


@pytest.mark.parametrize("name", MAKERS)
def test_a_whole_set_is_found_whole(tmp_path, name):
    MAKERS[name](tmp_path)
    row = BENCHMARKS[name]
    found = row.complete(tmp_path)
    assert found.problems == ()
    assert len(found.pairs) == (row.count or COUNTS[name])
    assert all((pair.sharp if row.task == "bokeh" else pair.rgb).is_file() for pair in found.pairs)


def test_val294_is_the_last_294_training_pairs(tmp_path):
    MAKERS["ebb-val294"](tmp_path)
    names = [pair.name for pair in BENCHMARKS["ebb-val294"].complete(tmp_path).pairs]
    assert (names[0], names[-1]) == ("4400", "4693")


def test_the_f_number_is_the_knob_of_realbokeh(tmp_path):
    realbokeh(tmp_path)
    pairs = BENCHMARKS["realbokeh"].complete(tmp_path).pairs
    assert [(p.name, p.meta.group, p.level) for p in pairs[:2]] == [("0_f2.0", "0", 0.5), ("0_f4.0", "0", 0.25)]


def test_blb_asks_for_its_own_radius(tmp_path):
    blb(tmp_path, scenes=1)
    found = BENCHMARKS["blb"].find(tmp_path)
    pair = next(pair for pair in found.pairs if pair.name == "277_02_09")
    assert pair.level == 6
    assert pair.gamma == 2.2
    asked = asked_radius_px(pair, (30, 40))
    assert asked[0, 0] == pytest.approx(0, abs=1e-4)  # K |1 / 1 - 1.0|
    assert asked[0, 39] == pytest.approx(6 * 0.75, abs=1e-3)  # K |1 / 4 - 1.0|
    assert true_disparity(pair.disparity, (30, 40))[0, 0] == 1
    band = edges_of(pair, (30, 40))
    assert band[:, 19].all()
    assert not band[:, 5].any()


def broken_pairs(root):
    MAKERS["aim-500"](root)
    for number in range(13):
        (root / "mask" / f"{number}.png").unlink()
    grey(root / "mask" / "500.png")
    (root / "mask" / "notes.txt").touch()
    picture(root / "original" / "499.jpg", (12, 16))


def test_missing_extra_and_wrong_files_are_counted_and_ten_are_listed(tmp_path):
    broken_pairs(tmp_path)
    with pytest.raises(InvalidInput) as caught:
        BENCHMARKS["aim-500"].complete(tmp_path)
    head, *items, more = str(caught.value).split("\n  - ")
    # 13 missing, 1 extra matte, 1 other file, 1 size, and the count
    assert head.endswith(f"in {tmp_path}, found 17 problems; --partial judges the 486 usable pairs:")
    assert items[0] == "0: expected a partner mask/0.*, found none"
    assert len(items) == 10
    assert more == "and 7 more"
    found = BENCHMARKS["aim-500"].complete(tmp_path, partial=True)
    assert (len(found.pairs), len(found.problems)) == (486, 17)
    assert any(re.search(r"expected 12 x 16 as .*, found 16 x 12", p.what) for p in found.problems)
    assert found.problems[-2].name == "mask/notes.txt"  # what lacks comes first


def test_a_set_without_a_usable_pair_does_not_offer_to_judge_none(tmp_path):
    realbokeh(tmp_path)
    for file in (tmp_path / "test/in").iterdir():
        file.unlink()
    with pytest.raises(InvalidInput) as caught:
        BENCHMARKS["realbokeh"].complete(tmp_path)
    assert "--partial" not in str(caught.value)


def test_files_that_the_metadata_does_not_name_are_extra(tmp_path):
    realbokeh(tmp_path)
    picture(tmp_path / "test/gt/1/1_f16.JPG")
    (tmp_path / "test/metadata/notes.txt").touch()
    (tmp_path / "test/gt/0/0_f2.0.JPG").unlink()
    problems = BENCHMARKS["realbokeh"].find(tmp_path).problems
    assert [p.name for p in problems] == ["0_f2.0", "metadata/notes.txt", "1/1_f16.JPG"]


def test_files_that_no_scene_of_blb_has_are_extra_and_a_scene_without_its_list_is_missed(tmp_path):
    blb(tmp_path, scenes=3)
    (tmp_path / "277/bokeh_05_00.exr").write_bytes((tmp_path / "277/bokeh_00_00.exr").read_bytes())
    (tmp_path / "278/info.json").unlink()
    found = BENCHMARKS["blb"].find(tmp_path)
    assert len(found.pairs) == 100
    assert [p.name for p in found.problems] == ["278", "277/bokeh_05_00.exr"]
    assert found.problems[0].what.endswith("278/info.json, found none")


def test_a_scene_file_of_another_version_is_reported(tmp_path):
    blb(tmp_path, scenes=2)
    (tmp_path / "278/info.json").write_text(json.dumps({"K": [1, 2]}))
    (problem,) = BENCHMARKS["blb"].find(tmp_path).problems
    assert problem.name == "278"
    assert "expected blur_parameters (list), found None" in problem.what


@pytest.mark.parametrize("name", MAKERS)
def test_another_layout_is_refused(tmp_path, name):
    (tmp_path / "JPEGImages").mkdir()
    with pytest.raises(InvalidInput, match="--root: expected"):
        BENCHMARKS[name].complete(tmp_path)


@pytest.mark.parametrize("name", MAKERS)
def test_a_missing_folder_is_reported(tmp_path, name):
    with pytest.raises(InvalidInput, match=r"^--root: expected the folder of .*, found no folder \S*/nowhere$"):
        BENCHMARKS[name].complete(tmp_path / "nowhere")


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(InvalidInput, match=r"expected one of ebb-val294, .* found 'p3m-500-p'"):
        benchmark("p3m-500-p", "bokeh")
