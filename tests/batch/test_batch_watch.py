"""A hot folder: a photo is rendered once its file is complete, and again only if the file changes."""

import itertools

from wideopen.batch.walk import BatchPhoto, Unusable, watched


class Folder:
    """A folder, and a clock that ticks whenever it is read."""

    def __init__(self, root):
        self.root = root
        self.problems = []
        self.time = 0.0
        self.looked = 0

    def look(self):
        self.looked += 1
        yield from self.problems
        for path in sorted(self.root.glob("*.jpg")):
            yield BatchPhoto(str(path), path.name)

    def clock(self):
        self.time += 1.0
        return self.time

    def looks(self, count):
        """What comes out of the next looks, a list for each."""
        found = []
        for _ in range(count):
            before = self.looked
            new = list(itertools.takewhile(lambda one: one is not None, self.stream))
            assert self.looked == before + 1
            found.append([one.target if isinstance(one, BatchPhoto) else one.reason for one in new])
        return found


def test_a_photo_is_taken_once_it_has_stopped_growing(tmp_path):
    folder = Folder(tmp_path)
    folder.stream = watched(folder.look, every_s=0.5, clock=folder.clock)
    photo = tmp_path / "a.jpg"
    assert folder.looks(1) == [[]]
    photo.write_bytes(b"ha")
    assert folder.looks(1) == [[]]
    photo.write_bytes(b"half")
    assert folder.looks(1) == [[]]
    assert folder.looks(2) == [["a.jpg"], []]
    photo.write_bytes(b"another picture")
    assert folder.looks(3) == [[], ["a.jpg"], []]


def test_an_empty_file_is_still_to_come(tmp_path):
    folder = Folder(tmp_path)
    folder.stream = watched(folder.look, every_s=0.5, clock=folder.clock)
    (tmp_path / "a.jpg").touch()
    assert folder.looks(3) == [[], [], []]


def test_a_problem_is_yielded_once(tmp_path):
    folder = Folder(tmp_path)
    folder.stream = watched(folder.look, every_s=0.5, clock=folder.clock)
    folder.problems = [Unusable("x", "cannot be read")]
    assert folder.looks(3) == [["cannot be read"], [], []]
