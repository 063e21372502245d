"""Tuning finds the constants that made the pictures, can be resumed, and refuses a study of something else."""

import math

import numpy as np
import pytest
from PIL import Image

from tiny_pairs import make_pairs
from wideopen import PaperLook
from wideopen.errors import InvalidInput
from wideopen.evals import parse_weights
from wideopen.evals.judge import prepare
from wideopen.evals.pairs import find_pairs
from wideopen.evals.tune import STARTS, Search, lens_values, score, tune
from wideopen.session.presets import parse_preset, read_preset
from wideopen.settings import LensSettings

pytest.importorskip("optuna")
pytest.importorskip("cmaes")

TRUE = PaperLook(radius_scale=2.0, alpha1=2.2, alpha2=2.2)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Two pairs whose truth is the paper look with the constants TRUE."""
    return make_pairs(tmp_path_factory.mktemp("pairs"), paper=TRUE)


def search(pairs, **settings):
    return Search(pairs=find_pairs(pairs).pairs, **settings)


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_a_search_comes_closer_than_the_defaults(pairs, tmp_path, sampler):
    result = tune(search(pairs, trials=30, sampler=sampler), tmp_path / "s.study")
    assert len(result.scores) == 30
    assert result.best == max(s for s in result.scores if s is not None)
    assert result.untuned == result.scores[0]
    assert result.best > result.untuned + 2
    assert result.preset.about["score"] == pytest.approx(result.best, abs=1e-4)


def test_the_constants_that_made_the_pictures_score_best(pairs):
    prepared = [prepare(pair, search(pairs).maps) for pair in find_pairs(pairs).pairs]
    weights = {"psnr": 1.0}
    right = score(prepared, LensSettings(look="paper", grain="off", paper=TRUE), weights)
    wrong = score(prepared, LensSettings(look="paper", grain="off"), weights)
    assert right > 40 > wrong


def test_a_study_is_resumed_and_not_begun_again(pairs, tmp_path):
    file = tmp_path / "s.study"
    first = tune(search(pairs, trials=5), file)
    progress = []
    second = tune(search(pairs, trials=8), file, on_trial=progress.append)
    assert second.scores[:5] == first.scores
    assert len(second.scores) == 8
    assert len(progress) == 3
    assert len(tune(search(pairs, trials=4), file).scores) == 8  # as many as asked for are there


def test_settings_that_were_never_tried_are_not_trials(pairs, tmp_path):
    result = tune(search(pairs, trials=2), tmp_path / "s.study")
    assert len(result.scores) == 2
    assert result.preset.about["trials"] == 2


def test_two_processes_share_a_study(pairs, tmp_path):
    result = tune(search(pairs, trials=6, workers=2), tmp_path / "s.study")
    assert 6 <= len(result.scores) <= 7  # both may be at their last one


def test_a_study_of_something_else_is_refused(pairs, tmp_path):
    file = tmp_path / "s.study"
    tune(search(pairs, trials=1), file)
    with pytest.raises(InvalidInput, match="expected a study of these pairs and settings"):
        tune(search(pairs, trials=1, look="thin-lens"), file)
    (tmp_path / "none.study").write_text("no study\n")
    with pytest.raises(InvalidInput, match=r"none.study: expected a study, found something else"):
        tune(search(pairs, trials=1), tmp_path / "none.study")


def test_constants_after_the_blur_are_searched_around_the_inverse():
    numbers = STARTS["paper"][0] | {"a1": 1.25, "b1": 0.1, "alpha1": 3.0}
    paper = PaperLook(**lens_values("paper", numbers)["paper"])
    grey = np.linspace(0.1, 0.9, 5)
    bent = (paper.a1 * grey + paper.b1) ** paper.alpha1
    assert np.allclose(bent ** (1 / paper.alpha2) / paper.a2 + paper.b2, grey, rtol=0, atol=1e-4)


def test_the_blur_is_tuned_only_where_no_meta_states_it(pairs):
    assert not search(pairs).with_blur
    values = lens_values("thin-lens", {"highlights": 0.5, "blur_percent": 3.0})
    assert values == {"look": "thin-lens", "blur": "3.0000%", "highlights": 0.5}


@pytest.mark.parametrize("text", ["", "psnr", "psnr=-1", "psnr=1,psnr=2", "lpips=1", "psnr=0"])
def test_invalid_weights_are_refused(text):
    with pytest.raises(InvalidInput, match="weights: expected"):
        parse_weights(text)


def test_command_writes_a_preset_that_render_reads(pairs, tmp_path, monkeypatch, capfd):
    from wideopen import cli

    monkeypatch.chdir(tmp_path)
    command = ["tune", "--pairs", str(pairs), "-o", "mine.json", "--trials", "5", "--history", "mine.png"]
    assert cli.run(command) == 0
    assert "5 trials" in capfd.readouterr().out
    preset = read_preset("mine.json")
    assert preset.settings().look == "paper"
    assert preset.about["tuned_on"] == ["a", "b"]
    assert math.isfinite(preset.about["score"])
    assert parse_preset((tmp_path / "mine.json").read_text(), where="mine.json") == preset
    assert np.asarray(Image.open("mine.png")).shape[0] > 300
    assert cli.run(command) == 2  # it is there
    assert "exists already" in capfd.readouterr().err
