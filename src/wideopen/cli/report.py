"""What the commands print: notes and errors on stderr, progress only on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wideopen.jobs.progress import Steps


def warn(line: str) -> None:
    """One line on stderr."""
    sys.stderr.write(" ".join(line.split()) + "\n")


class PlainSteps(Steps):
    """Notes on stderr, and no steps."""

    def note(self, line: str) -> None:
        """One line on stderr."""
        warn(line)


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
