"""Folders that expire when unused, and the steps of work reported through a folder."""

import pytest

from wideopen.errors import InvalidInput
from wideopen.workers import ExpiringStore, FolderSteps, WorkCancelled, ask_to_stop, current_step


class Kept:
    """A store with a clock of its own; `add` adds an entry of so many bytes."""

    def __init__(self, folder):
        self.now = 0.0
        self.dropped = []
        self._made = folder / "made"
        self.store = ExpiringStore(
            folder / "kept",
            most=2,
            most_bytes=1_000_000,
            idle_s=10,
            on_drop=self.dropped.append,
            clock=lambda: self.now,
        )

    def add(self, value="value", size=10):
        self._made.mkdir()
        (self._made / "photo.jpg").write_bytes(bytes(size))
        return self.store.add(value, folder=self._made).key


@pytest.fixture
def kept(tmp_path):
    return Kept(tmp_path)


def test_entries_expire_when_they_were_not_used_for_a_while(kept):
    key = kept.add()
    kept.now = 9
    with kept.store.using(key) as entry:
        kept.now = 25  # used all that time
        kept.store.expire()
        assert (entry.folder / "photo.jpg").exists()
    kept.now = 34
    assert kept.store.get(key) is entry
    kept.now = 44
    kept.store.expire()
    assert (len(kept.store), list(kept.store.root.iterdir()), kept.dropped) == (0, [], ["value"])


def test_the_entry_unused_for_longest_makes_room(kept):
    first, second = kept.add(), kept.add()
    kept.store.get(first)
    kept.add()
    assert first in kept.store
    assert second not in kept.store
    kept.add(size=999_995)
    assert (len(kept.store), kept.store.size) == (1, 999_995)


def test_an_entry_larger_than_the_store_is_refused(kept):
    key = kept.add()
    with pytest.raises(InvalidInput, match="expected at most 1 MB, found 2"):
        kept.add(size=2_000_000)
    assert key in kept.store


def test_an_entry_in_use_stays_on_disk_until_its_user_is_done(kept):
    key = kept.add()
    with kept.store.using(key) as entry:
        kept.store.remove(key)
        assert entry.folder.exists()
        assert len(kept.store) == 0
    assert not entry.folder.exists()
    with pytest.raises(KeyError):
        kept.store.remove(key)


def test_keys_and_folders_cannot_be_guessed(kept):
    assert len({kept.add() for _ in range(20)}) == 20
    assert len(kept.add()) == 22  # 128 bits
    assert kept.store.open("tab", lambda folder: folder).folder.name != "tab"


def test_open_makes_an_entry_once(kept):
    made = kept.store.open("tab", lambda folder: folder.name)
    assert kept.store.open("tab", lambda _: "another") is made
    assert made.value == made.folder.name
    assert list(made.folder.iterdir()) == []


def test_closing_drops_everything(kept):
    kept.add("a")
    kept.add("b")
    kept.store.close()
    assert kept.dropped == ["a", "b"]
    assert not kept.store.root.exists()


def test_steps_are_read_from_the_folder_until_the_work_is_cancelled(tmp_path):
    steps = FolderSteps(tmp_path)
    assert current_step(tmp_path) == ""
    steps("matte")
    assert current_step(tmp_path) == "matte"
    ask_to_stop(tmp_path)
    with pytest.raises(WorkCancelled):
        steps("rendering")
