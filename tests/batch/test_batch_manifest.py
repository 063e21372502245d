"""Whatever a crash leaves, a resumed batch does exactly the rest: nothing is lost, and nothing is done twice."""

import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wideopen.batch.batch import Batch
from wideopen.batch.local import Outcome, Stop
from wideopen.batch.manifest import Manifest
from wideopen.batch.places import status_of
from wideopen.batch.walk import find_photos
from wideopen.errors import InvalidInput, ManifestError
from wideopen.files.atomic import atomic_file
from wideopen.session.open_photo import Job
from wideopen.settings import LensSettings


class CrashError(BaseException):
    """Stands for SIGKILL: nothing catches it, and what follows does not happen."""


@dataclass
class Fuse:
    """Burns down by one with everything that touches the disk; at zero the process is gone."""

    left: int | None

    def burn(self):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise CrashError


class FragileManifest(Manifest):
    """Lines may be cut short anywhere by the crash."""

    fuse = Fuse(None)
    torn = 0

    def _append(self, line):
        try:
            self.fuse.burn()
        except CrashError:
            os.write(self._file, line[: self.torn % len(line)])
            raise
        super()._append(line)
        self.fuse.burn()


@dataclass
class Studio:
    """A folder of photos, their results, and who made what."""

    folder: Path
    blur: int = 1
    made: dict = field(default_factory=dict)  # by target: (content, blur) of the last result

    def __post_init__(self):
        (self.folder / "in").mkdir()
        for name in "abc":
            self.write(name, name.encode())

    def write(self, name, content):
        (self.folder / "in" / f"{name}.jpg").write_bytes(content)

    def touch(self, name):
        """The same content at another time: nothing need be done, unless it is unknown whether anything was."""
        os.utime(self.folder / "in" / f"{name}.jpg", ns=(1, 1 + status_of(str(self.folder / "in" / f"{name}.jpg"))[0]))
        self.made.pop(f"{name}.bokeh.jpg", None)

    def expected(self):
        photos = sorted((self.folder / "in").iterdir())
        return {f"{photo.stem}.bokeh.jpg": render(photo.read_bytes(), self.blur) for photo in photos}

    def results(self):
        return {p.name: p.read_bytes() for p in (self.folder / "out").glob("*.jpg")}

    def run(self, fuse=None, torn=0):
        """One run of the command that may crash; returns what the listener heard."""
        heard = Heard()
        FragileManifest.fuse, FragileManifest.torn = Fuse(fuse), torn
        try:
            with FragileManifest(self.folder / "out" / ".m.jsonl") as manifest:
                job = Job(lens=LensSettings(blur=f"{self.blur}%"))
                batch = Batch(job, str(self.folder / "out"), manifest, heard)
                found = find_photos([str(self.folder / "in")], str(self.folder / "out"))
                batch.run(found, Slow(self, FragileManifest.fuse), Stop())
        except CrashError:
            pass
        return heard


def render(content, blur):
    return content + b" blurred by %d" % blur


class Heard:
    def __init__(self):
        self.seen = {"done": [], "skipped": [], "failed": []}

    def __call__(self, row):
        if row is not None:
            self.seen[row["status"]].append(row.get("reason", row["photo"]))


@dataclass
class Slow:
    """An engine that does the work here, two tasks at a time, so that several are begun when it crashes."""

    studio: Studio
    fuse: Fuse

    def outcomes(self, tasks, stop):  # noqa: ARG002
        waiting = []
        for task in tasks:
            waiting.append(task)
            if len(waiting) == 2:
                yield self.outcome(waiting.pop())
        while waiting:
            yield self.outcome(waiting.pop())

    def outcome(self, task):
        content = Path(task.photo).read_bytes()
        self.fuse.burn()
        out = Path(task.out)
        with atomic_file(out, overwrite=task.job.overwrite) as file:
            file.write(render(content, self.studio.blur))
        made = (content, self.studio.blur)
        assert self.studio.made.get(task.target) != made, "done twice"
        self.studio.made[task.target] = made
        self.fuse.burn()
        report = {"photo": task.photo, "digest": digest(task), "result": status_of(task.out)}
        return Outcome(task=task, report=report)


