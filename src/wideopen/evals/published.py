"""Figures that papers print, as data beside ours: published.json holds one entry per method and set.

Each entry has method, benchmark, figures (columns as ours), source, protocol and date. Figures of the same set by
different protocols are not comparable; the protocol says what was compared. Figures that we could not find in a
readable source are listed by `missing`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from wideopen.evals.benchmarks import BENCHMARKS
from wideopen.evals.report import DIGITS, TITLES, Means, number, table

FILE = Path(__file__).with_name("published.json")
PAPER = "Rao, Zhang, Lau, Chen, which this project implements"
NOT_MEASURED = "wideopen: not measured (the set was not available)"
MATTING = {"mad": "MAD", "mse": "MSE", "sad": "SAD", "gradient": "gradient", "connectivity": "connectivity"}
HEADS = {**TITLES, **MATTING}
PLACES = {**dict.fromkeys(HEADS, 2), **DIGITS, "mad": 4, "mse": 4}


@dataclass(frozen=True, slots=True)
class Published:
    """One method on one set, as printed."""

    method: str
    benchmark: str
    figures: Means
    source: str
    protocol: str
    date: str


@lru_cache(maxsize=1)
def published() -> tuple[Published, ...]:
    """All entries, in the file's order."""
    data = json.loads(FILE.read_text(encoding="utf-8"))
    return tuple(Published(**entry) for entry in data["entries"])


def missing() -> tuple[str, ...]:
    """What was looked for and not found in a source that could be read."""
    return tuple(json.loads(FILE.read_text(encoding="utf-8"))["missing"])


def cited(benchmark: str | None) -> tuple[dict[str, Means], list[str]]:
    """Return (the figures on one set by method and number of a source, the sources by number)."""
    entries = [one for one in published() if one.benchmark == benchmark]
    sources = list(dict.fromkeys(f"{one.source} ({one.date}): {one.protocol}" for one in entries))
    number_of = {source: k for k, source in enumerate(sources, 1)}
    rows = {f"{one.method} [{number_of[f'{one.source} ({one.date}): {one.protocol}']}]": one.figures for one in entries}
    return rows, [f"[{k}] {source}" for k, source in enumerate(sources, 1)]


@dataclass(frozen=True, slots=True)
class SetTable:
    """All figures on one set: a header, a row for each method, and notes."""

    title: str
    rows: list[list[str]]
    notes: list[str]

    def lines(self) -> list[str]:
        """As plain text."""
        return [f"{self.title}:", *table(self.rows), *self.notes, ""]


def set_tables(ours: Mapping[str, Mapping[str, Means]]) -> list[SetTable]:
    """A table for each set with published figures or ours; `ours`: means by benchmark and what was judged."""
    found = []
    for name in dict.fromkeys([*(one.benchmark for one in published()), *ours]):
        others, notes = cited(name)
        figures = others | dict(ours.get(name, {NOT_MEASURED: {}}))
        used = [c for c in HEADS if any(row.get(c) is not None for row in figures.values())]
        rows = [[method, *(number(row.get(c), PLACES[c]) for c in used)] for method, row in figures.items()]
        title = BENCHMARKS[name].title if name in BENCHMARKS else name
        found.append(SetTable(title, [["", *(HEADS[c] for c in used)], *rows], notes))
    return found
