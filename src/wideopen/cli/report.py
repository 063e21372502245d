"""What the commands show while they work: progress, only on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wideopen.cli.notes import PlainSteps
from wideopen.session.progress import Steps


@contextmanager
def steps(title: str) -> Iterator[Steps]:
    """Show `title` and the current step while something runs; yields what is told the steps.

    No step is shown where stderr is no terminal.
    """
    if not sys.stderr.isatty():
        yield PlainSteps()
        return
    from wideopen.cli.progress import terminal_steps

    with terminal_steps(title) as shown:
        yield shown


@contextmanager
def count(title: str, total: int) -> Iterator[Callable[[str], None]]:
    """A bar over `total` things; yields what is called with a text after each. Nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from wideopen.cli.progress import terminal_count

    with terminal_count(title, total) as done:
        yield done