def digest(task):
    from wideopen.batch.work import digest_of_all, inputs_of

    return digest_of_all(inputs_of(task.photo, task.job))


NAMES = st.sampled_from("abc")
STEPS = st.one_of(
    st.tuples(st.just("run"), st.integers(0, 24), st.integers(0, 400)),
    st.tuples(st.just("write"), NAMES, st.sampled_from([b"a", b"x", b"other"])),
    st.tuples(st.just("touch"), NAMES),
    st.tuples(st.just("blur"), st.integers(1, 2)),
)


@settings(max_examples=150)
@given(st.lists(STEPS, max_size=9))
def test_crashes_lose_nothing_and_nothing_is_done_twice(steps):
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(Path(folder))
        for kind, *values in steps:
            if kind == "run":
                studio.run(*values)
            elif kind == "blur":
                (studio.blur,) = values
            else:
                getattr(studio, kind)(*values)
        heard = studio.run()
        assert heard.seen["failed"] == []
        assert studio.results() == studio.expected()
        assert list((studio.folder / "out").glob(".*tmp")) == []
        again = studio.run()
        assert (again.seen["done"], len(again.seen["skipped"])) == ([], 3)


@pytest.fixture
def studio(tmp_path):
    return Studio(tmp_path)


@pytest.mark.parametrize("torn", [1, 40])
@pytest.mark.parametrize("second", range(3, 18))
def test_a_line_that_was_cut_short_takes_no_other_with_it(studio, torn, second):
    studio.run(2, torn)
    studio.run(second)
    assert studio.run().seen["failed"] == []
    assert studio.results() == studio.expected()


def test_a_file_replaced_within_a_tick_of_the_clock_is_another(tmp_path):
    file, other = tmp_path / "a", tmp_path / "b"
    for path, content in ((file, b"old"), (other, b"new")):
        path.write_bytes(content)
        os.utime(path, ns=(7, 7))
    before = status_of(str(file))
    other.replace(file)
    assert status_of(str(file)) != before


def test_only_partial_files_of_a_killed_run_are_removed(studio):
    studio.run(7)  # a and b are begun
    out = studio.folder / "out"
    begun, others = out / "a.bokeh.jpg", out / "z.bokeh.jpg"
    for target in (begun, others):
        with suppress(CrashError), atomic_file(target, overwrite=True):
            (temporary,) = out.glob(".*.wideopen-tmp")
            kept = temporary.with_name(temporary.name.replace("-", "-f", 1))
            kept.write_bytes(b"half")
            raise CrashError
        kept.rename(out / f"{kept.name}.hidden")  # so that the other one's temporary file is the only one
    for hidden in out.glob(".*.hidden"):
        hidden.rename(hidden.with_suffix(""))
    assert len(list(out.glob(".*.wideopen-tmp"))) == 2
    studio.run()
    (left,) = out.glob(".*.wideopen-tmp")
    assert left.name == kept.name


def test_only_changed_photos_are_rendered_again(studio):
    studio.run()
    studio.write("b", b"new")
    heard = studio.run()
    assert [Path(photo).name for photo in heard.seen["done"]] == ["b.jpg"]
    studio.blur = 2
    assert len(studio.run().seen["done"]) == 3
    assert studio.results() == studio.expected()


def test_a_copied_folder_is_known_by_its_content(studio):
    """Other times and inodes, the same bytes."""
    studio.run()
    for photo in (studio.folder / "in").iterdir():
        content = photo.read_bytes()
        photo.unlink()
        photo.write_bytes(content)
        os.utime(photo, ns=(5, 5))
    assert len(studio.run().seen["skipped"]) == 3


def test_files_that_no_batch_made_are_not_replaced(studio):
    (studio.folder / "out").mkdir()
    (studio.folder / "out" / "b.bokeh.jpg").write_bytes(b"mine")
    heard = studio.run()
    assert len(heard.seen["done"]) == 2
    (reason,) = heard.seen["failed"]
    assert reason.endswith("b.bokeh.jpg: exists already; choose another name, or overwrite it (--overwrite)")
    assert studio.results()["b.bokeh.jpg"] == b"mine"


