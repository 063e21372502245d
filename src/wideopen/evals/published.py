"""Figures that papers print, as data beside ours: published.json holds one entry per method and set.

Each entry has method, benchmark, figures (columns as ours), source, protocol and date. Figures of the same set by
different protocols are not comparable; the protocol says what was compared. What no source that we could read gives is
not in the file, and `missing` says so.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from wideopen.evals.benchmarks import BENCHMARKS
from wideopen.evals.report import DIGITS, TITLES, Means, number, table

FILE = Path(__file__).with_name("published.json")
PAPER = "the paper that this project implements"
NOT_MEASURED = "not measured: the set was not at hand"
MATTING = {"mad": "MAD", "mse": "MSE", "sad": "SAD", "gradient": "gradient", "connectivity": "connectivity"}
HEADS = {**TITLES, **MATTING}


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


def published_means(benchmark: str | None) -> dict[str, Means]:
    """The entries of one set by method, for a table beside ours."""
    return {f"{one.method} *": one.figures for one in published() if one.benchmark == benchmark}


def published_lines(ours: Mapping[str, Mapping[str, Means]]) -> list[str]:
    """Tables of all sets: published figures, ours by benchmark and name, and where the former come from."""
    lines: list[str] = []
    for name in dict.fromkeys(one.benchmark for one in published()):
        entries = [one for one in published() if one.benchmark == name]
        rows = {one.method: one.figures for one in entries} | dict(ours.get(name, {}))
        used = [c for c in HEADS if any(row.get(c) is not None for row in rows.values())]
        body = [[method, *(number(row.get(c), DIGITS.get(c, 4)) for c in used)] for method, row in rows.items()]
        title = BENCHMARKS[name].title if name in BENCHMARKS else name
        lines += ["", f"{title}:", *table([["", *(HEADS[c] for c in used)], *body])]
        if name not in ours:
            lines.append(f"wideopen: {NOT_MEASURED}")
        sources = dict.fromkeys(f"{one.source} ({one.date}): {one.protocol}" for one in entries)
        lines += [f"- {source}" for source in sources]
    return [*lines, "", "Not found in a source that could be read:", *(f"- {line}" for line in missing())]
