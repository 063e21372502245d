"""What is to be done with a photo, given what the manifest says and what is there now."""

from collections.abc import Callable
from enum import Enum, auto

from wideopen.batch.manifest import Entry
from wideopen.batch.places import Status


class Step(Enum):
    """What to do with one photo."""

    SKIP = auto()  # done before, nothing has changed
    ADOPT = auto()  # finished by a run that was killed before it could say so
    MAKE = auto()  # nothing has the result's name
    REPLACE = auto()  # what has it may be replaced
    REFUSE = auto()  # what has it is not ours to replace


def plan(
    entry: Entry | None,
    *,
    settings: str,
    inputs: tuple[Status | None, ...],
    found: Status | None,
    overwrite: bool,
    digest: Callable[[], str],
) -> Step:
    """What to do for a result of which the manifest knows `entry`, and whose name is that of the file `found` now.

    settings: hash of those asked for; inputs: the files that the result depends on, as they are now; overwrite: whether
    files may be replaced that no batch has made; digest: reads the inputs, and is called only where their sizes are
    those of the entry and their times are not.
    """
    if found is None:
        return Step.MAKE
    if entry is None:
        return Step.REPLACE if overwrite else Step.REFUSE
    if entry.made is not None and entry.made.result == found:  # begun again since, but what is there is from before
        entry = entry.made
    if entry.state == "done":
        return _plan_done(entry, settings, inputs, found, overwrite, digest)
    if entry.state == "begun" and found != entry.before:  # it appeared: results appear whole
        same = (entry.settings, entry.inputs) == (settings, inputs)
        return Step.ADOPT if same and found.size > 0 else Step.REPLACE  # an empty file is a name claimed, no more
    ours = found == entry.before and entry.may_replace
    return Step.REPLACE if ours or overwrite else Step.REFUSE


def _plan_done(
    entry: Entry,
    settings: str,
    inputs: tuple[Status | None, ...],
    found: Status,
    overwrite: bool,
    digest: Callable[[], str],
) -> Step:
    if found.size == 0:  # lost with the power
        return Step.REPLACE
    if entry.settings == settings and _unchanged(entry, inputs, digest):
        return Step.SKIP
    edited = entry.result is not None and found.size != entry.result.size  # by somebody, since
    return Step.REFUSE if edited and not overwrite else Step.REPLACE


def _unchanged(entry: Entry, inputs: tuple[Status | None, ...], digest: Callable[[], str]) -> bool:
    if entry.inputs == inputs:
        return True
    sizes = [[one and one.size for one in files] for files in (entry.inputs, inputs)]
    return sizes[0] == sizes[1] and digest() == entry.digest
