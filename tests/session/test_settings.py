"""User settings survive JSON, and invalid ones are refused before a photo is opened."""

import json
from dataclasses import replace

import numpy as np
import pytest

from wideopen.errors import InvalidInput
from wideopen.lens import PaperLook
from wideopen.pipeline import analyze
from wideopen.settings import LensSettings, MapSettings, OutputSettings

UNLIKE_DEFAULTS = [
    LensSettings(
        look="paper",
        blur="40px",
        focus="12,8",
        planes=16,
        aperture="polygon:6@15",
        highlights=0.5,
        paper=PaperLook(a1=2),
    ),
    MapSettings(depth="embedded", offline=True, matting_size=256, matting_stages=1, matting_backend="onnx"),
    OutputSettings(output_quality=80, keep_depth=True),
]


@pytest.mark.parametrize("settings", UNLIKE_DEFAULTS)
def test_settings_survive_json(settings):
    read = type(settings).from_dict(json.loads(json.dumps(settings.to_dict())), where="file")
    assert read == settings
    assert read != type(settings)()


def test_missing_settings_have_their_defaults():
    assert LensSettings.from_dict({"blur": "3%"}, where="file") == LensSettings(blur="3%")


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (LensSettings, {"blurr": "3%"}, "file: expected keys among aperture, blur, "),
        (LensSettings, {"blur": 3}, "file: blur: expected text, found 3"),
        (LensSettings, {"blur": "3"}, "file: blur: expected a radius such as 40px or 2.5%, found '3'"),
        (LensSettings, {"planes": True}, "file: planes: expected a whole number, found True"),
        (LensSettings, {"highlights": "1"}, "file: highlights: expected a number, found '1'"),
        (LensSettings, {"focus_range": "0"}, "file: focus_range: expected a number or nothing, found '0'"),
        (LensSettings, {"focus": "me"}, "file: focus: expected subject, X,Y or d=DISPARITY, found 'me'"),
        (LensSettings, {"look": "paper", "focus_range": 0.1}, "expected with look thin-lens"),
        (LensSettings, {"paper": {"c": 1}}, "file: paper: expected keys among a1, a2, alpha1"),
        (LensSettings, {"paper": 3}, "file: paper: expected constants by name or nothing, found 3"),
        (LensSettings, {"paper": {"alpha1": 0}}, "file: paper: alpha1: expected (0, 32], found 0"),
        (MapSettings, {"matting_size": 2.5}, "file: matting_size: expected a whole number or nothing, found 2.5"),
        (MapSettings, {"matting": "phone"}, "file: matting: expected auto, embedded, mobile"),
        (MapSettings, {"device": "tpu"}, "file: device: expected auto, cpu or cuda, found 'tpu'"),
        (MapSettings, {"offline": "yes"}, "file: offline: expected true or false, found 'yes'"),
        (OutputSettings, {"output_bits": "16"}, "file: output_bits: expected a whole number or nothing"),
    ],
)
def test_invalid_settings_are_refused_in_one_line(kind, values, expected):
    with pytest.raises(InvalidInput) as refusal:
        kind.from_dict(values, where="file")
    assert expected in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_focus_is_found_in_the_scene():
    matte = np.zeros((24, 16), np.float32)
    matte[8:, 4:12] = 1
    scene = analyze(np.full((24, 16, 3), 0.5, np.float32), matte=matte, backend="reference")
    settings = LensSettings(blur="3px")
    assert settings.lens(scene).focus_disparity == scene.focus_on_subject()[0]
    assert settings.lens(scene).max_radius == 3 / 24
    assert replace(settings, focus="d=0.25").lens(scene).focus_disparity == 0.25
    with pytest.raises(InvalidInput, match="expected a point within 16 x 24, found 20,3"):
        replace(settings, focus="20,3").lens(scene)
