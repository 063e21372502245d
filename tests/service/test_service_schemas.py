"""The service's words are those of the jobs: same fields, same defaults, and shipped presets fit."""

from dataclasses import asdict

import pytest

from wideopen import PaperLook
from wideopen.service.problems import Problem
from wideopen.service.schemas import Lens, Paper, parse
from wideopen.session.presets import read_preset, shipped
from wideopen.session.settings import LensSettings


def test_the_lens_has_the_fields_and_defaults_of_the_jobs():
    assert Lens().model_dump() == LensSettings().to_dict()
    assert Paper().model_dump() == asdict(PaperLook())


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_preset_can_be_sent(name):
    settings = read_preset(name).settings()
    assert Lens.model_validate(settings.to_dict()).settings() == settings


@pytest.mark.parametrize(
    ("sent", "detail"),
    [
        (b'{"blurr": 3}', "lens.blurr: expected a key that /openapi.json names, found 'blurr'"),
        (b'{"blur": 3}', "lens.blur: expected a valid string, found 3"),
        (b'{"look": "soft"}', "lens.look: expected 'thin-lens' or 'paper', found \"soft\""),
    ],
)
def test_refusals_say_what_was_expected_and_found(sent, detail):
    with pytest.raises(Problem) as refused:
        parse(Lens, sent, where="lens")
    assert refused.value.detail == detail
