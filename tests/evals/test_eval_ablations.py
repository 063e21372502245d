"""Each ablation leaves out the part it names, and nothing else."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from tiny_pairs import make_pairs
from wideopen import Lens, render
from wideopen.evals import ablations
from wideopen.evals.pairs import find_pairs
from wideopen.settings import MapSettings
from wideopen.sheets.rims import Rims


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return make_pairs(tmp_path_factory.mktemp("pairs"), filter_disparity=True)


@pytest.fixture(scope="module")
def opening(pairs):
    return ablations.open_for_variants(find_pairs(pairs).pairs[0], MapSettings())


def test_without_filter_the_disparity_is_the_files_own(opening):
    scene = ablations.without_filter(opening)
    own = np.asarray(Image.open(opening.pair.disparity)) / np.float32(65535)
    assert_allclose(scene.disparity, own, rtol=0, atol=1e-5)
    assert np.abs(opening.opened.scene.disparity - own).max() > 0.1


@pytest.mark.parametrize("change", [ablations.without_filter, ablations.without_foreground, ablations.without_fill])
def test_sheets_are_made_part_by_part_as_the_whole_methods(opening, change):
    """Sheets made whole are rendered differently where the subject is in focus: 44.5 dB instead of 44.7."""
    assert type(change(opening).sheets) is type(opening.opened.scene.sheets)


def test_without_paste_the_subject_is_blurred_too(opening):
    lens = Lens(focus_disparity=0.2, max_radius=0.2, look="paper", grain=0.0)
    whole, bare = render(opening.opened.scene, lens), render(ablations.without_paste(opening), lens)
    inside, outside = opening.opened.scene.matte == 1, opening.opened.scene.matte == 0
    assert_allclose(whole[inside], opening.opened.scene.rgb[inside], rtol=0, atol=2e-4)
    assert np.abs(bare - opening.opened.scene.rgb)[inside].mean() > 0.02
    assert_allclose(bare[outside], whole[outside], rtol=0, atol=1e-6)


def test_without_foreground_estimation_the_subject_is_the_photos(opening):
    whole, bare = opening.opened.scene.sheets, ablations.without_foreground(opening).sheets
    assert_allclose(bare[-1].rgb, opening.opened.scene.rgb * whole[-1].alpha[..., None], rtol=0, atol=1e-6)
    assert_allclose(bare[0].rgb, whole[0].rgb, rtol=0, atol=1e-6)


def test_without_fill_the_subject_stays_in_the_background(opening):
    whole, bare = opening.opened.scene.sheets, ablations.without_fill(opening).sheets
    assert_allclose(bare[0].rgb, opening.opened.scene.rgb, rtol=0, atol=1e-6)
    assert_allclose(bare[-1].rgb, whole[-1].rgb, rtol=0, atol=1e-6)
    assert np.abs(whole[0].rgb - bare[0].rgb).max() > 0.1


@pytest.mark.parametrize("change", [v.scene for rows in ablations.VARIANTS.values() for v in rows])
def test_rims_are_those_of_the_sheets_that_are_rendered(opening, change):
    """The renderer takes the sheets of a scene's rims: those of the whole method would undo what is left out."""
    scene = opening.opened.scene
    found = replace(opening.opened, scene=replace(scene, rims=Rims(scene.sheets, examine=False)))
    bare = change(replace(opening, opened=found))
    assert bare.rims is None or bare.rims.sheets is bare.sheets


def test_one_sheet_is_the_photo(opening):
    (sheet,) = ablations.as_one_sheet(opening).sheets
    assert sheet.alpha is None
    assert sheet.rgb is opening.opened.scene.rgb


def test_the_command_prints_each_variant_once(pairs, tmp_path, monkeypatch, capfd):
    from wideopen import cli

    monkeypatch.chdir(tmp_path)
    command = ["eval", "ablations", "--pairs", str(pairs), "--csv", "a.csv", "--json", "a.json", "--sheet", "a.png"]
    assert cli.run([*command, "--crops", "1"]) == 0
    lines = capfd.readouterr().out.splitlines()
    variants = [f"{look}: {v.name}" for look, rows in ablations.VARIANTS.items() for v in rows]
    assert [line[: len(name)] for line, name in zip(lines[1:], variants, strict=False)] == variants
    with open("a.csv", newline="") as file:  # noqa: PTH123
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * len(variants)
    figures = {(row["variant"], row["pair"]): float(row["psnr_db"]) for row in rows}
    assert figures["paper: 32 planes", "a"] == figures["paper: whole method", "a"]  # 32 is the default
    assert figures["thin-lens: whole method", "a"] > figures["thin-lens: one sheet", "a"]
    with Image.open("a.png") as sheet:
        assert sheet.size == (6 * 192, 4 * (192 + 24))  # sharp, truth and 19 variants, six a row
