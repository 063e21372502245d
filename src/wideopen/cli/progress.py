"""Progress on a terminal: a spinner with the current step, and a bar while something is downloaded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress_bar import ProgressBar
from rich.text import Text

from wideopen.cli.notes import PlainSteps
from wideopen.session.progress import Steps


class _Bar(BarColumn):
    """A bar only where there is a total."""

    def render(self, task: Task) -> ProgressBar:
        return super().render(task) if task.total else Text("")  # type: ignore[return-value]


class _Bytes(ProgressColumn):
    """So many of so many megabytes, where there is a total."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.completed / 1e6:.0f} of {task.total / 1e6:.0f} MB" if task.total else "")


class _Shown(PlainSteps):
    def __init__(self, progress: Progress, title: str) -> None:
        self._progress, self._title = progress, title
        self._task = progress.add_task(title, total=None)

    def __call__(self, step: str) -> None:
        self._progress.tasks[0].total = None
        self._progress.update(self._task, description=f"{self._title}: {step}")

    def download(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total)


@contextmanager
def terminal_steps(title: str) -> Iterator[Steps]:
    """Show `title` and the steps on stderr, and nothing of it in the end."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), _Bar(bar_width=30), _Bytes(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Shown(progress, title)


@contextmanager
def terminal_count(title: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar on stderr that each call moves on by one, with the text that it was given."""
    columns = (BarColumn(bar_width=30), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=total)
        yield lambda text: progress.update(task, advance=1, description=f"{title}: {text}")
