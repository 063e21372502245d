"""Reading a folder of pairs: a faulty pair is reported and the others are used."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from wideopen.errors import InvalidInput
from wideopen.evals.pairs import find_pairs


def save(folder, kind, name, size=(40, 30)):
    (folder / kind).mkdir(exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), 90, np.uint8)).save(folder / kind / name)


@pytest.fixture
def pairs(tmp_path):
    for name in ("a.png", "b.jpg"):
        save(tmp_path, "sharp", name)
        save(tmp_path, "bokeh", name)
    return tmp_path


def write_meta(folder, data):
    (folder / "meta.json").write_text(data if isinstance(data, str) else json.dumps(data))


def test_pairs_are_found_by_name_with_their_maps_and_meta(pairs):
    save(pairs, "matte", "b.png")
    write_meta(pairs, {"format": 1, "all": {"blur": "3%"}, "pairs": {"b": {"focus": "d=0.5"}}})
    found = find_pairs(pairs)
    assert [p.name for p in found.pairs] == ["a", "b"]
    assert found.problems == ()
    assert found.pairs[0].matte is None
    assert found.pairs[1].matte == pairs / "matte" / "b.png"
    assert [p.meta.blur for p in found.pairs] == ["3%", "3%"]
    assert [p.meta.focus for p in found.pairs] == [None, "d=0.5"]


def test_the_layout_of_ebb_is_read(pairs):
    (pairs / "sharp").rename(pairs / "original")
    assert len(find_pairs(pairs).pairs) == 2


def test_each_faulty_pair_is_reported_and_the_rest_is_used(pairs):
    save(pairs, "sharp", "alone.png")
    save(pairs, "bokeh", "lone.png")
    save(pairs, "sharp", "unlike.png")
    save(pairs, "bokeh", "unlike.png", (30, 40))
    save(pairs, "sharp", "broken.png")
    save(pairs, "bokeh", "broken.png")
    (pairs / "bokeh" / "broken.png").write_bytes(b"no picture")
    save(pairs, "matte", "nobody.png")
    save(pairs, "sharp", "odd.png")
    save(pairs, "bokeh", "odd.png")
    write_meta(pairs, {"format": 1, "pairs": {"odd": {"focus": "nose"}, "gone": {}}})
    found = find_pairs(pairs)
    assert [p.name for p in found.pairs] == ["a", "b"]
    problems_by_name = {p.name: p.what for p in found.problems}
    assert set(problems_by_name) == {"alone", "lone", "unlike", "broken", "nobody", "odd", "gone"}
    assert "bokeh/alone.*, found none" in problems_by_name["alone"]
    assert re.search(r"expected 40 x 30 as \S*sharp/unlike.png, found 30 x 40", problems_by_name["unlike"])
    assert "broken.png" in problems_by_name["broken"]
    assert "focus: expected subject, X,Y or d=DISPARITY, found 'nose'" in problems_by_name["odd"]


def test_two_files_of_one_name_are_reported(pairs):
    save(pairs, "sharp", "a.jpg")
    assert [p.name for p in find_pairs(pairs).problems] == ["a"]


@pytest.mark.parametrize(
    ("meta", "line"),
    [
        ("{", "expected JSON"),
        ({"format": 2}, "expected format 1, found 2, from a newer wideopen"),
        ({"format": 1, "pair": {}}, "expected keys among all, format, pairs, found 'pair'"),
        ({"format": 1, "all": {"fokus": "subject"}}, "found 'fokus'"),
        ({"format": 1, "all": {"blur": 3}}, "blur: expected text or nothing, found 3"),
    ],
)
def test_a_meta_file_that_cannot_be_used_is_refused(pairs, meta, line):
    write_meta(pairs, meta)
    with pytest.raises(InvalidInput, match=line):
        find_pairs(pairs)


def test_folders_without_pairs_are_refused(tmp_path):
    for line in ("sharp", "bokeh", "found none"):
        with pytest.raises(InvalidInput, match=line):
            find_pairs(tmp_path)
        (tmp_path / ("sharp" if line == "sharp" else "bokeh")).mkdir(exist_ok=True)


def test_no_usable_pair_names_the_reasons(tmp_path):
    save(tmp_path, "sharp", "a.png")
    (tmp_path / "bokeh").mkdir()
    with pytest.raises(InvalidInput, match=r"found none: 1 problem:\n  - a: expected a partner"):
        find_pairs(tmp_path)
