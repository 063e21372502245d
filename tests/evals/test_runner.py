"""A run writes each line at once and continues where it was stopped."""

import pytest

from wideopen.errors import InvalidInput
from wideopen.evals.runner import Ledger, run, worst_first

SETTINGS = {"blur": 0.024}


def ledger(path, settings=SETTINGS, **options):
    return Ledger(path, settings, ("pair",), **options)


def lines_of(names, path, *, fail=None, **options):
    """Run over names; return the names that were measured."""
    measured = []

    def start(name):
        if name == fail:
            raise KeyboardInterrupt
        measured.append(name)
        line = {"pair": name, "psnr_db": float(ord(name)), "flip": None}
        return lambda: line

    kept = ledger(path, **options)
    judged = run((((name,), name) for name in names), start, kept)
    kept.close(worst_first("psnr_db", -1))
    return measured, judged


def test_a_stopped_run_continues(tmp_path):
    file = tmp_path / "each.csv"
    with pytest.raises(KeyboardInterrupt):
        lines_of("abcdefgh", file, fail="g")
    assert file.read_text().count("\n") == 7  # a head and a to f
    measured, judged = lines_of("abcdefgh", file)
    assert measured == list("gh")
    assert [line["pair"] for line in judged.lines] == list("abcdefgh")
    assert judged.lines[1] == {"pair": "b", "psnr_db": 98.0, "flip": None}
    assert lines_of("abcdefgh", file)[0] == []


def test_a_line_that_was_cut_short_is_measured_again(tmp_path):
    file = tmp_path / "each.csv"
    lines_of("abc", file)
    file.write_text(file.read_text()[:-6])
    assert len(lines_of("abc", file)[0]) == 1


def test_lines_of_other_settings_are_not_mixed_in(tmp_path):
    file = tmp_path / "each.csv"
    lines_of("ab", file)
    with pytest.raises(InvalidInput, match="exists already"):
        ledger(file, {"blur": 0.03})
    assert lines_of("ab", file, settings={"blur": 0.03}, overwrite=True)[0] == ["a", "b"]


def test_a_file_of_something_else_is_not_touched(tmp_path):
    file = tmp_path / "each.csv"
    file.write_text("pair,psnr_db\na,3\n")
    with pytest.raises(InvalidInput, match="exists already"):
        ledger(file)
    assert file.read_text() == "pair,psnr_db\na,3\n"


@pytest.mark.parametrize("ahead", [1, 3])
@pytest.mark.parametrize("late", [False, True])
def test_unmeasurable_cases_are_skipped_with_the_reason(late, ahead):
    done = []

    def line(name):
        if name == "b":
            raise InvalidInput("b: expected something else")
        return {"pair": name}

    def start(name):
        found = None if late else line(name)
        return lambda: found or line(name)

    judged = run((((name,), name) for name in "abcd"), start, Ledger(names=("pair",)), done.append, ahead)
    assert [line["pair"] for line in judged.lines] == ["a", "c", "d"]
    assert [(p.name, p.what) for p in judged.skipped] == [("b", "b: expected something else")]
    assert set("acd") <= set(done)


def test_several_cases_are_begun_before_the_first_is_waited_for():
    events = []

    def start(name):
        events.append(name)
        return lambda: events.append(name.upper()) or {"pair": name}

    run((((name,), name) for name in "abcd"), start, Ledger(names=("pair",)), ahead=3)
    assert "".join(events) == "abcAdBCD"
