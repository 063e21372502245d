"""Write docs/results.md from the JSON files in benchmarks/results; no figure on that page is typed by hand.

python scripts/results_page.py            # writes the page
python scripts/results_page.py --check    # exits 1 if the page differs from the files
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
SCORES = {
    "PSNR, dB": ("all", "psnr_db", 2, 1),
    "edge, dB": ("all", "edge_psnr_db", 2, 1),
    "edge, subject in focus": ("subject", "edge_psnr_db", 2, 1),
    "edge, background in focus": ("background", "edge_psnr_db", 2, 1),
    "SSIM": ("all", "ssim", 4, 1),
    "FLIP": ("all", "flip", 4, -1),
    "LVCorr": ("all", "lvcorr", 4, 1),
    "blur error, px": ("all", "blur_error_px", 2, -1),
}
"""Columns of the comparison: where, which mean, digits, and 1 if more is better."""
ABOUT_SCORES = (
    "Each set is one scene of `benchmarks/composites.py --export` in both focuses; its matte is exact. LVCorr also "
    "uses a third and two thirds of the blur; rembg's blur is that of *blur and paste*. DISTS could not be measured "
    "because torchvision's weights for VGG16 were not available (`--dists` adds it)."
)
TIMES = {"seconds": 1, "over_unit": 1, "cpu_seconds": 1, "peak_mb": 0}
HEAD = """# Results

`python scripts/results_page.py` writes this page from the JSON files in `benchmarks/results` and from published figures
(`src/wideopen/evals/published.json`); a test checks that it matches them. [Evaluation](evaluation.md) explains the
columns and how to measure. Our tables state commit, date, machine and command.
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
    """Where the figures of one file come from. Raises KeyError if the file does not state it."""
    where = f"{data['machine']['cpu']}, {data['machine']['cores']} cores"
    return f"*commit `{data['commit'][:8]}`, {data['date']}, {where}; `{data['command']}`*"


def number(value: float | None, digits: int) -> str:
    """A figure, or a dash if it is unknown."""
    return "-" if value is None else f"{value:.{digits}f}"


def figures(means: Mapping[str, Mapping[str, float | None]], first: str) -> Iterator[str]:
    """A table of means by name, without empty columns."""
    used = [c for c in COLUMNS if any(row.get(c) is not None for row in means.values())]
    rows = [[name, *(number(row.get(c), COLUMNS[c][1]) for c in used)] for name, row in means.items()]
    yield from table([first, *(COLUMNS[c][0] for c in used)], rows)


def paper(folder: Path) -> Iterator[str]:
    """The paper's tables, with our figures below theirs."""
    yield from ("## The paper's tables", "", "From `wideopen reproduce`, with the data available to us.", "")
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
    """Published figures by benchmark, and ours from the files of `eval --benchmark --json`."""
    yield from ("## Public benchmarks", "")
    yield (
        "Published figures, and ours where the benchmark was available. Figures from different protocols are not "
        "comparable; the notes describe each protocol. `wideopen reproduce` prints the same tables."
    )
    files = sorted(folder.glob("field_*.json"))
    for one in set_tables(measured(files)):
        yield from ("", f"**{one.title}**", "")
        yield from table(one.rows[0], one.rows[1:])
        yield ""
        yield from (f"- {note}" for note in one.notes)
    yield from ("", "Ours:", "")
    yield from (f"- {file.stem}: {origin(load(folder, file.stem))}" for file in files)
    yield from ("", "Figures that we could not find in a readable source:", "")
    yield from (f"- {line}" for line in missing())
    yield ""


def pairs(folder: Path) -> Iterator[str]:
    """Ours, tuned and untuned, and simple methods."""
    yield from ("## Compared with simple methods", "")
    yield "Measured by `benchmarks/pairs.py`, with the mattes and disparities of the pairs and the presets as shipped."
    for file in sorted(folder.glob("pairs_*.json")):
        data = load(folder, file.stem)
        count = len(next(iter(data["each"].values())))
        yield from ("", f"**{data['folder']}**, {count} pairs, `--highlights {data['highlights']:g}`:", "")
        yield from figures(data["means"], "method")
        yield from ("", origin(data))
    yield ""


