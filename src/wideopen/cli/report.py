"""What the commands print: notes and errors on stderr, progress only on a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


def warn(line: str) -> None:
    """One line on stderr."""
    sys.stderr.write(" ".join(line.split()) + "\n")


class Steps:
    """Names the current step of a command; while something is downloaded, also how much of it is there."""

    def __call__(self, step: str) -> None:
        """Show `step`."""

    def download(self, done: int, total: int) -> None:
        """Show `done` of `total` bytes, until the next step."""


@contextmanager
def steps(title: str) -> Iterator[Steps]:
    """Show `title` and the current step while something runs; yields what is told the steps.

    Nothing is shown where stderr is no terminal.
    """
    if not sys.stderr.isatty():
        yield Steps()
        return
    from wideopen.cli.progress import terminal_steps

    with terminal_steps(title) as shown:
        yield shown
