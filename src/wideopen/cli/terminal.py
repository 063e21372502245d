"""Output of commands on stderr: notes, and on a terminal also steps, download bars and counts."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from wideopen.errors import ITEM
from wideopen.timing import Steps

if TYPE_CHECKING:
    from rich.progress import Progress, Task


def warn(line: str) -> None:
    """Print one line on stderr, and below it the items of its list."""
    sys.stderr.write(ITEM.join(" ".join(part.split()) for part in line.split(ITEM)) + "\n")


class PlainSteps(Steps):
    """Print notes on stderr, and ignore steps."""

    def note(self, line: str) -> None:
        """Print one line on stderr."""
        warn(line)


class _Shown(PlainSteps):
    """Show steps beside a spinner, and the megabytes of a download."""

    def __init__(self, progress: "Progress", title: str) -> None:
        self._progress, self._title = progress, title
        self._task = progress.add_task(title, total=None, megabytes="")

    def __call__(self, step: str) -> None:
        self._progress.tasks[0].total = None
        self._progress.update(self._task, description=f"{self._title}: {step}", megabytes="")

    def download(self, done: int, total: int) -> None:
        megabytes = f"{done / 1e6:.0f} of {total / 1e6:.0f} MB"
        self._progress.update(self._task, completed=done, total=total, megabytes=megabytes)


@contextmanager
def steps(title: str) -> Iterator[Steps]:
    """Show `title` and the current step while the block runs; yields the `Steps` to pass on.

    If stderr is not a terminal, only notes are printed. The display disappears at the end.
    """
    if not sys.stderr.isatty():
        yield PlainSteps()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    class Bar(BarColumn):
        """A bar that is empty if there is no total."""

        def render(self, task: "Task") -> Any:
            return super().render(task) if task.total else ""

    text = TextColumn("{task.description}"), Bar(bar_width=30), TextColumn("{task.fields[megabytes]}")
    with Progress(
        SpinnerColumn(), *text, TimeElapsedColumn(), console=Console(stderr=True), transient=True
    ) as progress:
        yield _Shown(progress, title)


@contextmanager
def count(title: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar over `total` items if stderr is a terminal; yields a function to call with a text after each."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(bar_width=30), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=total)
        yield lambda text: progress.update(task, advance=1, description=f"{title}: {text}")
