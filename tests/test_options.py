"""An option added to a settings class is everywhere: flags, JSON, service, studio and docs."""

import subprocess
import sys
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Literal

import pytest
import typer

from wideopen import Lens, analyze, read
from wideopen.cli import app
from wideopen.errors import InvalidInput
from wideopen.options import Settings, Text, option, options_of
from wideopen.service.schemas import LensModel, MapsModel, OutputModel
from wideopen.session.open_photo import Job
from wideopen.settings import MAX_MEGAPIXELS, LensSettings, MapSettings, OutputSettings
from wideopen.studio.settings_form import FIRST, settings_of

ROOT = Path(__file__).parents[1]
EVERYWHERE = '''
import dataclasses, json, sys
import wideopen.settings as settings
from wideopen.options import Slider, option

@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LensSettings(settings.LensSettings):
    """The lens, with an option that nobody else knows of."""

    made_up: float = option(
        0.5, least=0, most=4, help="Strength of the made-up effect.", control=Slider(label="Made up", step=0.1)
    )

@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OutputSettings(settings.OutputSettings):
    """The output, with another one."""

    output_made_up: bool = option(False, help="Make up the file.")

settings.LensSettings = LensSettings
settings.OutputSettings = OutputSettings

import typer
from wideopen.cli import app
from wideopen.errors import InvalidInput
from wideopen.session import render_file

for words in (["render", "--help"], ["batch", "--help"], ["eval", "bokeh", "--help"]):
    command = typer.main.get_command(app)
    for word in words[:-1]:
        command = command.commands[word]
    flag = next(one for one in command.params if one.name == "made_up")
    assert (flag.opts, flag.default, flag.help) == (
        ["--made-up"], 0.5, "Strength of the made-up effect (0 to 4)."), vars(flag)

jobs = []
def note(photo, out, job, **_):
    jobs.append(job)
    raise InvalidInput("seen")
render_file.render_file = note
assert app(["render", "any.png", "--made-up", "1.5"], standalone_mode=False) == 2
assert jobs[0].lens.made_up == 1.5
assert app(["render", "any.png", "--output-made-up"], standalone_mode=False) == 2
assert jobs[1].output.output_made_up

sent = json.loads(json.dumps(LensSettings(made_up=2.0).to_dict()))
assert LensSettings.from_dict(sent, where="file").made_up == 2.0
for wrong in ({"made_up": 5}, {"made_upp": 1}):
    try:
        LensSettings.from_dict(wrong, where="file")
    except InvalidInput as error:
        assert "made_up" in str(error)
    else:
        raise AssertionError(wrong)

from wideopen.service.schemas import LensModel, OutputModel
assert OutputModel.model_json_schema()["properties"]["made_up"]["description"] == "Make up the file."
assert OutputModel(made_up=True).settings().output_made_up
field = LensModel.model_json_schema()["properties"]["made_up"]
assert (field["default"], field["minimum"], field["maximum"]) == (0.5, 0, 4), field
assert field["description"] == "Strength of the made-up effect."
assert LensModel(made_up=3.0).settings().made_up == 3.0

import gradio as gr
from wideopen.studio import page
from wideopen.studio.settings_form import FIRST, command_line, settings_of
with gr.Blocks():
    controls = {one.label: one for one in page.build().form}
assert (controls["Made up"].minimum, controls["Made up"].maximum, controls["Made up"].value) == (0, 4, 0.5)
assert settings_of(FIRST | {"made_up": 3.5}, LensSettings(), "subject").made_up == 3.5

others = settings.OutputSettings(), settings.MapSettings()
text = command_line("a.jpg", LensSettings(made_up=2.5), *others, out="b.jpg", edited=False)
assert "--made-up 2.5" in text, text

sys.path.insert(0, "scripts")
import cli_reference
assert "| `--made-up X` | Strength of the made-up effect (0 to 4). | `0.5` |" in cli_reference.page()
'''


def test_an_added_option_is_on_every_surface():
    done = subprocess.run([sys.executable, "-c", EVERYWHERE], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True, slots=True, kw_only=True)
class Base(Settings):
    """Two options."""

    whole: int = option(3, least=1, help="A whole number.")
    word: Literal["a", "b"] = option("a", help="A word.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heir(Base):
    """Two more."""

    share: float | None = option(None, least=0, most=1, help="A share. Default: none.")
    pair: tuple = option((1, 2), help="Two numbers.", text=Text(lambda text: tuple(map(int, text.split("/"))), str))


def test_own_options_come_first():
    assert [one.name for one in options_of(Heir)] == ["share", "pair", "whole", "word"]


def test_help_has_the_range_in_its_first_sentence():
    assert options_of(Heir)[0].sentence == "A share (0 to 1). Default: none."


def test_text_is_parsed():
    assert Heir(pair="3/4").pair == (3, 4)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"whole": 0}, "whole: expected at least 1, found 0"),
        ({"whole": 1.5}, "whole: expected a whole number, found 1.5"),
        ({"whole": True}, "whole: expected a whole number, found True"),
        ({"word": "c"}, "word: expected a or b, found 'c'"),
        ({"share": 2}, "share: expected [0, 1], found 2"),
        ({"share": float("nan")}, "share: expected a finite number, found nan"),
        ({"share": "1"}, "share: expected a number or nothing, found '1'"),
    ],
)
def test_invalid_values_are_refused_by_name(values, line):
    with pytest.raises(InvalidInput) as refused:
        Heir(**values)
    assert str(refused.value) == line


class Anything:
    """Something to focus on."""

    long_side_px = 1000

    def focus_on_subject(self):
        return 0.8, 0.05


def test_every_surface_has_the_same_defaults():
    lens, output, maps = LensSettings(), OutputSettings(), MapSettings()
    assert lens.lens(Anything()) == Lens(focus_disparity=0.8, focus_range=0.05)
    assert signature(analyze).parameters["settings"].default == maps
    assert signature(read).parameters["max_megapixels"].default == Job().max_megapixels == MAX_MEGAPIXELS
    assert (Job().lens, Job().maps, Job().output) == (lens, maps, output)
    assert (LensModel().settings(), OutputModel().settings(), MapsModel().settings(maps)) == (lens, output, maps)
    assert settings_of(FIRST, lens, "subject") == lens
    flags = {one.name: one.default for one in typer.main.get_command(app).commands["render"].params}
    for group in (lens, output, maps):
        shown = {name: value for name, value in group.to_dict().items() if name in flags}
        assert shown == {name: flags[name] for name in shown}
        assert len(shown) == sum(one.flag for one in options_of(type(group)))
