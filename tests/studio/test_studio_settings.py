"""The page's controls, the command line and presets say the same."""

import json
import math
import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wideopen import cli
from wideopen.errors import InvalidInput
from wideopen.session import render_file
from wideopen.session.results import map_names
from wideopen.settings import LensSettings, MapSettings, OutputSettings
from wideopen.studio.page import f_number
from wideopen.studio.settings_form import (
    CONTROLS,
    FIRST,
    command_line,
    form_from,
    form_of,
    preset_of,
    read_preset,
    settings_of,
)


def _values(part):
    """What one control can be set to."""
    if part.is_box:
        return st.booleans()
    if part.words:
        return st.sampled_from(part.words)
    least, most = (part.shape.least or part.option.least or 0, part.shape.most or part.option.most)
    steps = round((most - least) / part.shape.step)
    first = 1 if part.shape.instead and "Off" in part.shape.instead.values else 0  # 0 is what Off is
    return st.integers(first, steps).map(lambda n: round(least + n * part.shape.step, 6))


FORMS = st.fixed_dictionaries({control.name: _values(control) for control in CONTROLS})
FOCUS = st.sampled_from(["subject", "12,34"])


@pytest.fixture(scope="module")
def parsed(tmp_path_factory):
    """Run a command line and give back the job it would do."""
    folder = tmp_path_factory.mktemp("command")
    photo = folder / "my photo's.jpg"
    photo.write_bytes(b"never read")
    jobs = []
    report = {"notes": [], "size": [1, 1], "out": "", "matte": "", "disparity": "", "seconds": {"total": 0}}
    original = render_file.render_file
    render_file.render_file = lambda photo, path, job, **_: jobs.append((photo, path, job)) or report
    yield photo, lambda text: (cli.run(shlex.split(text)[1:]), jobs.pop())
    render_file.render_file = original


@given(form=FORMS, focus=FOCUS)
def test_the_command_line_equals_the_controls(parsed, form, focus):
    photo, run = parsed
    settings = settings_of(form, LensSettings(), focus)
    out = str(photo.with_name("out.png"))
    text = command_line(str(photo), settings, OutputSettings(), MapSettings(), out=out, edited=False)
    code, (rendered, path, job) = run(text)
    assert code == 0
    assert (rendered, str(path)) == (photo, out)
    assert job.lens == settings


def test_edited_maps_and_options_are_in_the_command(parsed):
    photo, run = parsed
    for name in map_names(photo):
        (photo.parent / name).write_bytes(b"never read")
    output = OutputSettings(output_quality=80)
    text = command_line(photo.name, LensSettings(), output, MapSettings(), out="o.jpg", edited=True)
    words = shlex.split(text)
    here = [str(photo.parent / w) if w.endswith((".jpg", ".png")) else w for w in words]
    _, (_, _, job) = run(shlex.join(here))
    assert (job.given.matte, job.given.disparity) == tuple(photo.parent / name for name in map_names(photo))
    assert not job.maps.filter_disparity
    assert job.output.output_quality == 80


@given(form=FORMS, focus=FOCUS)
def test_a_look_comes_back_from_its_preset_and_leaves_the_focus_alone(form, focus):
    settings = settings_of(form, LensSettings(), focus)
    again = read_preset(preset_of(settings), "look.json")
    assert again == replace(settings, focus="subject")
    assert settings_of(form_of(again, 3000), again, focus) == settings


def test_preset_settings_without_a_control_are_kept():
    text = json.dumps({"wideopen_preset": 1, "lens": {"look": "paper", "planes": 64, "paper": {"alpha1": 2.5}}})
    base = read_preset(text, "look.json")
    settings = settings_of(form_of(base, 3000), base, "subject")
    assert (settings.planes, settings.paper.alpha1, settings.look) == (64, 2.5, "paper")
    moved = settings_of(form_of(base, 3000) | {"highlights": 2.0}, base, "subject")
    assert (moved.planes, moved.paper) == (64, None)  # else the slider would do nothing


def test_a_blur_in_pixels_is_a_share_of_the_photo():
    assert form_of(LensSettings(blur="60px"), 3000)["blur"] == 2.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected a preset in JSON"),
        ("[1]", "found list"),
        ('{"lens": {}}', "wideopen_preset"),
        ('{"wideopen_preset": 2}', "found 2"),
        ('{"wideopen_preset": 1, "lens": {"bokeh": 1}}', "'bokeh'"),
        ('{"wideopen_preset": 1, "lens": {"blur": "wide"}}', "blur"),
        ('{"wideopen_preset": 1, "lens": [], "about": {}}', "lens"),
        ('{"wideopen_preset": 1, "more": {}}', "'more'"),
    ],
)
def test_invalid_presets_are_refused_in_one_line(text, expected):
    with pytest.raises(InvalidInput) as caught:
        read_preset(text, "look.json")
    assert str(caught.value).startswith("look.json: ")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_controls_that_are_empty_or_unknown_are_refused():
    values = [FIRST[control.name] for control in CONTROLS]
    assert form_from(tuple(values)) == FIRST
    with pytest.raises(InvalidInput, match="blur"):
        form_from((None, *values[1:]))
    for wrong in ({"look": "Film"}, {"blades": "Star"}, {"grain_mode": "More"}, {"blur": 99.0}, {"cat_eye": 2.0}):
        with pytest.raises(InvalidInput):
            settings_of(FIRST | wrong, LensSettings(), "subject")


def test_f_numbers_are_those_of_a_thin_lens():
    focal, subject, sensor = 85.0, 2000.0, 36.0
    for number in (1.2, 2.0, 5.6):
        aperture = focal / number
        on_sensor = aperture * focal / (subject - focal)  # of a point at infinity, by similar triangles
        assert math.isclose(f_number(on_sensor / 2 / sensor), number, rel_tol=1e-9)
    assert f_number(0) == math.inf
