"""Preset files: their settings are used for rendering, and invalid content is refused in one line."""

import json

import pytest

from wideopen.errors import InvalidInput
from wideopen.session.presets import Preset, parse_preset, read_preset, shipped, write_preset
from wideopen.settings import LensSettings

PAPER = Preset(lens={"look": "paper", "paper": {"radius_scale": 2.0, "alpha1": 2.5}}, about={"by": "hand"})


def test_a_written_preset_is_read_back(tmp_path):
    file = write_preset(tmp_path / "mine.json", PAPER)
    assert read_preset(str(file)) == PAPER
    assert read_preset(str(file)).settings().paper.radius_scale == 2


def test_explicit_settings_override_the_presets_which_override_the_base():
    preset = Preset(lens={"look": "paper", "blur": "3%"})
    settings = preset.settings({"blur": "10px"}, {"blur": "1%", "grain": "off", "look": "thin-lens"})
    assert settings == LensSettings(look="paper", blur="10px", grain="off")


def test_explicit_highlights_are_not_hidden_by_the_presets_exponents():
    settings = PAPER.settings({"highlights": 0.0})
    assert (settings.paper.alpha1, settings.paper.alpha2, settings.paper.radius_scale) == (1, 1, 2)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ([], "here: expected a JSON object, found list"),
        ({"lens": {}}, 'here: expected "wideopen_preset": 1, found None'),
        ({"wideopen_preset": True}, "found True"),
        ({"wideopen_preset": 2, "lense": {}}, "here: expected a preset of format 1, found 2, from a newer wideopen"),
        ({"wideopen_preset": 1, "lense": {}}, "here: expected keys among .*, found 'lense'"),
        ({"wideopen_preset": 1, "lens": {"blurr": "2%"}}, "here: expected keys among .*, found 'blurr'"),
        ({"wideopen_preset": 1, "lens": {"paper": {"gamma": 2}}}, "here: paper: expected keys among .*, found 'gamma'"),
        ({"wideopen_preset": 1, "lens": {"blur": "wide"}}, "here: blur: expected a radius such as"),
        ({"wideopen_preset": 1, "lens": []}, "here: expected an object in lens"),
    ],
)
def test_invalid_presets_are_refused_in_one_line(data, line):
    with pytest.raises(InvalidInput, match=line) as error:
        parse_preset(json.dumps(data), where="here")
    assert "\n" not in str(error.value)


def test_invalid_preset_files_are_refused(tmp_path):
    (tmp_path / "bad.json").write_text("{")
    for name, line in (
        ("bad.json", "expected a preset in JSON"),
        ("no.json", "found no"),
        ("bad.txt", "expected a .json"),
    ):
        with pytest.raises(InvalidInput, match=line):
            read_preset(str(tmp_path / name))


@pytest.mark.parametrize("name", shipped())
def test_shipped_presets_can_be_read_and_say_where_they_are_from(name):
    about = read_preset(name).about
    assert json.dumps(dict(about))
    assert {"tuned_on", "score", "trials"} <= set(about) or about["kind"].endswith(".")
