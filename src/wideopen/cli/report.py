"""What the commands print: notes and errors on stderr, progress only on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def warn(line: str) -> None:
    """One line on stderr."""
    sys.stderr.write(" ".join(line.split()) + "\n")


@contextmanager
def steps(title: str) -> Iterator[Callable[[str], None]]:
    """Show `title` and the current step while something runs; yields the function that names the step.

    Nothing is shown where stderr is no terminal.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title)
        yield lambda step: progress.update(task, description=f"{title}: {step}")
