"""Sessions: bounded in number and in time, apart from each other, and gone from the disk when they end."""

import pytest

from wideopen.errors import InvalidInput
from wideopen.studio.tabs import Limits, Sessions


class Clock:
    """Time that the test moves."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sessions(tmp_path, clock):
    return Sessions(tmp_path / "root", Limits(sessions=3, idle_s=100), clock)


def test_a_session_is_kept_while_it_is_used_and_ends_with_its_files(sessions, clock):
    session = sessions.open("a")
    photo = session.new_folder() / "photo.jpg"
    photo.write_bytes(b"pixels")
    for clock.now in (90, 180, 270):
        assert sessions.get("a") is session
    clock.now += 101
    with pytest.raises(InvalidInput, match="session has ended"):
        sessions.get("a")
    assert not photo.exists()
    assert len(sessions) == 0


def test_the_idlest_makes_room(sessions, clock):
    for clock.now, key in enumerate("abc"):
        sessions.open(key)
    sessions.get("a")
    clock.now = 5
    sessions.open("d")
    assert len(sessions) == 3
    with pytest.raises(InvalidInput):
        sessions.get("b")
    assert sessions.get("a").folder.exists()


def test_sessions_share_no_folder_and_none_can_be_guessed(sessions):
    a, b = sessions.open("a"), sessions.open("b")
    assert a.folder != b.folder
    assert not a.folder.is_relative_to(b.folder)
    assert len(a.folder.name) >= 20
    assert a.folder.name != "a"


def test_what_an_ended_session_still_renders_is_stale(sessions):
    session = sessions.open("a")
    turn = session.next_turn()
    assert not session.is_stale(turn)
    sessions.end("a")
    assert session.is_stale(turn)


def test_only_the_last_of_several_turns_is_not_stale(sessions):
    session = sessions.open("a")
    turns = [session.next_turn() for _ in range(4)]
    assert [session.is_stale(turn) for turn in turns] == [True, True, True, False]


def test_closing_removes_everything(sessions, tmp_path):
    sessions.open("a").new_folder()
    sessions.close()
    assert list(tmp_path.iterdir()) == []


def test_a_photo_is_asked_for_before_there_is_one(sessions):
    with pytest.raises(InvalidInput, match="Open a photo first"):
        _ = sessions.open("a").photo


@pytest.mark.parametrize("wrong", [{"sessions": 0}, {"idle_s": -1}, {"strokes": 0}, {"max_megapixels": 0}])
def test_limits_are_above_nothing(wrong):
    with pytest.raises(InvalidInput, match="more than 0"):
        Limits(**wrong)
