"""Tabs are separate, and their files are deleted when they end. How they expire: tests/workers/test_store.py."""

import pytest

from wideopen.errors import InvalidInput
from wideopen.studio import StudioSettings
from wideopen.studio.actions import Studio
from wideopen.studio.settings_form import FIRST
from wideopen.studio.tabs import Tab


async def nowhere(function, *arguments):
    """No photo is opened here."""
    raise AssertionError


@pytest.fixture
def studio(tmp_path):
    made = Studio(tmp_path / "root", StudioSettings(tabs=3), nowhere, print)
    yield made
    made.close()


def test_the_idlest_tab_makes_room(studio):
    for key in "abc":
        studio.new_tab(key)
    studio.tab("a")
    studio.new_tab("d")
    assert len(studio.tabs) == 3
    with pytest.raises(InvalidInput, match="session has ended"):
        studio.tab("b")
    assert studio.tab("a").folder.exists()


def test_tabs_share_no_folder_and_none_can_be_guessed(studio):
    a, b = studio.new_tab("a"), studio.new_tab("b")
    assert a.folder != b.folder
    assert not a.folder.is_relative_to(b.folder)
    assert len(a.folder.name) >= 20
    assert a.folder.name != "a"


def test_renders_of_an_ended_tab_are_stale(studio):
    tab = studio.new_tab("a")
    turn = tab.next_turn()
    assert not tab.is_stale(turn)
    studio.end("a")
    assert tab.is_stale(turn)
    assert not tab.folder.exists()


def test_only_the_last_of_several_turns_is_not_stale(tmp_path):
    tab = Tab(tmp_path)
    turns = [tab.next_turn() for _ in range(4)]
    assert [tab.is_stale(turn) for turn in turns] == [True, True, True, False]


def test_closing_removes_everything(studio, tmp_path):
    studio.new_tab("a").new_folder()
    studio.close()
    assert list(tmp_path.iterdir()) == []


def test_actions_before_a_photo_is_open_ask_for_one(studio):
    studio.new_tab("a")
    assert studio.render("a", FIRST) is None
    with pytest.raises(InvalidInput, match="Open a photo first"):
        studio.focus_on_subject("a", FIRST)


@pytest.mark.parametrize("wrong", [{"tabs": 0}, {"idle_s": -1}, {"strokes": 0}, {"max_megapixels": 0}])
def test_limits_must_be_positive(wrong):
    with pytest.raises(InvalidInput, match="expected"):
        StudioSettings(**wrong)


def test_limits_have_the_defaults_that_the_documents_name():
    config = StudioSettings()
    assert (config.tabs, config.idle_s, config.max_megabytes, config.max_megapixels) == (16, 1800, 100, 60)
