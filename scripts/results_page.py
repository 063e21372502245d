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

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "benchmarks" / "results", ROOT / "docs" / "results.md"
COLUMNS = {"psnr_db": ("PSNR, dB", 2), "edge_psnr_db": ("edge, dB", 2), "ssim": ("SSIM", 3), "flip": ("FLIP", 3)}
PAIRS = {
    "pairs_judge_clamped_subject": "Subject in focus, rays clamped at white before the lens (no highlights given back)",
    "pairs_judge_true_subject": "Subject in focus, true radiance",
    "pairs_judge_clamped": "Both focuses, rays clamped at white",
}
HEAD = """# Results

This page is made by `python scripts/results_page.py` from the JSON files in `benchmarks/results`; a test checks that it
is what they say. How to measure, and what the columns are: [evaluation](evaluation.md).
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
    for one in load(folder, "reproduce")["tables"]:
        digits = [2, 4, 4] if one["number"] == 3 else [4] * 4
        yield from (f"**Table {one['number']}.** {one['title']}", "")
        rows = [[name, *map(number, row, digits)] for name, row in one["paper"].items()]
        rows += [[f"*{name}*", *map(number, row, digits)] for name, row in one["ours"].items()]
        yield from table(["", *one["columns"]], rows)
        yield ""
        yield from (f"- {note}" for note in one["notes"])
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
    yield ""


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


def page(folder: Path = RESULTS) -> str:
    """The whole page."""
    parts = (paper(folder), pairs(folder), ablations(folder), speed(folder))
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