def test_an_edited_result_is_kept_when_settings_change(studio):
    studio.run()
    (studio.folder / "out" / "b.bokeh.jpg").write_bytes(b"retouched by hand")
    assert len(studio.run().seen["skipped"]) == 3
    studio.blur = 2
    assert len(studio.run().seen["failed"]) == 1
    assert studio.results()["b.bokeh.jpg"] == b"retouched by hand"


def test_an_empty_result_is_made_again(studio):
    """What a power cut leaves of a file, and a crash where names are claimed with an empty file."""
    studio.run()
    (studio.folder / "out" / "b.bokeh.jpg").write_bytes(b"")
    studio.made.clear()
    studio.run()
    assert studio.results() == studio.expected()


def test_a_lost_result_is_made_again(studio):
    studio.run()
    (studio.folder / "out" / "b.bokeh.jpg").unlink()
    studio.made.clear()
    assert len(studio.run().seen["done"]) == 1


def test_a_second_photo_with_the_same_result_is_refused(studio):
    (studio.folder / "in" / "d.dng").write_bytes(b"raw")
    (studio.folder / "in" / "d.tif").write_bytes(b"tif")
    heard = studio.run()
    (reason,) = heard.seen["failed"]
    assert reason.endswith(f"d.bokeh.tif is also the result of {studio.folder / 'in' / 'd.dng'}")
    assert len(heard.seen["done"]) == 4


def test_a_link_out_of_the_destination_is_not_followed(studio):
    """Or results could replace originals."""
    originals = studio.folder / "originals"
    (studio.folder / "in" / "sub").mkdir()
    (studio.folder / "in" / "sub" / "x.jpg").write_bytes(b"x")
    originals.mkdir()
    (studio.folder / "out").mkdir()
    (studio.folder / "out" / "sub").symlink_to(originals)
    (reason,) = studio.run().seen["failed"]
    assert "found a link out of it" in reason
    assert list(originals.iterdir()) == []


LOCKED = """
import sys
from pathlib import Path
from wideopen.batch.manifest import Manifest
from wideopen.errors import InvalidInput, ManifestError
try:
    Manifest(Path(sys.argv[1]))
except InvalidInput as error:
    print(error)
"""


def test_one_batch_at_a_time_writes_a_manifest(tmp_path):
    path = tmp_path / "m.jsonl"
    with Manifest(path):
        done = subprocess.run([sys.executable, "-c", LOCKED, path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{path}: another batch is writing it"


def test_another_file_is_refused_as_a_manifest(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("dear diary\n", encoding="ascii")
    with pytest.raises(InvalidInput, match="expected a manifest"):
        Manifest(path)
    assert path.read_text(encoding="ascii") == "dear diary\n"


def test_names_that_are_not_unicode_are_recorded(tmp_path):
    target = os.fsdecode(b"caf\xe9.jpg")
    with Manifest(tmp_path / "m") as manifest:
        manifest.begin(target, settings="s", inputs=(None,))
        manifest.done(target, digest="d", result=None)
    with Manifest(tmp_path / "m") as manifest:
        assert manifest.records[target].state == "done"


def test_a_full_disk_ends_the_batch_in_one_line(studio, monkeypatch):
    """Without the manifest nothing could be resumed."""

    def full(*_):
        raise OSError(28, "No space left on device")

    with Manifest(studio.folder / "out" / ".m.jsonl") as manifest:
        monkeypatch.setattr("wideopen.batch.manifest.os.write", full)
        batch = Batch(Job(), str(studio.folder / "out"), manifest, Heard())
        found = list(find_photos([str(studio.folder / "in")], str(studio.folder / "out")))
        with pytest.raises(ManifestError, match=r"\.m\.jsonl: cannot be written \(No space left on device\)"):
            batch.run(iter(found), Slow(studio, Fuse(None)), Stop())
