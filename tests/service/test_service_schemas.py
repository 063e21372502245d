"""The service has the fields and defaults of the settings, and accepts shipped presets."""

from dataclasses import asdict

import pytest
from pydantic import ValidationError

from wideopen import PaperLook
from wideopen.service.problems import refusal
from wideopen.service.schemas import LensModel, PaperModel
from wideopen.session.presets import read_preset, shipped
from wideopen.settings import LensSettings


def test_the_lens_has_the_fields_and_defaults_of_the_jobs():
    assert LensModel().model_dump() == LensSettings().to_dict()
    assert PaperModel().model_dump() == asdict(PaperLook())


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_preset_can_be_sent(name):
    settings = read_preset(name).settings()
    assert LensModel.model_validate(settings.to_dict()).settings() == settings


@pytest.mark.parametrize(
    ("sent", "detail"),
    [
        (b'{"blurr": 3}', "blurr: expected a name that /openapi.json knows, found 'blurr'"),
        (b'{"blur": 3}', "blur: expected a valid string, found 3"),
        (b'{"look": "soft"}', "look: expected 'thin-lens' or 'paper', found \"soft\""),
    ],
)
def test_refusals_say_what_was_expected_and_found(sent, detail):
    with pytest.raises(ValidationError) as refused:
        LensModel.model_validate(sent)
    assert refusal(refused.value.errors()).detail == detail
