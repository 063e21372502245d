"""Writes docs/results.md from the JSON files in benchmarks/results; no figure on that page is typed.

python scripts/results_page.py            # writes the page
python scripts/results_page.py --check    # exit 1 where the page is not what the files say
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from wideopen.evals.published import missing, set_tables
from wideopen.evals.reproduce import measured

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "benchmarks" / "results", ROOT / "docs" / "results.md"
COLUMNS = {"psnr_db": ("PSNR, dB", 2), "edge_psnr_db": ("edge, dB", 2), "ssim": ("SSIM", 3), "flip": ("FLIP", 3)}
PAIRS = {
    "pairs_judge_clamped_subject": "Subject in focus, rays clamped at white before the lens (no highlights given back)",
    "pairs_judge_true_subject": "Subject in focus, true radiance",
    "pairs_judge_clamped": "Both focuses, rays clamped at white",
}
HEAD = """# Results

This page is made by `python scripts/results_page.py` from the JSON files in `benchmarks/results` and from what papers
print (`src/wideopen/evals/published.json`); a test checks that it is what they say. How to measure, and what the
columns are: [evaluation](evaluation.md). Below ours stand commit, date, machine and command, where they were recorded.
"""


def load(folder: Path, name: str) -> dict[str, Any]:
    """One result file."""
    data: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return data


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A Markdown table."""
    yield "| " + " | ".join(heads) + " |"
    yield "|---" * len(heads) + "|"
    yield from ("| " + " | ".join(row) + " |" for row in rows)


def origin(data: Mapping[str, Any]) -> str:
    """Where the figures of one file come from."""
    machine = data.get("machine")
    where = f"{machine['cpu']}, {machine['cores']} cores" if machine else "machine not recorded"
    commit = f"commit `{data['commit'][:8]}`" if data.get("commit") else "commit not recorded"
    command = f"`{data['command']}`" if data.get("command") else "command not recorded"
    return f"*{', '.join([commit, *([data['date']] if 'date' in data else []), where])}; {command}*"


def number(value: float | None, digits: int) -> str:
    """A figure; what is not known is a dash."""
    return "-" if value is None else f"{value:.{digits}f}"


def figures(means: Mapping[str, Mapping[str, float | None]], first: str) -> Iterator[str]:
    """A table of means by name, of the columns that somebody has."""
    used = [c for c in COLUMNS if any(row.get(c) is not None for row in means.values())]
    rows = [[name, *(number(row.get(c), COLUMNS[c][1]) for c in used)] for name, row in means.items()]
    yield from table([first, *(COLUMNS[c][0] for c in used)], rows)


def paper(folder: Path) -> Iterator[str]:
    """The paper's tables with ours below."""
    yield from ("## The paper's tables", "", "`wideopen reproduce`, with the data that were at hand.", "")
    data = load(folder, "reproduce")
    for one in data["tables"]:
        digits = [2, 4, 4] if one["number"] == 3 else [4] * 4
        yield from (f"**Table {one['number']}.** {one['title']}", "")
        rows = [[name, *map(number, row, digits)] for name, row in one["paper"].items()]
        rows += [[f"*{name}*", *map(number, row, digits)] for name, row in one["ours"].items()]
        yield from table(["", *one["columns"]], rows)
        yield ""
        yield from (f"- {note}" for note in one["notes"])
        yield ""
    yield from (origin(data), "")


def field(folder: Path) -> Iterator[str]:
    """Published figures by set, ours beside them from the files of `eval --benchmark --json`."""
    yield from ("## The field's sets, and ours by name", "")
    yield (
        "Figures that papers print, beside ours where the set was at hand. Figures of one set by different protocols "
        "are not comparable; the notes say what was compared. `wideopen reproduce` prints the same."
    )
    files = sorted(folder.glob("field_*.json"))
    for one in set_tables(measured(files)):
        yield from ("", f"**{one.title}**", "")
        yield from table(one.rows[0], one.rows[1:])
        yield ""
        yield from (f"- {note}" for note in one.notes)
    yield from ("", "Ours:", "")
    yield from (f"- {file.stem}: {origin(load(folder, file.stem))}" for file in files)
    yield from ("", "Not found in a source that could be read:", "")
    yield from (f"- {line}" for line in missing())
    yield ""


def pairs(folder: Path) -> Iterator[str]:
    """Ours, tuned and not, beside others, on the lens benchmark's judge half."""
    yield from ("## Held-out ray-traced pairs", "")
    yield (
        "The judge half of the [lens benchmark](evaluation.md#the-lens-benchmark-ray-traced-truth) "
        "(`benchmarks/lens/export.py`, then `benchmarks/pairs.py`); matte and disparity are exact. Presets were tuned "
        "on the other half: `paper` with the subject in focus, clamped rays; `thin-lens` against true radiance."
    )
    for name, title in PAIRS.items():
        data = load(folder, name)
        count = len(next(iter(data["each"].values())))
        yield from ("", f"**{title}**, {count} pairs:", "")
        yield from figures(data["means"], "method")
        means = data["means"]
        gain = means["preset paper"]["psnr_db"] - means["paper look"]["psnr_db"]
        lead = means["thin-lens look"]["psnr_db"] - means["preset paper"]["psnr_db"]
        yield from ("", f"Tuning the paper look gains {gain:+.2f} dB; `thin-lens` leads it by {lead:.2f} dB.")
        yield from ("", origin(data))
    yield ""


def ablations(folder: Path) -> Iterator[str]:
    """What each part is worth."""
    data = load(folder, "ablations")
    count = len(next(iter(data["each"].values())))
    yield from ("## What each part is worth", "")
    yield (
        f"`wideopen eval ablations` on {count} held-out pairs, subject in focus, rays clamped at white, disparity "
        "degraded as a network would; the paper look with its preset."
    )
    yield ""
    yield from figures(data["means"], "variant")
    yield from ("", origin(data), "")


def speed(folder: Path) -> Iterator[str]:
    """Seconds."""
    data = load(folder, "eval_speed")
    machine = data["machine"]
    yield from ("## Time", "")
    yield (
        f"`benchmarks/eval_speed.py` on {machine['cores']} cores ({machine['cpu']}), the machine's load before it "
        f"started {data['load_before']}: {data['pairs']} pairs of one megapixel judged, {data['trials']} trials on 8 "
        "pairs of half a megapixel. CPU seconds are those of all its processes."
    )
    yield ""
    rows = [
        [name, number(row["seconds"], 1), number(row["cpu_seconds"], 1), number(data["limits_s"][name], 0)]
        for name, row in data["rows"].items()
    ]
    yield from table(["command", "seconds", "CPU seconds", "promised, seconds"], rows)
    yield from ("", origin(data))


def page(folder: Path = RESULTS) -> str:
    """The whole page."""
    parts = (paper(folder), field(folder), pairs(folder), ablations(folder), speed(folder))
    return HEAD + "\n" + "\n".join(line for part in parts for line in part) + "\n"


def main() -> None:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 where the page is not up to date")
    options = parser.parse_args()
    text = page()
    if not options.check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        sys.exit(f"{PAGE}: expected what benchmarks/results says, found otherwise; python scripts/results_page.py")


if __name__ == "__main__":
    main()
