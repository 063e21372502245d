"""The loop of every comparison: each case is measured once and its line written at once; a stopped run can continue.

A line is a flat dict of a name and figures: one line of the CSV file, one object of the JSON file.
"""

import csv
import hashlib
import json
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from wideopen import __version__
from wideopen.errors import WideopenError, require
from wideopen.evals.pairs import PairProblem
from wideopen.evals.report import Line, cells, finite, write_csv
from wideopen.files.atomic import check_target

MARK = "settings"
Case = TypeVar("Case")
Start = Callable[[Case], Callable[[], Line]]
"""Begin to measure a case and return what waits for its line. Both raise WideopenError if it cannot be measured."""


def at_once(measure: Callable[[Case], Line]) -> Start[Case]:
    """Measure a case when it is begun."""

    def start(case: Case) -> Callable[[], Line]:
        line = measure(case)
        return lambda: line

    return start


@dataclass(slots=True)
class Judged:
    """The lines of all cases that could be judged, in order, and the others."""

    lines: list[Line] = field(default_factory=list)
    skipped: list[PairProblem] = field(default_factory=list)

    @contextmanager
    def skipping(self, *names: str) -> Iterator[None]:
        """Keep the reason why the case of these names cannot be judged, in place of raising it."""
        try:
            yield
        except WideopenError as error:
            self.skipped.append(PairProblem("/".join(names), str(error)))


class Ledger:
    """The lines of a run in a CSV file, written as they come; a file of the same settings is continued.

    Each line ends with a mark, a hash of the settings and of our version. Without a path nothing is kept.
    """

    def __init__(
        self,
        path: Path | None = None,
        settings: Mapping[str, Any] = MappingProxyType({}),
        names: Sequence[str] = ("set", "photo"),
        overwrite: bool = False,
    ) -> None:
        """`names`: the columns that tell cases apart. Raises InvalidInput for a file of other settings."""
        self.path, self.names = path, names
        about = json.dumps([__version__, finite(settings)], sort_keys=True)
        self.mark = hashlib.sha256(about.encode()).hexdigest()[:12]
        self.lines: dict[tuple[str, ...], Line] = {}
        self._begun = False
        if path is not None:
            continued = not overwrite and path.exists() and self._read(path)
            other = f"{path}: exists already, with other settings; choose another name, or overwrite it (--overwrite)"
            require(overwrite or continued or not path.is_file(), other)
            check_target(path, overwrite=overwrite or continued)

    def _read(self, path: Path) -> bool:
        """Take over the lines of an earlier run; whether the file is one of the same settings."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return False
        found = list(csv.DictReader(text[: text.rfind("\n") + 1].splitlines()))  # a line cut short does not count
        if not found or any(row.get(MARK) != self.mark for row in found):
            return False
        self.lines = {tuple(row[name] for name in self.names): self._parsed(row) for row in found}
        return True

    def _parsed(self, row: Mapping[str, str]) -> Line:
        cells = {key: cell for key, cell in row.items() if key != MARK}
        return {k: v if k in self.names else None if v == "" else float(v) for k, v in cells.items()}

    def add(self, line: Line) -> None:
        """Keep a new line, in the file too."""
        if self._key(line) in self.lines:
            return
        self.lines[self._key(line)] = line
        if self.path is None or not self._begun:
            self._write_all()
            return
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerow(cells({**line, MARK: self.mark}))

    def known(self, *names: str) -> Line | None:
        """The line of an earlier run."""
        return self.lines.get(names)

    def close(self, order: Callable[[Line], Any]) -> None:
        """Write the whole file anew, in the given order."""
        self.lines = {self._key(line): line for line in sorted(self.lines.values(), key=order)}
        self._write_all()

    def _key(self, line: Line) -> tuple[str, ...]:
        return tuple(str(line[name]) for name in self.names)

    def _write_all(self) -> None:
        if self.path is not None and self.lines:
            write_csv(self.path, [{**line, MARK: self.mark} for line in self.lines.values()], overwrite=True)
            self._begun = True


def run(
    cases: Iterable[tuple[tuple[str, ...], Case]],
    start: Start[Case],
    ledger: Ledger,
    on_done: Callable[[str], None] = lambda _: None,
    ahead: int = 1,
) -> Judged:
    """Measure cases by name, `ahead` begun before the first is waited for.

    Those in the ledger are not measured again, those that cannot be measured are skipped.
    """
    judged = Judged()
    waiting: deque[tuple[tuple[str, ...], Callable[[], Line]]] = deque()

    def finish() -> None:
        names, line = waiting.popleft()
        with judged.skipping(*names):
            judged.lines.append(line())
            ledger.add(judged.lines[-1])
        on_done(names[-1])

    for names, case in cases:
        known = ledger.known(*names)
        with judged.skipping(*names):
            waiting.append((names, start(case) if known is None else lambda known=known: known))  # type: ignore[misc]
        if len(waiting) >= ahead:
            finish()
    while waiting:
        finish()
    return judged


def worst_first(figure: str, sign: float = 1.0) -> Callable[[Line], float]:
    """A key that sorts lines by a figure; those without it come last."""
    return lambda line: math.inf if line[figure] is None else sign * float(line[figure])
