"""Writing files: completely or not at all, and never over an existing file by accident."""

import os

import pytest

from wideopen.errors import InvalidInput
from wideopen.files.atomic import atomic_file, check_target


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def write_then(target, action, *, overwrite=False):
    with atomic_file(target, overwrite=overwrite) as out:
        out.write(b"half")
        action()


def raise_it(error):
    raise error


def test_the_file_appears_with_its_content_only_at_the_end(tmp_path):
    target = tmp_path / "a.bin"
    with atomic_file(target) as out:
        out.write(b"data")
        assert not target.exists()
    assert target.read_bytes() == b"data"
    assert names(tmp_path) == ["a.bin"]
    assert target.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_failure_leaves_the_folder_as_it_was(tmp_path, error, overwrite):
    target = tmp_path / "a.bin"
    if overwrite:
        target.write_bytes(b"old")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(error):
        write_then(target, lambda: raise_it(error), overwrite=overwrite)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_full_disk_is_one_line(tmp_path):
    full = OSError(28, "No space left on device")
    with pytest.raises(InvalidInput, match=r"cannot be written \(No space left on device\)$"):
        write_then(tmp_path / "a.bin", lambda: raise_it(full))
    assert names(tmp_path) == []


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_kept(tmp_path, monkeypatch, links):
    if not links:

        def refuse(*_paths):
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    target = tmp_path / "a.bin"
    with pytest.raises(InvalidInput, match="exists already"):
        write_then(target, lambda: target.write_bytes(b"theirs"))
    assert target.read_bytes() == b"theirs"
    assert names(tmp_path) == ["a.bin"]


def test_without_hard_links_files_are_written_too(tmp_path, monkeypatch):
    def refuse(*_paths):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    with atomic_file(tmp_path / "a.bin") as out:
        out.write(b"data")
    assert (tmp_path / "a.bin").read_bytes() == b"data"
    assert names(tmp_path) == ["a.bin"]


def test_targets_that_must_not_be_written_are_refused(tmp_path):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"original")
    linked = tmp_path / "linked.jpg"
    linked.symlink_to(photo)
    hard = tmp_path / "hard.jpg"
    hard.hardlink_to(photo)
    for path in (photo, linked, hard, tmp_path / "." / "photo.jpg"):
        with pytest.raises(InvalidInput, match="originals are never overwritten"):
            check_target(path, inputs=[photo], overwrite=True)
    with pytest.raises(InvalidInput, match="exists already"):
        check_target(photo)
    with pytest.raises(InvalidInput, match="found a folder"):
        check_target(tmp_path, overwrite=True)
    with pytest.raises(InvalidInput, match="expected an existing folder"):
        check_target(tmp_path / "missing" / "a.jpg")
    with pytest.raises(InvalidInput, match="expected an existing folder"):
        check_target(photo / "a.jpg")
    with pytest.raises(InvalidInput, match="found a NUL"):
        check_target(tmp_path / "a\0b.jpg")
    with pytest.raises(InvalidInput, match="cannot be written"):
        write_then(tmp_path / ("n" * 300), lambda: None)


def test_a_broken_link_counts_as_an_existing_file(tmp_path):
    link = tmp_path / "a.bin"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(InvalidInput, match="exists already"):
        check_target(link)


def test_a_folder_without_permission_is_one_line(tmp_path, monkeypatch):
    from pathlib import Path

    def refuse(self, *_args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InvalidInput, match=r"cannot be written \(Permission denied\)$"):
        write_then(tmp_path / "a.bin", lambda: None)