def alternatives(folder: Path) -> Iterator[str]:
    """Ours and other programs."""
    data = load(folder, "alternatives")
    programs = data["time_12"]["programs"]
    yield from ("## Compared with other programs", "")
    yield (
        "Other programs render the same photos with the same mattes and disparities. Each gets what suits it best: a "
        "map of the blur radius, linear light, and the subject pasted over the blurred photo where it is in focus "
        "(`benchmarks/others.py` has the commands). The best figure of each column is bold."
    )
    yield ""
    yield from (f"- {title}: {one['about']}; {one['version'] or 'not installed'}" for title, one in programs.items())
    for name, scores in data["scores"].items():
        yield from ("", f"**{name}**, {scores['pairs']['all']} pairs:", "")
        yield from table(["", *SCORES], list(scored(scores["means"])))
        yield from not_run(scores["not_run"])
        yield from ("", origin(scores))
    yield from ("", ABOUT_SCORES, "")
    yield "Photos at 100 %, with the matte and disparity that wideopen finds:"
    yield from ("", "![Crops of photos](pictures/alternatives.jpg)")
    yield from not_run(data["pictures"]["not_run"])
    yield from ("", origin(data["pictures"]), "")
    yield (
        "Time from the photo's file to the result's, both JPEG, in cold processes; medians. U is one `filter2D` of "
        "OpenCV over 12 megapixels in the same run. CPU seconds are summed over all cores."
    )
    for megapixels in (1, 12):
        time = data[f"time_{megapixels}"]
        done = {title: row for title, row in time["rows"].items() if "not_run" not in row}
        least = {key: min(row[key] for row in done.values()) for key in TIMES}
        lines = [
            [title, *(best(row[key], TIMES[key], row[key] == least[key]) for key in TIMES)]
            for title, row in done.items()
        ]
        size = "1 megapixel" if megapixels == 1 else f"{megapixels} megapixels"
        yield from ("", f"**{size}**, U = {time['unit_s']:.2f} s, runs: {time['runs']}", "")
        yield from table(["", "seconds", "of U", "CPU seconds", "peak MB"], lines)
        yield from not_run({title: row["not_run"] for title, row in time["rows"].items() if "not_run" in row})
        yield from ("", origin(time))
    yield ""


def scored(means: Mapping[str, Any]) -> Iterator[list[str]]:
    """Rows of scores."""
    values = {
        head: {title: row.get(where, {}).get(key) for title, row in means.items()}
        for head, (where, key, _, _) in SCORES.items()
    }
    tops = {
        head: max((x for x in column.values() if x is not None), key=lambda x, s=SCORES[head][3]: s * x, default=None)
        for head, column in values.items()
    }
    for title in means:
        yield [
            title,
            *(best(column[title], SCORES[head][2], column[title] == tops[head]) for head, column in values.items()),
        ]


def best(value: float | None, digits: int, leads: bool) -> str:
    """A figure, bold where it leads its column."""
    text = number(value, digits)
    return f"**{text}**" if leads and value is not None else text


def not_run(reasons: Mapping[str, str]) -> Iterator[str]:
    """What could not be run, and why."""
    if reasons:
        yield from ("", *(f"- not run, {title}: {why.removeprefix(f'{title}: ')}" for title, why in reasons.items()))


def ablations(folder: Path) -> Iterator[str]:
    """What each part contributes."""
    data = load(folder, "ablations")
    yield from ("## What each part contributes", "")
    yield (
        f"`wideopen eval ablations` on {data['pairs']} pairs; the paper look uses its preset. The disparity of "
        "composites is exact and has two values, so neither its filter nor the number of planes matters to `thin-lens`."
    )
    yield ""
    yield from figures(data["means"], "variant")
    yield from ("", origin(data), "")


def speed(folder: Path) -> Iterator[str]:
    """Time of the evaluation commands."""
    data = load(folder, "eval_speed")["rows"]
    yield from ("## Time", "")
    yield (
        "`benchmarks/eval_speed.py` judges pairs of one megapixel with PSNR, SSIM, blur error, LVCorr and DISTS, or "
        "with FLIP in place of the last two, and runs trials of `tune` on 8 pairs of half a megapixel. Commands start "
        "cold, so starting their worker processes counts. CPU seconds are summed over all processes. DISTS runs on "
        "random weights of the right layout."
    )
    yield ""
    rows = []
    for name, row in data.items():
        count, unit = row["count"], "trial" if name == "tune" else "pair"
        seconds = [number(row[key], 1) for key in ("seconds", "cpu_seconds")]
        each = row["of_100_s"] / 100 if "few" in row else row["seconds"] / count
        rows.append([name, f"{count} {unit}s", *seconds, number(each, 2), number(row["promised_s"], 2)])
    yield from table(["command", "", "seconds", "CPU seconds", "seconds each", "limit"], rows)
    yield ""
    yield from (
        f"{name}: {row['few']['count']} pairs took {row['few']['seconds']:.1f} s, so each further pair takes "
        f"{row['few']['each_more_s']:.2f} s; *seconds each* is extrapolated from these two runs to 100 pairs."
        for name, row in data.items()
        if "few" in row
    )
    yield ""
    yield from (f"- {name}: {origin(row)}" for name, row in data.items())


def page(folder: Path = RESULTS) -> str:
    """The whole page."""
    parts = (paper, field, alternatives, pairs, ablations, speed)
    return HEAD + "\n" + "\n".join(line for part in parts for line in part(folder)) + "\n"


def main() -> None:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the page is out of date")
    options = parser.parse_args()
    text = page()
    if not options.check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        sys.exit(f"{PAGE}: expected the figures of benchmarks/results, found others; python scripts/results_page.py")


if __name__ == "__main__":
    main()
